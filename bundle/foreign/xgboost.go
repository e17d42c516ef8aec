package foreign

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/data"
)

// XGBoost reads a model that XGBoost 1.6 or later saved as JSON or UBJSON. All
// trees count, also those behind the best iteration of early stopping. See
// [Read].
func XGBoost(src []byte) (*Model, error) {
	m, err := readXGBoost(src)
	if err != nil {
		return nil, fmt.Errorf("XGBoost model: %w", err)
	}
	return m, nil
}

// xgboost is a file being read.
type xgboost struct {
	model     Model
	budget    *budget
	base      []float64 // in units of the prediction, of classes as margins; one for all, or one per class
	classOf   []int     // by tree
	types     []string
	trees     value // array
	treeInfo  value // array of the trees' classes; zero: none
	encodings value // array of the columns' categories, by column; zero: none
	dicts     []dictionary
	texted    []bool // by column: its categories have texts in the file
	highest   []int  // by column: highest category in a set
	tree      xgboostTree
	nodes     []int // by tree
}

func readXGBoost(src []byte) (*Model, error) {
	doc, err := document(src)
	if err != nil {
		return nil, err
	}
	r := &xgboost{budget: newBudget(src), model: Model{Library: "XGBoost"}}
	features := 0.0
	err = doc.fields(map[string]func(value) error{"learner": func(v value) error {
		return v.fields(map[string]func(value) error{
			"feature_names":       r.names,
			"feature_types":       r.kinds,
			"gradient_booster":    r.booster,
			"learner_model_param": func(v value) error { features, err = r.params(v); return err },
			"objective":           r.objective,
		})
	}})
	if err != nil {
		return nil, err
	}
	if err := r.columns(features); err != nil {
		return nil, err
	}
	return r.forest()
}

// fields calls the function of each name that the object has.
func (v value) fields(known map[string]func(value) error) error {
	seen := make(map[string]bool)
	return v.object(func(name string, v value) error {
		f := known[name]
		if f == nil {
			return nil
		}
		if seen[name] {
			return fmt.Errorf("occurs twice")
		}
		seen[name] = true
		return f(v)
	})
}

// texts reads an array of texts.
func (r *xgboost) texts(v value) ([]string, error) {
	n, err := v.count()
	if err != nil {
		return nil, err
	}
	if err := r.budget.take(n, 2*categoryBytes); err != nil {
		return nil, err
	}
	out := make([]string, 0, n)
	err = v.array(func(_ int, v value) error {
		s, err := v.text()
		out = append(out, s)
		return err
	})
	return out, err
}

func (r *xgboost) names(v value) error {
	names, err := r.texts(v)
	for _, s := range names {
		r.model.Columns = append(r.model.Columns, Column{Name: s})
	}
	return err
}

func (r *xgboost) kinds(v value) (err error) {
	r.types, err = r.texts(v)
	return err
}

// params reads learner_model_param: the base score and the number of columns.
func (r *xgboost) params(v value) (features float64, err error) {
	r.base = []float64{0.5}
	number := func(dst *float64) func(value) error {
		return func(v value) (err error) {
			*dst, err = v.number(32)
			return err
		}
	}
	var classes, targets float64
	err = v.fields(map[string]func(value) error{
		"base_score": r.baseScore, "num_feature": number(&features), "num_class": number(&classes), "num_target": number(&targets),
	})
	switch {
	case err != nil:
	case targets > 1:
		err = fmt.Errorf("a model of several targets, which a bundle does not hold")
	case !(classes >= 0 && classes <= maxClasses):
		err = fmt.Errorf("num_class is %v, and at most %d are possible", classes, maxClasses)
	case classes > 1:
		r.model.Classes = int(classes)
	}
	return features, err
}

// baseScore reads "5E-1", or "[1E-1,2E-1,3E-1]" for classes.
func (r *xgboost) baseScore(v value) error {
	text, err := v.text()
	if err != nil || !strings.Contains(text, ",") {
		x, err := v.number(32)
		r.base = []float64{x}
		return err
	}
	r.base = nil
	if err := r.budget.take(1+strings.Count(text, ","), 8); err != nil {
		return err
	}
	for word := range strings.SplitSeq(strings.Trim(text, "[]"), ",") {
		x, err := strconv.ParseFloat(word, 32)
		if err != nil || x != x {
			return fmt.Errorf("%q is not a number", clip(word))
		}
		r.base = append(r.base, x)
	}
	return nil
}

// objective sets the link from margin to prediction.
func (r *xgboost) objective(v value) error {
	name := ""
	err := v.fields(map[string]func(value) error{"name": func(v value) (err error) {
		name, err = v.text()
		return err
	}})
	if err != nil {
		return err
	}
	r.model.Objective = name
	switch name {
	case "binary:logistic":
		r.model.Calibration = bundle.Calibration{Method: "sigmoid", A: 1}
	case "reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:linear":
		r.model.Calibration = bundle.Calibration{Method: "identity"}
	case "rank:ndcg", "rank:pairwise", "rank:map":
		r.model.Calibration = bundle.Calibration{Method: "identity"}
	case "multi:softprob", "multi:softmax":
		r.model.Calibration = bundle.Calibration{Method: "softmax"}
	case "count:poisson", "reg:gamma", "reg:tweedie":
		r.model.Calibration = bundle.Calibration{Method: "exp"}
	default:
		return fmt.Errorf("objective %q is not one that a bundle holds (binary:logistic, multi:softprob, reg:squarederror, count:poisson, reg:gamma, reg:tweedie, rank:ndcg and others)", clip(name))
	}
	return nil
}

