package foreign

import (
	"bytes"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
)

// Model is what a file of another library says, in the words of a bundle.
type Model struct {
	Library     string // "LightGBM", "XGBoost" or "CatBoost"
	Objective   string // as the library names it: "binary", "reg:squarederror", "Logloss"
	Columns     []Column
	Task        bundle.Task
	Calibration bundle.Calibration // from the sum of leaves to what the library predicts
	Classes     int                // multiclass: how many; else 0
	Members     []bundle.Member    // one per class, else one; their plans read column j as input j; columns that no tree asks about are not in it
}

// Column is one column that the model was trained on.
type Column struct {
	Name     string
	Category bool

	// Categories are the texts of a category, sorted by bytes and distinct:
	// their positions are the codes that the trees know.
	Categories []string
}

// Contract returns a contract that refuses nothing that the library accepts:
// no column is required and no number is out of bounds.
func (m *Model) Contract() data.Contract {
	var c data.Contract
	for _, col := range m.Columns {
		f := data.Field{Name: col.Name, Kind: data.Number, Role: data.Feature, Infinite: true}
		if col.Category {
			f.Kind, f.Infinite, f.Categories = data.Category, false, col.Categories
		}
		c.Fields = append(c.Fields, f)
	}
	return c
}

// Read reads a model file of any known library, which it recognises by the
// file's beginning. The bytes are not kept. The error says what is wrong with
// the file, or what in it a bundle cannot say.
func Read(src []byte) (*Model, error) {
	start := bytes.TrimLeft(src, " \t\r\n")
	switch {
	case bytes.HasPrefix(start, []byte("tree\n")) || bytes.HasPrefix(start, []byte("tree\r\n")):
		return LightGBM(src)
	case len(start) > 2 && start[0] == '{' && isUBJ(start):
		return XGBoost(src)
	case len(start) > 0 && start[0] == '{':
		doc, err := document(src)
		if err != nil {
			return nil, err
		}
		switch {
		case doc.has("learner"):
			return XGBoost(src)
		case doc.has("oblivious_trees") || doc.has("trees") && doc.has("features_info"):
			return CatBoost(src)
		}
	}
	return nil, data.WithHint(fmt.Errorf("the file is no model that is known"),
		"save it as LightGBM text (booster.save_model), XGBoost .json or .ubj (booster.save_model), or CatBoost JSON (save_model(..., format=\"json\"))")
}

// finish checks the forests, one per class or one, and puts the model together.
func (m *Model) finish(builders []*builder) (*Model, error) {
	names := make(map[string]bool, len(m.Columns))
	for _, c := range m.Columns {
		if c.Name == "" || names[c.Name] {
			return nil, fmt.Errorf("the column name %q is empty or occurs twice", c.Name)
		}
		names[c.Name] = true
	}
	for k, b := range builders {
		plan := b.sortedPlan()
		for i := range plan {
			c := m.Columns[plan[i].Input]
			plan[i].Name, plan[i].Categories = c.Name, len(c.Categories)
		}
		b.forest.Features = len(plan)
		if err := b.forest.Check(); err != nil {
			return nil, err
		}
		m.Members = append(m.Members, bundle.Member{Learner: m.learner(), Weight: 1, Output: k, Plan: plan, Trees: &b.forest})
	}
	switch m.Calibration.Method {
	case "sigmoid":
		m.Task = bundle.Binary
	case "softmax", "sigmoids":
		m.Task = bundle.Multiclass
	default:
		m.Task = bundle.Regression
	}
	return m, nil
}

// maxClasses is how many classes a model may have.
const maxClasses = 10_000

// newBuilders makes room for the forest of each class, or one forest: nodes and
// trees say how many each has.
func newBuilders(m *budget, nodes, trees []int) ([]*builder, error) {
	if err := m.take(len(nodes)-1, 512); err != nil {
		return nil, err
	}
	builders := make([]*builder, len(nodes))
	for k := range builders {
		var err error
		if builders[k], err = newBuilder(m, nodes[k], trees[k]); err != nil {
			return nil, err
		}
	}
	return builders, nil
}

// learner is the member's name in a bundle.
func (m *Model) learner() string {
	return map[string]string{"LightGBM": "lightgbm", "XGBoost": "xgboost", "CatBoost": "catboost"}[m.Library]
}

// dictionary turns the categories of a column, whose codes in the file are
// codes[i], into sorted texts and a way from code to position.
type dictionary struct {
	codes []int64 // ascending
	at    []int32 // at[i] is the position of codes[i] among the sorted texts
}

// newDictionary returns the sorted texts and the dictionary. codes and texts
// belong together and are changed.
func newDictionary(codes []int64, texts []string) ([]string, dictionary, error) {
	order := make([]int32, len(texts))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return bytes.Compare([]byte(texts[a]), []byte(texts[b])) })
	sorted := make([]string, len(texts))
	d := dictionary{codes: codes, at: make([]int32, len(texts))}
	for pos, i := range order {
		sorted[pos] = texts[i]
		d.at[i] = int32(pos)
		if pos > 0 && sorted[pos] == sorted[pos-1] {
			return nil, d, fmt.Errorf("category %q occurs twice", texts[i])
		}
	}
	if !slices.IsSorted(codes) {
		byCode := make([]int32, len(codes))
		for i := range byCode {
			byCode[i] = int32(i)
		}
		slices.SortFunc(byCode, func(a, b int32) int { return int(min(1, max(-1, codes[a]-codes[b]))) })
		at, sortedCodes := make([]int32, len(codes)), make([]int64, len(codes))
		for k, i := range byCode {
			at[k], sortedCodes[k] = d.at[i], codes[i]
		}
		d.codes, d.at = sortedCodes, at
	}
	return sorted, d, nil
}

// position returns the position of a code of the file, or -1.
func (d *dictionary) position(code int64) int32 {
	if i, ok := slices.BinarySearch(d.codes, code); ok {
		return d.at[i]
	}
	return -1
}

// set returns the bit set of the given codes; known reports whether all of
// them are in the dictionary. An empty set is one word of zeros.
func (d *dictionary) set(codes iter.Seq[int64]) (words []uint64, known bool) {
	words, known = make([]uint64, 1), true
	for c := range codes {
		p := d.position(c)
		if p < 0 {
			known = false
			continue
		}
		for int(p/64) >= len(words) {
			words = append(words, 0)
		}
		words[p/64] |= 1 << (p % 64)
	}
	return words, known
}

// before returns the largest float32 below x, as a float64.
func before(x float32) float64 {
	return float64(math.Nextafter32(x, float32(math.Inf(-1))))
}

// op returns the step that a column's values go through.
func op(c Column, number step.Op) step.Op {
	if c.Category {
		return step.Code
	}
	return number
}
