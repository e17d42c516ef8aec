package serve

import "time"

// After puts after in the place of time.After where the server has told that it
// is about to stop. To be called before Serve.
func (s *Server) After(after func(time.Duration) <-chan time.Time) { s.after = after }
