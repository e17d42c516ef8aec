package serve

import (
	"net/http"
	"os"
	"time"
)

// championFile is GET /v1/bundles/{project}: the champion's bundle as it lies in the
// registry, for scorers that follow. Its ETag is the bundle's id, so who has it is
// told so without it.
func (s *Server) championFile(w http.ResponseWriter, r *http.Request) {
	m, err := s.model(r.PathValue("project"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("ETag", `"`+m.Bundle.ID()+`"`)
	h.Set("Tandem-Version", versionOf(m))
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", "private, no-cache")
	path, err := s.opt.File(m.Bundle.ID())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer f.Close()
	http.ServeContent(w, r, "", time.Time{}, f)
}
