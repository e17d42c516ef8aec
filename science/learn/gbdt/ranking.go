package gbdt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/learn"
)

const (
	// maxRelevance is the largest label of a row that is ranked: a label l is
	// worth 2^l-1, which is to stay comparable with the others.
	maxRelevance = 31
	// taskPairs is how many pairs of rows a worker takes at a time.
	taskPairs = 1 << 14
)

// lambdaRank is the loss of an order within groups, in which rows of larger
// labels are to stand before those of smaller ones. Each pair of rows with
// different labels has the log loss of the difference of their margins, times
// by how much NDCG would change if the two changed places now; the gradients of
// all pairs of a row add up.
//
// Only pairs with one row among the first of the current order, as many as
// truncation says, count. With norm, what a pair gains is divided by the
// distance of its margins, and the gradients of a group by their sum, of which
// the logarithm stays: groups then count about alike however many pairs they
// have. Rows with equal margins stand in their order in the table.
//
// A row's weight multiplies its gradient, as in LightGBM. In the mean of NDCG a
// group counts with the mean weight of its rows.
//
// Method: Burges, From RankNet to LambdaRank to LambdaMART: An Overview,
// Microsoft Research MSR-TR-2010-82, with the truncation and norms of
// LightGBM's lambdarank.
type lambdaRank struct {
	starts     []int // group k has the rows from starts[k] to before starts[k+1]
	tasks      []int // task t has the groups from tasks[t] to before tasks[t+1]
	truncation int
	norm       bool
	at         int       // NDCG is of so many first rows
	share      []float64 // per group, its weight in the mean
	ideal      []float64 // per group, the largest DCG of the first truncation rows
	idealAt    []float64 // and of the first at rows
	discount   []float64 // by place in the order, from 0
}

// newLambdaRank takes groups of consecutive rows, by their sizes. Rows of
// weight 0 are as if absent.
func newLambdaRank(s *settings, groups []int, y, w []float64) *lambdaRank {
	o := &lambdaRank{truncation: int(s.rankTruncation), norm: s.rankNorm == 1, at: int(s.ndcgAt),
		starts: []int{0}, tasks: []int{0}, discount: make([]float64, slices.Max(groups))}
	for place := range o.discount {
		o.discount[place] = math.Ln2 / num.Log(float64(place+2))
	}
	pairs := 0
	for k, size := range groups {
		begin := o.starts[k]
		o.starts = append(o.starts, begin+size)
		var count [maxRelevance + 1]int
		rows, mass := 0, 0.0
		for i := begin; i < begin+size; i++ {
			if u := weight(w, i); u > 0 {
				count[int(y[i])]++
				rows++
				mass += u
			}
		}
		o.share = append(o.share, mass/float64(max(1, rows)))
		o.ideal = append(o.ideal, o.largest(&count, o.truncation))
		o.idealAt = append(o.idealAt, o.largest(&count, o.at))
		pairs += size * min(size, o.truncation)
		if pairs >= taskPairs || k == len(groups)-1 {
			o.tasks, pairs = append(o.tasks, k+1), 0
		}
	}
	return o
}

// relevance returns what a label is worth.
func relevance(label int) float64 { return float64(uint64(1)<<label - 1) }

// largest returns the DCG of the first rows when they stand in the best order;
// count is how many have each label.
func (o *lambdaRank) largest(count *[maxRelevance + 1]int, first int) float64 {
	sum, place := 0.0, 0
	for label := maxRelevance; label > 0; label-- {
		for range min(count[label], first-place) {
			sum += float64(relevance(label) * o.discount[place])
			place++
		}
	}
	return sum
}

func (o *lambdaRank) bases(y, w []float64) []float64 { return []float64{0} }

