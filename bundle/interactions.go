package bundle

import (
	"fmt"
	"sync"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
)

// MaxInteracting is how many input columns, and features of its trees, a model
// has at most to have its interactions computed: there is a number for every
// pair.
const MaxInteracting = 2000

// Interactor splits contributions into what each column does by itself and
// what each pair of columns does together. It is immutable and safe for
// concurrent use.
type Interactor struct {
	model   *Model
	members []*tree.Interactor // as the model's; nil if linear
	classes []*Interactor
	pool    sync.Pool // of *[]float64: the matrix of the widest trees
}

// Interactor prepares the interactions of the model's columns. It returns an
// error if there are more than [MaxInteracting] of them or the trees are so
// deep that one row would take many seconds.
func (m *Model) Interactor() (*Interactor, error) {
	c := m.state()
	widest := 0
	for i := range m.Members {
		if b := &m.Members[i]; b.Trees != nil {
			widest = max(widest, len(b.Plan))
		}
	}
	if most := max(widest, c.layout.Cols()); most > MaxInteracting {
		return nil, data.WithHint(
			fmt.Errorf("interactions: the model reads %d columns or features, and pairs of at most %d are computed", most, MaxInteracting),
			"the contributions of single columns have no such limit")
	}
	x := &Interactor{model: m}
	for _, of := range c.classes {
		class, err := of.Interactor()
		if err != nil {
			return nil, err
		}
		x.classes = append(x.classes, class)
	}
	if c.classes != nil {
		return x, nil
	}
	for i := range m.Members {
		var member *tree.Interactor
		if b := &m.Members[i]; b.Trees != nil {
			var err error
			if member, err = tree.NewInteractor(b.Trees); err != nil {
				return nil, fmt.Errorf("interactions: member %d (%s): %w", i, b.Learner, err)
			}
		}
		x.members = append(x.members, member)
	}
	x.pool.New = func() any {
		matrix := make([]float64, widest*widest)
		return &matrix
	}
	return x, nil
}

// Layout returns how rows of the model are encoded.
func (x *Interactor) Layout() *Layout { return x.model.Layout() }

// Interactions sets dst[i*n+j], n being the number of input columns, to the
// interaction of columns i and j in the margin of one encoded row, and returns
// base and margin as [Model.Contributions] does. dst is symmetric, half of what
// two columns do together stands on either side, and row i adds up to the
// contribution of column i, up to rounding; so dst[i*n+i] is what column i does
// by itself.
//
// Of the members' exact interactions of features ([tree.Interactor]), those of
// two features of one column stand on the diagonal. Features of linear members
// do not interact. Of a multiclass model it is the margin of the most probable
// class that is explained. It does not allocate.
func (x *Interactor) Interactions(dst, row []float64) (base, margin float64) {
	c := x.model.state()
	s := c.pool.Get().(*scratch)
	defer c.pool.Put(s)
	if x.classes != nil {
		class, _ := x.model.classify(s.classes, row)
		return x.classes[class].Interactions(dst, row)
	}
	n := c.layout.Cols()
	dst = dst[:n*n]
	clear(dst)
	matrix := x.pool.Get().(*[]float64)
	defer x.pool.Put(matrix)
	for i := range x.model.Members {
		b := &x.model.Members[i]
		width := len(b.Plan)
		features := s.features[:width]
		b.Plan.Apply(features, row)
		var memberBase float64
		if b.Trees != nil {
			memberBase = x.members[i].Interactions(*matrix, features)
			margin += float64(b.Weight * c.scorers[i].Margin(features))
			for k := range b.Plan {
				to := dst[b.Plan[k].Input*n:][:n]
				for l, v := range (*matrix)[k*width:][:width] {
					to[b.Plan[l].Input] += float64(b.Weight * v)
				}
			}
		} else {
			part := s.contributions[:width]
			memberBase = b.Linear.Contributions(part, features)
			margin += float64(b.Weight * b.Linear.Margin(features))
			for k, v := range part {
				dst[b.Plan[k].Input*(n+1)] += float64(b.Weight * v)
			}
		}
		base += float64(b.Weight * memberBase)
	}
	for i := range n { // two sums in another order may differ in their last bit
		for j := range i {
			dst[i*n+j] = dst[j*n+i]
		}
	}
	return base, margin
}
