package gbdt

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

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
// stops when no split improves the loss, a hundred rounds in a row where it
// depends on what is drawn, and with t.Valid and
// early_stopping_rounds above 0 when the loss there (log loss, or rmse) no
// longer falls, keeping the trees up to its minimum. Rows of weight 0 are as if
// they were absent.
//
// With the objectives poisson and tweedie the margin is the logarithm of the
// predicted mean, with l1 and quantile a quantile of the label.
//
// The objective lambdarank learns an order instead, of the rows within each of
// t.Groups: those of larger labels, whole numbers from 0 to 31, get larger
// margins, which mean nothing across groups and start from 0. A label l counts
// 2^l-1; the weight of a row multiplies its gradient. What stops early is the
// NDCG of the first ndcg_at rows of each validation group, averaged over the
// groups with a label above 0, a group counting with the mean weight of its
// rows: it is what an order is used for, and the sum of which LambdaRank's
// gradients are the slopes changes with every order, so that it cannot be
// followed.
//
// The result depends on t, p and nothing else: not on t.Workers, nor on the
// machine. With node_fraction 1, and without other settings that draw rows,
// features or edges, it depends on t.Seed only by rounding noise, and on the
// order of the rows likewise.
//
// With the setting rounding=nearest, exact mode, it then (node_fraction is 1
// there if it is not set) does not depend on t.Seed at all, and with any settings not on the order of the rows, weighted or
// not, nor on that of t.Valid. Rows that come k times are as one of weight k, to
// the last bit; for this the sum of a row's weights must be exact, as sums of
// whole numbers below 2⁵³ are.
//
// Errors: settings that are unknown or out of range, all of them at once;
// shapes and groups that do not fit; labels other than 0 and 1 in a binary
// task; labels that cannot be ranked, or have no order to learn;
// [ErrOneClass]; category codes that are not whole numbers; ctx's error.
//
// Memory: two to three bytes per value and about 70 per row, besides t; less
// where features are sparse and exclusive, as indicators are. 10,000,000 rows
// of 28 numbers take 1.3 GB with two workers. In exact mode another copy of t,
// and while bins are made 110 bytes per row and worker.
func (Learner) Fit(ctx context.Context, t learn.Train, p learn.Params) (bundle.Member, error) {
	if t.Task == bundle.Multiclass {
		return bundle.Member{}, data.WithHint(errors.New("gbdt: Fit is asked for one output of a multiclass task"), "use FitClasses")
	}
	return one(fit(ctx, t, p, nil, nil))
}

// FitClasses is [Learner.Fit] for multiclass tasks: member k has the margins of
// class k, of which [num.Softmax] makes probabilities. Each round grows a
// tree for each class that has a split, all from the probabilities before it;
// "trees" is the number of rounds. A member's Base is the logarithm of the class's
// share. [ErrOneClass] says that training rows have no row of some class.
//
// Method: Friedman, Annals of Statistics 29(5), 2001, algorithm 6, with the
// hessian K/(K-1) p(1-p) for K classes, as in LightGBM.
func (Learner) FitClasses(ctx context.Context, t learn.Train, p learn.Params) ([]bundle.Member, error) {
	if t.Task != bundle.Multiclass {
		return nil, data.WithHint(fmt.Errorf("gbdt: FitClasses is asked for a task %q", t.Task), "use Fit")
	}
	return fit(ctx, t, p, nil, nil)
}

// one returns the only member of a fit with one output.
func one(members []bundle.Member, err error) (bundle.Member, error) {
	if err != nil {
		return bundle.Member{}, err
	}
	return members[0], nil
}

