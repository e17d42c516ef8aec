package serve_test

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/serve"
)

func TestGuardHosts(t *testing.T) {
	t.Parallel()
	s := newServer(t, serve.Options{})
	for _, tt := range []struct {
		bound   string
		allowed string
		refused string
	}{
		{"127.0.0.1:8080", "127.0.0.1:8080 localhost:8080 LocalHost:8080 [::1]:8080",
			"127.0.0.1 localhost localhost:8081 ::1:8080 [::1] 127.0.0.2:8080 evil.example:8080 localhost.evil.example:8080 localhost:8080.evil.example 0.0.0.0:8080"},
		{"[::1]:9000", "[::1]:9000 localhost:9000 127.0.0.1:9000", "::1:9000 [::1]:8080 [::2]:9000"},
		{"127.0.0.7:80", "127.0.0.7 127.0.0.7:80 localhost localhost:80 [::1] [::1]:80", "127.0.0.8 ::1 localhost:8080"},
	} {
		addr, err := net.ResolveTCPAddr("tcp", tt.bound)
		if err != nil {
			t.Fatal(err)
		}
		h := s.Guard(addr, s.Handler())
		for want, hosts := range map[int]string{200: tt.allowed, 421: tt.refused} {
			for _, host := range append(strings.Fields(hosts), map[int][]string{421: {""}}[want]...) {
				r, err := http.NewRequest("GET", "/health/live", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Host = host
				if a := serveOne(h, r); a.status != want {
					t.Errorf("bound to %s, Host %q: %d, want %d", tt.bound, host, a.status, want)
				}
			}
		}
	}
}

func serveOne(h http.Handler, r *http.Request) answer {
	w := &recording{header: http.Header{}}
	h.ServeHTTP(w, r)
	return answer{w.status, w.body.String(), w.header}
}

// recording is a ResponseWriter that shows what the connection would see.
type recording struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recording) Header() http.Header { return r.header }
func (r *recording) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}
func (r *recording) Write(b []byte) (int, error) {
	r.WriteHeader(200)
	return r.body.Write(b)
}

