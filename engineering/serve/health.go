package serve

import (
	"io"
	"net/http"

	"github.com/tandem-ml/tandem"
)

// live answers 200 as long as the process does.
func live(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "live"})
}

// ready answers 200 with the models that answer, 503 while there is none and
// when the server is about to stop.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	type model struct {
		Project string `json:"project"`
		Model   string `json:"model"`
		Bundle  string `json:"bundle"`
	}
	models := []model{}
	for _, m := range s.Models() {
		if s.opt.Keys != nil {
			break // probes bring no key, and strangers need not know
		}
		models = append(models, model{m.Project, m.Version, m.Bundle.ID()})
	}
	status, word := http.StatusOK, "ready"
	if len(*s.models.Load()) == 0 {
		status, word = http.StatusServiceUnavailable, "no model"
	}
	if s.stopping.Load() {
		status, word = http.StatusServiceUnavailable, "stopping"
	}
	writeJSON(w, status, map[string]any{"status": word, "models": models})
}

// ping is what MLflow's and SageMaker's probes ask: an empty line, with 404 if
// there is no model and 503 if the server is about to stop.
func (s *Server) ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case s.stopping.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
	case len(*s.models.Load()) == 0:
		w.WriteHeader(http.StatusNotFound)
	}
	io.WriteString(w, "\n")
}

// version is MLflow's route for the server's version.
func version(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "tandem "+tandem.Version+"\n")
}

// alive is what KServe asks at the root of a server without pages.
func alive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
}
