package gbdt

import (
	"context"
	"runtime"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// Learner learns gradient-boosted trees for binary tasks (log loss) and
// regression (squared error). The zero value is ready to use.
type Learner struct{}

var _ learn.Learner = Learner{}

// Name returns "gbdt".
func (Learner) Name() string { return "gbdt" }

// Input returns learn.Raw: numbers with NaN for missing and infinities as they
// are, categories as codes.
func (Learner) Input() learn.Input { return learn.Raw }

// Fit trains on t with the settings p; [Params] lists them.
//
// The member has Trees set: Base is the log odds (binary) or mean (regression)
// of the labels, Cover the weight of the training rows, thresholds are values
// of the features. It may hold fewer trees than asked for, even none: boosting
// stops when no split improves the loss, and with t.Valid and
// early_stopping_rounds above 0 when the loss there (log loss, or rmse) no
// longer falls, keeping the trees up to its minimum. Rows of weight 0 are as if
// they were absent.
//
// The result depends on t, p and nothing else: not on t.Workers, nor on the
// machine. Without row_fraction and feature_fraction it depends on t.Seed only
// by rounding noise.
//
// Errors: settings that are unknown or out of range, all of them at once;
// shapes that do not fit; labels other than 0 and 1 in a binary task;
// [ErrOneClass]; category codes that are not whole numbers; ctx's error.
//
// Memory: two to three bytes per value and about 70 per row, besides t.
func (Learner) Fit(ctx context.Context, t learn.Train, p learn.Params) (bundle.Member, error) {
	s, err := parse(p)
	if err != nil {
		return bundle.Member{}, err
	}
	if err := check(t); err != nil {
		return bundle.Member{}, err
	}
	workers := t.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	c := newCrew(workers)
	defer c.close()
	b, err := newBooster(ctx, c, t, s)
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
	rows      []uint32 // all rows of the matrix, to sample from; nil: no sampling
	y, w      []float64
	margin    []float64
	grad      []float64
	hess      []float64
	noise     []uint64
	inSample  []bool // rows of the current tree; nil: all
	builder   *builder
	valid     *validation // nil: none
}

func newBooster(ctx context.Context, c *crew, t learn.Train, s settings) (*booster, error) {
	b := &booster{s: s, seed: t.Seed, crew: c, objective: objectiveOf(t.Task)}
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
	m, err := newMatrix(ctx, b.crew, t, used, int(s.bins))
	if err != nil {
		return nil, err
	}
	n := len(used)
	if s.rowFraction < 1 {
		b.rows = make([]uint32, n)
		for i := range b.rows {
			b.rows[i] = uint32(i)
		}
	}
	base := b.objective.base(b.y, b.w)
	b.margin = filled(n, base)
	b.grad, b.hess = make([]float64, n), make([]float64, n)
	b.noise = drawNoise(b.crew, n, t.Seed)
	b.grower = grower{s: s, m: m, crew: b.crew, kernel: kernel.Best(), weights: b.w,
		tokens: make([]token, n), scratch: make([]token, n), leafOf: make([]uint16, n), pool: pool{blocks: len(m.blocks)}}
	if b.crew.workers > 2 {
		b.grower.spare = make([]token, n)
	}
	b.builder = newBuilder(t.X.Cols, base)
	if t.Valid != nil && s.earlyStoppingRounds > 0 {
		columns, err := m.like(ctx, b.crew, t.Valid.X)
		if err != nil {
			return nil, err
		}
		b.valid = &validation{columns: columns, y: t.Valid.Y, w: t.Valid.W, margin: filled(t.Valid.X.Rows, base)}
		b.valid.best = b.objective.mean(b.valid.margin, b.valid.y, b.valid.w)
	}
	return b, nil
}

func filled(n int, x float64) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = x
	}
	return s
}

