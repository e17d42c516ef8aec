package serve_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// A server with files hands out the champion's, whole or not at all; one without
// has no such route.
func TestChampionFile(t *testing.T) {
	t.Parallel()
	b := lender(t, 0)
	raw, err := bundle.Encode(b)
	path := filepath.Join(t.TempDir(), "b")
	if err = errors.Join(err, os.WriteFile(path, raw, 0o600)); err != nil {
		t.Fatal(err)
	}
	s := serve.New(serve.Options{File: func(id string) (string, error) {
		if id != b.ID() {
			return "", errors.New("another bundle was asked for")
		}
		return path, nil
	}})
	s.Swap(serve.Model{Project: "credit", Version: "3", Bundle: b})
	get := func(h http.Handler, path, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := get(s.Handler(), "/v1/bundles/credit", "")
	etag := w.Header().Get("ETag")
	if w.Code != 200 || !bytes.Equal(w.Body.Bytes(), raw) || etag != `"`+b.ID()+`"` || w.Header().Get("Tandem-Version") != "3" {
		t.Errorf("%d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
	}
	if w = get(s.Handler(), "/v1/bundles/credit", etag); w.Code != 304 || w.Body.Len() > 0 {
		t.Errorf("known: %d, %d bytes", w.Code, w.Body.Len())
	}
	if w = get(s.Handler(), "/v1/bundles/fraud", ""); w.Code != 404 {
		t.Errorf("an unknown project: %d", w.Code)
	}
	if w = get(newServer(t, serve.Options{}).Handler(), "/v1/bundles/credit", ""); w.Code != 404 {
		t.Errorf("without files: %d", w.Code)
	}

	s.Remove("credit")
	if _, has := s.Lineup("credit"); has || len(s.Models()) != 0 {
		t.Error("it was taken out of service and is there")
	}
	if w = get(s.Handler(), "/health/ready", ""); w.Code != 503 {
		t.Errorf("nothing is served and ready says %d", w.Code)
	}
	s.Remove("credit") // which is not there
}
