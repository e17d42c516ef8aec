package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
)

// WriteLightGBM returns the model in LightGBM's text format, version 4. LightGBM
// predicts the same margins, bit for bit, for a model of one member of weight 1, or one for each class.
//
// Categories that are whole numbers become LightGBM's codes if all categories of
// the model are; else every categorical column is written as a pandas category.
//
// It returns an error that names what the format cannot say: several members, a
// linear model, steps other than number, code and zero_missing, a calibration
// with an intercept, a missing category that goes left, infinite thresholds.
func WriteLightGBM(m *bundle.Model) ([]byte, error) {
	out, err := writeLightGBM(m)
	if err != nil {
		return nil, fmt.Errorf("write for LightGBM: %w", err)
	}
	return out, nil
}

func writeLightGBM(m *bundle.Model) ([]byte, error) {
	sources, err := newSources(m, step.Number, step.ZeroMissing)
	if err != nil {
		return nil, err
	}
	if err := plainLink(m.Calibration, true); err != nil {
		return nil, err
	}
	objective := map[string]string{"identity": "regression", "exp": "poisson",
		"sigmoid": "binary sigmoid:" + number(m.Calibration.A), "softmax": fmt.Sprintf("multiclass num_class:%d", len(sources)),
		"sigmoids": fmt.Sprintf("multiclassova num_class:%d sigmoid:%s", len(sources), number(m.Calibration.A))}[m.Calibration.Method]
	fields := sources[0].fields
	names, err := lightgbmNames(fields)
	if err != nil {
		return nil, err
	}
	w := &lightgbmWriter{source: sources[0], codes: wholeCodes(fields)}
	var out bytes.Buffer
	fmt.Fprintf(&out, "tree\nversion=v4\nnum_class=%d\nnum_tree_per_iteration=%d\nlabel_index=0\nmax_feature_idx=%d\nobjective=%s\nfeature_names=%s\nfeature_infos=%s\n\n",
		len(sources), len(sources), len(fields)-1, objective, strings.Join(names, " "), strings.Join(w.infos(sources), " "))
	eachTree(sources, func(t, class int, first bool, lo, hi int32) {
		w.source = sources[class]
		if e := w.tree(&out, t, first, lo, hi); e != nil && err == nil {
			err = fmt.Errorf("tree %d: %w", t, e)
		}
	})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&out, "end of trees\n\nfeature_importances:\n\nparameters:\nend of parameters\n\npandas_categorical:%s\n", w.pandas())
	return out.Bytes(), nil
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', 17, 64) }

// lightgbmNames returns the columns' names without what the format uses itself.
func lightgbmNames(fields []data.Field) ([]string, error) {
	seen := make(map[string]string)
	var out []string
	for _, f := range fields {
		name := strings.Map(func(r rune) rune {
			if r <= ' ' || strings.ContainsRune("\",:[]{}=", r) {
				return '_'
			}
			return r
		}, f.Name)
		if other, twice := seen[name]; twice {
			return nil, fmt.Errorf("columns %q and %q have the same name %q in the format", other, f.Name, name)
		}
		seen[name] = f.Name
		out = append(out, name)
	}
	return out, nil
}

// wholeCodes returns, by column and category, the number that the category is,
// or nil if one of them is not a whole number from 0.
func wholeCodes(fields []data.Field) [][]int {
	const largest = 1 << 16
	codes := make([][]int, len(fields))
	for j, f := range fields {
		for _, s := range f.Categories {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 || n >= largest || strconv.Itoa(n) != s {
				return nil
			}
			codes[j] = append(codes[j], n)
		}
	}
	return codes
}

// lightgbmWriter writes trees.
type lightgbmWriter struct {
	*source         // of the tree that is being written
	codes   [][]int // by column and category; nil: positions
}

func (w *lightgbmWriter) code(column, category int) int {
	if w.codes == nil {
		return category
	}
	return w.codes[column][category]
}

// infos describes the columns: "none" for those that no tree reads.
func (w *lightgbmWriter) infos(sources []*source) []string {
	used := make([]bool, len(w.fields))
	for _, s := range sources {
		for _, f := range s.plan {
			used[f.Input] = true
		}
	}
	out := make([]string, len(w.fields))
	for j, f := range w.fields {
		switch {
		case f.Kind == data.Category && len(f.Categories) > 0 && (used[j] || w.codes == nil):
			words := make([]string, len(f.Categories))
			for c := range words {
				words[c] = strconv.Itoa(w.code(j, c))
			}
			out[j] = strings.Join(words, ":")
		case used[j]:
			low, high := math.Inf(-1), math.Inf(1)
			if f.Min != nil {
				low = *f.Min
			}
			if f.Max != nil {
				high = *f.Max
			}
			out[j] = fmt.Sprintf("[%s:%s]", number(low), number(high))
		default:
			out[j] = "none"
		}
	}
	return out
}

