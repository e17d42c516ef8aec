package serve_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/engineering/serve"
)

// BenchmarkScore measures one-row requests with reasons and the decision log
// on, in process through a real listener with 32 connections. Client and
// server share the processors, so the client is a plain one: package
// net/http's costs as much as the server.
//
//	go test -run '^$' -bench BenchmarkScore -benchtime 3s ./engineering/serve
func BenchmarkScore(b *testing.B) {
	url, _ := running(b, newServer(b, serve.Options{}))
	address := strings.TrimPrefix(url, "http://")
	body := `{"rows":[` + applicant + `]}`
	request := fmt.Appendf(nil, "POST /v1/score/credit HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", address, len(body), body)
	b.ReportAllocs()
	b.SetParallelism(max(1, 32/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for pb.Next() {
			if _, err := conn.Write(request); err != nil {
				b.Error(err)
				return
			}
			if err := readAnswer(in); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// readAnswer reads one answer, which must be 200 and say its length.
func readAnswer(in *bufio.Reader) error {
	length := -1
	for i := 0; ; i++ {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if i == 0 && !bytes.Contains(line, []byte(" 200 ")) {
			return fmt.Errorf("answered %s", line)
		}
		if rest, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(rest))); err != nil {
				return err
			}
		}
		if len(line) <= 2 {
			_, err := in.Discard(length)
			return err
		}
	}
}

// BenchmarkHandler measures the handler alone, without a network.
func BenchmarkHandler(b *testing.B) {
	h := newServer(b, serve.Options{}).Handler()
	for _, n := range []int{1, 100, 10_000} {
		body := `{"rows":[` + strings.Join(rowsOf(n), ",") + `]}`
		b.Run(fmt.Sprintf("%d rows", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if a := ask(b, h, "POST", "/v1/score/credit", body); a.status != 200 {
					b.Fatal(a.body)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
