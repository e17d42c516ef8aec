package serve

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/limit"
	"github.com/tandem-ml/tandem/engineering/once"
	"github.com/tandem-ml/tandem/engineering/rollout"
	"github.com/tandem-ml/tandem/engineering/trace"
)

// Model is what answers for a project.
type Model struct {
	Project string         // its name in the routes; one path segment
	Version string         // the registry's version, or ""
	Bundle  *bundle.Bundle // required; made by bundle.New, Open or Decode

	serving *serving // set by Put
	beside  *beside  // of a champion, set by Put; nil: it answers alone
}

// Log is where decisions and outcomes are kept; *decisions.Log is one, and its
// comments say what each method promises.
type Log interface {
	NewID(t time.Time) string
	Append(ctx context.Context, ds ...decisions.Decision) error
	AppendOutcomes(ctx context.Context, outcomes ...decisions.Outcome) (added int, err error)
	Get(id string) (decisions.Decision, *decisions.Outcome, error)
	ByKey(project, key string) ([]decisions.Entry, error)
}

var _ Log = (*decisions.Log)(nil)

// Limits bound what one caller can ask for. A zero field takes its default.
type Limits struct {
	Body   int64         // bytes of a request's body; 10 MB
	Rows   int           // rows, or outcomes, of a request; 10,000
	Header time.Duration // until a request's header is read; 5 s
	Read   time.Duration // until its body is read; 30 s
	Work   time.Duration // from there until it is answered or given up; 25 s
	Write  time.Duration // from its header until its answer is written; 60 s
	Idle   time.Duration // an open connection without a request; 60 s
	Drain  time.Duration // for requests under way when the server stops; 15 s
	Stream time.Duration // a stream of rows, from its first to its last; 15 minutes
	Notice time.Duration // before that, while probes are told and requests still taken; 0 s

	// What all callers together can ask for.
	Running int        // requests that are scored at once; 16 for each processor
	Streams int        // streams that are open at once; 64
	Waiting int        // requests that wait for that; 512 for each processor, -1: none
	Held    int64      // bytes of bodies in memory; 25 times Body
	Rate    limit.Rate // of one caller: a key without a rate of its own, or without keys a remote address; none
}

func (l Limits) withDefaults() Limits {
	def := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	if l.Body == 0 {
		l.Body = 10_000_000
	}
	if l.Rows == 0 {
		l.Rows = 10_000
	}
	if l.Running <= 0 {
		l.Running = 16 * runtime.GOMAXPROCS(0)
	}
	if l.Waiting == 0 {
		l.Waiting = 512 * runtime.GOMAXPROCS(0)
	}
	if l.Held == 0 {
		l.Held = 25 * l.Body
	}
	if l.Streams == 0 {
		l.Streams = 64
	}
	def(&l.Stream, 15*time.Minute)
	def(&l.Header, 5*time.Second)
	def(&l.Read, 30*time.Second)
	def(&l.Work, 25*time.Second)
	def(&l.Write, 60*time.Second)
	def(&l.Idle, 60*time.Second)
	def(&l.Drain, 15*time.Second)
	return l
}

// Options are the parts a server is plugged into. All may be left out.
type Options struct {
	// Log keeps decisions and outcomes. Nil: decisions get their ids, are
	// answered and forgotten, and there is nothing to look up.
	Log Log

	// Bundle opens the bundle of that id, for the replay of a decision that
	// another bundle than the one in service made. Nil: such decisions cannot
	// be replayed.
	Bundle func(id string) (*bundle.Bundle, error)

	// File returns the path of the file of the bundle of that id, for scorers that
	// follow: GET /v1/bundles/{project}. Nil: there is no route for it.
	File func(id string) (path string, err error)

	// Pages answers GET and HEAD outside the routes of this package. Nil: 404.
	Pages http.Handler

	// Keys says who may ask for what. Nil: everybody for everything, which is for
	// loopback addresses and for what stands behind something that knows.
	Keys Keys

	// Certificate makes the server speak TLS, and only TLS. Nil: it does not.
	Certificate *Certificate

	// Health and Predict are further paths that a platform chose: for its probe,
	// and for its predictions in the form of KServe's first protocol, of the only
	// model. "": none.
	Health, Predict string

	// Logger is told of failures and refusals, without any input. Nil: silent.
	Logger *slog.Logger

	// Erase erases decisions for good, given their ids or the key of what they are
	// about, and returns how many there were. The errors are those of
	// [decisions.Log.Get]. Nil: there is no route for it.
	Erase func(ctx context.Context, ids []string, key, reason string) (int, error)

	// Tracer is told of requests, by whom they were sent to it and what they took.
	// Nil: nobody is.
	Tracer trace.Tracer

	// AccessLog is told of requests, without any input, AccessShare of them: 1 of
	// all, 0.01 of one in a hundred, rounded so that it is every n-th. Nil: of none.
	AccessLog   *slog.Logger
	AccessShare float64

	Now    func() time.Time // the clock of decisions; nil: time.Now
	Limits Limits

	// Rollout changes who answers for a project, as a person asked over HTTP, and
	// has put it into service when it returns. The error is a [rollout.Refusal] if
	// the change cannot be. Nil: there are no such changes.
	Rollout func(ctx context.Context, project string, c rollout.Change) error

	// Decided is called after decisions were logged and before they are
	// answered, with their encoded rows: once for each model that decided some of a
	// request's rows, and never for a shadow. It must be quick, and safe for
	// concurrent use. May be nil.
	Decided func(m Model, ds []decisions.Decision, rows bundle.Rows)

	// Learned is called after outcomes were logged, known ones among them. As
	// Decided.
	Learned func(project string, outcomes []decisions.Outcome)
}

