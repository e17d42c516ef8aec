package gbdt

import (
	"context"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/num"
)

// joint is a loss with several outputs, or one of rows that depend on each
// other: the gradients of all rows and outputs are computed together, before
// the trees that follow them.
type joint interface {
	// bases returns the constant margins with the smallest loss, one per output.
	bases(y, w []float64) []float64
	// gradients sets g and h, per output and row.
	gradients(ctx context.Context, c *crew, g, h, margins [][]float64, y, w []float64)
	// mean returns the weighted mean loss as it is reported, or anything once
	// ctx is done.
	mean(ctx context.Context, c *crew, margins [][]float64, y, w []float64) float64
}

// joint returns the loss of that kind which the settings ask for, for rows with
// these groups, labels and weights; nil: another kind.
func (s *settings) joint(task bundle.Task, classes int, groups []int, y, w []float64) joint {
	switch {
	case task == bundle.Multiclass:
		return softmax{classes}
	case s.objective == "lambdarank":
		return newLambdaRank(s, groups, y, w)
	}
	return nil
}

// softmax is log loss of several classes; labels are their numbers.
type softmax struct{ classes int }

func (o softmax) bases(y, w []float64) []float64 {
	shares := make([]float64, o.classes)
	total := 0.0
	for i, label := range y {
		shares[int(label)] += weight(w, i)
		total += weight(w, i)
	}
	for k, mass := range shares {
		shares[k] = num.Log(mass / total)
	}
	return shares
}

func (o softmax) gradients(ctx context.Context, c *crew, g, h, margins [][]float64, y, w []float64) {
	factor := float64(o.classes) / float64(o.classes-1)
	c.blocks(len(y), func(begin, end int) {
		if ctx.Err() != nil {
			return
		}
		p := make([]float64, o.classes)
		for i := begin; i < end; i++ {
			for k := range p {
				p[k] = margins[k][i]
			}
			num.Softmax(p)
			u := weight(w, i)
			for k, share := range p {
				h[k][i] = float64(float64(float64(factor*share)*(1-share)) * u)
				if float64(k) == y[i] {
					share--
				}
				g[k][i] = float64(share * u)
			}
		}
	})
}

func (o softmax) mean(ctx context.Context, _ *crew, margins [][]float64, y, w []float64) float64 {
	cancelled := false
	return average(len(y), w, func(i int) float64 {
		if i%blockRows == 0 {
			cancelled = ctx.Err() != nil
		}
		if cancelled {
			return 0 // nobody will look at the mean
		}
		top := margins[0][i]
		for _, m := range margins {
			top = max(top, m[i])
		}
		sum := 0.0
		for _, m := range margins {
			sum += num.Exp(m[i] - top)
		}
		return num.Log(sum) - (margins[int(y[i])][i] - top)
	})
}
