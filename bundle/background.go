package bundle

import (
	"context"
	"fmt"

	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
)

// MaxBackground is how many rows a background has at most: the contributions
// are a mean over all of them, so beyond some hundreds more rows cost time and
// memory and move that mean little.
const MaxBackground = 1000

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
}

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
	b := &Background{model: m}
	for _, of := range c.classes {
		class, err := of.Against(ctx, rows)
		if err != nil {
			return nil, err
		}
		b.classes = append(b.classes, class)
	}
	if c.classes != nil {
		return b, nil
	}
	for i := range m.Members {
		member := &m.Members[i]
		with, err := member.against(ctx, rows)
		if err != nil {
			if ctx.Err() == nil {
				err = data.WithHint(fmt.Errorf("background: member %d (%s): %w", i, member.Learner, err), "give fewer rows")
			}
			return nil, err
		}
		b.members = append(b.members, with)
	}
	return b, nil
}

func (b *Member) against(ctx context.Context, rows Rows) (comparison, error) {
	width := len(b.Plan)
	features := make([]float64, rows.N*width)
	for i := range rows.N {
		b.Plan.Apply(features[i*width:][:width], rows.Row(i))
	}
	if b.Trees != nil {
		trees, err := tree.NewInterventional(ctx, b.Trees, rows.N, features)
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
// with the members' weights. It does not allocate.
func (b *Background) Contributions(dst, row []float64) (base, margin float64) {
	c := b.model.state()
	s := c.pool.Get().(*scratch)
	defer c.pool.Put(s)
	if b.classes != nil {
		class, _ := b.model.classify(s.classes, row)
		return b.classes[class].Contributions(dst, row)
	}
	dst = dst[:c.layout.Cols()]
	clear(dst)
	for i := range b.members {
		member, with := &b.model.Members[i], &b.members[i]
		x, part := s.features[:len(member.Plan)], s.contributions[:len(member.Plan)]
		member.Plan.Apply(x, row)
		var memberBase float64
		if with.trees != nil {
			memberBase = with.trees.Contributions(part, x)
			margin += float64(member.Weight * c.scorers[i].Margin(x))
		} else {
			memberBase = with.linear.Contributions(part, x)
			margin += float64(member.Weight * with.linear.Margin(x))
		}
		base += float64(member.Weight * memberBase)
		for k := range part {
			dst[member.Plan[k].Input] += float64(member.Weight * part[k])
		}
	}
	return base, margin
}
