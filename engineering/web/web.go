package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/monitor"
	"github.com/tandem-ml/tandem/engineering/registry"
)

// Registry is what the pages read of the model registry; *registry.Registry is
// one.
type Registry interface {
	Versions(ctx context.Context, project string) ([]registry.Version, error)
	Aliases(ctx context.Context, project string) ([]registry.Alias, error)
	Runs(ctx context.Context, project string, limit int) ([]registry.Run, error)
	Events(ctx context.Context, project string, limit int) ([]registry.Event, error)
	VerifyAudit(ctx context.Context) error
}

// Log is what the pages read of the decision log; *decisions.Log is one.
type Log interface {
	Recent(project string, n int) ([]decisions.Entry, error)
	Get(id string) (decisions.Decision, *decisions.Outcome, error)
	Counts(project string) decisions.Counts
	Head() decisions.Head
}

// Watched is what the monitor has seen of one bundle.
type Watched struct {
	Windows  []monitor.Report      // finished windows of decisions, newest last
	Outcomes []monitor.Performance // finished windows of outcomes, newest last
	Seen     int                   // decisions in the window that is not full yet
	Of       int                   // how many it takes; 0 for a window of a duration
}

// Source is what the pages are drawn from. Every field is required, and what
// it holds must be safe for concurrent use.
type Source struct {
	Projects func() []string // the names, in the order of the home page
	Registry Registry
	Log      Log
	Bundle   func(id string) (*bundle.Bundle, error)
	Watched  func(project, bundle string) Watched

	// Refused says why the newest run's bundle is not the champion, in one
	// sentence; "" if it is, or if nothing was refused.
	Refused func(project string) string
}

// Options are the settings of the pages. The zero value is good for production.
type Options struct {
	Now    func() time.Time // for "3 minutes ago"; nil: time.Now
	Logger *slog.Logger     // told of a page that could not be drawn; nil: silent
}

// New returns the pages as a handler for the paths of the package comment and
// for /assets/. It answers 404 with a page to any other path, and 405 to a
// method that is not GET or HEAD.
func New(src Source, opt Options) http.Handler {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s := &site{src: src, opt: opt}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page("home", s.home))
	for _, p := range []struct {
		name string
		make func(*request, *project) (any, error)
	}{
		{"models", s.model}, {"leaderboard", s.leaderboard}, {"decisions", s.decisions}, {"drift", s.drift}, {"audit", s.audit},
	} {
		mux.HandleFunc("GET /"+p.name+"/{project}", s.page(p.name, func(r *request) (any, error) {
			project, err := s.project(r, r.PathValue("project"))
			if err != nil {
				return nil, err
			}
			return p.make(r, project)
		}))
	}
	mux.HandleFunc("GET /decision/{id}", s.page("decision", s.decision))
	mux.HandleFunc("GET /assets/tandem.css", asset("text/css; charset=utf-8", []byte(chart.CSS+styleText)))
	mux.HandleFunc("GET /assets/icon.svg", asset("image/svg+xml", iconText))
	mux.HandleFunc("/", s.page("failure", func(r *request) (any, error) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return nil, &failure{http.StatusMethodNotAllowed, "Pages are only read", "This address takes GET and HEAD.", ""}
		}
		return nil, notFound("There is no page at this address.")
	}))
	return mux
}

type site struct {
	src Source
	opt Options
}

// request is one page on its way: the request and what its head shows.
type request struct {
	*http.Request
	head head
}

// head is what every page has around its content.
type head struct {
	Title   string
	Project string // "": a page about all projects
	Here    string // the name of the page in the navigation
	Sole    bool   // there is one project, so its name leads nowhere else
	Refresh int    // seconds after which the browser draws the page again; 0: never
	Banner  *banner
	Drawn   time.Time
}

// banner is a warning above a project's pages.
type banner struct {
	Title, Text, Link, LinkText string
}

// failure is a page that says why there is none.
type failure struct {
	status            int
	Title, Text, Hint string
}

func (f *failure) Error() string { return f.Text }

func notFound(text string) error {
	return &failure{http.StatusNotFound, "Not found", text, ""}
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed style.css
var styleText string

//go:embed icon.svg
var iconText []byte

var templates = parse("home", "models", "leaderboard", "decisions", "decision", "drift", "audit", "failure")

// parse makes one set of templates for each page, as each defines "content".
func parse(names ...string) map[string]*template.Template {
	base := template.Must(template.New("base.html").Funcs(functions).ParseFS(templateFiles, "templates/base.html", "templates/parts.html"))
	out := make(map[string]*template.Template, len(names))
	for _, name := range names {
		out[name] = template.Must(template.Must(base.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return out
}

// policy lets a page load its style sheet and its icon, and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page draws what content returns with the template of that name. The whole
// page is made before its first byte is sent, so that a failure has the right
// status.
func (s *site) page(name string, content func(*request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		r := &request{Request: hr, head: head{Here: name, Drawn: s.opt.Now().UTC(), Sole: len(s.src.Projects()) == 1}}
		view, err := content(r)
		status := http.StatusOK
		var out bytes.Buffer
		if err == nil {
			err = templates[name].Execute(&out, map[string]any{"Head": r.head, "Page": view})
		}
		if err != nil {
			var f *failure
			if !errors.As(err, &f) {
				s.opt.Logger.Error("page not drawn", "page", name, "error", err)
				f = &failure{http.StatusInternalServerError, "This page could not be drawn", sentence(err.Error()),
					"The server goes on answering requests. Its own log names the page and the error."}
			}
			status = f.status
			r.head.Title, r.head.Here, r.head.Refresh = f.Title, "failure", 0
			out.Reset()
			if err := templates["failure"].Execute(&out, map[string]any{"Head": r.head, "Page": f}); err != nil {
				panic(fmt.Sprintf("web: the page of failures: %v", err)) // it holds texts alone
			}
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store") // people's data
		if status == http.StatusMethodNotAllowed {
			h.Set("Allow", "GET, HEAD")
		}
		w.WriteHeader(status)
		w.Write(out.Bytes()) // a reader who went away is no failure of ours
	}
}

// asset serves fixed bytes, which a browser may keep and must ask about.
func asset(kind string, content []byte) http.HandlerFunc {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}

// sentence makes an error's text one.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?:") {
		s += "."
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