func (o *lambdaRank) gradients(ctx context.Context, c *crew, g, h, margins [][]float64, y, w []float64) {
	o.eachGroup(ctx, c, func(k int, r *ranking) {
		begin, end := o.starts[k], o.starts[k+1]
		o.group(ctx, k, r, g[0][begin:end], h[0][begin:end], margins[0][begin:end], y[begin:end], part(w, begin, end))
	})
}

// mean returns 1 less the mean NDCG of the groups that have it.
func (o *lambdaRank) mean(ctx context.Context, c *crew, margins [][]float64, y, w []float64) float64 {
	ndcg := make([]float64, len(o.share))
	o.eachGroup(ctx, c, func(k int, r *ranking) {
		if o.idealAt[k] > 0 {
			begin, end := o.starts[k], o.starts[k+1]
			r.sort(ctx, margins[0][begin:end], part(w, begin, end))
			ndcg[k] = r.dcg(y[begin:end], o.discount, o.at) / o.idealAt[k]
		}
	})
	sum, total := 0.0, 0.0
	for k, share := range o.share {
		if o.idealAt[k] > 0 {
			sum += float64(share * ndcg[k])
			total += share
		}
	}
	return 1 - sum/total
}

// eachGroup runs do for every group, with memory that it may use.
func (o *lambdaRank) eachGroup(ctx context.Context, c *crew, do func(k int, r *ranking)) {
	c.each(len(o.tasks)-1, func(task int) {
		var r ranking
		for k := o.tasks[task]; k < o.tasks[task+1] && ctx.Err() == nil; k++ {
			do(k, &r)
		}
	})
}

// group sets the gradients of group k.
func (o *lambdaRank) group(ctx context.Context, k int, r *ranking, g, h, margin, y, w []float64) {
	clear(g)
	clear(h)
	if o.ideal[k] == 0 {
		return
	}
	r.sort(ctx, margin, w)
	if ctx.Err() != nil {
		return
	}
	r.part(y, o.discount)
	n := len(r.order)
	first, last := r.order[0].margin, r.order[n-1].margin
	p := pairing{near: 1}
	if o.norm && first != last {
		p = pairing{near: 0.01, distance: 1}
	}
	total := 0.0
	for i := range min(o.truncation, n-1) {
		if ctx.Err() != nil {
			return
		}
		a := &r.rows[r.at[i]]
		label := int(y[r.order[i].row])
		r.next[label]++
		if first-last > wide {
			r.relative(a.margin)
		}
		for other := range r.next {
			if b := r.rows[r.next[other]:r.end[other]]; len(b) > 0 && other != label {
				total += p.add(a, b, math.Abs(relevance(label)-relevance(other))/o.ideal[k], label > other)
			}
		}
	}
	factor := 1.0
	if o.norm && total > 0 {
		factor = num.Log1p(total) / (math.Ln2 * total)
	}
	for i := range r.rows {
		b := &r.rows[i]
		u := weight(w, b.row)
		g[b.row], h[b.row] = float64(float64(b.g*factor)*u), float64(float64(b.h*factor)*u)
	}
}

// wide is how far the margins of a group may be apart for all odds to be parts of
// the first row's: beyond, their squares become too small to divide by, and odds
// are computed for each of the first rows anew. A pair that is further apart
// than this is taken to be this far apart.
const wide = 150

// pairing says by what the gain of a pair is divided: near plus distance times
// the distance of its margins.
type pairing struct{ near, distance float64 }

