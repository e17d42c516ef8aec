package serve_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/serve"
)

// A request that is sent on a kept connection while the server stops is
// answered, and the answer says that it is the last, at the doors that net/http
// reads too.
func TestStopAnswersOnKeptConnections(t *testing.T) {
	t.Parallel()
	for _, over := range []string{"http", "https"} {
		t.Run(over, func(t *testing.T) {
			t.Parallel()
			var opt serve.Options
			dial := func(address string) (net.Conn, error) { return net.Dial("tcp", address) }
			if over == "https" {
				certFile, keyFile := newCertificate(t, t.TempDir(), 1)
				c, err := serve.LoadCertificate(certFile, keyFile)
				if err != nil {
					t.Fatal(err)
				}
				opt.Certificate = c
				dial = func(address string) (net.Conn, error) {
					return tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
				}
			}
			s := newServer(t, opt)
			s.SetGrace(time.Hour) // ends with the last connection
			l, err := serve.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			done := make(chan error, 1)
			go func() { done <- s.Serve(ctx, l) }()

			address := l.Addr().String()
			body := `{"dataframe_records":[` + applicant + `]}`
			request := fmt.Sprintf("POST /invocations HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", address, len(body), body)
			conns := make([]net.Conn, 3)
			ins := make([]*bufio.Reader, len(conns))
			ask := func(i int) (closes bool) {
				t.Helper()
				if _, err := io.WriteString(conns[i], request); err != nil {
					t.Fatal(err)
				}
				r, err := http.ReadResponse(ins[i], nil)
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK || !strings.Contains(string(text), "predictions") {
					t.Fatalf("%s: %s (%v)", r.Status, text, err)
				}
				return r.Close
			}
			for i := range conns {
				if conns[i], err = dial(address); err != nil {
					t.Fatal(err)
				}
				defer conns[i].Close()
				ins[i] = bufio.NewReader(conns[i])
				ask(i)
			}
			stop()
			// Each is asked until it is told to close; the server may not know yet that it stops.
			for i := range conns {
				for !ask(i) {
				}
				if _, err := ins[i].ReadByte(); err != io.EOF {
					t.Errorf("behind its last answer a connection has %v, not its end", err)
				}
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
