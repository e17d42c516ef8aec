package monitor

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/project"
)

// Options are the settings of a monitor. The zero value is good for production.
type Options struct {
	// Window is how many decisions are compared together, or for how long they
	// are gathered; 500 decisions if empty. Windows of a duration start at
	// multiples of it since 1970 in UTC, so that days start at midnight.
	Window project.Window

	// Outcomes is how many outcomes are judged together, at least 100; 500 if 0.
	Outcomes int

	// Least is the number of decisions below which a window of a duration is
	// reported but not judged; 100 if 0.
	Least int

	// P is the corrected p-value below which a column may have drifted, in (0,
	// 1); 0.01 if 0. Certain is the one below which a single window is enough
	// for an alarm, in (0, P]; 0.00001 if 0.
	P, Certain float64

	// Floors are the smallest effects that count. Each is taken from
	// DefaultFloors if 0.
	Floors Floors
}

// Floors are the smallest effects that count as a change.
type Floors struct {
	Wasserstein float64 // of a number: area between the distributions, in standard deviations of the baseline
	JS          float64 // of a category: Jensen-Shannon distance, in [0, 1]
	Missing     float64 // change of the share of missing values, in [0, 1]
	AUC         float64 // drop of the AUC
	RMSE        float64 // rise of the RMSE, as a share of the holdout's
}

// DefaultFloors returns the floors that hold unless set. A tenth of a standard
// deviation, or six points in the share of a category that had half (JS 0.04), are about
// what changes the scores of an ordinary model visibly. Chance stays well below them
// in windows of some thousands of decisions; in smaller ones the p-value guards.
func DefaultFloors() Floors {
	return Floors{Wasserstein: 0.1, JS: 0.04, Missing: 0.05, AUC: 0.02, RMSE: 0.1}
}

func (o *Options) complete() error {
	def := func(x *float64, v float64) {
		if *x == 0 {
			*x = v
		}
	}
	floors := DefaultFloors()
	def(&o.P, 0.01)
	def(&o.Certain, min(1e-5, o.P))
	def(&o.Floors.Wasserstein, floors.Wasserstein)
	def(&o.Floors.JS, floors.JS)
	def(&o.Floors.Missing, floors.Missing)
	def(&o.Floors.AUC, floors.AUC)
	def(&o.Floors.RMSE, floors.RMSE)
	if o.Window == (project.Window{}) {
		o.Window.Decisions = 500
	}
	if o.Outcomes == 0 {
		o.Outcomes = 500
	}
	if o.Least == 0 {
		o.Least = 100
	}
	var errs []error
	if o.Window.Decisions < 0 || o.Window.Every < 0 || o.Window.Decisions > 0 && o.Window.Every > 0 {
		errs = append(errs, fmt.Errorf("window %d decisions, %v: one of the two must be above 0", o.Window.Decisions, o.Window.Every))
	}
	if o.Outcomes < 100 {
		errs = append(errs, fmt.Errorf("%d outcomes are too few to judge a model by; at least 100", o.Outcomes))
	}
	if !(o.P > 0 && o.P < 1) || !(o.Certain > 0 && o.Certain <= o.P) {
		errs = append(errs, fmt.Errorf("p-values %v and %v: 0 < certain <= p < 1 must hold", o.P, o.Certain))
	}
	for _, f := range [...]float64{o.Floors.Wasserstein, o.Floors.JS, o.Floors.Missing, o.Floors.AUC, o.Floors.RMSE} {
		if !(f >= 0) {
			errs = append(errs, fmt.Errorf("floor %v is negative", f))
		}
	}
	return errors.Join(errs...)
}

// Monitor watches the decisions of one bundle. It is safe for concurrent use;
// the call that ends a window compares it, which takes about a millisecond for thirty
// columns, so a server calls it beside the answer and not before it.
type Monitor struct {
	opt    Options
	bundle *bundle.Bundle
	layout *bundle.Layout
	fields []data.Field          // the inputs, then the score
	base   []*data.ColumnProfile // by field; nil is not compared

	importance []float64 // of the inputs, as shares of their sum

	mu      sync.Mutex
	window  *data.Profiler
	seen    int
	from    time.Time // of a window of a duration: its start; else its first decision
	to      time.Time // newest decision
	last    []bool    // by field: drifted in the window before
	outcome outcomes
}

// ScoreColumn is the name under which the scores are reported.
const ScoreColumn = "score"

