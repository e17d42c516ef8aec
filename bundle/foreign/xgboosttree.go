package foreign

import (
	"fmt"
	"strconv"

	"github.com/tandem-ml/tandem/bundle/step"
)

// xgboostTree holds the arrays of one tree; the memory serves the next. A node
// without a left child is a leaf, whose value stands with the conditions.
type xgboostTree struct {
	left, right, column            []int32
	defaultLeft, splitType         []uint8
	condition, cover               []float32
	catNodes, catSegments, catSize []int32
	cats                           []int32
	setOf                          []int32 // by node: its place in catNodes, -1 if numeric
	read                           int     // categories that sets have taken
}

// forest reads the trees.
func (r *xgboost) forest() (*Model, error) {
	err := r.trees.array(func(t int, v value) error { return r.survey(v) })
	if err != nil {
		return nil, fmt.Errorf("trees: %w", err)
	}
	if err := r.numbered(); err != nil {
		return nil, err
	}
	builders, err := r.builders()
	if err != nil {
		return nil, err
	}
	err = r.trees.array(func(t int, v value) error {
		if err := r.read(v); err != nil {
			return err
		}
		return builders[r.classOf[t]].add(len(r.tree.left), func(i int32) (node, error) { return r.node(int(i)) })
	})
	if err != nil {
		return nil, fmt.Errorf("trees: %w", err)
	}
	return r.model.finish(builders)
}

// builders finds the class of each tree and makes room for the classes'
// forests.
func (r *xgboost) builders() ([]*builder, error) {
	if err := r.budget.take(len(r.nodes), 8); err != nil {
		return nil, err
	}
	r.classOf = make([]int, len(r.nodes))
	classes := max(1, r.model.Classes)
	if classes > 1 {
		if r.treeInfo.src == nil {
			return nil, fmt.Errorf("has no tree_info, so it is not known which class a tree belongs to")
		}
		n := 0
		err := r.treeInfo.numbers(64, func(t int, x float64) error {
			if t >= len(r.classOf) || !(x >= 0 && x < float64(classes) && x == float64(int(x))) {
				return fmt.Errorf("tree_info: tree %d of %d is of class %v of %d", t, len(r.classOf), x, classes)
			}
			r.classOf[t] = int(x)
			n++
			return nil
		})
		if err == nil && n != len(r.classOf) {
			err = fmt.Errorf("tree_info: knows %d of %d trees", n, len(r.classOf))
		}
		if err != nil {
			return nil, err
		}
	}
	nodes, trees := make([]int, classes), make([]int, classes)
	for t, n := range r.nodes {
		nodes[r.classOf[t]] += n
		trees[r.classOf[t]]++
	}
	builders, err := newBuilders(r.budget, nodes, trees)
	if err != nil {
		return nil, err
	}
	for k, b := range builders {
		if b.forest.Base, err = r.margin(k); err != nil {
			return nil, err
		}
	}
	return builders, nil
}

// survey counts the nodes of a tree, and notes which columns are categories
// and their highest codes.
func (r *xgboost) survey(v value) error {
	if err := r.read(v); err != nil {
		return err
	}
	t := &r.tree
	if err := r.budget.take(1, 8); err != nil {
		return err
	}
	r.nodes = append(r.nodes, len(t.left))
	for i := range t.left {
		j, k := int(t.column[i]), t.setOf[i]
		if t.left[i] < 0 || k < 0 || j < 0 || j >= len(r.model.Columns) {
			continue
		}
		r.model.Columns[j].Category = true
		cats, err := t.set(int(k))
		if err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
		for _, c := range cats {
			r.highest[j] = max(r.highest[j], int(c))
		}
	}
	return nil
}

// numbered gives the columns whose categories have no texts their numbers as
// texts. A category that is in no set scores as one that was never seen.
func (r *xgboost) numbered() (err error) {
	for j := range r.model.Columns {
		c := &r.model.Columns[j]
		if !c.Category || r.texted[j] {
			continue
		}
		n := r.highest[j] + 1
		if err := r.budget.take(n, categoryBytes/2); err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
		codes, texts := make([]int64, n), make([]string, n)
		for i := range codes {
			codes[i], texts[i] = int64(i), strconv.Itoa(i)
		}
		if c.Categories, r.dicts[j], err = newDictionary(codes, texts); err != nil {
			return err
		}
	}
	return nil
}

