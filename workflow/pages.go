package workflow

import "net/http"

func (s *service) pages() http.Handler { return nil }
