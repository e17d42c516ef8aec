package foreign

import (
	"fmt"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
)

// A source is a model that can be written for another library: one member of
// trees over columns as they are. The columns of the foreign model are the
// inputs of the contract, in order.
type source struct {
	model  *bundle.Model
	fields []data.Field
	forest *tree.Forest
	plan   step.Plan
}

// newSource refuses, naming why, what no library's format can say.
func newSource(m *bundle.Model, numbers ...step.Op) (*source, error) {
	s := &source{model: m, fields: m.Contract.Inputs()}
	switch {
	case len(m.Members) != 1:
		return nil, fmt.Errorf("the model is a blend of %d members, and the format holds one", len(m.Members))
	case m.Members[0].Trees == nil:
		return nil, fmt.Errorf("the model (%s) is linear, and the format holds trees", m.Members[0].Learner)
	case len(s.fields) == 0:
		return nil, fmt.Errorf("the model has no columns")
	}
	s.forest, s.plan = m.Members[0].Trees, m.Members[0].Plan
	seen := make(map[int]step.Op)
	for _, f := range s.plan {
		name := s.fields[f.Input].Name
		if before, twice := seen[f.Input]; twice && before != f.Op {
			return nil, fmt.Errorf("column %q is seen through two steps (%s, %s), and the format knows one", name, before, f.Op)
		}
		seen[f.Input] = f.Op
		allowed := f.Op == step.Code
		for _, op := range numbers {
			allowed = allowed || f.Op == op
		}
		if !allowed {
			return nil, fmt.Errorf("column %q goes through the step %q, which the format cannot say", name, f.Op)
		}
	}
	for n, set := range s.forest.Set {
		if s.forest.Left[n] < 0 {
			continue
		}
		f := s.plan[s.forest.Feature[n]]
		if (f.Op == step.Code) != (set >= 0) {
			return nil, fmt.Errorf("column %q is split by %s, which the format cannot say", s.fields[f.Input].Name,
				map[bool]string{true: "order of its categories", false: "sets of numbers"}[set < 0])
		}
	}
	return s, nil
}

// column returns the column and the step of an inner node.
func (s *source) column(n int32) (int, step.Op) {
	f := s.plan[s.forest.Feature[n]]
	return f.Input, f.Op
}

// value returns the value of leaf n. The base has no place of its own
// everywhere, so it goes into the first tree: that is what a margin begins with.
func (s *source) value(n int32, first bool) float64 {
	v := float64(s.model.Members[0].Weight * s.forest.Value[n])
	if first {
		v += float64(s.model.Members[0].Weight * s.forest.Base)
	}
	return v
}

// categories returns the categories of the set of node n that the contract knows,
// ascending.
func (s *source) categories(n int32) []int {
	column, _ := s.column(n)
	var out []int
	set := s.forest.Sets[s.forest.Set[n]]
	for c := range s.fields[column].Categories {
		if c/64 < len(set) && set[c/64]>>(c%64)&1 == 1 {
			out = append(out, c)
		}
	}
	return out
}

// eachTree calls f with the root and the end of every tree. A forest without
// trees has one, a leaf of value 0, since no format does without.
func (s *source) eachTree(f func(t int, lo, hi int32)) {
	if len(s.forest.Root) == 1 {
		s.forest = &tree.Forest{Features: s.forest.Features, Base: s.forest.Base, Root: []int32{0, 1},
			Feature: []int32{0}, Threshold: []float64{0}, Left: []int32{-1}, Right: []int32{-1}, MissingLeft: []bool{false},
			Set: []int32{-1}, Value: []float64{0}, Cover: []float64{1}}
	}
	for t := range len(s.forest.Root) - 1 {
		f(t, s.forest.Root[t], s.forest.Root[t+1])
	}
}

// plainLink refuses a calibration that a format cannot say.
func plainLink(c bundle.Calibration, slope bool) error {
	if c.Method == "sigmoid" && (c.B != 0 || !slope && c.A != 1) {
		return data.WithHint(fmt.Errorf("the scores are calibrated (1 / (1 + exp(-(%g*margin%+g)))), which the format cannot say", c.A, c.B),
			"--uncalibrated writes the model without its calibration: the order of rows stays, the probabilities become those of the trees alone")
	}
	return nil
}