// Server scores over HTTP. Its methods are safe for concurrent use.
type Server struct {
	opt     Options
	metrics *metrics
	routes  http.Handler

	seen      atomic.Uint64 // requests; see watched
	noteEvery uint64        // one in so many is noted in the access log; 0: none

	stopping atomic.Bool                          // probes are told
	after    func(time.Duration) <-chan time.Time // time.After, but in tests
	grace    time.Duration                        // as the constant, but in tests
	gate     *limit.Gate
	held     *limit.Budget // bytes of bodies
	rates    limit.Rates
	answers  *once.Answers[written]
	failures failures
	streams  streams
	models   atomic.Pointer[map[string]*Model] // by project; never changed, only replaced
	swapping sync.Mutex                        // held by Put, so that models and metrics agree
	shadows  *rollout.Queue                    // what shadows have still to score
}

// New returns a server without a model; it is not ready until [Server.Swap].
func New(opt Options) *Server {
	if opt.Log == nil {
		opt.Log = noLog{}
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	opt.Limits = opt.Limits.withDefaults()
	s := &Server{opt: opt, grace: grace, metrics: newMetrics(), after: time.After, shadows: rollout.NewQueue(shadowRequests, shadowBytes),
		gate: limit.NewGate(opt.Limits.Running, opt.Limits.Waiting), held: limit.NewBudget(opt.Limits.Held)}
	if opt.AccessLog != nil {
		s.noteEvery = every(opt.AccessShare)
	}
	s.answers = once.New[written](mostAnswers, answerBytes, answerAge)
	s.metrics.watch(s.gate, s.held)
	s.models.Store(&map[string]*Model{})
	s.metrics.registry.MustRegister(versions{s})
	s.routes = s.mux()
	return s
}

// Swap makes m the model that answers for its project, alone. It does not wait:
// requests under way finish with the model they began with. It panics if m has
// no bundle.
func (s *Server) Swap(m Model) {
	if err := s.Put(Lineup{Champion: m}); err != nil {
		panic("serve: " + err.Error())
	}
}

// Models returns the champions, by project name.
func (s *Server) Models() []Model {
	var out []Model
	for _, m := range *s.models.Load() {
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b Model) int { return strings.Compare(a.Project, b.Project) })
	return out
}

// model returns the project's model for the length of one request.
func (s *Server) model(project string) (*Model, error) {
	if m := (*s.models.Load())[project]; m != nil {
		return m, nil
	}
	return nil, refuse(http.StatusNotFound, "unknown_project", "no model answers for this project")
}

// onlyModel returns the model of a route that names no project.
func (s *Server) onlyModel() (*Model, error) {
	models := *s.models.Load()
	switch len(models) {
	case 0:
		return nil, refuse(http.StatusServiceUnavailable, "no_model", "no model is loaded")
	case 1:
		for _, m := range models {
			return m, nil
		}
	}
	return nil, refuse(http.StatusBadRequest, "several_models", "this server answers for several projects; use /v1/score/{project}")
}

// noLog gives decisions an identity and forgets them, but for what append does
// with them.
type noLog struct {
	append func(ctx context.Context, ds ...decisions.Decision) error // may be nil
}

var errNoLog = refuse(http.StatusNotFound, "no_log", "this server keeps no decisions; serve the project with tandem up to keep them")

func (noLog) NewID(time.Time) string {
	var b [16]byte
	var text [2 * len(b)]byte
	rand.Read(b[:]) // never fails, as crypto/rand says
	hex.Encode(text[:], b[:])
	return string(text[:])
}
func (noLog) ByKey(string, string) ([]decisions.Entry, error) { return nil, errNoLog }
func (noLog) Get(string) (decisions.Decision, *decisions.Outcome, error) {
	return decisions.Decision{}, nil, errNoLog
}
func (noLog) AppendOutcomes(context.Context, ...decisions.Outcome) (int, error) { return 0, errNoLog }

func (l noLog) Append(ctx context.Context, ds ...decisions.Decision) error {
	if l.append == nil {
		return nil
	}
	return l.append(ctx, ds...)
}