// margin returns the base score of a class, or the only one, as a margin,
// rounded as XGBoost does.
func (r *xgboost) margin(class int) (float64, error) {
	b := float32(r.base[min(class, len(r.base)-1)])
	switch r.model.Calibration.Method {
	case "sigmoid":
		if !(b > 0 && b < 1) {
			return 0, fmt.Errorf("base_score %v is not a probability", b)
		}
		return float64(float32(-num.Log(float64(1/b - 1)))), nil
	case "exp":
		if !(b > 0 && b <= math.MaxFloat32) {
			return 0, fmt.Errorf("base_score %v is not a positive number", b)
		}
		return float64(float32(num.Log(float64(b)))), nil
	}
	return float64(b), nil
}

func (r *xgboost) booster(v value) error {
	return v.fields(map[string]func(value) error{
		"name": func(v value) error {
			name, err := v.text()
			if err == nil && name != "gbtree" {
				err = fmt.Errorf("booster %q is not one that a bundle holds; gbtree is", clip(name))
			}
			return err
		},
		"model": func(v value) error {
			return v.fields(map[string]func(value) error{
				"trees":     func(v value) error { r.trees = v; return nil },
				"tree_info": func(v value) error { r.treeInfo = v; return nil },
				"cats": func(v value) error {
					return v.fields(map[string]func(value) error{"enc": func(v value) error { r.encodings = v; return nil }})
				},
			})
		},
	})
}

// columns names the columns and finds the dictionaries that the file has.
func (r *xgboost) columns(features float64) error {
	if r.model.Objective == "" || r.trees.src == nil {
		return fmt.Errorf("has no objective or no trees")
	}
	classes := r.model.Classes
	if several := r.model.Calibration.Method == "softmax"; several != (classes > 1) || len(r.base) != 1 && len(r.base) != classes {
		return fmt.Errorf("num_class %d and %d base scores do not go with objective %q", classes, len(r.base), r.model.Objective)
	}
	if !(features >= 1 && features < 1<<31) {
		return fmt.Errorf("num_feature is %v", features)
	}
	if r.model.Columns == nil { // trained on an array
		if err := r.budget.take(int(features), 2*categoryBytes); err != nil {
			return err
		}
		for j := range int(features) {
			r.model.Columns = append(r.model.Columns, Column{Name: fmt.Sprintf("f%d", j)})
		}
	}
	n := len(r.model.Columns)
	if n != int(features) || len(r.types) > 0 && len(r.types) != n {
		return fmt.Errorf("%d names and %d types for %d columns", n, len(r.types), int(features))
	}
	for j, s := range r.types {
		r.model.Columns[j].Category = s == "c"
	}
	r.dicts, r.texted, r.highest = make([]dictionary, n), make([]bool, n), make([]int, n)
	if r.encodings.src == nil {
		return nil
	}
	return r.encodings.array(func(j int, v value) error {
		if j >= n {
			return fmt.Errorf("cats: more than %d columns", n)
		}
		texts, err := r.encoding(v)
		if err != nil || len(texts) == 0 {
			return err
		}
		codes := make([]int64, len(texts))
		for i := range codes {
			codes[i] = int64(i)
		}
		c := &r.model.Columns[j]
		c.Category, r.texted[j] = true, true
		if c.Categories, r.dicts[j], err = newDictionary(codes, texts); err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
		return nil
	})
}

// encoding reads the categories of a column: texts lie one behind the other in
// values, between offsets; numbers are values themselves.
func (r *xgboost) encoding(v value) (texts []string, err error) {
	var offsets, values value
	err = v.fields(map[string]func(value) error{
		"offsets": func(v value) error { offsets = v; return nil },
		"values":  func(v value) error { values = v; return nil },
	})
	if err != nil || values.src == nil {
		return nil, err
	}
	n, err := values.count()
	if err != nil || n == 0 {
		return nil, err
	}
	if offsets.src == nil {
		if err := r.budget.take(n, categoryBytes); err != nil {
			return nil, err
		}
		err = values.numbers(64, func(_ int, x float64) error {
			texts = append(texts, data.FormatNumber(x))
			return nil
		})
		return texts, err
	}
	if err := r.budget.take(n, 1); err != nil {
		return nil, err
	}
	letters := make([]byte, 0, n)
	err = values.numbers(64, func(_ int, x float64) error {
		if x != float64(int(x)) || x < -128 || x > 255 {
			return fmt.Errorf("%v is not a byte", x)
		}
		letters = append(letters, byte(int(x)))
		return nil
	})
	if err != nil {
		return nil, err
	}
	count, err := offsets.count()
	if err == nil {
		err = r.budget.take(count, categoryBytes)
	}
	if err != nil {
		return nil, err
	}
	last := 0
	err = offsets.numbers(64, func(i int, x float64) error {
		at := int(x)
		if float64(at) != x || at < last || at > len(letters) {
			return fmt.Errorf("offset %v of a category is out of order", x)
		}
		if i > 0 {
			text := letters[last:at]
			if !utf8.Valid(text) {
				return data.WithHint(fmt.Errorf("category %q is no text", clip(string(text))),
					"XGBoost cuts categories with letters beyond ASCII in the wrong places when it saves them: train with plain letters or with numbers")
			}
			texts = append(texts, string(text))
		}
		last = at
		return nil
	})
	return texts, err
}