// New returns a monitor of b's decisions. It returns an error if a setting
// makes no sense or if the bundle's profile does not describe its inputs. A
// bundle without any profile, as an import without data makes, is watched
// without a comparison: its reports count decisions and missing values.
// Scores are watched only if the bundle has a profile of the holdout's.
func New(b *bundle.Bundle, opt Options) (*Monitor, error) {
	if err := opt.complete(); err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	layout, err := bundle.NewLayout(&b.Contract)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	m := &Monitor{opt: opt, bundle: b, layout: layout}
	for _, f := range layout.Fields() {
		base := b.Profile.Column(f.Name)
		if base == nil && len(b.Profile.Columns) == 0 {
			m.fields = append(m.fields, data.Field{Name: f.Name, Kind: f.Kind})
			m.base = append(m.base, nil)
			continue
		}
		if base == nil {
			return nil, fmt.Errorf("monitor: the bundle's profile has no column %q", f.Name)
		}
		if base.Kind != f.Kind {
			return nil, fmt.Errorf("monitor: column %q is a %s in the bundle's contract and a %s in its profile", f.Name, f.Kind, base.Kind)
		}
		if f.Kind == data.Time {
			base = nil
		}
		m.fields = append(m.fields, data.Field{Name: f.Name, Kind: f.Kind})
		m.base = append(m.base, base)
	}
	m.fields = append(m.fields, data.Field{Name: ScoreColumn, Kind: data.Number})
	if scores := &b.Scores; scores.Count > 0 && scores.Kind == data.Number {
		m.base = append(m.base, scores)
	} else {
		m.base = append(m.base, nil)
	}
	m.importance = importance(b, layout)
	m.last = make([]bool, len(m.fields))
	m.window = data.NewProfiler(m.fields)
	return m, nil
}

// importance returns the inputs' shares of the model's total importance, zeros
// if the card has none.
func importance(b *bundle.Bundle, layout *bundle.Layout) []float64 {
	out := make([]float64, layout.Cols())
	sum := 0.0
	for _, imp := range b.Card.Importance {
		if j := layout.Input(imp.Column); j >= 0 && imp.Drop > 0 {
			out[j] = imp.Drop
			sum += imp.Drop
		}
	}
	if sum > 0 {
		for j := range out {
			out[j] /= sum
		}
	}
	return out
}

// Observe adds one decision: when it was made, its encoded row (see
// [bundle.Layout]) and its score. It returns the report of the window that
// ended with it or, for windows of a duration, before it; otherwise nil. A
// decision that comes after its window has ended counts in the present one.
//
// A row of another width is a bug of the caller's and panics.
func (m *Monitor) Observe(at time.Time, row []float64, score float64) *Report {
	if len(row) != m.layout.Cols() {
		panic(fmt.Sprintf("monitor: a row of %d values for %d inputs", len(row), m.layout.Cols()))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var report *Report
	if m.opt.Window.Every > 0 {
		report = m.endBefore(at)
	} else if m.seen == 0 {
		m.from = at
	}
	m.seen++
	if at.After(m.to) || m.seen == 1 {
		m.to = at
	}
	for j, x := range row {
		m.add(j, x)
	}
	m.window.AddNumber(len(row), score)
	if n := m.opt.Window.Decisions; n > 0 && m.seen == n {
		report = m.finish(m.to)
	}
	return report
}

// ObserveLogged is Observe for a decision as the log keeps it: its inputs as a
// JSON object. The error says which field the contract does not accept, and
// nothing is counted.
func (m *Monitor) ObserveLogged(at time.Time, inputs []byte, score float64) (*Report, error) {
	row := make([]float64, m.layout.Cols())
	if _, err := m.layout.DecodeJSON(row, inputs, false); err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	return m.Observe(at, row, score), nil
}

// Tick ends a window of a duration that is over at now, and returns its report;
// otherwise nil. It is called now and then so that a window ends although no decision
// comes. A window without a decision has no report.
func (m *Monitor) Tick(now time.Time) *Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.opt.Window.Every == 0 {
		return nil
	}
	return m.endBefore(now)
}

// Progress returns how many decisions the present window holds, and how many
// it takes: 0 for a window of a duration.
func (m *Monitor) Progress() (seen, of int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen, m.opt.Window.Decisions
}

// endBefore ends the window if at is beyond it, and begins that of at.
func (m *Monitor) endBefore(at time.Time) *Report {
	start := at.UTC().Add(-sinceStart(at, m.opt.Window.Every))
	if m.seen == 0 {
		m.from = start
		return nil
	}
	if !start.After(m.from) {
		return nil
	}
	report := m.finish(m.from.Add(m.opt.Window.Every))
	m.from = start
	return report
}

// sinceStart returns how long at is into its window.
func sinceStart(at time.Time, every time.Duration) time.Duration {
	us, n := at.UnixMicro(), max(every.Microseconds(), 1)
	return time.Duration(((us%n)+n)%n) * time.Microsecond
}

// add puts an encoded value into the window's profile.
func (m *Monitor) add(j int, x float64) {
	switch f := &m.layout.Fields()[j]; {
	case math.IsNaN(x):
		m.window.AddMissing(j)
	case f.Kind == data.Category:
		value := bundle.Unseen
		if c := int(x); c >= 0 && c < len(f.Categories) {
			value = f.Categories[c]
		}
		m.window.AddCategory(j, value)
	case f.Kind == data.Time:
		m.window.AddTime(j, int64(x))
	default:
		m.window.AddNumber(j, x)
	}
}

// finish compares the window with the baseline and begins a new one.
func (m *Monitor) finish(to time.Time) *Report {
	now := m.window.Profile()
	r := &Report{Bundle: m.bundle.ID(), From: m.from.UTC(), To: to.UTC(), Decisions: m.seen}
	m.window = data.NewProfiler(m.fields)
	m.seen = 0
	if int(now.Rows) < m.opt.Least && m.opt.Window.Every > 0 {
		r.Sentences = []string{fmt.Sprintf("Only %d decisions in this window: too few to judge (at least %d).", now.Rows, m.opt.Least)}
		return r
	}
	m.compare(r, &now)
	return r
}
