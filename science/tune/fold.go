package tune

import (
	"context"
	"maps"
	"math"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/majority"
	"github.com/tandem-ml/tandem/science/prepare"
)

// outcome is what a candidate came to.
type outcome struct {
	Candidate
	trees   int             // mean of the folds' best numbers of trees; 0 for other learners
	members []bundle.Member // one per fold, with its plan
	margin  []float64       // out of fold, one per row of the sample
	value   float64         // the metric of margin
	seconds float64         // wall time of all folds
	slowest time.Duration   // the longest fold's fit
}

// params returns the settings for the fit on all rows.
func (o *outcome) params() learn.Params {
	p := maps.Clone(o.Params)
	if o.trees > 0 {
		p["trees"] = o.trees
	}
	return p
}

// planKey names a plan: the features of all folds but one, in one form.
type planKey struct {
	fold   int
	form   learn.Input
	curves bool
	none   bool // the baseline reads no features
}

type planned struct {
	plan       step.Plan
	categories []int
}

// plan returns the plan of a candidate where a fold is held out, fitted once
// for all candidates of the same form. It is not safe for concurrent use.
func (s *search) plan(c Candidate, fold int) *planned {
	key := planKey{fold: fold, form: c.Learner.Input(), curves: c.Curves, none: isBaseline(c)}
	if _, ok := s.plans[key]; !ok {
		s.plans[key] = s.planOf(c, s.trainRows(fold))
	}
	return s.plans[key]
}

// planOf fits the plan of a candidate to some rows.
func (s *search) planOf(c Candidate, rows []int) *planned {
	p := &planned{}
	switch {
	case isBaseline(c):
	case c.Curves:
		p.plan, p.categories = prepare.FitCurves(s.Contract, s.Rows, rows)
	case c.Learner.Input() == learn.Raw && !s.NoTargetStatistics:
		p.plan, p.categories = prepare.FitTarget(s.Contract, s.Rows, rows, s.targets())
	default:
		p.plan, p.categories = prepare.Fit(s.Contract, s.Rows, rows, c.Learner.Input())
	}
	return p
}

func isBaseline(c Candidate) bool { return c.Learner.Name() == majority.Learner{}.Name() }

// trainRows returns the rows that are fitted to when a fold is held out, in
// the order of Train.
func (s *search) trainRows(fold int) []int {
	held := make([]bool, len(s.sample))
	for _, i := range s.folds[fold] {
		held[i] = true
	}
	var rows []int
	for i, p := range s.sample {
		if !held[i] {
			rows = append(rows, s.Train[p])
		}
	}
	return rows
}

// heldRows returns the rows of a fold.
func (s *search) heldRows(fold int) []int {
	rows := make([]int, len(s.folds[fold]))
	for i, j := range s.folds[fold] {
		rows[i] = s.Train[s.sample[j]]
	}
	return rows
}

// labels returns the labels of the sample.
func (s *search) labels() []float64 {
	y := make([]float64, len(s.sample))
	for i, p := range s.sample {
		y[i] = s.Y[s.Train[p]]
	}
	return y
}

