package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/serve"
)

func bound(x float64) *float64 { return &x }

// noon is the clock of most tests.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// lender is a bundle small enough to compute by hand, with a field of every
// role. Its margin is -0.2, plus 0.5 if Income <= 100 else -0.5, plus 0.9 for
// Records = yes, else -0.6 for Job = fixed, else 0.3; bad from a margin of 0
// on. With shift the margin is moved: another bundle with other scores.
func lender(t testing.TB, shift float64) *bundle.Bundle {
	t.Helper()
	b, err := newLender(shift)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newLender(shift float64) (*bundle.Bundle, error) {
	forest := &tree.Forest{
		Features: 3, Base: -0.2 + shift, Root: []int32{0, 3, 8},
		Feature:   []int32{0, 0, 0, 2, 0, 1, 0, 0},
		Threshold: []float64{100, 0, 0, 0, 0, 0, 0, 0},
		Left:      []int32{1, -1, -1, 4, -1, 6, -1, -1}, Right: []int32{2, -1, -1, 5, -1, 7, -1, -1},
		MissingLeft: make([]bool, 8), Set: []int32{-1, -1, -1, 0, -1, 1, -1, -1},
		Value: []float64{0, 0.5, -0.5, 0, 0.9, 0, -0.6, 0.3}, Cover: []float64{100, 40, 60, 100, 20, 80, 50, 30},
		Sets: [][]uint64{{1 << 1}, {1 << 0}},
	}
	c := data.Contract{Fields: []data.Field{
		{Name: "application", Kind: data.Number, Role: data.ID, Integer: true},
		{Name: "Income", Kind: data.Number, Role: data.Feature, Required: true, Min: bound(0), Max: bound(1000)},
		{Name: "Job", Kind: data.Category, Role: data.Feature, Categories: []string{"fixed", "freelance", "others"}},
		{Name: "Records", Kind: data.Category, Role: data.Feature, Required: true, Categories: []string{"no", "yes"}},
		{Name: "Age", Kind: data.Number, Role: data.Protected},
		{Name: "applied_at", Kind: data.Time, Role: data.TimeRole},
		{Name: "customer", Kind: data.Text, Role: data.Group},
		{Name: "notes", Kind: data.Text, Role: data.Excluded, Why: "is free text"},
		{Name: "Status", Kind: data.Category, Role: data.Target, Categories: []string{"bad", "good"}},
	}}
	return newBundle(bundle.Binary, c, bundle.Member{Learner: "gbdt", Weight: 1, Plan: raw(c), Trees: forest})
}

// losses is a regression: 3 if x <= 0 else -3, plus -10 if y <= 0 else 10, plus
// 1e300 times z, so that z can bring the sum to where no number is.
func losses(t testing.TB) *bundle.Bundle {
	t.Helper()
	var c data.Contract
	for _, name := range []string{"x", "y", "z"} {
		c.Fields = append(c.Fields, data.Field{Name: name, Kind: data.Number, Role: data.Feature})
	}
	c.Fields = append(c.Fields, data.Field{Name: "loss", Kind: data.Number, Role: data.Target})
	b, err := newBundle(bundle.Regression, c,
		bundle.Member{Learner: "gbdt", Weight: 1, Plan: raw(c), Trees: &tree.Forest{
			Features: 3, Root: []int32{0, 3, 6},
			Feature:   []int32{0, 0, 0, 1, 0, 0},
			Threshold: make([]float64, 6),
			Left:      []int32{1, -1, -1, 4, -1, -1}, Right: []int32{2, -1, -1, 5, -1, -1},
			MissingLeft: make([]bool, 6), Set: []int32{-1, -1, -1, -1, -1, -1},
			Value: []float64{0, 3, -3, 0, -10, 10}, Cover: []float64{2, 1, 1, 2, 1, 1},
		}},
		bundle.Member{Learner: "linear", Weight: 1, Linear: &linear.Model{Weight: []float64{1e300}, Mean: []float64{0}},
			Plan: step.Plan{{Name: "z", Input: 2, Op: step.Standard, Scale: 1, Low: -1e300, High: 1e300}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// raw is a plan that reads every input as it is.
func raw(c data.Contract) step.Plan {
	var plan step.Plan
	for j, f := range c.Inputs() {
		feature := step.Feature{Name: f.Name, Input: j, Op: step.Number}
		if f.Kind == data.Category {
			feature.Op, feature.Categories = step.Code, len(f.Categories)
		}
		plan = append(plan, feature)
	}
	return plan
}

func newBundle(task bundle.Task, c data.Contract, members ...bundle.Member) (*bundle.Bundle, error) {
	parts := bundle.Model{Contract: c, Members: members,
		Calibration: bundle.Calibration{Method: "identity"}}
	manifest := bundle.Manifest{Producer: "test", Name: "credit", Task: task, Target: c.Target().Name, Reasons: 4,
		Texts: map[string]string{"Records": "Record of earlier loans"}}
	if task == bundle.Binary {
		parts.Calibration = bundle.Calibration{Method: "sigmoid", A: 1}
		parts.Decision = bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.5}
	} else {
		manifest.Reasons, manifest.Texts = 2, nil
	}
	m, err := bundle.NewModel(parts)
	if err != nil {
		return nil, err
	}
	cols := m.Layout().Cols()
	return bundle.New(bundle.Bundle{Manifest: manifest, Model: *m,
		Tests: m.TestRows(bundle.Rows{N: 1, Cols: cols, Data: make([]float64, cols)})})
}

// openLog returns a real decision log.
func openLog(t testing.TB) *decisions.Log {
	t.Helper()
	l, err := decisions.Open(t.TempDir(), decisions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// brokenLog is a log whose disk is full.
type brokenLog struct{ serve.Log }

func (brokenLog) Append(context.Context, ...decisions.Decision) error {
	return errors.New("no space left on device")
}

func (brokenLog) AppendOutcomes(context.Context, ...decisions.Outcome) (int, error) {
	return 0, errors.New("no space left on device")
}

// newServer returns a server of the lender's model, version 3, with a log.
func newServer(t testing.TB, opt serve.Options) *serve.Server {
	t.Helper()
	if opt.Log == nil {
		opt.Log = openLog(t)
	}
	if opt.Now == nil {
		opt.Now = func() time.Time { return noon }
	}
	s := serve.New(opt)
	s.Swap(serve.Model{Project: "credit", Version: "3", Bundle: lender(t, 0)})
	return s
}

// answer is what came back.
type answer struct {
	status int
	body   string
	header http.Header
}

// ask sends a request straight to a handler. A body is sent as JSON; further
// arguments are pairs of header names and values.
func ask(t testing.TB, h http.Handler, method, path, body string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w.Code, w.Body.String(), w.Header()}
}

// read decodes an answer, which must have that status.
func read[T any](t testing.TB, a answer, status int) T {
	t.Helper()
	var out T
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return out
}

type reason struct {
	Column       string
	Value        any
	Contribution float64
	Text         string
}

type scored struct {
	Results []struct {
		ID       string
		Score    float64
		Decision string
		Reasons  []reason
	}
	Model, Bundle string
}

type failure struct {
	Error struct {
		Code, Message, ID string
		Fields            []struct {
			Row         int
			Field, Rule string
		}
	}
}

// score asks for the score of rows and returns the answer.
func score(t testing.TB, h http.Handler, rows ...string) scored {
	t.Helper()
	return read[scored](t, ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+strings.Join(rows, ",")+`]}`), 200)
}

// running starts a server on a free port and returns its URL and what ends it.
func running(t testing.TB, s *serve.Server) (url string, stop func() error) {
	t.Helper()
	l, err := serve.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { stop() })
	return "http://" + l.Addr().String(), stop
}

// lines is a log of the program that tests can read.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// post sends a JSON body over the network.
func post(url, body string) (int, string, error) {
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// rowsOf returns n rows that differ.
func rowsOf(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(`{"Income":%d,"Job":%q,"Records":%q}`, i%300, []string{"fixed", "freelance", "astronaut"}[i%3], []string{"no", "yes"}[i/3%2])
	}
	return out
}
