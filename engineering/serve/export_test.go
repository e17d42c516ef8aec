package serve

import "time"

// SetGrace sets for how long a server that stops lets kept connections wait.
func (s *Server) SetGrace(d time.Duration) { s.grace = d }