// Continue is a fit that goes on from the forests of an earlier one with the
// same features: one forest for binary tasks and regression, one for each class
// for multiclass tasks. It grows up to "trees" further trees for each, and the
// members hold both. The rows, weights and settings may be others; the bases
// stay those of the forests.
//
// With the same rows, seed and settings, n trees continued by m are the n+m
// trees of one fit to the last bit, whatever is drawn at random: 60 continued by
// 40 are 100. (Of several classes, one that finds no split in a round gets no
// tree; what counts are the rounds.) That holds with early stopping too, n being
// the trees that the earlier fit kept: those it grew beyond its best are gone,
// and are grown and waited for again. With validation rows the forests as they
// are count as the best so far, so that none of their trees is dropped.
//
// It returns an error if from has another number of forests than the task has
// outputs, or one that is not well formed or has another number of features,
// and those of Fit.
func Continue(ctx context.Context, t learn.Train, p learn.Params, from []*tree.Forest) ([]bundle.Member, error) {
	if outputs := max(1, t.Classes); len(from) != outputs {
		return nil, fmt.Errorf("gbdt: %d forests to continue, the task has %d outputs", len(from), outputs)
	}
	for out, f := range from {
		switch {
		case f == nil:
			return nil, fmt.Errorf("gbdt: forest %d to continue is nil", out)
		case f.Features != t.X.Cols:
			return nil, fmt.Errorf("gbdt: the forest to continue has %d features, the table %d", f.Features, t.X.Cols)
		}
		if err := f.Check(); err != nil {
			return nil, fmt.Errorf("gbdt: forest %d to continue: %w", out, err)
		}
	}
	return fit(ctx, t, p, &state{forests: from}, nil)
}

// fit goes on from a state, nil: from the beginning, and keeps its own in a
// checkpoint, nil: nowhere.
func fit(ctx context.Context, t learn.Train, p learn.Params, from *state, keep *Checkpoint) ([]bundle.Member, error) {
	s, err := parse(p)
	if err != nil {
		return nil, err
	}
	workers := t.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	c := newCrew(workers)
	defer c.close()
	if err := check(ctx, c, t); err != nil {
		return nil, err
	}
	err = errors.Join(s.fits(t.Task, t.X.Cols, t.Categories), s.fitClasses(t.Task, t.Classes), s.checkLabels(t.Y, t.W), s.checkGroups(t))
	if err != nil {
		return nil, err
	}
	if s.exact() {
		if t.Data, err = canonical(ctx, t.Data); err != nil {
			return nil, err
		}
		if t.Valid != nil {
			valid, err := canonical(ctx, *t.Valid)
			if err != nil {
				return nil, err
			}
			t.Valid = &valid
		}
	}
	if s.nodeFraction == 0 {
		s.nodeFraction = s.nodeShare(t.X.Rows, t.W)
	}
	var save func(context.Context, *booster) error
	if keep != nil {
		if from, save, err = keep.open(ctx, c, t, s); err != nil {
			return nil, err
		}
	}
	if factors := s.classFactors(t); factors != nil {
		t.W = weightClasses(factors, t.Y, t.W)
		if t.Valid != nil {
			valid := *t.Valid
			valid.W = weightClasses(factors, valid.Y, valid.W)
			t.Valid = &valid
		}
		if err := checkClasses(t.Y, t.W, len(factors)); err != nil { // a product may be 0
			return nil, err
		}
	}
	b, err := newBooster(ctx, c, t, s, from)
	if err != nil {
		return nil, err
	}
	b.save = save
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
	noise     []uint64                              // random, per row
	dither    []uint64                              // what rounding adds: noise, or one half
	inSample  []bool                                // rows of the current tree; nil: all
	scaled    []float64                             // their weights over their chances, if these differ; else nil
	builders  []*builder                            // per output
	rounds    int                                   // that have grown trees
	valid     *validation                           // nil: none
	save      func(context.Context, *booster) error // called after a round; nil: nothing is kept
}

