package gbdt

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/learn"
)

// Param is one setting of the learner: what users may write and what it means.
// Most are numbers; objective, growth, monotone and interactions are not, and
// are described by [Words] and [Lists].
type Param struct {
	Name    string
	Default float64
	Min     float64 // smallest value allowed
	Open    bool    // Min itself is not allowed
	Max     float64 // largest value allowed
	Whole   bool    // only whole numbers
	Text    string  // what it means
}

// settings are the parameters of one fit, checked.
type settings struct {
	trees, learningRate, leaves, maxDepth    float64
	minRows, minHessian, lambda, minGain     float64
	featureFraction, rowFraction, bins       float64
	earlyStoppingRounds                      float64
	oneVsRest, catSmooth, catLambda, catSide float64
	catMinRows, catSingle                    float64
	alpha, nodeFraction, gradientFraction    float64
	extraRandom, positiveWeight              float64
	huberDelta, quantile, tweediePower       float64
	rankTruncation, rankNorm, ndcgAt         float64

	objective, growth, classWeights string
	rounding                        string
	perClass                        []float64 // class_weights as a list; nil: the word counts
	monotone                        []float64 // per column of the table: -1, 0 or 1; nil: no constraints
	interactions                    [][]int   // columns that may meet on a path; nil: any

	apart bool // features share no lanes; for tests, since it cannot be seen in a model
}

// entry ties a parameter to the field that holds it.
type entry struct {
	Param
	field func(*settings) *float64
}

const unbounded = 1e9

// table is the only place where a parameter's name, default, range and meaning
// are written; parsing, checks and documentation come from it.
func table() []entry {
	return []entry{
		{Param{"trees", 100, 1, false, 100000, true, "how many trees at most"},
			func(s *settings) *float64 { return &s.trees }},
		{Param{"learning_rate", 0.1, 0, true, 1, false, "by what each tree is shrunk; smaller needs more trees"},
			func(s *settings) *float64 { return &s.learningRate }},
		{Param{"leaves", 31, 2, false, 4096, true, "leaves of a tree at most"},
			func(s *settings) *float64 { return &s.leaves }},
		{Param{"max_depth", 0, 0, false, tree.MaxDepth, true, "splits between root and leaf at most; 0: no limit but what a forest can hold"},
			func(s *settings) *float64 { return &s.maxDepth }},
		{Param{"min_rows", 20, 0, false, unbounded, false, "rows in a leaf at least, a row of weight 2 counting as two; estimated from the hessian while growing"},
			func(s *settings) *float64 { return &s.minRows }},
		{Param{"min_hessian", 0.001, 0, false, unbounded, false, "sum of hessians in a leaf at least"},
			func(s *settings) *float64 { return &s.minHessian }},
		{Param{"lambda", 0.1, 0, false, unbounded, false, "L2 penalty on leaf values, in units of hessian"},
			func(s *settings) *float64 { return &s.lambda }},
		{Param{"alpha", 0, 0, false, unbounded, false, "L1 penalty on leaf values, in units of gradient"},
			func(s *settings) *float64 { return &s.alpha }},
		{Param{"min_gain", 0, 0, false, unbounded, false, "gain that a split must exceed"},
			func(s *settings) *float64 { return &s.minGain }},
		{Param{"feature_fraction", 1, 0, true, 1, false, "share of the features that a tree may use, drawn per tree"},
			func(s *settings) *float64 { return &s.featureFraction }},
		{Param{"node_fraction", 0, 0, false, 1, false, "share of a tree's features that a node may use, drawn per node; 0: a half for up to 10,000 rows, all for more and with rounding nearest"},
			func(s *settings) *float64 { return &s.nodeFraction }},
		{Param{"row_fraction", 1, 0, true, 1, false, "share of the rows that a tree is fitted to, drawn per tree without replacement"},
			func(s *settings) *float64 { return &s.rowFraction }},
		{Param{"gradient_fraction", 1, 0, true, 1, false, "share of the rows that a tree is fitted to on average, rows with large gradients being drawn more often and counted less (MVS)"},
			func(s *settings) *float64 { return &s.gradientFraction }},
		{Param{"extra_random", 0, 0, false, 1, true, "1: of each numeric feature a node tries one edge, drawn at random"},
			func(s *settings) *float64 { return &s.extraRandom }},
		{Param{"positive_weight", 1, 0, true, unbounded, false, "binary: factor on the weight of rows with label 1; the log odds are then those of the weighted rows"},
			func(s *settings) *float64 { return &s.positiveWeight }},
		{Param{"huber_delta", 1, 0, true, unbounded, false, "objective huber: residual from which on the loss is linear"},
			func(s *settings) *float64 { return &s.huberDelta }},
		{Param{"quantile", 0.5, 0, true, 1, false, "objective quantile: share of the labels below the margin"},
			func(s *settings) *float64 { return &s.quantile }},
		{Param{"tweedie_power", 1.5, 1.01, false, 1.99, false, "objective tweedie: the variance is the mean to this power"},
			func(s *settings) *float64 { return &s.tweediePower }},
		{Param{"lambdarank_truncation", 30, 1, false, unbounded, true, "objective lambdarank: a pair of rows counts if one is among so many first of its group"},
			func(s *settings) *float64 { return &s.rankTruncation }},
		{Param{"lambdarank_norm", 1, 0, false, 1, true, "objective lambdarank: 1: pairs count less the further apart they are, and groups about alike"},
			func(s *settings) *float64 { return &s.rankNorm }},
		{Param{"ndcg_at", 10, 1, false, unbounded, true, "objective lambdarank: early stopping looks at so many first rows of each validation group"},
			func(s *settings) *float64 { return &s.ndcgAt }},
		{Param{"bins", 255, 2, false, maxBins, true, "bins of a numeric feature at most, missing not counted"},
			func(s *settings) *float64 { return &s.bins }},
		{Param{"early_stopping_rounds", 50, 0, false, 100000, true, "with validation rows: stop when so many trees brought no better loss, and keep the best; 0: keep all trees"},
			func(s *settings) *float64 { return &s.earlyStoppingRounds }},
		{Param{"cat_one_vs_rest", 4, 0, false, 254, true, "a feature with at most so many categories is split one against the rest"},
			func(s *settings) *float64 { return &s.oneVsRest }},
		{Param{"cat_single", 10, 0, false, 254, true, "a feature with at most so many categories is split one against the rest too, beside by sets of them"},
			func(s *settings) *float64 { return &s.catSingle }},
		{Param{"cat_smooth", 10, 0, false, unbounded, false, "hessian added to a category before categories are put in order; rarer categories than this many rows go right"},
			func(s *settings) *float64 { return &s.catSmooth }},
		{Param{"cat_lambda", 10, 0, false, unbounded, false, "further L2 penalty in splits by a set of categories"},
			func(s *settings) *float64 { return &s.catLambda }},
		{Param{"cat_max", 32, 1, false, 254, true, "categories in the left set at most"},
			func(s *settings) *float64 { return &s.catSide }},
		{Param{"cat_min_rows", 100, 0, false, unbounded, false, "rows by which neighbouring sets of categories must differ, and rows on the right at least"},
			func(s *settings) *float64 { return &s.catMinRows }},
	}
}