// pandas is the last line: the texts of the categories. Numbers are written as
// numbers, since pandas tells "1" from 1.
func (w *lightgbmWriter) pandas() string {
	lists := [][]any{}
	for _, f := range w.fields {
		if f.Kind != data.Category || w.codes != nil || len(f.Categories) == 0 {
			continue
		}
		list := make([]any, len(f.Categories))
		numeric := true
		for c, s := range f.Categories {
			x, ok := data.ParseNumber(s)
			numeric = numeric && ok && data.FormatNumber(x) == s
			list[c] = json.Number(s)
		}
		if !numeric {
			for c, s := range f.Categories {
				list[c] = s
			}
		}
		lists = append(lists, list)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(lists); err != nil {
		return "[]" // an infinite category, which is no text of JSON
	}
	return strings.TrimSpace(out.String())
}

// tree writes the tree of the nodes lo to hi-1.
func (w *lightgbmWriter) tree(out *bytes.Buffer, t int, first bool, lo, hi int32) error {
	f := w.forest
	place := make([]int, hi-lo) // among the inner nodes, or ^ among the leaves
	inner, leaves := 0, 0
	for n := lo; n < hi; n++ {
		if f.Left[n] >= 0 {
			place[n-lo] = inner
			inner++
		} else {
			place[n-lo] = ^leaves
			leaves++
		}
	}
	lines := make(map[string][]string)
	put := func(name, value string) { lines[name] = append(lines[name], value) }
	bounds, words := []string{"0"}, []string{}
	for n := lo; n < hi; n++ {
		count := strconv.FormatFloat(math.Round(f.Cover[n]), 'f', 0, 64)
		if f.Left[n] < 0 {
			put("leaf_value", number(w.value(n, first)))
			put("leaf_weight", number(f.Cover[n]))
			put("leaf_count", count)
			continue
		}
		column, op := w.column(n)
		decision, threshold := 2<<2, number(f.Threshold[n])
		switch {
		case op == step.Code:
			if f.MissingLeft[n] && !w.fields[column].Required {
				return fmt.Errorf("a missing value of the category %q goes left, and LightGBM sends it right", w.fields[column].Name)
			}
			decision, threshold = lightgbmCategorical, strconv.Itoa(len(bounds)-1)
			words = append(words, w.words(n)...)
			bounds = append(bounds, strconv.Itoa(len(words)))
		case math.IsInf(f.Threshold[n], 0):
			return fmt.Errorf("column %q is split at infinity, which the format cannot say", w.fields[column].Name)
		case op == step.ZeroMissing:
			decision = lightgbmZero << 2
		}
		if op != step.Code && f.MissingLeft[n] {
			decision |= lightgbmDefaultLeft
		}
		put("split_feature", strconv.Itoa(column))
		put("split_gain", "0")
		put("threshold", threshold)
		put("decision_type", strconv.Itoa(decision))
		put("left_child", strconv.Itoa(place[f.Left[n]-lo]))
		put("right_child", strconv.Itoa(place[f.Right[n]-lo]))
		put("internal_value", "0")
		put("internal_weight", number(f.Cover[n]))
		put("internal_count", count)
	}
	if len(bounds) > 1 {
		lines["cat_boundaries"], lines["cat_threshold"] = bounds, words
	}
	fmt.Fprintf(out, "Tree=%d\nnum_leaves=%d\nnum_cat=%d\n", t, leaves, len(bounds)-1)
	for _, name := range []string{"split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child",
		"leaf_value", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count", "cat_boundaries", "cat_threshold"} {
		if values := lines[name]; values != nil {
			fmt.Fprintf(out, "%s=%s\n", name, strings.Join(values, " "))
		}
	}
	out.WriteString("is_linear=0\nshrinkage=1\n\n\n")
	return nil
}

// words returns the set of node n as LightGBM's 32-bit words, one at least.
func (w *lightgbmWriter) words(n int32) []string {
	column, _ := w.column(n)
	set := make([]uint32, 1)
	for _, c := range w.categories(n) {
		code := w.code(column, c)
		for code/32 >= len(set) {
			set = append(set, 0)
		}
		set[code/32] |= 1 << (code % 32)
	}
	out := make([]string, len(set))
	for i, x := range set {
		out[i] = strconv.FormatUint(uint64(x), 10)
	}
	return out
}
