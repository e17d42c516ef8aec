package workflow

import (
	"net/http"

	"github.com/tandem-ml/tandem/engineering/web"
)

// pages draws the project as it stands when a page is asked for.
func (s *service) pages() http.Handler {
	return web.New(web.Source{
		Projects: func() []string { return []string{s.project.Name} },
		Registry: s.registry,
		Log:      s.log,
		Bundle:   s.bundle,
		Watched:  func(_, bundle string) web.Watched { return web.Watched(s.watch.seen(bundle)) },
		Refused: func(string) string {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.refused
		},
	}, web.Options{})
}
