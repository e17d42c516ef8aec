package gbdt

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// Learner learns gradient-boosted trees for binary tasks (log loss) and
// regression (squared error, or another loss by the setting "objective"). The
// zero value is ready to use.
type Learner struct{}

var _ learn.Learner = Learner{}

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
// machine. Without settings that draw rows, features or edges it depends on
// t.Seed only by rounding noise.
//
// Errors: settings that are unknown or out of range, all of them at once;
// shapes that do not fit; labels other than 0 and 1 in a binary task;
// [ErrOneClass]; category codes that are not whole numbers; ctx's error.
//
// Memory: two to three bytes per value and about 70 per row, besides t.
func (Learner) Fit(ctx context.Context, t learn.Train, p learn.Params) (bundle.Member, error) {
	return fit(ctx, t, p, nil)
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
	return fit(ctx, t, p, from)
}

func fit(ctx context.Context, t learn.Train, p learn.Params, from *tree.Forest) (bundle.Member, error) {
	s, err := parse(p)
	if err != nil {
		return bundle.Member{}, err
	}
	if err := check(t); err != nil {
		return bundle.Member{}, err
	}
	if err := errors.Join(s.fits(t.Task, t.X.Cols, t.Categories), s.checkLabels(t.Y, t.W)); err != nil {
		return bundle.Member{}, err
	}
	if s.positiveWeight != 1 {
		t.W = s.weightClasses(t.Y, t.W)
		if t.Valid != nil {
			valid := *t.Valid
			valid.W = s.weightClasses(valid.Y, valid.W)
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
		return bundle.Member{}, err
	}
	forest, err := b.boost(ctx, t.Progress)
	if err != nil {
		return bundle.Member{}, err
	}
	return bundle.Member{Learner: Learner{}.Name(), Weight: 1, Trees: forest}, nil
}

// booster holds the state between the trees of one fit.
type booster struct {
	s         settings
	seed      uint64
	crew      *crew
	objective objective
	grower    grower
	rows      []uint32 // to sample from, or what was sampled; nil: no sampling
	y, w      []float64
	margin    []float64
	grad      []float64
	hess      []float64
	noise     []uint64
	inSample  []bool    // rows of the current tree; nil: all
	scaled    []float64 // their weights over their chances, if these differ; else nil
	builder   *builder
	done      int         // trees that the forest to continue has
	valid     *validation // nil: none
}

func newBooster(ctx context.Context, c *crew, t learn.Train, s settings, from *tree.Forest) (*booster, error) {
	b := &booster{s: s, seed: t.Seed, crew: c, objective: s.loss(t.Task)}
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
	b.margin = large[float64](n)
	b.grad, b.hess = large[float64](n), large[float64](n)
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
	if from == nil {
		from = &tree.Forest{Features: t.X.Cols, Base: b.objective.base(b.y, b.w), Root: []int32{0}}
	}
	b.builder, b.done = newBuilder(from), len(from.Root)-1
	for i, r := range used {
		b.margin[i] = from.Base
		if b.done > 0 {
			b.margin[i] = from.Margin(t.X.Row(r))
		}
	}
	if t.Valid == nil || s.earlyStoppingRounds == 0 {
		return b, nil
	}
	v := &validation{y: t.Valid.Y, w: t.Valid.W, margin: make([]float64, t.Valid.X.Rows), bestTrees: b.done}
	if v.columns, err = m.like(ctx, c, t.Valid.X); err != nil {
		return nil, err
	}
	from.Margins(v.margin, t.Valid.X.Data)
	v.best = b.objective.mean(v.margin, v.y, v.w)
	b.valid = v
	return b, nil
}

// weightClasses multiplies the weights of the rows with label 1.
func (s *settings) weightClasses(y, w []float64) []float64 {
	weights := make([]float64, len(y))
	for i, label := range y {
		weights[i] = weight(w, i)
		if label == 1 {
			weights[i] = float64(weights[i] * s.positiveWeight)
		}
	}
	return weights
}