// boost grows the trees.
func (b *booster) boost(ctx context.Context, progress func(done, total int)) (*tree.Forest, error) {
	trees := int(b.s.trees)
	sampling := b.s.rowFraction < 1 || b.s.featureFraction < 1
	if progress != nil {
		progress(0, trees) // the bins are ready
	}
	for k := range trees {
		nodes, err := b.tree(ctx, k)
		if err != nil {
			return nil, err
		}
		if len(nodes) > 1 {
			b.builder.add(nodes, b.grower.m)
			if b.valid != nil && b.valid.done(ctx, b, nodes) {
				break
			}
		} else if !sampling {
			break // the next tree would see the same gradients
		}
		if progress != nil {
			progress(k+1, trees)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.valid != nil {
		return b.builder.first(b.valid.bestTrees), nil
	}
	return b.builder.first(b.builder.trees()), nil
}

// tree grows tree k and moves the margins. A tree of one node means that there
// was nothing to gain; the margins are then unchanged.
func (b *booster) tree(ctx context.Context, k int) ([]node, error) {
	n := len(b.margin)
	g, kernels := &b.grower, b.grower.kernel
	rows := b.sample(k)
	parts := make([]kernel.Extent, (n+blockRows-1)/blockRows)
	b.crew.blocks(n, func(begin, end int) {
		if ctx.Err() != nil {
			return
		}
		grad, hess := b.grad[begin:end], b.hess[begin:end]
		b.objective.gradients(kernels, grad, hess, b.margin[begin:end], b.y[begin:end], part(b.w, begin, end))
		if rows == nil {
			e := kernel.NewExtent()
			kernels.Measure(&e, grad, hess)
			parts[begin/blockRows] = e
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if rows != nil {
		n = len(rows)
		parts = []kernel.Extent{kernel.NewExtent()}
		measureRows(kernels, &parts[0], b.grad, b.hess, rows)
	}
	total := fold(parts)
	if total.maxG == 0 || total.maxH == 0 || len(g.m.features) == 0 {
		return nil, nil
	}
	g.tokens = g.tokens[:n]
	scale := total.scales(n)
	sum := tokenize(ctx, b.crew, kernels, g.tokens, rows, b.grad, b.hess, b.noise, total.rounding(scale, b.seed, k))
	nodes, err := g.grow(ctx, sum, scale, b.features(k))
	if err != nil || len(nodes) < 2 {
		return nil, err
	}
	g.settle(nodes, b.grad, b.hess, b.margin)
	if b.inSample != nil {
		columns := make([][]uint8, len(g.m.features))
		for i := range columns {
			columns[i] = g.m.features[i].cells
		}
		walk(ctx, b.crew, nodes, columns, b.margin, b.inSample)
	}
	return nodes, ctx.Err()
}

// part returns w[begin:end], or nil for nil.
func part(w []float64, begin, end int) []float64 {
	if w == nil {
		return nil
	}
	return w[begin:end]
}

// sample draws the rows that tree k is fitted to; nil: all.
func (b *booster) sample(k int) []uint32 {
	if b.rows == nil {
		return nil
	}
	rows := draw(b.rows, share(len(b.rows), b.s.rowFraction), seed.Stream(b.seed, "gbdt/rows", k))
	if b.inSample == nil {
		b.inSample = make([]bool, len(b.rows))
	}
	clear(b.inSample)
	for _, r := range rows {
		b.inSample[r] = true
	}
	return rows
}

// features draws the features that tree k may use.
func (b *booster) features(k int) []bool {
	n := len(b.grower.m.features)
	allowed, all := make([]bool, n), make([]int, n)
	for i := range all {
		all[i] = i
	}
	if b.s.featureFraction < 1 {
		all = draw(all, share(n, b.s.featureFraction), seed.Stream(b.seed, "gbdt/features", k))
	}
	for _, i := range all {
		allowed[i] = true
	}
	return allowed
}

// validation follows the loss on rows that the trees are not fitted to.
type validation struct {
	columns   [][]uint8
	y, w      []float64
	margin    []float64
	best      float64
	bestTrees int
}

// done adds the newest tree and reports whether to stop.
func (v *validation) done(ctx context.Context, b *booster, nodes []node) bool {
	walk(ctx, b.crew, nodes, v.columns, v.margin, nil)
	loss := b.objective.mean(v.margin, v.y, v.w)
	if loss < v.best {
		v.best, v.bestTrees = loss, b.builder.trees()
	}
	return b.builder.trees()-v.bestTrees >= int(b.s.earlyStoppingRounds)
}
