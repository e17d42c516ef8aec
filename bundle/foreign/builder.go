package foreign

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
)

// budget is the memory that a file may still ask for: four times its size in
// all, and a little for small files.
type budget struct{ left int }

func newBudget(src []byte) *budget { return &budget{4*len(src) + 1<<16} }

// take accounts for n items of size bytes, before they are allocated.
func (b *budget) take(n, size int) error {
	if n < 0 || size > 0 && n > b.left/size {
		return fmt.Errorf("the file tells of %d items, which is more than a file of its size can hold", n)
	}
	b.left -= n * size
	return nil
}

// node is one node of a tree, its children in the numbering of the file.
type node struct {
	leaf         bool
	value, cover float64 // value of a leaf
	column       int
	op           step.Op
	threshold    float64
	set          []uint64 // categories that go left; nil: numeric
	missingLeft  bool
	left, right  int32
}

// nodeBytes is what a node takes in a forest.
const nodeBytes = 4 + 8 + 4 + 4 + 1 + 4 + 8 + 8

// builder puts trees into a forest: parents before children, each node once.
type builder struct {
	budget *budget
	forest tree.Forest
	plan   step.Plan
	planAt map[planKey]int32
	seen   []bool // by node of the file: reached already
	stack  []pending
}

type planKey struct {
	column int
	op     step.Op
}

// pending is a node that still has to be placed.
type pending struct {
	node, parent int32 // parent in the forest, -1 for a root
	right        bool
	depth        int
}

// newBuilder makes room for that many nodes and trees.
func newBuilder(m *budget, nodes, trees int) (*builder, error) {
	if err := m.take(nodes, nodeBytes); err != nil {
		return nil, err
	}
	if err := m.take(trees+1, 4); err != nil {
		return nil, err
	}
	b := &builder{budget: m, planAt: make(map[planKey]int32)}
	b.forest = tree.Forest{
		Root:    append(make([]int32, 0, trees+1), 0),
		Feature: make([]int32, 0, nodes), Threshold: make([]float64, 0, nodes),
		Left: make([]int32, 0, nodes), Right: make([]int32, 0, nodes),
		MissingLeft: make([]bool, 0, nodes), Set: make([]int32, 0, nodes),
		Value: make([]float64, 0, nodes), Cover: make([]float64, 0, nodes),
	}
	return b, nil
}

// add appends a tree of at most that many nodes, from its root 0 downwards. at
// describes a node of the file; nodes that are not reached are left out.
func (b *builder) add(nodes int, at func(i int32) (node, error)) error {
	if len(b.seen) < nodes {
		if err := b.budget.take(nodes-len(b.seen), 1); err != nil {
			return err
		}
		b.seen = make([]bool, nodes)
	}
	clear(b.seen[:nodes])
	f := &b.forest
	b.stack = append(b.stack[:0], pending{node: 0, parent: -1})
	for len(b.stack) > 0 {
		p := b.stack[len(b.stack)-1]
		b.stack = b.stack[:len(b.stack)-1]
		switch {
		case p.node < 0 || int(p.node) >= nodes:
			return fmt.Errorf("a child %d is not among the tree's %d nodes", p.node, nodes)
		case b.seen[p.node]:
			return fmt.Errorf("node %d is below two nodes, or below itself", p.node)
		case p.depth > tree.MaxDepth:
			return fmt.Errorf("is deeper than %d", tree.MaxDepth)
		case len(f.Feature) == cap(f.Feature):
			return fmt.Errorf("has more nodes than the file says")
		}
		b.seen[p.node] = true
		n, err := at(p.node)
		if err != nil {
			return fmt.Errorf("node %d: %w", p.node, err)
		}
		i, err := b.place(n)
		if err != nil {
			return err
		}
		switch {
		case p.parent < 0:
		case p.right:
			f.Right[p.parent] = i
		default:
			f.Left[p.parent] = i
		}
		if !n.leaf {
			b.stack = append(b.stack,
				pending{n.right, i, true, p.depth + 1}, pending{n.left, i, false, p.depth + 1})
		}
	}
	f.Root = append(f.Root, int32(len(f.Feature)))
	return nil
}

// place appends one node, whose children are not known yet.
func (b *builder) place(n node) (int32, error) {
	f := &b.forest
	i := int32(len(f.Feature))
	feature, set := int32(0), int32(-1)
	if !n.leaf {
		feature = b.feature(n.column, n.op)
		if n.set != nil {
			if err := b.budget.take(len(n.set)+3, 8); err != nil {
				return 0, err
			}
			set = int32(len(f.Sets))
			f.Sets = append(f.Sets, n.set)
		}
		n.value = 0
	} else {
		n.threshold, n.missingLeft = 0, false
	}
	f.Feature, f.Threshold = append(f.Feature, feature), append(f.Threshold, n.threshold)
	f.Left, f.Right = append(f.Left, -1), append(f.Right, -1)
	f.MissingLeft, f.Set = append(f.MissingLeft, n.missingLeft), append(f.Set, set)
	f.Value, f.Cover = append(f.Value, n.value), append(f.Cover, n.cover)
	return i, nil
}

// feature returns the place in the plan of a column seen through an operation.
func (b *builder) feature(column int, op step.Op) int32 {
	key := planKey{column, op}
	i, ok := b.planAt[key]
	if !ok {
		i = int32(len(b.plan))
		b.plan = append(b.plan, step.Feature{Input: column, Op: op})
		b.planAt[key] = i
	}
	return i
}

// sortedPlan brings the plan into the order of the columns, and the forest
// with it.
func (b *builder) sortedPlan() step.Plan {
	order := make([]int32, len(b.plan))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(x, y int32) int {
		return cmp.Or(cmp.Compare(b.plan[x].Input, b.plan[y].Input), cmp.Compare(b.plan[x].Op, b.plan[y].Op))
	})
	plan, to := make(step.Plan, len(order)), make([]int32, len(order))
	for k, i := range order {
		plan[k], to[i] = b.plan[i], int32(k)
	}
	f := &b.forest
	for i, feature := range f.Feature {
		if f.Left[i] >= 0 {
			f.Feature[i] = to[feature]
		}
	}
	return plan
}