func newBooster(ctx context.Context, c *crew, t learn.Train, s settings, from *state) (*booster, error) {
	b := &booster{s: s, seed: t.Seed, crew: c}
	used := make([]int, 0, t.X.Rows) // rows of t in use
	b.y = make([]float64, 0, t.X.Rows)
	for i := range t.X.Rows {
		if i%blockRows == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if weight(t.W, i) > 0 {
			used = append(used, i)
			b.y = append(b.y, t.Y[i])
			if t.W != nil {
				b.w = append(b.w, t.W[i])
			}
		}
	}
	m, err := newMatrix(ctx, c, t, used, s)
	if err != nil {
		return nil, err
	}
	n := len(used)
	b.choose(t)
	bases := b.bases(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for range bases {
		b.margins = append(b.margins, large[float64](n))
		b.grad, b.hess = append(b.grad, large[float64](n)), append(b.hess, large[float64](n))
	}
	b.noise = drawNoise(c, n, t.Seed)
	b.dither = b.noise
	if s.exact() {
		b.dither = slices.Repeat([]uint64{oneHalf}, n)
	}
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
		start := &tree.Forest{Features: t.X.Cols, Base: base + 0, Root: []int32{0}} // -0 becomes 0: sums never are -0
		if from != nil {
			start = from.forests[out]
		}
		b.builders = append(b.builders, newBuilder(start))
		if err := startAt(ctx, c, b.margins[out], start, t.X, used); err != nil {
			return nil, err
		}
	}
	if from != nil {
		b.rounds = from.rounds
	}
	if t.Valid == nil || s.earlyStoppingRounds == 0 {
		return b, nil
	}
	b.valid = &validation{joint: s.joint(t.Task, t.Classes, t.Valid.Groups, t.Valid.Y, t.Valid.W), rows: m.like(t.Valid.X), y: t.Valid.Y, w: t.Valid.W}
	for _, builder := range b.builders {
		margin := make([]float64, t.Valid.X.Rows)
		if err := startAt(ctx, c, margin, &builder.forest, t.Valid.X, nil); err != nil {
			return nil, err
		}
		b.valid.margins, b.valid.bestTrees = append(b.valid.margins, margin), append(b.valid.bestTrees, builder.trees())
	}
	if from != nil && from.stop != nil {
		b.valid.stopping = *from.stop
		return b, nil
	}
	b.valid.best = b.valid.loss(ctx, b)
	return b, nil
}

// startAt sets margins to those that a forest gives the rows, nil for all, of
// x: the same bits as tree by tree.
func startAt(ctx context.Context, c *crew, margins []float64, f *tree.Forest, x learn.Matrix, rows []int) error {
	var scorer *tree.Scorer
	if len(f.Root) > 1 {
		scorer = tree.NewScorer(f)
	}
	c.blocks(len(margins), func(begin, end int) {
		part := margins[begin:end]
		if scorer == nil {
			for i := range part {
				part[i] = f.Base
			}
			return
		}
		values := make([]float64, fillRows*x.Cols)
		for len(part) > 0 && ctx.Err() == nil {
			n := min(fillRows, len(part))
			if rows == nil {
				scorer.Margins(part[:n], x.Data[begin*x.Cols:(begin+n)*x.Cols])
			} else {
				for i, r := range rows[begin : begin+n] {
					copy(values[i*x.Cols:], x.Row(r))
				}
				scorer.Margins(part[:n], values[:n*x.Cols])
			}
			part, begin = part[n:], begin+n
		}
	})
	return ctx.Err()
}

// choose sets the objective.
func (b *booster) choose(t learn.Train) {
	if b.joint = b.s.joint(t.Task, t.Classes, weighty(t.Groups, t.W), b.y, b.w); b.joint == nil {
		b.objective = b.s.loss(t.Task)
	}
}

// bases returns the constant margins with the smallest loss, one per output.
func (b *booster) bases(ctx context.Context) []float64 {
	if b.joint != nil {
		return b.joint.bases(b.y, b.w)
	}
	return []float64{b.objective.base(ctx, b.y, b.w)}
}

// classFactors returns by what the weights of rows are multiplied, per class;
// nil: by nothing.
func (s *settings) classFactors(t learn.Train) []float64 {
	switch {
	case s.perClass != nil:
		return s.perClass
	case s.positiveWeight != 1 && t.Task == bundle.Binary:
		return []float64{1, s.positiveWeight}
	case s.classWeights == "balanced":
		factors := make([]float64, max(2, t.Classes))
		total := 0.0
		for i, label := range t.Y {
			factors[int(label)] += weight(t.W, i)
			total += weight(t.W, i)
		}
		for k, mass := range factors {
			factors[k] = total / float64(float64(len(factors))*mass)
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
