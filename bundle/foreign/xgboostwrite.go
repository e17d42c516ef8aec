package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
)

// WriteXGBoost returns the model in XGBoost's JSON format, as of version 1.7.
//
// XGBoost rounds values to float32 before it compares them, and leaves and sums
// too. Values that are float32 numbers reach the same leaves; margins are equal
// up to float32 rounding.
//
// Categories that are whole numbers become XGBoost's codes if all categories of
// the model are; else a code is the position in the contract: what
// pandas.Categorical(column, sorted categories) makes of it. The texts are then
// in the file as well, for XGBoost 3.1 and later, unless one has letters beyond
// ASCII, which XGBoost garbles.
//
// It returns an error that names what the format cannot say: several members, a
// linear model, steps other than number, code and float32, a calibration other
// than the plain logistic link, thresholds that are no finite float32.
func WriteXGBoost(m *bundle.Model) ([]byte, error) {
	out, err := writeXGBoost(m)
	if err != nil {
		return nil, fmt.Errorf("write for XGBoost: %w", err)
	}
	return out, nil
}

// The parts of the document, in XGBoost's words and order.
type (
	xgboostFile struct {
		Learner xgboostLearner `json:"learner"`
		Version [3]int         `json:"version"`
	}
	xgboostLearner struct {
		Attributes struct{}       `json:"attributes"`
		Names      []string       `json:"feature_names"`
		Types      []string       `json:"feature_types"`
		Booster    xgboostBooster `json:"gradient_booster"`
		Param      map[string]any `json:"learner_model_param"`
		Objective  map[string]any `json:"objective"`
	}
	xgboostBooster struct {
		Model struct {
			Cats  *xgboostCats      `json:"cats,omitempty"`
			Param map[string]string `json:"gbtree_model_param"`
			Info  []int             `json:"tree_info"`
			Trees []xgboostTreeText `json:"trees"`
		} `json:"model"`
		Name string `json:"name"`
	}
	// xgboostCats are the texts behind the codes, which XGBoost knows since 3.1.
	xgboostCats struct {
		Encodings []xgboostEncoding `json:"enc"`
		Segments  []int             `json:"feature_segments"`
		Sorted    []int             `json:"sorted_idx"`
	}
	xgboostEncoding struct {
		Offsets []int  `json:"offsets"` // of the texts in values, one more than there are
		Values  []int8 `json:"values"`
	}
	xgboostTreeText struct {
		BaseWeights  []real            `json:"base_weights"`
		Categories   []int             `json:"categories"`
		CatNodes     []int             `json:"categories_nodes"`
		CatSegments  []int             `json:"categories_segments"`
		CatSizes     []int             `json:"categories_sizes"`
		DefaultLeft  []int             `json:"default_left"`
		ID           int               `json:"id"`
		Left         []int             `json:"left_children"`
		LossChanges  []real            `json:"loss_changes"`
		Parents      []int             `json:"parents"`
		Right        []int             `json:"right_children"`
		Conditions   []real            `json:"split_conditions"`
		SplitIndices []int             `json:"split_indices"`
		SplitType    []int             `json:"split_type"`
		SumHessian   []real            `json:"sum_hessian"`
		Param        map[string]string `json:"tree_param"`
	}
)

// real is a float32 as XGBoost's reader wants it: 1 is an integer there, 1E0 a
// number.
type real float32

// MarshalJSON writes the shortest number with an exponent.
func (x real) MarshalJSON() ([]byte, error) {
	if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, fmt.Errorf("%v is not a number of JSON", v)
	}
	return strconv.AppendFloat(nil, float64(x), 'E', -1, 32), nil
}

func writeXGBoost(m *bundle.Model) ([]byte, error) {
	sources, err := newSources(m, step.Number, step.Float32)
	if err != nil {
		return nil, err
	}
	if err := plainLink(m.Calibration, false); err != nil {
		return nil, err
	}
	// A base score whose margin is 0: the base goes into the first tree.
	objective := map[string]string{"identity": "reg:squarederror", "exp": "count:poisson", "sigmoid": "binary:logistic", "softmax": "multi:softprob"}[m.Calibration.Method]
	base := map[string]string{"identity": "0E0", "exp": "1E0", "sigmoid": "5E-1", "softmax": "0E0"}[m.Calibration.Method]
	if objective == "" {
		return nil, fmt.Errorf("the scores of the classes are each by itself (%q), which the format cannot say", m.Calibration.Method)
	}
	fields, classes := sources[0].fields, "0"
	if len(sources) > 1 {
		classes = strconv.Itoa(len(sources))
	}
	file := xgboostFile{Version: [3]int{1, 7, 6}}
	l := &file.Learner
	for _, f := range fields {
		l.Names = append(l.Names, f.Name)
		kind := "float"
		if f.Kind == data.Category {
			kind = "c"
		}
		l.Types = append(l.Types, kind)
	}
	l.Param = map[string]any{"base_score": base, "boost_from_average": "0", "num_class": classes,
		"num_feature": strconv.Itoa(len(fields)), "num_target": "1"}
	l.Objective = map[string]any{"name": objective}
	switch m.Calibration.Method {
	case "softmax":
		l.Objective["softmax_multiclass_param"] = map[string]string{"num_class": classes}
	case "exp":
		l.Objective["poisson_regression_param"] = map[string]string{"max_delta_step": "0.7"}
	default:
		l.Objective["reg_loss_param"] = map[string]string{"scale_pos_weight": "1"}
	}
	l.Booster.Name = "gbtree"
	trees := &l.Booster.Model
	codes := wholeCodes(fields)
	if codes == nil {
		trees.Cats = texts(fields)
	}
	eachTree(sources, func(t, class int, first bool, lo, hi int32) {
		one, e := sources[class].xgboostTree(t, first, lo, hi, codes)
		if e != nil && err == nil {
			err = fmt.Errorf("tree %d: %w", t, e)
		}
		trees.Trees, trees.Info = append(trees.Trees, one), append(trees.Info, class)
	})
	if err != nil {
		return nil, err
	}
	trees.Param = map[string]string{"num_parallel_tree": "1", "num_trees": strconv.Itoa(len(trees.Trees)), "size_leaf_vector": "0"}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err = enc.Encode(file)
	return out.Bytes(), err
}