// read fills the arrays of a tree and makes sure that they fit together.
func (r *xgboost) read(v value) error {
	t := &r.tree
	t.left, t.right, t.column = t.left[:0], t.right[:0], t.column[:0]
	t.defaultLeft, t.splitType = t.defaultLeft[:0], t.splitType[:0]
	t.condition, t.cover = t.condition[:0], t.cover[:0]
	t.catNodes, t.catSegments, t.catSize, t.cats = t.catNodes[:0], t.catSegments[:0], t.catSize[:0], t.cats[:0]
	t.read = 0
	err := v.fields(map[string]func(value) error{
		"left_children":       into(r.budget, &t.left, 4, 64, whole),
		"right_children":      into(r.budget, &t.right, 4, 64, whole),
		"split_indices":       into(r.budget, &t.column, 4, 64, whole),
		"default_left":        into(r.budget, &t.defaultLeft, 1, 64, bit),
		"split_type":          into(r.budget, &t.splitType, 1, 64, bit),
		"split_conditions":    into(r.budget, &t.condition, 4, 32, single),
		"sum_hessian":         into(r.budget, &t.cover, 4, 32, single),
		"categories_nodes":    into(r.budget, &t.catNodes, 4, 64, whole),
		"categories_segments": into(r.budget, &t.catSegments, 4, 64, whole),
		"categories_sizes":    into(r.budget, &t.catSize, 4, 64, whole),
		"categories":          into(r.budget, &t.cats, 4, 64, whole),
		"tree_param": func(v value) error {
			return v.fields(map[string]func(value) error{"size_leaf_vector": func(v value) error {
				n, err := v.number(64)
				if err == nil && n > 1 {
					err = fmt.Errorf("leaves of %v values, which a bundle does not hold", n)
				}
				return err
			}})
		},
	})
	if err != nil {
		return err
	}
	n := len(t.left)
	if len(t.splitType) == 0 { // before categories came
		for range n {
			t.splitType = append(t.splitType, 0)
		}
	}
	if n == 0 || len(t.right) != n || len(t.column) != n || len(t.defaultLeft) != n || len(t.splitType) != n || len(t.condition) != n || len(t.cover) != n {
		return fmt.Errorf("arrays of different lengths: %d left_children, %d right_children, %d split_indices, %d default_left, %d split_type, %d split_conditions, %d sum_hessian",
			n, len(t.right), len(t.column), len(t.defaultLeft), len(t.splitType), len(t.condition), len(t.cover))
	}
	if len(t.catSegments) != len(t.catNodes) || len(t.catSize) != len(t.catNodes) {
		return fmt.Errorf("%d categories_nodes, %d categories_segments, %d categories_sizes", len(t.catNodes), len(t.catSegments), len(t.catSize))
	}
	return t.locate(r.budget)
}

// locate finds the sets of the nodes.
func (t *xgboostTree) locate(m *budget) error {
	n := len(t.left)
	if n > cap(t.setOf) {
		if err := m.take(n-cap(t.setOf), 4); err != nil {
			return err
		}
		t.setOf = make([]int32, n)
	}
	t.setOf = t.setOf[:n]
	for i := range t.setOf {
		t.setOf[i] = -1
	}
	for k, i := range t.catNodes {
		if i < 0 || int(i) >= n || t.splitType[i] != 1 || t.setOf[i] >= 0 {
			return fmt.Errorf("categories_nodes: node %d is not a split by categories, or occurs twice", i)
		}
		t.setOf[i] = int32(k)
	}
	return nil
}

// set returns the categories of set k: they go right.
func (t *xgboostTree) set(k int) ([]int32, error) {
	lo, size := int(t.catSegments[k]), int(t.catSize[k])
	if lo < 0 || size < 0 || lo > len(t.cats) || size > len(t.cats)-lo {
		return nil, fmt.Errorf("its categories %d to %d are not among the tree's %d", lo, lo+size, len(t.cats))
	}
	if t.read += size; t.read > len(t.cats) { // or a small file would take long
		return nil, fmt.Errorf("its categories are shared with another node")
	}
	return t.cats[lo : lo+size], nil
}

// node describes node i.
func (r *xgboost) node(i int) (node, error) {
	t := &r.tree
	n := node{cover: float64(t.cover[i])}
	if t.left[i] < 0 {
		n.leaf, n.value = true, float64(t.condition[i])
		return n, nil
	}
	n.column, n.left, n.right, n.missingLeft = int(t.column[i]), t.left[i], t.right[i], t.defaultLeft[i] != 0
	if n.column < 0 || n.column >= len(r.model.Columns) {
		return n, fmt.Errorf("column %d is not among the %d columns", n.column, len(r.model.Columns))
	}
	c := r.model.Columns[n.column]
	if c.Category != (t.splitType[i] == 1) {
		return n, fmt.Errorf("column %q is both a number and a category", c.Name)
	}
	n.op = op(c, step.Float32)
	if !c.Category {
		n.threshold = before(t.condition[i])
		return n, nil
	}
	if t.setOf[i] < 0 {
		return n, fmt.Errorf("a split by categories has none")
	}
	cats, err := t.set(int(t.setOf[i]))
	if err != nil {
		return n, err
	}
	set, known := r.dicts[n.column].set(func(yield func(int64) bool) {
		for _, c := range cats {
			if !yield(int64(c)) {
				return
			}
		}
	})
	if !known && !r.texted[n.column] {
		return n, fmt.Errorf("category below 0")
	}
	n.set, n.left, n.right, n.missingLeft = set, n.right, n.left, !n.missingLeft
	return n, nil
}

// into returns a reader of an array of numbers of bits into dst, whose elements
// take size bytes.
func into[T any](m *budget, dst *[]T, size, bits int, convert func(x float64) (T, bool)) func(value) error {
	return func(v value) error {
		n, err := v.count()
		if err != nil {
			return err
		}
		if n > cap(*dst) {
			if err := m.take(n-cap(*dst), size); err != nil {
				return err
			}
			*dst = make([]T, 0, n)
		}
		return v.numbers(bits, func(i int, x float64) error {
			y, ok := convert(x)
			if !ok {
				return fmt.Errorf("%v is not a number of its kind", x)
			}
			*dst = append(*dst, y)
			return nil
		})
	}
}

func whole(x float64) (int32, bool) {
	return int32(x), x >= -1<<31 && x < 1<<31 && x == float64(int32(x))
}

func bit(x float64) (uint8, bool) { return uint8(x), x == 0 || x == 1 }

func single(x float64) (float32, bool) { return float32(x), true }
