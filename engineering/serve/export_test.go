package serve

import (
	"net/http"
	"time"

	"github.com/tandem-ml/tandem/engineering/trace"
)

// SetGrace sets for how long a server that stops lets kept connections wait.
func (s *Server) SetGrace(d time.Duration) { s.grace = d }

// After puts after in the place of time.After where the server has told that it
// is about to stop. To be called before Serve.
func (s *Server) After(after func(time.Duration) <-chan time.Time) { s.after = after }

// Watched reports whether the next request would have a watch.
func (s *Server) Watched() bool {
	w, _, _ := s.watched(time.Time{}, func() trace.Origin { return originOf(http.Header{}) })
	return w != nil
}

// KeepsInputs reports whether a stream's rows are kept as texts.
func (s *Server) KeepsInputs(project string) bool { return s.keepsInputs((*s.models.Load())[project]) }
