package serve_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/serve"
)

func TestDetectPlatform(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		env  map[string]string
		want *serve.Platform
		err  string
	}{
		{name: "a laptop"},
		{name: "Vertex AI", env: map[string]string{"AIP_HTTP_PORT": "9123", "AIP_HEALTH_ROUTE": "/h", "AIP_PREDICT_ROUTE": "/v1/endpoints/1/deployedModels/2:predict", "AIP_STORAGE_URI": "/models"},
			want: &serve.Platform{Name: "Vertex AI", Address: "0.0.0.0:9123", Folder: "/models", Health: "/h", Predict: "/v1/endpoints/1/deployedModels/2:predict"}},
		{name: "a bucket", env: map[string]string{"AIP_STORAGE_URI": "gs://models/credit"}, want: &serve.Platform{Name: "Vertex AI", Address: "0.0.0.0:8080", Folder: "gs://models/credit/"}},
		{name: "an object", env: map[string]string{"AIP_STORAGE_URI": "s3://models/credit.tandem"}, want: &serve.Platform{Name: "Vertex AI", Address: "0.0.0.0:8080", Folder: "s3://models/credit.tandem"}},
		{name: "SageMaker", env: map[string]string{"SAGEMAKER_BIND_TO_PORT": "8081"}, want: &serve.Platform{Name: "SageMaker", Address: "0.0.0.0:8081", Folder: "/opt/ml/model"}},
		{name: "Azure", env: map[string]string{"AZUREML_MODEL_DIR": "/var/azureml-app/azureml-models/m/1"},
			want: &serve.Platform{Name: "Azure Machine Learning", Address: "0.0.0.0:8080", Folder: "/var/azureml-app/azureml-models/m/1"}},
		{name: "a port that is none", env: map[string]string{"AIP_HTTP_PORT": "http"}, err: `AIP_HTTP_PORT="http" is not a port`},
		{name: "a port beyond all", env: map[string]string{"SAGEMAKER_BIND_TO_PORT": "65536"}, err: "is not a port"},
		{name: "a route that is none", env: map[string]string{"AIP_HTTP_PORT": "1", "AIP_PREDICT_ROUTE": "p"}, err: `AIP_PREDICT_ROUTE="p" is not a path`},
		{name: "a route with a wildcard", env: map[string]string{"AIP_HTTP_PORT": "1", "AIP_HEALTH_ROUTE": "/{x}"}, err: "is not a path"},
		{name: "the root", env: map[string]string{"AIP_HTTP_PORT": "1", "AIP_HEALTH_ROUTE": "/"}, err: "is not a path"},
	} {
		got, err := serve.DetectPlatform(func(name string) string { return tt.env[name] }, false)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err != nil || (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
}

// folderOf returns a folder with the lender's bundle in it.
func folderOf(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if filepath.Ext(name) == ".tandem" {
			err = bundle.WriteFile(path, lender(t, 0))
		} else {
			err = os.WriteFile(path, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := folderOf(t, "credit.tandem", "deep/er/fraud.tandem", "notes.txt")
	models, err := serve.Load(dir)
	if err != nil || len(models) != 2 || models[0].Project != "credit" || models[1].Project != "fraud" {
		t.Errorf("%v, %v", models, err)
	}
	if models, err = serve.Load(filepath.Join(dir, "credit.tandem")); err != nil || len(models) != 1 {
		t.Errorf("%v, %v", models, err)
	}
	for _, tt := range []struct {
		paths []string
		says  string
	}{
		{[]string{folderOf(t)}, "there is no bundle in"},
		{[]string{dir, filepath.Join(dir, "credit.tandem")}, `two bundles are named "credit"`},
		{[]string{filepath.Join(dir, "absent.tandem")}, "absent.tandem"},
	} {
		if _, err := serve.Load(tt.paths...); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%v: %v", tt.paths, err)
		}
	}
}

// A container of Vertex AI, as its variables describe it, from a folder to
// answers on the port and the routes that they name.
func TestVertexContainer(t *testing.T) {
	port := freePort(t)
	t.Setenv("AIP_HTTP_PORT", port)
	t.Setenv("AIP_HEALTH_ROUTE", "/h")
	t.Setenv("AIP_PREDICT_ROUTE", "/p")
	t.Setenv("AIP_STORAGE_URI", folderOf(t, "credit.tandem"))
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ready, done := make(chan string, 1), make(chan error, 1)
	said := ""
	go func() {
		done <- serve.Alone{Address: "127.0.0.1:1", Say: func(format string, args ...any) { said += fmt.Sprintf(format, args...) },
			Ready: func(url string) { ready <- url }}.Run(ctx)
	}()
	var url string
	select {
	case url = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	if url != "http://127.0.0.1:"+port || !strings.Contains(said, "all interfaces") {
		t.Errorf("%s: %s", url, said)
	}
	if status, body, err := post(url+"/p", `{"instances":[[80,"fixed","yes"]],"parameters":{"x":1}}`); err != nil || status != 200 || body != `{"predictions":[0.7685247834990175]}`+"\n" {
		t.Errorf("%d %s %v", status, body, err)
	}
	// It cannot know by which names it is called.
	r, err := http.NewRequest("GET", url+"/h", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "model.internal"
	if resp, err := http.DefaultClient.Do(r); err != nil || resp.StatusCode != 200 {
		t.Errorf("%v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	if resp, err := http.Post(url+"/p", "text/plain", strings.NewReader("{}")); err != nil || resp.StatusCode != 415 {
		t.Errorf("a form: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := serve.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()[strings.LastIndex(l.Addr().String(), ":")+1:]
}

func TestAloneRefuses(t *testing.T) {
	t.Parallel()
	say := func(string, ...any) {}
	if err := (serve.Alone{Say: say}).Run(t.Context()); !errors.Is(err, serve.ErrNoBundle) {
		t.Errorf("nothing to serve: %v", err)
	}
	if err := (serve.Alone{Say: say, Bundles: []string{folderOf(t, "a.tandem")}, Address: "0.0.0.0:0"}).Run(t.Context()); !errors.Is(err, serve.ErrNotLoopback) {
		t.Errorf("all interfaces: %v", err)
	}
}

// Beside a single bundle, another one answers a share, and one looks on.
func TestAloneBeside(t *testing.T) {
	t.Parallel()
	dir := folderOf(t, "credit.tandem")
	file := func(name string, b *bundle.Bundle) string {
		content, err := bundle.Encode(b)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	champion, next, other := filepath.Join(dir, "credit.tandem"), file("next.tandem", lender(t, 1)), file("other.tandem", losses(t))
	say := func(string, ...any) {}
	for want, a := range map[string]serve.Alone{
		"is not FILE=PERCENT":   {Bundles: []string{champion}, Canary: next},
		`next.tandem=0" is not`: {Bundles: []string{champion}, Canary: next + "=0"},
		"there are 2 models":    {Bundles: []string{champion, next}, Shadow: other},
		"callers would break":   {Bundles: []string{champion}, Shadow: other},
		"no such file":          {Bundles: []string{champion}, Shadow: filepath.Join(dir, "nosuch.tandem")},
	} {
		a.Say, a.Address = say, "127.0.0.1:0"
		if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ready, done := make(chan string, 1), make(chan error, 1)
	a := serve.Alone{Bundles: []string{champion}, Canary: next + "=100%", Address: "127.0.0.1:0", Say: say, Ready: func(url string) { ready <- url }}
	go func() { done <- a.Run(ctx) }()
	var url string
	select {
	case url = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	for path, model := range map[string]string{"/v1/score/credit": "canary", "/v1/score/credit/versions/canary": "canary", "/v1/score/credit/versions/1": ""} {
		status, body, err := post(url+path, `{"rows":[`+applicant+`]}`)
		if err != nil || status != 200 || !strings.Contains(body, `"model":"`+model+`"`) {
			t.Errorf("%s: %d %s %v", path, status, body, err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A server that is told to stop says so to probes, and completes what comes
// until then.
func TestStopsWithNotice(t *testing.T) {
	t.Parallel()
	s := newServer(t, serve.Options{Limits: serve.Limits{Notice: 5 * time.Second}})
	over := make(chan time.Time) // the time of notice, which the test ends
	s.After(func(d time.Duration) <-chan time.Time {
		if d != 5*time.Second {
			t.Errorf("a notice of %v", d)
		}
		return over
	})
	url, stop := running(t, s)
	var wg sync.WaitGroup
	var failed, answered atomic.Int64
	begun := make(chan struct{}, 100)
	for range 20 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for range 5 {
				resp, err := client.Post(url+"/v1/score/credit", "application/json", strings.NewReader(`{"rows":[`+applicant+`]}`))
				if err != nil || resp.StatusCode != 200 {
					failed.Add(1)
				} else {
					answered.Add(1)
				}
				if err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				begun <- struct{}{}
			}
		})
	}
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // probes are told, while requests are still taken
		resp, err := http.Get(url + "/ping")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == 503 {
			break
		}
	}
	if status, body, err := post(url+"/v1/score/credit", `{"rows":[`+applicant+`]}`); err != nil || status != 200 {
		t.Errorf("a request within the notice: %d %s %v", status, body, err)
	}
	wg.Wait()
	close(over)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if failed.Load() > 0 || answered.Load() != 100 {
		t.Errorf("%d requests failed, %d were answered", failed.Load(), answered.Load())
	}
	if _, err := http.Get(url + "/ping"); err == nil {
		t.Error("it answers after the notice")
	}
}
