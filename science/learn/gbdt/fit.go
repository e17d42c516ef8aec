package gbdt

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// Learner learns gradient-boosted trees for binary tasks (log loss) and
// regression (squared error, or another loss by the setting "objective"). The
// zero value is ready to use.
type Learner struct{}

var _ learn.Classifier = Learner{}

// Name returns "gbdt".
func (Learner) Name() string { return "gbdt" }

// Input returns learn.Raw: numbers with NaN for missing and infinities as they
// are, categories as codes.
func (Learner) Input() learn.Input { return learn.Raw }

// Fit trains on t with the settings p; [Params], [Words] and [Lists] list them.
//
// The member has Trees set: Base is the log odds (binary) or mean (regression)
// of the labels, or as the objective has it; Cover is the weight of the
// training rows; thresholds are values of the features. It may hold fewer trees than asked for, even none: boosting
// stops when no split improves the loss, and with t.Valid and
// early_stopping_rounds above 0 when the loss there (log loss, or rmse) no
// longer falls, keeping the trees up to its minimum. Rows of weight 0 are as if
// they were absent.
//
// With the objectives poisson and tweedie the margin is the logarithm of the
// predicted mean, with l1 and quantile a quantile of the label.
//
// The result depends on t, p and nothing else: not on t.Workers, nor on the
// machine. With node_fraction 1, and without other settings that draw rows,
// features or edges, it depends on t.Seed only by rounding noise.
//
// Errors: settings that are unknown or out of range, all of them at once;
// shapes that do not fit; labels other than 0 and 1 in a binary task;
// [ErrOneClass]; category codes that are not whole numbers; ctx's error.
//
// Memory: two to three bytes per value and about 70 per row, besides t.
func (Learner) Fit(ctx context.Context, t learn.Train, p learn.Params) (bundle.Member, error) {
	if t.Task == bundle.Multiclass {
		return bundle.Member{}, data.WithHint(errors.New("gbdt: Fit is asked for one output of a multiclass task"), "use FitClasses")
	}
	return one(fit(ctx, t, p, nil))
}

// FitClasses is [Learner.Fit] for multiclass tasks: member k has the margins of
// class k, of which [num.Softmax] makes probabilities. Each iteration grows a
// tree for each class, all from the probabilities before it, so "trees" is
// the number of trees of each. A member's Base is the logarithm of the class's
// share. [ErrOneClass] says that training rows have no row of some class.
//
// Method: Friedman, Annals of Statistics 29(5), 2001, algorithm 6, with the
// hessian K/(K-1) p(1-p) for K classes, as in LightGBM.
func (Learner) FitClasses(ctx context.Context, t learn.Train, p learn.Params) ([]bundle.Member, error) {
	if t.Task != bundle.Multiclass {
		return nil, data.WithHint(fmt.Errorf("gbdt: FitClasses is asked for a task %q", t.Task), "use Fit")
	}
	return fit(ctx, t, p, nil)
}

// one returns the only member of a fit with one output.
func one(members []bundle.Member, err error) (bundle.Member, error) {
	if err != nil {
		return bundle.Member{}, err
	}
	return members[0], nil
}

// Continue is [Learner.Fit] that goes on from the forest of an earlier fit with
// the same features: it grows up to "trees" further ones, and the result holds
// both. The rows, weights and settings may be others; the base stays the
// forest's. With the same rows, seed and settings, 60 trees continued by 40 are
// 100 trees to the last bit.
//
// It returns an error if from has another number of features, and those of Fit.
func Continue(ctx context.Context, t learn.Train, p learn.Params, from *tree.Forest) (bundle.Member, error) {
	if from.Features != t.X.Cols {
		return bundle.Member{}, fmt.Errorf("gbdt: the forest to continue has %d features, the table %d", from.Features, t.X.Cols)
	}
	return one(fit(ctx, t, p, from))
}

func fit(ctx context.Context, t learn.Train, p learn.Params, from *tree.Forest) ([]bundle.Member, error) {
	s, err := parse(p)
	if err != nil {
		return nil, err
	}
	if err := check(t); err != nil {
		return nil, err
	}
	if err := errors.Join(s.fits(t.Task, t.X.Cols, t.Categories), s.checkLabels(t.Y, t.W)); err != nil {
		return nil, err
	}
	if s.nodeFraction == 0 {
		s.nodeFraction = nodeShare(t.X.Rows, t.W)
	}
	if factors := s.classFactors(t); factors != nil {
		t.W = weightClasses(factors, t.Y, t.W)
		if t.Valid != nil {
			valid := *t.Valid
			valid.W = weightClasses(factors, valid.Y, valid.W)
			t.Valid = &valid
		}
	}
	workers := t.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	c := newCrew(workers)
	defer c.close()
	b, err := newBooster(ctx, c, t, s, from)
	if err != nil {
		return nil, err
	}
	forests, err := b.boost(ctx, t.Progress)
	if err != nil {
		return nil, err
	}
	members := make([]bundle.Member, len(forests))
	for out, forest := range forests {
		members[out] = bundle.Member{Learner: Learner{}.Name(), Weight: 1, Output: out, Trees: forest}
	}
	return members, nil
}