func (s *search) workers() int {
	if s.Workers > 0 {
		return s.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// foldWorkers returns how many workers the fit of one fold has.
func (s *search) foldWorkers() int { return max(1, s.workers()/len(s.folds)) }

// run fits a candidate in every fold, several folds at a time, since a small
// table has not enough work for two threads in one fit.
func (s *search) run(ctx context.Context, c Candidate) (*outcome, error) {
	start := s.watch.now()
	plans := make([]*planned, len(s.folds))
	for k := range s.folds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		plans[k] = s.plan(c, k)
	}
	o := &outcome{Candidate: c, members: make([]bundle.Member, len(s.folds)), margin: make([]float64, len(s.sample))}
	took := make([]time.Duration, len(s.folds))
	err := s.eachFold(ctx, func(ctx context.Context, k int) (err error) {
		began := s.watch.now()
		held := s.data(plans[k], s.heldRows(k))
		o.members[k], err = s.fit(ctx, c, c.Params, plans[k], s.trainRows(k), &held, s.foldWorkers())
		took[k] = s.watch.now().Sub(began)
		return err
	})
	if err != nil {
		return nil, err
	}
	o.slowest = slices.Max(took)
	best := make([]int, len(s.folds))
	for k, m := range o.members {
		best[k] = trees(m)
	}
	o.trees = meanTrees(best)
	err = s.eachFold(ctx, func(ctx context.Context, k int) (err error) {
		if n := meanTrees(slices.Concat(best[:k], best[k+1:])); n > 0 {
			if n > best[k] {
				more := maps.Clone(c.Params)
				more["trees"] = n
				o.members[k], err = s.fit(ctx, c, more, plans[k], s.trainRows(k), nil, s.foldWorkers())
				if err != nil {
					return err
				}
			}
			o.members[k].Trees = first(o.members[k].Trees, n)
		}
		for i, v := range margins(&o.members[k], s.data(plans[k], s.heldRows(k)).X) {
			o.margin[s.folds[k][i]] = v
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	o.value = s.value(o.margin)
	o.seconds = s.watch.now().Sub(start).Seconds()
	return o, nil
}

// eachFold calls f for every fold, as many at a time as there are workers.
func (s *search) eachFold(ctx context.Context, f func(ctx context.Context, fold int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.workers())
	for k := range s.folds {
		group.Go(func() error { return f(ctx, k) })
	}
	return group.Wait()
}

// data returns the features and labels of some rows.
func (s *search) data(p *planned, rows []int) learn.Data {
	return learn.Data{X: prepare.Apply(p.plan, s.Rows, rows), Y: at(s.Y, rows)}
}

func (s *search) targets() prepare.Labels { return prepare.Labels{Y: s.Y, Seed: s.Seed} }

// fit fits a learner to the rows that the plan was fitted to; held may be nil.
func (s *search) fit(ctx context.Context, c Candidate, params learn.Params, p *planned, rows []int, held *learn.Data, workers int) (bundle.Member, error) {
	if err := ctx.Err(); err != nil {
		return bundle.Member{}, err
	}
	m, err := c.Learner.Fit(ctx, learn.Train{
		Task: s.Task, Data: learn.Data{X: prepare.ApplyOrdered(p.plan, s.Rows, rows, s.targets()), Y: at(s.Y, rows)}, Categories: p.categories, Valid: held, Seed: s.Seed, Workers: workers,
	}, params)
	m.Plan = p.plan
	return m, err
}

// trees returns a member's number of trees, -1 if it is not made of trees.
func trees(m bundle.Member) int {
	if m.Trees == nil {
		return -1
	}
	return len(m.Trees.Root) - 1
}

// meanTrees returns the mean of some numbers of trees, at least 1; 0 for
// members that are not made of trees.
func meanTrees(counts []int) int {
	sum := 0
	for _, n := range counts {
		if n < 0 {
			return 0
		}
		sum += n
	}
	return max(1, int(math.Round(float64(sum)/float64(len(counts)))))
}

// first returns the forest of the first n trees, sharing f's arrays.
func first(f *tree.Forest, n int) *tree.Forest {
	g := *f
	g.Root = f.Root[:min(n+1, len(f.Root))]
	nodes := g.Root[len(g.Root)-1]
	g.Feature, g.Threshold, g.Value, g.Cover = f.Feature[:nodes], f.Threshold[:nodes], f.Value[:nodes], f.Cover[:nodes]
	g.Left, g.Right, g.MissingLeft, g.Set = f.Left[:nodes], f.Right[:nodes], f.MissingLeft[:nodes], f.Set[:nodes]
	sets := int32(0)
	for _, set := range g.Set {
		sets = max(sets, set+1)
	}
	g.Sets = f.Sets[:sets]
	return &g
}

// margins returns the member's margin of each row, without its weight.
func margins(m *bundle.Member, x learn.Matrix) []float64 {
	out := make([]float64, x.Rows)
	if m.Trees != nil {
		m.Trees.Margins(out, x.Data)
		return out
	}
	for i := range out {
		out[i] = m.Linear.Margin(x.Row(i))
	}
	return out
}
