package foreign

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
)

// CatBoost reads a model of symmetric trees that CatBoost 1.0 or later saved as
// JSON. Categories may be one-hot (one_hot_max_size); target statistics are
// refused. See [Read].
func CatBoost(src []byte) (*Model, error) {
	m, err := readCatBoost(src)
	if err != nil {
		return nil, fmt.Errorf("CatBoost model: %w", err)
	}
	return m, nil
}

// catboost is a file being read.
type catboost struct {
	model       Model
	budget      *budget
	trees       value
	scale, bias float64
	floats      []int  // column of each float feature
	nanRight    []bool // by float feature: missing counts as above every border
	cats        []int  // column of each categorical feature
	texts       map[int64]string
	dicts       map[int]dictionary // by column
	tree        catboostTree
}

// catboostTree is one symmetric tree: leaf k is where split s said yes for
// every bit s of k. The memory serves the next tree.
type catboostTree struct {
	splits []node // what each split asks; the children are filled in by place
	values []float64
	cover  []float64
	// The unfolded tree, children of i at 2i+1 (no) and 2i+2 (yes).
	value  []float64
	weight []float64
	same   []bool // all leaves below have one value
}

// maxSymmetric is the largest depth of a symmetric tree; CatBoost's is 16.
const maxSymmetric = 16