// booster holds the state between the trees of one fit.
type booster struct {
	s         settings
	seed      uint64
	crew      *crew
	objective objective // of a single output
	joint     joint     // in its place where gradients cannot be had row by row; else nil
	grower    grower
	rows      []uint32 // to sample from, or what was sampled; nil: no sampling
	y, w      []float64
	margins   [][]float64 // per output, as the next two
	grad      [][]float64
	hess      [][]float64
	noise     []uint64
	inSample  []bool      // rows of the current tree; nil: all
	scaled    []float64   // their weights over their chances, if these differ; else nil
	builders  []*builder  // per output
	done      int         // trees that the forest to continue has
	valid     *validation // nil: none
}

func newBooster(ctx context.Context, c *crew, t learn.Train, s settings, from *tree.Forest) (*booster, error) {
	b := &booster{s: s, seed: t.Seed, crew: c}
	used := make([]int, 0, t.X.Rows) // rows of t in use
	b.y = make([]float64, 0, t.X.Rows)
	for i := range t.X.Rows {
		if weight(t.W, i) > 0 {
			used = append(used, i)
			b.y = append(b.y, t.Y[i])
			if t.W != nil {
				b.w = append(b.w, t.W[i])
			}
		}
	}
	m, err := newMatrix(ctx, c, t, used, int(s.bins))
	if err != nil {
		return nil, err
	}
	n := len(used)
	b.choose(t)
	bases := b.bases()
	for range bases {
		b.margins = append(b.margins, large[float64](n))
		b.grad, b.hess = append(b.grad, large[float64](n)), append(b.hess, large[float64](n))
	}
	b.noise = drawNoise(c, n, t.Seed)
	b.grower = grower{s: s, m: m, crew: c, kernel: kernel.Best(), weights: b.w,
		tokens: large[token](n), scratch: large[token](n), leafOf: large[uint16](n), pool: pool{blocks: len(m.blocks)},
		monotone: m.directions(s.monotone), groups: m.groupsOf(s.interactions)}
	if c.workers > 2 {
		b.grower.spare = large[token](n)
	}
	if s.rowFraction < 1 || s.gradientFraction < 1 {
		b.inSample, b.rows = make([]bool, n), make([]uint32, n)
		for i := range b.rows {
			b.rows[i] = uint32(i)
		}
	}
	if s.gradientFraction < 1 {
		b.scaled = make([]float64, n)
		b.grower.weights = b.scaled
	}
	for out, base := range bases {
		start := from
		if start == nil {
			start = &tree.Forest{Features: t.X.Cols, Base: base, Root: []int32{0}}
		}
		b.builders = append(b.builders, newBuilder(start))
		b.done = len(start.Root) - 1
		for i, r := range used {
			b.margins[out][i] = start.Base
			if b.done > 0 {
				b.margins[out][i] = start.Margin(t.X.Row(r))
			}
		}
	}
	if t.Valid == nil || s.earlyStoppingRounds == 0 {
		return b, nil
	}
	b.valid = &validation{y: t.Valid.Y, w: t.Valid.W, bestTrees: make([]int, len(bases))}
	if b.valid.columns, err = m.like(ctx, c, t.Valid.X); err != nil {
		return nil, err
	}
	for out, builder := range b.builders {
		margin := make([]float64, t.Valid.X.Rows)
		builder.forest.Margins(margin, t.Valid.X.Data)
		b.valid.margins, b.valid.bestTrees[out] = append(b.valid.margins, margin), b.done
	}
	b.valid.best = b.valid.loss(b)
	return b, nil
}

// choose sets the objective.
func (b *booster) choose(t learn.Train) {
	if t.Task == bundle.Multiclass {
		b.joint = softmax{t.Classes}
		return
	}
	b.objective = b.s.loss(t.Task)
}

// bases returns the constant margins with the smallest loss, one per output.
func (b *booster) bases() []float64 {
	if b.joint != nil {
		return b.joint.bases(b.y, b.w)
	}
	return []float64{b.objective.base(b.y, b.w)}
}

// classFactors returns by what the weights of rows are multiplied, per class;
// nil: by nothing.
func (s *settings) classFactors(t learn.Train) []float64 {
	switch {
	case t.Task == bundle.Binary && s.positiveWeight != 1:
		return []float64{1, s.positiveWeight}
	case t.Task == bundle.Multiclass && s.classWeights == "balanced":
		factors := make([]float64, t.Classes)
		total := 0.0
		for i, label := range t.Y {
			factors[int(label)] += weight(t.W, i)
			total += weight(t.W, i)
		}
		for k, mass := range factors {
			factors[k] = total / float64(float64(t.Classes)*mass)
		}
		return factors
	}
	return nil
}

// weightClasses multiplies the weights of the rows by their classes' factors.
func weightClasses(factors, y, w []float64) []float64 {
	weights := make([]float64, len(y))
	for i, label := range y {
		weights[i] = float64(weight(w, i) * factors[int(label)])
	}
	return weights
}
