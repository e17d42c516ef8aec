package foreign

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/tandem-ml/tandem/bundle/step"
)

// A tree of LightGBM numbers its inner nodes from 0 and its leaves apart; as a
// child, leaf k is ^k. The bits of decision_type: 1 a categorical split, 2 the
// default goes left, 4 and 8 the missing type: 0 none, 1 zero, 2 NaN.
const (
	lightgbmCategorical = 1
	lightgbmDefaultLeft = 2
	lightgbmZero        = 1
	lightgbmNaN         = 2
)

// lightgbmTree holds the arrays of one tree; the memory serves the next.
type lightgbmTree struct {
	leaves                             int
	feature, decision, left, right     []int32
	threshold, value, leafCover, cover []float64
	bounds                             []int32
	words                              []uint32
	read                               int // words that sets have taken
}

// lightgbmLeaves returns the number of leaves that a tree says it has, after
// making sure that its text could hold them.
func lightgbmLeaves(text []byte) (int, error) {
	leaves := 0
	err := attributes(text, func(name string, v []byte) (err error) {
		switch name {
		case "num_leaves":
			leaves, err = strconv.Atoi(string(v))
		case "is_linear":
			if string(v) != "0" {
				return fmt.Errorf("the tree has linear models in its leaves, which a bundle does not hold")
			}
		}
		return err
	})
	if err == nil && (leaves < 1 || leaves > len(text)) {
		err = fmt.Errorf("num_leaves is %d, in a text of %d bytes", leaves, len(text))
	}
	return leaves, err
}

// add reads one tree into the forest.
func (r *lightgbm) add(text []byte) error {
	t := &r.tree
	leaves, err := lightgbmLeaves(text)
	if err != nil {
		return err
	}
	if grown := leaves - cap(t.value); grown > 0 {
		if err := r.budget.take(grown, 4*4+4*8); err != nil {
			return err
		}
		t.feature, t.decision, t.left, t.right = make([]int32, leaves), make([]int32, leaves), make([]int32, leaves), make([]int32, leaves)
		t.threshold, t.value, t.leafCover, t.cover = make([]float64, leaves), make([]float64, leaves), make([]float64, leaves), make([]float64, leaves)
	}
	t.leaves = leaves
	t.feature, t.decision, t.left, t.right = t.feature[:leaves-1], t.decision[:leaves-1], t.left[:leaves-1], t.right[:leaves-1]
	t.threshold, t.cover = t.threshold[:leaves-1], t.cover[:leaves-1]
	t.value, t.leafCover = t.value[:leaves], t.leafCover[:leaves]
	t.bounds, t.words, t.read = t.bounds[:0], t.words[:0], 0
	clear(t.leafCover)
	var have uint
	err = attributes(text, func(name string, v []byte) error { return r.attribute(name, v, &have) })
	if err != nil {
		return err
	}
	if have&1 == 0 || leaves > 1 && have != 255 {
		return fmt.Errorf("one of split_feature, threshold, decision_type, left_child, right_child, leaf_value, leaf_count, internal_count is absent")
	}
	nodes := 2*leaves - 1
	return r.b.add(nodes, func(i int32) (node, error) { return r.node(int(i)) })
}

// attribute reads one line of a tree, and sets its bit in have.
func (r *lightgbm) attribute(name string, v []byte, have *uint) error {
	t := &r.tree
	bit := uint(0)
	var err error
	switch name {
	case "leaf_value":
		bit, err = 1, floats(t.value, v)
	case "split_feature":
		bit, err = 2, ints(t.feature, v)
	case "threshold":
		bit, err = 4, floats(t.threshold, v)
	case "decision_type":
		bit, err = 8, ints(t.decision, v)
	case "left_child":
		bit, err = 16, ints(t.left, v)
	case "right_child":
		bit, err = 32, ints(t.right, v)
	case "leaf_count":
		bit = 64
		if t.leaves > 1 {
			err = floats(t.leafCover, v)
		}
	case "internal_count":
		bit, err = 128, floats(t.cover, v)
	case "cat_boundaries":
		if t.bounds, err = grow(r.budget, t.bounds, v); err == nil {
			err = ints(t.bounds, v)
		}
	case "cat_threshold":
		if t.words, err = grow(r.budget, t.words, v); err == nil {
			err = uints(t.words, v)
		}
	}
	if *have&bit != 0 {
		return fmt.Errorf("occurs twice")
	}
	*have |= bit
	return err
}