// Params returns the settings that Fit understands, in the order in which they
// are documented. The slice is the caller's.
func Params() []Param {
	var list []Param
	for _, e := range table() {
		list = append(list, e.Param)
	}
	return list
}

// parse returns the defaults overridden by p. All problems are reported at
// once, in the order of their names.
func parse(p learn.Params) (settings, error) {
	var s settings
	known := make(map[string]entry)
	var names []string
	for _, e := range table() {
		*e.field(&s) = e.Default
		known[e.Name] = e
		names = append(names, e.Name)
	}
	for _, w := range words() {
		*w.field(&s) = w.Words[0]
		names = append(names, w.Name)
	}
	for _, l := range Lists() {
		names = append(names, l.Name)
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(p)) {
		e, ok := known[name]
		if special, err := s.special(name, p[name]); special {
			problems = append(problems, err)
			continue
		}
		if !ok {
			problems = append(problems, data.WithHint(
				fmt.Errorf("gbdt: unknown setting %q; the nearest is %q", name, nearest(name, names)),
				"use %q or remove the setting", nearest(name, names)))
			continue
		}
		v, err := e.read(p[name])
		if err != nil {
			problems = append(problems, data.WithHint(err, "%s: %s; default %g", name, e.Text, e.Default))
			continue
		}
		*e.field(&s) = v
	}
	return s, errors.Join(problems...)
}

// read returns the number in v if it is one the parameter allows.
func (p Param) read(v any) (float64, error) {
	x, ok := number(v)
	if !ok {
		return 0, fmt.Errorf("gbdt: setting %q is %v (%T), not a number", p.Name, v, v)
	}
	low := x < p.Min || p.Open && x == p.Min
	if math.IsNaN(x) || low || x > p.Max || p.Whole && x != math.Trunc(x) {
		return 0, fmt.Errorf("gbdt: setting %q is %g, must be %s", p.Name, x, p.Range())
	}
	return x, nil
}

// Range says in words which values are allowed: "a whole number from 2 to 255".
func (p Param) Range() string {
	kind, from := "a number", "from"
	if p.Whole {
		kind = "a whole number"
	}
	if p.Open {
		from = "above"
	}
	return fmt.Sprintf("%s %s %g to %g", kind, from, p.Min, p.Max)
}

// number converts what YAML, JSON and Go callers write as a number.
func number(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case float32:
		return float64(x), true
	case int:
		return float64(x), true
	case int32:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	}
	return 0, false
}

// nearest returns the name with the smallest edit distance (Levenshtein) to s,
// the first of equals.
func nearest(s string, names []string) string {
	best, bestDistance := "", math.MaxInt
	for _, name := range names {
		if d := distance(s, name); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