func TestGuardOrigins(t *testing.T) {
	t.Parallel()
	s := newServer(t, serve.Options{})
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	h := s.Guard(addr, s.Handler())
	body := `{"rows":[` + applicant + `]}`
	for _, tt := range []struct {
		name   string
		header []string
		status int
	}{
		{"a program", nil, 200},
		{"its own page", []string{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin"}, 200},
		{"its own page, old browser", []string{"Origin", "http://localhost:8080"}, 200},
		{"another port", []string{"Origin", "http://localhost:8081", "Sec-Fetch-Site", "same-site"}, 403},
		{"another name for it", []string{"Origin", "http://127.0.0.1:8080"}, 403},
		{"another site", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"another site, old browser", []string{"Origin", "https://evil.example"}, 403},
		{"a sandboxed frame", []string{"Origin", "null"}, 403},
		{"the address bar", []string{"Sec-Fetch-Site", "none"}, 403},
		{"a form", []string{"Content-Type", "text/plain"}, 415},
		{"no type", []string{"Content-Type", ""}, 415},
		{"a type that is none", []string{"Content-Type", ";"}, 415},
		{"compressed", []string{"Content-Encoding", "gzip"}, 415},
	} {
		header := append([]string{}, tt.header...)
		a := ask(t, h, "POST", "http://localhost:8080/v1/score/credit", body, header...)
		if a.status != tt.status {
			t.Errorf("%s: %d, want %d: %s", tt.name, a.status, tt.status, a.body)
		}
	}
	// Reading is free: a browser does not show the answer to another site.
	if a := ask(t, h, "GET", "http://localhost:8080/health/live", "", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a GET from another site: %d %v", a.status, a.header)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page "+r.URL.Path) })
	with, without := newServer(t, serve.Options{Pages: pages}).Handler(), newServer(t, serve.Options{}).Handler()
	for _, tt := range []struct {
		method, path    string
		with, without   int
		allow, contains string
	}{
		{"GET", "/v1/score/credit", 405, 405, "POST", `"code":"method"`},
		{"PUT", "/v1/score/credit", 405, 405, "POST", `"code":"method"`},
		{"DELETE", "/v1/outcomes/credit", 405, 405, "POST", `"code":"method"`},
		{"HEAD", "/invocations", 405, 405, "POST", ""},
		{"OPTIONS", "/v1/score/credit", 405, 405, "POST", `"code":"method"`},
		{"POST", "/v1/decisions/x", 405, 405, "GET, HEAD", `"code":"method"`},
		{"DELETE", "/v1/decisions/x", 405, 405, "GET, HEAD", `"code":"method"`},
		{"HEAD", "/v1/decisions/x", 404, 404, "", ""},
		{"POST", "/metrics", 405, 405, "GET, HEAD", `"code":"method"`},
		{"POST", "/health/ready", 405, 405, "GET, HEAD", `"code":"method"`},
		{"POST", "/ping", 405, 405, "GET, HEAD", `"code":"method"`},
		{"HEAD", "/metrics", 200, 200, "", ""},
		{"GET", "/v1/score", 404, 404, "", `"code":"not_found"`},
		{"POST", "/v1/scores/credit", 404, 404, "", `"code":"not_found"`},
		{"POST", "/v1/score/credit/more", 404, 404, "", `"code":"not_found"`},
		{"POST", "/health/other", 404, 404, "", `"code":"not_found"`},
		{"GET", "/", 200, 200, "", ""},
		{"DELETE", "/v1/models/credit", 405, 405, "GET, HEAD, POST", `"code":"method"`},
		{"GET", "/v2/models/credit/infer", 405, 405, "POST", `"code":"method"`},
		{"GET", "/v2/other", 404, 404, "", `"code":"not_found"`},
		{"GET", "/models/credit", 200, 404, "", ""},
		{"HEAD", "/models/credit", 200, 404, "", ""},
	} {
		for i, h := range []http.Handler{with, without} {
			want := []int{tt.with, tt.without}[i]
			a := ask(t, h, tt.method, tt.path, "")
			if a.status != want || a.header.Get("Allow") != tt.allow || !strings.Contains(a.body, tt.contains) {
				t.Errorf("%s %s (pages: %v): %d, Allow %q, want %d, %q: %s", tt.method, tt.path, i == 0, a.status, a.header.Get("Allow"), want, tt.allow, a.body)
			}
			if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("X-Frame-Options") != "DENY" {
				t.Errorf("%s %s: headers %v", tt.method, tt.path, a.header)
			}
		}
	}
	if a := ask(t, with, "POST", "/models/credit", ""); a.status != 405 || a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST to a page: %d", a.status)
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:80", "example.com:80", "127.0.0.1.example.com:80", "*:0"} {
		l, err := serve.Listen(address)
		if !errors.Is(err, serve.ErrNotLoopback) {
			t.Errorf("%s: %v, %v", address, l, err)
		}
		var hinted *data.Hinted
		if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "127.0.0.1") {
			t.Errorf("%s: no cure in %v", address, err)
		}
	}
	for _, address := range []string{"", "127.0.0.1", "localhost:http", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80"} {
		if l, err := serve.Listen(address); err == nil || errors.Is(err, serve.ErrNotLoopback) {
			t.Errorf("%q: %v, %v", address, l, err)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "localhost:0", "127.9.8.7:0"} {
		l, err := serve.Listen(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if _, err := serve.Listen(l.Addr().String()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a port in use: %v", err)
		}
		l.Close()
	}
}

// A panic is answered and logged under one id, and the process lives; if half
// an answer is out already, the connection is cut.
func TestPanics(t *testing.T) {
	t.Parallel()
	var said lines
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/half":
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
		case "/bug":
			var none []int
			_ = none[len(r.URL.Path)]
		}
		panic("Income 80")
	})
	s := newServer(t, serve.Options{Pages: pages, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	url, _ := running(t, s)
	get := func(path string) (int, string, error) {
		resp, err := http.Get(url + path)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), err
	}
	for _, path := range []string{"/", "/bug"} {
		status, body, err := get(path)
		if err != nil {
			t.Fatal(err)
		}
		e := read[failure](t, answer{status: status, body: body}, 500).Error
		if e.Code != "internal" || !strings.Contains(said.String(), e.ID) {
			t.Errorf("%s: %s; log: %s", path, body, &said)
		}
	}
	if _, body, err := get("/half"); err == nil {
		t.Errorf("half an answer came as a whole one: %q", body)
	}
	if strings.Contains(said.String(), "Income") || !strings.Contains(said.String(), "index out of range") || !strings.Contains(said.String(), "TestPanics") {
		t.Errorf("log: %s", &said)
	}
	if status, body, err := post(url+"/v1/score/credit", `{"rows":[`+applicant+`]}`); err != nil || status != 200 {
		t.Errorf("after the panics: %d %s %v", status, body, err)
	}
}
