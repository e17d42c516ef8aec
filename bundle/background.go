package bundle

import (
	"context"
	"fmt"
	"sync"

	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
)

// MaxBackground is how many rows a background has at most: the contributions
// are a mean over all of them, so beyond some hundreds more rows cost time and
// memory and move that mean little.
const MaxBackground = 1000

// backgroundMemory is how many bytes a background takes at most beside the
// trees, those of all members and classes, which share it by their sizes.
const backgroundMemory int64 = 512 << 20

// Background explains margins as compared with given rows. Where
// [Model.Contributions] asks what a column does when the others are known or
// spread as in training, a background asks what it does when the columns come
// from this row or from one of those: "why is this applicant's risk higher than
// that of last year's accepted ones?". It is immutable and safe for concurrent
// use.
type Background struct {
	model   *Model
	members []comparison // as the model's
	classes []*Background
	pool    sync.Pool // of *backgroundScratch
}

// backgroundScratch is the working memory of some rows.
type backgroundScratch struct{ features, parts []float64 }

// comparison is a member prepared for a background; one of the two is set.
type comparison struct {
	trees  *tree.Interventional
	linear *linear.Model
}

// Against prepares the explanation of the model's margins against a background
// of 1 to [MaxBackground] encoded rows, which pass through the members' plans
// as any row does and are not kept.
//
// It returns an error if they are none, too many or of another width, or if
// the trees are so large that the background needs more than 512 MB beside
// them; and ctx's error soon after a cancellation.
func (m *Model) Against(ctx context.Context, rows Rows) (*Background, error) {
	c := m.state()
	switch {
	case rows.Cols != c.layout.Cols():
		return nil, fmt.Errorf("background: rows have %d columns, the model has %d inputs", rows.Cols, c.layout.Cols())
	case rows.N == 0:
		return nil, fmt.Errorf("background: there are no rows to compare with")
	case rows.N > MaxBackground:
		return nil, data.WithHint(
			fmt.Errorf("background: %d rows are more than the %d that a row is compared with at most", rows.N, MaxBackground),
			"give a random sample of them; contributions are means over the background, and a hundred rows often do")
	}
	nodes := 0
	for i := range m.Members {
		if f := m.Members[i].Trees; f != nil {
			nodes += len(f.Feature)
		}
	}
	return m.against(ctx, rows, nodes)
}

// against is Against for a model, or one of its classes; nodes is how many the
// whole model's trees have.
func (m *Model) against(ctx context.Context, rows Rows, nodes int) (*Background, error) {
	b := &Background{model: m, pool: sync.Pool{New: func() any { return new(backgroundScratch) }}}
	for _, of := range m.state().classes {
		class, err := of.against(ctx, rows, nodes)
		if err != nil {
			return nil, err
		}
		b.classes = append(b.classes, class)
	}
	if b.classes != nil {
		return b, nil
	}
	for i := range m.Members {
		member := &m.Members[i]
		with, err := member.against(ctx, rows, nodes)
		if err != nil {
			if ctx.Err() == nil {
				err = data.WithHint(fmt.Errorf("background: member %d (%s): %w", i, member.Learner, err),
					"give fewer rows")
			}
			return nil, err
		}
		b.members = append(b.members, with)
	}
	return b, nil
}

func (b *Member) against(ctx context.Context, rows Rows, nodes int) (comparison, error) {
	width := len(b.Plan)
	features := make([]float64, rows.N*width)
	for i := range rows.N {
		b.Plan.Apply(features[i*width:][:width], rows.Row(i))
	}
	if b.Trees != nil {
		share := backgroundMemory * int64(len(b.Trees.Feature)) / int64(nodes)
		trees, err := tree.NewInterventional(ctx, b.Trees, rows.N, features, int(share))
		return comparison{trees: trees}, err
	}
	// The Shapley values of a linear model against rows are those against their mean.
	mean := make([]float64, width)
	for i, x := range features {
		mean[i%width] += x
	}
	for j := range mean {
		mean[j] /= float64(rows.N)
	}
	return comparison{linear: &linear.Model{Intercept: b.Linear.Intercept, Weight: b.Linear.Weight, Mean: mean}}, nil
}

// Layout returns how rows of the model are encoded.
func (b *Background) Layout() *Layout { return b.model.Layout() }

// Contributions is [Model.Contributions] against the background: the base is
// the mean margin of the background's rows (of the class that is explained),
// and dst[j] the part of input column j in the difference to it. The
// contributions of the members are exact Shapley values of their features,
// against the same features of the background's rows, added up by input column
// with the members' weights. It does not allocate, but for multiclass models.
func (b *Background) Contributions(dst, row []float64) (base, margin float64) {
	var bases, margins [1]float64
	b.ContributionRows(dst, bases[:], margins[:], Rows{N: 1, Cols: len(row), Data: row})
	return bases[0], margins[0]
}

// ContributionRows is [Background.Contributions] for every row: dst has a row
// of contributions for each, base and margin a value. Some dozens of rows at a
// time take much less than one by one; the bits are the same.
func (b *Background) ContributionRows(dst, base, margin []float64, rows Rows) {
	if b.classes != nil {
		b.classRows(dst, base, margin, rows)
		return
	}
	c := b.model.state()
	cols := c.layout.Cols()
	dst, base, margin = dst[:rows.N*cols], base[:rows.N], margin[:rows.N]
	clear(dst)
	clear(base)
	clear(margin)
	s := b.pool.Get().(*backgroundScratch)
	if need := rows.N * c.widest; len(s.features) < need {
		s.features, s.parts = make([]float64, need), make([]float64, need)
	}
	for i := range b.members {
		member, with := &b.model.Members[i], &b.members[i]
		width := len(member.Plan)
		features, parts := s.features[:rows.N*width], s.parts[:rows.N*width]
		for r := range rows.N {
			member.Plan.Apply(features[r*width:][:width], rows.Row(r))
		}
		var memberBase float64
		if with.trees != nil {
			memberBase = with.trees.Contributions(parts, features)
		}
		for r := range rows.N {
			x, part := features[r*width:][:width], parts[r*width:][:width]
			if with.trees != nil {
				margin[r] += float64(member.Weight * c.scorers[i].Margin(x))
			} else {
				memberBase = with.linear.Contributions(part, x)
				margin[r] += float64(member.Weight * with.linear.Margin(x))
			}
			base[r] += float64(member.Weight * memberBase)
			to := dst[r*cols:][:cols]
			for k, v := range part {
				to[member.Plan[k].Input] += float64(member.Weight * v)
			}
		}
	}
	b.pool.Put(s)
}

// classRows is ContributionRows of a multiclass model: the rows of each class
// go to its own background.
func (b *Background) classRows(dst, base, margin []float64, rows Rows) {
	cols := b.model.Layout().Cols()
	of := make([][]int, len(b.classes)) // per class: its rows
	scores := make([]float64, len(b.classes))
	for i := range rows.N {
		class, _ := b.model.classify(scores, rows.Row(i))
		of[class] = append(of[class], i)
	}
	for class, some := range of {
		one := Rows{N: len(some), Cols: cols}
		for _, i := range some {
			one.Data = append(one.Data, rows.Row(i)...)
		}
		part, bases, margins := make([]float64, one.N*cols), make([]float64, one.N), make([]float64, one.N)
		b.classes[class].ContributionRows(part, bases, margins, one)
		for k, i := range some {
			copy(dst[i*cols:][:cols], part[k*cols:])
			base[i], margin[i] = bases[k], margins[k]
		}
	}
}