// xgboostTree writes the tree of the nodes lo to hi-1, level by level: XGBoost
// takes the right child to be the one behind the left. codes are the codes of
// the categories, nil for their positions.
func (s *source) xgboostTree(t int, first bool, lo, hi int32, codes [][]int) (xgboostTreeText, error) {
	const noParent = math.MaxInt32
	f, n := s.forest, int(hi-lo)
	out := xgboostTreeText{ID: t, Categories: []int{}, CatNodes: []int{}, CatSegments: []int{}, CatSizes: []int{},
		BaseWeights: make([]real, n), LossChanges: make([]real, n), DefaultLeft: make([]int, n), Left: make([]int, n), Right: make([]int, n),
		Parents: make([]int, n), Conditions: make([]real, n), SplitIndices: make([]int, n), SplitType: make([]int, n), SumHessian: make([]real, n),
		Param: map[string]string{"num_deleted": "0", "num_feature": strconv.Itoa(len(s.fields)), "num_nodes": strconv.Itoa(n), "size_leaf_vector": "0"}}
	queue := []int32{lo} // the node at place k of the file
	out.Parents[0] = noParent
	for k := 0; k < len(queue); k++ {
		i := queue[k]
		out.SumHessian[k] = real(f.Cover[i])
		if f.Left[i] < 0 {
			v := real(s.value(i, first))
			if math.IsInf(float64(v), 0) {
				return out, fmt.Errorf("the leaf value %v is beyond float32", f.Value[i])
			}
			out.Left[k], out.Right[k], out.Conditions[k], out.BaseWeights[k] = -1, -1, v, v
			continue
		}
		column, op := s.column(i)
		left, right, defaultLeft := f.Left[i], f.Right[i], f.MissingLeft[i]
		out.SplitIndices[k] = column
		if op == step.Code { // the set goes right
			left, right, defaultLeft = right, left, !defaultLeft
			set := s.categories(i)
			if codes != nil {
				for c := range set {
					set[c] = codes[column][set[c]]
				}
			}
			out.SplitType[k] = 1
			out.CatNodes, out.CatSegments = append(out.CatNodes, k), append(out.CatSegments, len(out.Categories))
			out.CatSizes, out.Categories = append(out.CatSizes, len(set)), append(out.Categories, set...)
		} else {
			x := real(above(f.Threshold[i]))
			if math.IsInf(float64(x), 0) {
				return out, fmt.Errorf("column %q is split at %v, which is no float32", s.fields[column].Name, f.Threshold[i])
			}
			out.Conditions[k] = x
		}
		if defaultLeft {
			out.DefaultLeft[k] = 1
		}
		out.Left[k], out.Right[k] = len(queue), len(queue)+1
		out.Parents[len(queue)], out.Parents[len(queue)+1] = k, k
		queue = append(queue, left, right)
	}
	return out, nil
}

// texts returns the texts of the categories; nil if XGBoost would not read them
// right.
func texts(fields []data.Field) *xgboostCats {
	out := &xgboostCats{Segments: []int{0}, Sorted: []int{}}
	for _, f := range fields {
		e := xgboostEncoding{Offsets: []int{}, Values: []int8{}}
		for c, s := range f.Categories {
			if c == 0 {
				e.Offsets = append(e.Offsets, 0)
			}
			for _, b := range []byte(s) {
				if b >= utf8.RuneSelf {
					return nil
				}
				e.Values = append(e.Values, int8(b))
			}
			e.Offsets = append(e.Offsets, len(e.Values))
			out.Sorted = append(out.Sorted, c) // they are sorted already
		}
		out.Encodings = append(out.Encodings, e)
		out.Segments = append(out.Segments, len(out.Sorted))
	}
	return out
}

// above returns the smallest float32 above x: a float32 is at most x exactly if
// it is below that.
func above(x float64) float32 {
	y := float32(x)
	if float64(y) <= x {
		y = math.Nextafter32(y, float32(math.Inf(1)))
	}
	return y
}