func readCatBoost(src []byte) (*Model, error) {
	doc, err := document(src)
	if err != nil {
		return nil, err
	}
	if doc.ubj {
		return nil, fmt.Errorf("is not JSON")
	}
	r := &catboost{budget: newBudget(src), model: Model{Library: "CatBoost"}, scale: 1, dicts: map[int]dictionary{}}
	err = doc.fields(map[string]func(value) error{
		"features_info":   r.features,
		"model_info":      r.info,
		"oblivious_trees": func(v value) error { r.trees = v; return nil },
		"scale_and_bias":  r.scaleAndBias,
	})
	switch {
	case err != nil:
		return nil, err
	case r.trees.src == nil:
		return nil, fmt.Errorf("has no symmetric trees (oblivious_trees); other policies of growing are not known")
	case r.model.Objective == "":
		return nil, fmt.Errorf("names no loss_function")
	}
	nodes, count := 0, 0
	err = r.trees.array(func(_ int, v value) error {
		count++
		n, err := r.unfold(v)
		nodes += n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("oblivious_trees: %w", err)
	}
	b, err := newBuilder(r.budget, nodes, count)
	if err != nil {
		return nil, err
	}
	b.forest.Base = r.bias
	err = r.trees.array(func(_ int, v value) error {
		if _, err := r.unfold(v); err != nil {
			return err
		}
		return b.add(len(r.tree.value), r.tree.node)
	})
	if err != nil {
		return nil, fmt.Errorf("oblivious_trees: %w", err)
	}
	return r.model.finish([]*builder{b})
}

// info finds the loss.
func (r *catboost) info(v value) error {
	return v.fields(map[string]func(value) error{"params": func(v value) error {
		return v.fields(map[string]func(value) error{"loss_function": func(v value) error {
			return v.fields(map[string]func(value) error{"type": func(v value) (err error) {
				if r.model.Objective, err = v.text(); err != nil {
					return err
				}
				switch r.model.Objective {
				case "Logloss", "CrossEntropy":
					r.model.Calibration = bundle.Calibration{Method: "sigmoid", A: 1}
				case "RMSE", "MAE", "MAPE", "Quantile", "Huber", "LogCosh", "Lq", "Expectile":
					r.model.Calibration = bundle.Calibration{Method: "identity"}
				case "Poisson", "Tweedie":
					r.model.Calibration = bundle.Calibration{Method: "exp"}
				default:
					return fmt.Errorf("%q is not one that a bundle holds (Logloss, RMSE, MAE, Quantile, Huber, Poisson, Tweedie)", clip(r.model.Objective))
				}
				return nil
			}})
		}})
	}})
}

// scaleAndBias reads [scale, [bias]].
func (r *catboost) scaleAndBias(v value) error {
	return v.array(func(i int, v value) (err error) {
		if i == 0 {
			if r.scale, err = v.number(64); err == nil && r.scale != 1 {
				err = fmt.Errorf("a scale of %v; only 1 is known", r.scale)
			}
			return err
		}
		n, err := v.count()
		if err == nil && n != 1 {
			err = fmt.Errorf("%d biases: a CatBoost model of several classes, which is not read", n)
		}
		if err != nil {
			return err
		}
		return v.numbers(64, func(_ int, x float64) error { r.bias = x; return nil })
	})
}

// features reads the columns.
func (r *catboost) features(v value) error {
	type feature struct {
		flat  int
		name  string
		value value // hashes of a category's values
		nan   string
	}
	var numeric, categorical []feature
	list := func(into *[]feature) func(value) error {
		return func(v value) error {
			n, err := v.count()
			if err != nil {
				return err
			}
			if err := r.budget.take(n, 4*categoryBytes); err != nil {
				return err
			}
			*into = make([]feature, 0, n)
			return v.array(func(_ int, v value) error {
				f := feature{flat: -1}
				err := v.fields(map[string]func(value) error{
					"flat_feature_index": func(v value) error {
						x, err := v.number(64)
						if f.flat = int(x); float64(f.flat) != x {
							return fmt.Errorf("%v is not a column", x)
						}
						return err
					},
					"feature_name":        func(v value) (err error) { f.name, err = v.text(); return err },
					"nan_value_treatment": func(v value) (err error) { f.nan, err = v.text(); return err },
					"values":              func(v value) error { f.value = v; return nil },
				})
				*into = append(*into, f)
				return err
			})
		}
	}
	refuse := func(what string) func(value) error {
		return func(v value) error {
			if n, err := v.count(); err != nil || n > 0 {
				return fmt.Errorf("%s features are not ones that a bundle holds", what)
			}
			return nil
		}
	}
	err := v.fields(map[string]func(value) error{
		"float_features": list(&numeric), "categorical_features": list(&categorical),
		"text_features": refuse("text"), "embedding_features": refuse("embedding"),
		"cat_features_hash": r.hashes,
	})
	if err != nil {
		return err
	}
	columns := len(numeric) + len(categorical)
	r.model.Columns = make([]Column, columns)
	taken := make([]bool, columns)
	for k, f := range slices.Concat(numeric, categorical) {
		if f.flat < 0 || f.flat >= columns || taken[f.flat] {
			return fmt.Errorf("column %d is not one of %d, or occurs twice", f.flat, columns)
		}
		if taken[f.flat] = true; f.name == "" {
			f.name = strconv.Itoa(f.flat)
		}
		c := &r.model.Columns[f.flat]
		c.Name = f.name
		if k < len(numeric) {
			r.floats, r.nanRight = append(r.floats, f.flat), append(r.nanRight, f.nan == "AsTrue")
			continue
		}
		c.Category = true
		r.cats = append(r.cats, f.flat)
		if err := r.categories(f.flat, f.value); err != nil {
			return fmt.Errorf("column %q: %w", f.name, err)
		}
	}
	return nil
}

// hashes reads the texts behind the hashes of categories.
func (r *catboost) hashes(v value) error {
	if string(v.raw()) == "null" { // no categories
		return nil
	}
	n, err := v.count()
	if err != nil {
		return err
	}
	if err := r.budget.take(n, 80); err != nil {
		return err
	}
	r.texts = make(map[int64]string, n)
	return v.array(func(_ int, v value) error {
		var hash float64
		var text string
		err := v.fields(map[string]func(value) error{
			"hash":  func(v value) (err error) { hash, err = v.number(64); return err },
			"value": func(v value) (err error) { text, err = v.text(); return err },
		})
		r.texts[hashOf(hash)] = text
		return err
	})
}

// hashOf returns the 32 bits of a hash, however it was written.
func hashOf(x float64) int64 { return int64(uint32(int64(x))) }

// categories makes the dictionary of a column: the categories that its splits
// ask for. To the trees, any other is as if it had never been seen.
func (r *catboost) categories(column int, v value) error {
	var codes []int64
	var texts []string
	if v.src != nil {
		n, err := v.count()
		if err != nil {
			return err
		}
		if err := r.budget.take(n, categoryBytes); err != nil {
			return err
		}
		err = v.numbers(64, func(_ int, x float64) error {
			text, ok := r.texts[hashOf(x)]
			if !ok {
				return fmt.Errorf("the text of category %v is not in the file", x)
			}
			codes, texts = append(codes, hashOf(x)), append(texts, text)
			return nil
		})
		if err != nil {
			return err
		}
	}
	sorted, d, err := newDictionary(codes, texts)
	r.model.Columns[column].Categories, r.dicts[column] = sorted, d
	return err
}

// unfold reads a tree, and returns how many nodes it has as an ordinary one.
func (r *catboost) unfold(v value) (int, error) {
	t := &r.tree
	t.splits, t.values, t.cover = t.splits[:0], t.values[:0], t.cover[:0]
	number := func(x float64) (float64, bool) { return x, true }
	err := v.fields(map[string]func(value) error{
		"leaf_values":  into(r.budget, &t.values, 8, 64, number),
		"leaf_weights": into(r.budget, &t.cover, 8, 64, number),
		"splits": func(v value) error {
			return v.array(func(i int, v value) error {
				if i == maxSymmetric {
					return fmt.Errorf("more than %d", maxSymmetric)
				}
				n, err := r.split(v)
				t.splits = append(t.splits, n)
				return err
			})
		},
	})
	if err != nil {
		return 0, err
	}
	leaves := 1 << len(t.splits)
	if len(t.values) != leaves || len(t.cover) != leaves {
		return 0, fmt.Errorf("%d splits with %d leaf_values and %d leaf_weights, where %d are needed", len(t.splits), len(t.values), len(t.cover), leaves)
	}
	nodes := 2*leaves - 1
	if nodes > cap(t.value) {
		if err := r.budget.take(nodes-cap(t.value), 17); err != nil {
			return 0, err
		}
		t.value, t.weight, t.same = make([]float64, nodes), make([]float64, nodes), make([]bool, nodes)
	}
	t.value, t.weight, t.same = t.value[:nodes], t.weight[:nodes], t.same[:nodes]
	return t.fold(leaves), nil
}

// fold fills the unfolded tree from its leaves upwards, and returns how many of
// its nodes are needed: what lies below a node with a single value is not.
func (t *catboostTree) fold(leaves int) int {
	depth := len(t.splits)
	for k := range leaves {
		// The yes of split 0 is the first turn, so the turns are k's bits
		// backwards.
		i := leaves - 1 + int(bits.Reverse32(uint32(k))>>(32-depth))
		t.value[i], t.weight[i], t.same[i] = t.values[k], t.cover[k], true
	}
	for i := leaves - 2; i >= 0; i-- {
		no, yes := 2*i+1, 2*i+2
		t.value[i], t.weight[i] = t.value[no], t.weight[no]+t.weight[yes]
		t.same[i] = t.same[no] && t.same[yes] && t.value[no] == t.value[yes]
	}
	needed := 1
	for i := range leaves - 1 {
		if !t.same[i] {
			needed += 2
		}
	}
	return needed
}

// node describes a node of the unfolded tree.
func (t *catboostTree) node(i int32) (node, error) {
	if t.same[i] {
		return node{leaf: true, value: t.value[i], cover: t.weight[i]}, nil
	}
	n := t.splits[bits.Len32(uint32(i+1))-1]
	n.cover, n.left, n.right = t.weight[i], 2*i+1, 2*i+2
	if n.set != nil { // yes is the category
		n.left, n.right = n.right, n.left
	}
	return n, nil
}

// split reads a split: above the border, or the category, is yes.
func (r *catboost) split(v value) (node, error) {
	kind := ""
	var border, category, float, cat float64
	number := func(dst *float64, bits int) func(value) error {
		return func(v value) (err error) { *dst, err = v.number(bits); return err }
	}
	err := v.fields(map[string]func(value) error{
		"split_type": func(v value) (err error) { kind, err = v.text(); return err },
		"border":     number(&border, 32), "value": number(&category, 64),
		"float_feature_index": number(&float, 64), "cat_feature_index": number(&cat, 64),
	})
	if err != nil {
		return node{}, err
	}
	switch kind {
	case "FloatFeature":
		if !(float >= 0 && float < float64(len(r.floats))) {
			return node{}, fmt.Errorf("float feature %v is not one of %d", float, len(r.floats))
		}
		return node{column: r.floats[int(float)], op: step.Float32, threshold: border, missingLeft: !r.nanRight[int(float)]}, nil
	case "OneHotFeature":
		if !(cat >= 0 && cat < float64(len(r.cats))) {
			return node{}, fmt.Errorf("categorical feature %v is not one of %d", cat, len(r.cats))
		}
		n := node{column: r.cats[int(cat)], op: step.Code}
		d := r.dicts[n.column]
		p := d.position(hashOf(category))
		if p < 0 {
			return n, fmt.Errorf("category %v is not in the list of its feature", category)
		}
		n.set = make([]uint64, p/64+1)
		n.set[p/64] = 1 << (p % 64)
		return n, nil
	}
	return node{}, fmt.Errorf("splits of type %q (target statistics of categories) are not ones that a bundle holds; train with one_hot_max_size above the number of categories", clip(kind))
}
