package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// output is what a running scorer has said.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// corpus is a bundle that was written once and must load forever.
const corpus = "../../bundle/testdata/v1.tandem"

func TestScorerServes(t *testing.T) {
	const path = corpus
	name := strings.TrimSuffix(filepath.Base(path), ".tandem")
	for _, tt := range []struct {
		name string
		env  map[string]string
		args []string
	}{
		{"by flags", nil, []string{"--bundle", path, "--address", "127.0.0.1:0"}},
		{"by the environment", map[string]string{"TANDEM_BUNDLE": path, "TANDEM_ADDRESS": "127.0.0.1:0"}, nil},
		{"called as a container, with flags", nil, []string{"serve", "--bundle", path, "--address", "127.0.0.1:0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			var said output
			done := make(chan int, 1)
			go func() { done <- run(ctx, tt.args, io.Discard, &said) }()
			var url []string
			for deadline := time.Now().Add(10 * time.Second); len(url) == 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("not serving: %s", said.String())
				}
				url = regexp.MustCompile(`http://\S+:[0-9]+`).FindStringSubmatch(said.String())
			}
			resp, err := http.Get(url[0] + "/v2/models/" + name)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), `"platform":"tandem"`) {
				t.Errorf("%d %s %v", resp.StatusCode, body, err)
			}
			stop()
			if code := <-done; code != 0 {
				t.Errorf("exit code %d: %s", code, said.String())
			}
		})
	}
}

func TestScorerRefuses(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.tandem")
	if err := os.WriteFile(broken, []byte("no bundle"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "no bundle to serve"},
		{[]string{"--frobnicate"}, 2, "--help"},
		{[]string{corpus}, 2, "--bundle"},
		{[]string{"--bundle", broken}, 1, "broken.tandem"},
		{[]string{"--bundle", corpus, "--address", "0.0.0.0:0"}, 2, "127.0.0.1"},
		{[]string{"--bundle", corpus, "--keys", t.TempDir()}, 1, "there is no key in"},
		{[]string{"--bundle", corpus, "--tls-cert", "x"}, 2, "go together"},
		{[]string{"--bundle", corpus, "--rate", "fast"}, 2, "--rate"},
		{[]string{"--bundle", corpus, "--max-queue", "-2"}, 2, "--max-queue"},
		{[]string{"--bundle", corpus, "--max-concurrent", "many"}, 2, "max-concurrent"},
		{[]string{"--bundle", corpus, "--oidc-issuer", "http://login.example.com", "--oidc-audience", "a"}, 2, "https://"},
	} {
		var said output
		if code := run(t.Context(), tt.args, io.Discard, &said); code != tt.code || !strings.Contains(said.String(), tt.says) {
			t.Errorf("%v: exit code %d: %s", tt.args, code, said.String())
		}
	}
	t.Setenv("TANDEM_MAX_CONCURRENT", "many")
	var said output
	if code := run(t.Context(), []string{"--bundle", corpus, "--address", "127.0.0.1:0"}, io.Discard, &said); code != 2 || !strings.Contains(said.String(), `TANDEM_MAX_CONCURRENT: "many" is not a whole number`) {
		t.Errorf("a number in words: exit code %d: %s", code, said.String())
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, &out, io.Discard); code != 0 || !strings.Contains(out.String(), "TANDEM_BUNDLE") {
		t.Errorf("help: %d %s", code, out.String())
	}
}
