package bundle

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
)

// compiled is what a model works out once, to score many rows.
type compiled struct {
	layout     *Layout
	widest     int               // features of the widest member
	scorers    []*tree.Scorer    // per member; nil if linear
	explainers []*tree.Explainer // likewise
	classes    []*Model          // multiclass: the members of each class, with its margin as the score
	pool       sync.Pool         // of *scratch
}

// scratch is the working memory of one row; the pool owns it between calls.
type scratch struct {
	features      []float64
	contributions []float64
	blockFeatures []float64 // nil until a block is scored
	blockMargins  []float64
	classes       []float64 // multiclass: margins and scores of one row
}

// NewModel checks m and makes it ready to score. The parts of m are shared,
// not copied, and may not be changed afterwards. The result is immutable and
// safe for concurrent use.
//
// It returns an error naming the part that contradicts itself or another one:
// a plan that reads an input the contract does not have, a forest that is not
// well formed, a linear model that reads features which may be missing, a
// calibration that does not keep the order.
func NewModel(m Model) (*Model, error) {
	layout, err := NewLayout(&m.Contract)
	if err != nil {
		return nil, err
	}
	if err := m.Calibration.check(); err != nil {
		return nil, err
	}
	if err := m.Decision.check(m.Calibration.task()); err != nil {
		return nil, err
	}
	if len(m.Members) == 0 {
		return nil, fmt.Errorf("model: has no members")
	}
	for i := range m.Members {
		b := &m.Members[i]
		if err := b.check(layout); err != nil {
			return nil, fmt.Errorf("model: member %d (%s): %w", i, b.Learner, err)
		}
	}
	if err := m.checkOutputs(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return m.ready(layout, tree.Kernels()[0])
}

// WithKernel returns the model with its trees made ready for a kernel other
// than the fastest of this processor. Scores and contributions have the same
// bits. It returns an error if this processor does not run the kernel.
func (m *Model) WithKernel(k tree.Kernel) (*Model, error) {
	return m.ready(m.state().layout, k)
}

// ready returns the checked model m with its compiled part.
func (m *Model) ready(layout *Layout, k tree.Kernel) (*Model, error) {
	c := &compiled{layout: layout}
	for i := range m.Members {
		b := &m.Members[i]
		c.widest = max(c.widest, len(b.Plan))
		var s *tree.Scorer
		var e *tree.Explainer
		var err error
		if b.Trees != nil && len(m.Decision.Classes) == 0 { // else the classes have them
			if s, err = tree.NewScorerFor(b.Trees, k); err != nil {
				return nil, err
			}
			if e, err = tree.NewExplainerFor(b.Trees, k); err != nil {
				return nil, err
			}
		}
		c.scorers, c.explainers = append(c.scorers, s), append(c.explainers, e)
	}
	for class := range m.Decision.Classes {
		of := Model{Contract: m.Contract, Calibration: Calibration{Method: "identity"}}
		for _, b := range m.Members {
			if b.Output == class {
				b.Output = 0
				of.Members = append(of.Members, b)
			}
		}
		ready, err := of.ready(layout, k)
		if err != nil {
			return nil, err
		}
		c.classes = append(c.classes, ready)
	}
	c.pool.New = func() any {
		return &scratch{
			features:      make([]float64, c.widest),
			contributions: make([]float64, c.widest),
			classes:       make([]float64, len(c.classes)),
		}
	}
	out := *m
	out.c = c
	return &out, nil
}

func (b *Member) check(layout *Layout) error {
	if !(math.Abs(b.Weight) <= 1e6) {
		return fmt.Errorf("weight %v is not an ordinary number", b.Weight)
	}
	if err := b.Plan.Check(layout.Cols()); err != nil {
		return err
	}
	for _, f := range b.Plan {
		field := &layout.fields[f.Input]
		if f.Op == step.TargetMean && (field.Kind != data.Category || f.Categories != len(field.Categories)) {
			return fmt.Errorf("feature %q has values for %d categories, and column %q (%s) has %d",
				f.Name, f.Categories, field.Name, field.Kind, len(field.Categories))
		}
	}
	switch {
	case (b.Trees == nil) == (b.Linear == nil):
		return fmt.Errorf("has to be either trees or linear")
	case b.Trees != nil:
		if b.Trees.Features != len(b.Plan) {
			return fmt.Errorf("the trees read %d features, the plan computes %d", b.Trees.Features, len(b.Plan))
		}
		return b.Trees.Check()
	default:
		for _, f := range b.Plan {
			if f.Op.CanBeMissing() {
				return fmt.Errorf("feature %q (%s) may be missing, and a linear model cannot read that", f.Name, f.Op)
			}
		}
		return b.Linear.Check(len(b.Plan))
	}
}

func (c *Calibration) check() error {
	switch c.Method {
	case "identity", "exp", "softmax":
		return nil
	case "sigmoid", "sigmoids":
		if !(c.A > 0 && c.A <= math.MaxFloat64) || !(math.Abs(c.B) <= math.MaxFloat64) {
			return fmt.Errorf("calibration: slope %v must be positive and intercept %v finite", c.A, c.B)
		}
		return nil
	}
	return fmt.Errorf("calibration: unknown method %q", c.Method)
}

// task returns the task whose scores the calibration makes.
func (c *Calibration) task() Task {
	switch c.Method {
	case "sigmoid":
		return Binary
	case "softmax", "sigmoids":
		return Multiclass
	}
	return Regression
}

func (d *Decision) check(task Task) error {
	if task == Multiclass {
		return d.checkClasses()
	}
	switch {
	case d.Classes != nil:
		return fmt.Errorf("decision: %d classes do not go with the task %q", len(d.Classes), task)
	case d.Positive == "" && d.Negative == "":
		return nil
	case task == Regression:
		return fmt.Errorf("decision: a regression decides nothing, so its labels must be empty")
	case d.Positive == "" || d.Negative == "" || d.Positive == d.Negative:
		return fmt.Errorf("decision: labels %q and %q must be two", d.Positive, d.Negative)
	case !(math.Abs(d.Threshold) <= math.MaxFloat64):
		return fmt.Errorf("decision: threshold %v is not finite", d.Threshold)
	}
	return nil
}

// state returns the compiled part.
func (m *Model) state() *compiled {
	if m.c == nil {
		panic("bundle: a Model scores only after NewModel, New or Decode")
	}
	return m.c
}

// Layout returns how rows of this model are encoded.
func (m *Model) Layout() *Layout { return m.state().layout }

// Margin returns the sum over members of weight times margin, in member order,
// for one encoded row. For binary tasks it is the log odds of the positive
// class before calibration, for multiclass ones the margin of the most
// probable class. It does not allocate.
func (m *Model) Margin(row []float64) float64 {
	c := m.state()
	if c.classes != nil {
		margin, _ := m.Score(row)
		return margin
	}
	s := c.pool.Get().(*scratch)
	sum := 0.0
	for i := range m.Members {
		b := &m.Members[i]
		x := s.features[:len(b.Plan)]
		b.Plan.Apply(x, row)
		if b.Trees != nil {
			sum += float64(b.Weight * c.scorers[i].Margin(x))
		} else {
			sum += float64(b.Weight * b.Linear.Margin(x))
		}
	}
	c.pool.Put(s)
	return sum
}

// Score returns the margin and the score of one encoded row: the calibrated
// probability of the positive class, or the predicted value; for multiclass
// tasks those of the most probable class. It does not allocate.
func (m *Model) Score(row []float64) (margin, score float64) {
	if c := m.state(); c.classes != nil {
		s := c.pool.Get().(*scratch)
		class, margin := m.classify(s.classes, row)
		score = s.classes[class]
		c.pool.Put(s)
		return margin, score
	}
	margin = m.Margin(row)
	return margin, m.Calibration.Score(margin)
}

// Score maps a margin to a score; of several classes that is not possible one
// by one. The bits are the same on every machine.
func (c *Calibration) Score(margin float64) float64 {
	switch c.Method {
	case "identity":
		return margin
	case "exp":
		return min(num.Exp(margin), math.MaxFloat64)
	}
	return num.Sigmoid(float64(c.A*margin) + c.B)
}

// Decide returns the label of a score: Positive if it reaches the threshold,
// else Negative; "" if the model decides nothing, is multiclass (see
// [Model.Answer]) or the score is NaN.
func (m *Model) Decide(score float64) string {
	switch {
	case score != score:
		return ""
	case score >= m.Decision.Threshold:
		return m.Decision.Positive
	default:
		return m.Decision.Negative
	}
}

// blockRows is how many rows are scored together: as many as a block of
// [tree.Scorer] has, few enough that their features stay in the second cache.
const blockRows = 256

// ScoreRows sets margin[i] and score[i] for every row, on all processors. The
// bits are those of [Model.Score], however many processors there are. score
// may be nil. It panics if the lengths do not fit the rows.
func (m *Model) ScoreRows(margin, score []float64, rows Rows) {
	c := m.state()
	if c.classes != nil {
		m.scoreClasses(margin, score, rows)
		return
	}
	if rows.Cols != c.layout.Cols() || len(rows.Data) < rows.N*rows.Cols || len(margin) != rows.N || score != nil && len(score) != rows.N {
		panic(fmt.Sprintf("bundle: ScoreRows of %d x %d values into %d margins and %d scores, with %d inputs",
			rows.N, rows.Cols, len(margin), len(score), c.layout.Cols()))
	}
	blocks := (rows.N + blockRows - 1) / blockRows
	inParallel(blocks, func(block int) {
		s := c.pool.Get().(*scratch)
		if s.blockFeatures == nil {
			s.blockFeatures, s.blockMargins = make([]float64, blockRows*c.widest), make([]float64, blockRows)
		}
		lo := block * blockRows
		hi := min(lo+blockRows, rows.N)
		m.scoreBlock(s, margin[lo:hi], rows, lo)
		if score != nil {
			for i := lo; i < hi; i++ {
				score[i] = m.Calibration.Score(margin[i])
			}
		}
		c.pool.Put(s)
	})
}

// inParallel runs do(0) .. do(tasks-1) on all processors and returns when all
// are done.
func inParallel(tasks int, do func(task int)) {
	var next atomic.Int64
	work := func() {
		for {
			task := int(next.Add(1) - 1)
			if task >= tasks {
				return
			}
			do(task)
		}
	}
	workers := min(runtime.GOMAXPROCS(0), tasks)
	if workers <= 1 {
		work()
		return
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(work)
	}
	wg.Wait()
}

// scoreBlock sets the margins of at most blockRows rows, from row lo on.
func (m *Model) scoreBlock(s *scratch, margin []float64, rows Rows, lo int) {
	clear(margin)
	for k := range m.Members {
		b := &m.Members[k]
		width := len(b.Plan)
		for i := range margin {
			b.Plan.Apply(s.blockFeatures[i*width:(i+1)*width], rows.Row(lo+i))
		}
		part := s.blockMargins[:len(margin)]
		if b.Trees != nil {
			m.c.scorers[k].Margins(part, s.blockFeatures)
		} else {
			for i := range part {
				part[i] = b.Linear.Margin(s.blockFeatures[i*width : (i+1)*width])
			}
		}
		for i := range margin {
			margin[i] += float64(b.Weight * part[i])
		}
	}
}

// TestRows scores rows as the test rows of a bundle. The encoded values are
// copied.
func (m *Model) TestRows(rows Rows) []TestRow {
	out := make([]TestRow, rows.N)
	for i := range out {
		row := append([]float64(nil), rows.Row(i)...)
		margin, score := m.Score(row)
		out[i] = TestRow{Row: row, Margin: margin, Score: score}
	}
	return out
}
