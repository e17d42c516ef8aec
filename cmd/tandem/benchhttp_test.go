package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/load"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// TestBenchHTTP sends the rows of a table to the server that tandem serve is, in
// every form: all answers are scores.
func TestBenchHTTP(t *testing.T) {
	table, bundle := loans(t)
	dir := t.TempDir()
	csv, model, page := filepath.Join(dir, "new.csv"), filepath.Join(dir, "loans.tandem"), filepath.Join(dir, "load.html")
	for name, b := range map[string][]byte{csv: table, model: bundle} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	alone := serve.Alone{Called: true, Bundles: []string{model}, Address: address, Say: func(string, ...any) {}}
	ended := make(chan error, 1)
	go func() { ended <- alone.Run(t.Context()) }()
	for i := 0; ; i++ {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			break
		}
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
		if i > 500 {
			t.Fatal("the server does not listen")
		}
	}
	for _, more := range [][]string{
		{"-o", page},
		{"--form", "instances", "--rate", "100"},
		{"--form", "infer", "--rate", "100", "--arrivals", "poisson", "--rows-per-request", "3", "--model", "loans"},
	} {
		args := append([]string{"bench", "http", "http://" + address, "--data", csv, "--duration", "200ms", "--warmup", "50ms", "--json"}, more...)
		code, stdout, stderr := command(t.Context(), args...)
		var r load.Result
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 {
			t.Fatalf("%q: exit code %d, %v\n%s%s", more, code, err, stdout, stderr)
		}
		if r.Requests == 0 || r.Status["200"] != r.Requests || r.RowsPerSecond == 0 {
			t.Errorf("%q: %s", more, stdout)
		}
		if !strings.Contains(stderr, "does not take them: id, status") {
			t.Errorf("%q: %s", more, stderr)
		}
	}
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "Latency by percentile") {
		t.Error(err)
	}
}

// TestBenchHTTPExitCodes: what came back decides the exit code.
func TestBenchHTTPExitCodes(t *testing.T) {
	var seen string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Get("Authorization")
		if r.URL.Path == "/busy" {
			http.Error(w, "busy", http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	t.Setenv("TANDEM_KEY", "from-outside")
	for _, c := range []struct {
		path string
		more []string
		code int
		says string
	}{
		{"/", nil, 0, "latency"},
		{"/busy", nil, 1, "--allow-errors lets that pass"},
		{"/busy", []string{"--allow-errors"}, 0, "status 503: busy"},
	} {
		args := append([]string{"bench", "http", s.URL + c.path, "--duration", "50ms", "--warmup", "0s", "--connections", "1"}, c.more...)
		code, stdout, stderr := command(t.Context(), args...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%s %q: exit code %d\n%s%s", c.path, c.more, code, stdout, stderr)
		}
	}
	if seen != "Bearer from-outside" {
		t.Errorf("the key was %q", seen)
	}
}
