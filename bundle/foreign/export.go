package foreign

import (
	"fmt"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
)

// A source is a member that can be written for another library: trees over
// columns as they are. The columns of the foreign model are the inputs of the
// contract, in order.
type source struct {
	fields []data.Field
	weight float64
	forest *tree.Forest
	plan   step.Plan
}

// newSources returns one source, or one for each class. It refuses, naming why,
// what no library's format can say.
func newSources(m *bundle.Model, numbers ...step.Op) ([]*source, error) {
	classes := max(1, len(m.Decision.Classes))
	switch {
	case len(m.Members) != classes && classes == 1:
		return nil, fmt.Errorf("the model is a blend of %d members, and the format holds one", len(m.Members))
	case len(m.Members) != classes:
		return nil, fmt.Errorf("the model has %d members for %d classes, and the format holds one for each", len(m.Members), classes)
	case len(m.Contract.Inputs()) == 0:
		return nil, fmt.Errorf("the model has no columns")
	}
	out := make([]*source, classes)
	trees := 1 // no format does without
	for i := range m.Members {
		s, err := newSource(m, &m.Members[i], numbers)
		if err != nil {
			return nil, err
		}
		out[m.Members[i].Output] = s
		trees = max(trees, len(s.forest.Root)-1)
	}
	for _, s := range out {
		s.forest = padded(s.forest, trees)
	}
	return out, nil
}

func newSource(m *bundle.Model, member *bundle.Member, numbers []step.Op) (*source, error) {
	s := &source{fields: m.Contract.Inputs(), weight: member.Weight}
	if member.Trees == nil {
		return nil, fmt.Errorf("the model (%s) is linear, and the format holds trees", member.Learner)
	}
	s.forest, s.plan = member.Trees, member.Plan
	seen := make(map[int]step.Op)
	for _, f := range s.plan {
		name := s.fields[f.Input].Name
		if f.Op == step.TargetMean {
			return nil, data.WithHint(fmt.Errorf("column %q is read through ordered target statistics (step %q), which the format cannot say", name, f.Op),
				"train without them: model.target_statistics: false in tandem.yaml, or tandem train --target-statistics=false")
		}
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
	v := float64(s.weight * s.forest.Value[n])
	if first {
		v += float64(s.weight * s.forest.Base)
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

// padded returns a forest with leaves of value 0 as further trees, so that all
// classes have as many.
func padded(f *tree.Forest, trees int) *tree.Forest {
	p := *f
	for len(p.Root)-1 < trees {
		p.Feature, p.Threshold = append(slices.Clip(p.Feature), 0), append(slices.Clip(p.Threshold), 0)
		p.Left, p.Right = append(slices.Clip(p.Left), -1), append(slices.Clip(p.Right), -1)
		p.MissingLeft, p.Set = append(slices.Clip(p.MissingLeft), false), append(slices.Clip(p.Set), -1)
		p.Value, p.Cover = append(slices.Clip(p.Value), 0), append(slices.Clip(p.Cover), 1)
		p.Root = append(slices.Clip(p.Root), int32(len(p.Feature)))
	}
	return &p
}

// eachTree calls f with every tree, those of an iteration one class after the
// other: its number, its class and whether it is the class's first, its root and
// its end.
func eachTree(sources []*source, f func(t, class int, first bool, lo, hi int32)) {
	for k := range len(sources[0].forest.Root) - 1 {
		for class, s := range sources {
			f(k*len(sources)+class, class, k == 0, s.forest.Root[k], s.forest.Root[k+1])
		}
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