// node describes inner node i, or leaf i - (leaves-1).
func (r *lightgbm) node(i int) (node, error) {
	t := &r.tree
	inner := t.leaves - 1
	if i >= inner {
		return node{leaf: true, value: t.value[i-inner], cover: t.leafCover[i-inner]}, nil
	}
	n := node{column: int(t.feature[i]), cover: t.cover[i], left: t.child(t.left[i]), right: t.child(t.right[i])}
	if n.column < 0 || n.column >= len(r.model.Columns) {
		return n, fmt.Errorf("column %d is not among the %d columns", n.column, len(r.model.Columns))
	}
	c := r.model.Columns[n.column]
	d := t.decision[i]
	missing := d >> 2
	if d < 0 || missing > lightgbmNaN {
		return n, fmt.Errorf("decision_type %d is not known", d)
	}
	if categorical := d&lightgbmCategorical != 0; categorical != c.Category {
		return n, fmt.Errorf("column %q is both a number and a category", c.Name)
	}
	if c.Category {
		n.op = step.Code
		var err error
		n.set, err = r.set(n.column, t.threshold[i])
		return n, err // missing values are in no set
	}
	n.op, n.threshold = step.Number, flushed(t.threshold[i])
	switch missing {
	case lightgbmZero:
		n.op, n.missingLeft = step.ZeroMissing, d&lightgbmDefaultLeft != 0
	case lightgbmNaN:
		n.missingLeft = d&lightgbmDefaultLeft != 0
	default: // training saw no missing value: one counts as 0
		n.missingLeft = 0 <= n.threshold
	}
	return n, nil
}

// nearZero is LightGBM's kZeroThreshold: values within it count as 0.
const nearZero = float64(float32(1e-35))

// flushed returns the threshold that sends every value where LightGBM sends it
// with threshold t: all values near 0 go together, the way of 0.
func flushed(t float64) float64 {
	switch {
	case t >= -nearZero && t < 0:
		return math.Nextafter(-nearZero, math.Inf(-1))
	case t >= 0 && t < nearZero:
		return nearZero
	}
	return t
}

// child turns a child of the file into the numbering of [lightgbm.node]. What
// is out of range stays so.
func (t *lightgbmTree) child(c int32) int32 {
	if c >= 0 {
		if int(c) >= t.leaves-1 {
			return -1
		}
		return c
	}
	if leaf := int(^c); leaf < t.leaves {
		return int32(t.leaves - 1 + leaf)
	}
	return -1
}

// set returns the categories that go left at a split: number k of the tree.
func (r *lightgbm) set(column int, k float64) ([]uint64, error) {
	t := &r.tree
	if !(k >= 0 && k < float64(len(t.bounds)-1)) || k != float64(int(k)) {
		return nil, fmt.Errorf("category set %v is not among the tree's", k)
	}
	lo, hi := t.bounds[int(k)], t.bounds[int(k)+1]
	if lo < 0 || hi < lo || int(hi) > len(t.words) {
		return nil, fmt.Errorf("category set %v lies outside of cat_threshold", k)
	}
	if t.read += int(hi - lo); t.read > len(t.words) { // or a small file would take long
		return nil, fmt.Errorf("category set %v is shared by two nodes", k)
	}
	set, known := r.dicts[column].set(func(yield func(int64) bool) {
		for w, word := range t.words[lo:hi] {
			for ; word != 0; word &= word - 1 {
				if !yield(int64(32*w + bits.TrailingZeros32(word))) {
					return
				}
			}
		}
	})
	if !known && !r.texted { // with texts, a code beyond them cannot occur
		return nil, fmt.Errorf("a category of column %q is not in feature_infos", r.model.Columns[column].Name)
	}
	return set, nil
}

// nextWord returns the first word of a line and the rest.
func nextWord(line []byte) (word, rest []byte) {
	line = bytes.TrimLeft(line, " ")
	if n := bytes.IndexByte(line, ' '); n >= 0 {
		return line[:n], line[n:]
	}
	return line, nil
}

// parse fills dst with exactly as many numbers as it is long.
func parse[T any](dst []T, line []byte, read func(word string) (T, error)) error {
	for i := range dst {
		var word []byte
		if word, line = nextWord(line); len(word) == 0 {
			return fmt.Errorf("has %d values, and %d are needed", i, len(dst))
		}
		x, err := read(string(word))
		if err != nil {
			return fmt.Errorf("value %d, %q, is not a number of its kind", i, clip(string(word)))
		}
		dst[i] = x
	}
	if word, _ := nextWord(line); len(word) > 0 {
		return fmt.Errorf("has more than %d values", len(dst))
	}
	return nil
}

func floats(dst []float64, line []byte) error {
	return parse(dst, line, func(w string) (float64, error) {
		x, err := strconv.ParseFloat(w, 64)
		if err == nil && x != x {
			err = strconv.ErrSyntax
		}
		return x, err
	})
}

func ints(dst []int32, line []byte) error {
	return parse(dst, line, func(w string) (int32, error) {
		x, err := strconv.ParseInt(w, 10, 32)
		return int32(x), err
	})
}

func uints(dst []uint32, line []byte) error {
	return parse(dst, line, func(w string) (uint32, error) {
		x, err := strconv.ParseUint(w, 10, 32)
		return uint32(x), err
	})
}

// grow returns a slice as long as the line has words.
func grow[T any](m *budget, s []T, line []byte) ([]T, error) {
	n := 0
	for rest := line; ; n++ {
		var word []byte
		if word, rest = nextWord(rest); len(word) == 0 {
			break
		}
	}
	if n > cap(s) {
		if err := m.take(n-cap(s), 4); err != nil {
			return nil, err
		}
		s = make([]T, n)
	}
	return s[:n], nil
}