// add adds the gradients of the pairs of a and every b, which are all behind a
// and have one label; better: a has the larger one. gain is the difference of
// what the labels are worth, over the ideal DCG. It returns the sum of the
// gradients' sizes.
//
// With odds s and t of the rows of the larger and smaller label, the chance
// that they are in the wrong order is t/(s+t); the gradient is the change of
// NDCG times that, and the hessian times s/(s+t) too.
func (p pairing) add(a *ranked, b []ranked, gain float64, better bool) float64 {
	gradient, hessian := 0.0, 0.0
	for j := range b {
		b := &b[j]
		both := a.odds + b.odds
		change := float64(gain * (a.discount - b.discount))
		q := change / float64((p.near+float64(p.distance*(a.margin-b.margin)))*float64(both*both))
		wrong, sign := a.odds, 1.0
		if better {
			wrong, sign = b.odds, -1
		}
		lambda, curvature := float64(float64(q*wrong)*both), float64(float64(q*a.odds)*b.odds)
		gradient += lambda
		hessian += curvature
		b.g -= float64(sign * lambda)
		b.h += curvature
	}
	if better {
		a.g -= gradient
	} else {
		a.g += gradient
	}
	a.h += hessian
	return float64(2 * gradient)
}

// weighty returns the sizes of the groups when rows of weight 0 are left out,
// and groups without others.
func weighty(groups []int, w []float64) []int {
	var sizes []int
	begin := 0
	for _, size := range groups {
		n := 0
		for i := begin; i < begin+size; i++ {
			if weight(w, i) > 0 {
				n++
			}
		}
		if n > 0 {
			sizes = append(sizes, n)
		}
		begin += size
	}
	return sizes
}

// checkGroups refuses groups and labels that cannot be ranked, and groups that
// the objective does not know.
func (s *settings) checkGroups(t learn.Train) error {
	if s.objective != "lambdarank" {
		if t.Groups != nil || t.Valid != nil && t.Valid.Groups != nil {
			return data.WithHint(fmt.Errorf("gbdt: the rows are in groups, which objective %q does not know", s.objective),
				`set objective to "lambdarank", or leave the groups out`)
		}
		return nil
	}
	ordered, _, err := checkRanks(t.Data, "training")
	if err == nil && !ordered {
		err = data.WithHint(errors.New("gbdt: no training group has rows of different labels: there is no order to learn"),
			"give groups of rows that are relevant and rows that are less so")
	}
	if err != nil || t.Valid == nil {
		return err
	}
	_, relevant, err := checkRanks(*t.Valid, "validation")
	if err == nil && !relevant {
		err = data.WithHint(errors.New("gbdt: no validation row has a label above 0: the NDCG does not exist"), "give groups with relevant rows")
	}
	return err
}

// checkRanks refuses sizes of groups that are not those of the rows, and labels
// that are not degrees of relevance. It reports whether a group has rows of
// different labels, and whether one has a label above 0; rows of weight 0 do
// not count.
func checkRanks(d learn.Data, which string) (ordered, relevant bool, err error) {
	if d.Groups == nil {
		return false, false, data.WithHint(fmt.Errorf("gbdt: objective \"lambdarank\" needs the groups of the %s rows", which),
			"rows are put in order within groups, such as the results of one query; give the sizes of the groups")
	}
	left := len(d.Y)
	for k, size := range d.Groups {
		if size < 1 || size > left {
			return false, false, fmt.Errorf("gbdt: %s group %d has %d rows of the %d that are left for it", which, k+1, size, left)
		}
		left -= size
	}
	if left > 0 {
		return false, false, fmt.Errorf("gbdt: the last %d of %d %s rows are in no group", left, len(d.Y), which)
	}
	begin := 0
	for _, size := range d.Groups {
		lowest, highest := math.Inf(1), 0.0
		for i := begin; i < begin+size; i++ {
			label := d.Y[i]
			if !(label >= 0 && label <= maxRelevance && label == math.Trunc(label)) {
				return false, false, data.WithHint(fmt.Errorf("gbdt: label of %s row %d is %g, must be a whole number from 0 to %d", which, i+1, label, maxRelevance),
					"labels are degrees of relevance, 0 being none; a label l counts 2^l-1")
			}
			if weight(d.W, i) > 0 {
				lowest, highest = min(lowest, label), max(highest, label)
			}
		}
		ordered, relevant = ordered || lowest < highest, relevant || highest > 0
		begin += size
	}
	return ordered, relevant, nil
}
