package foreign

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// LightGBM reads a model in LightGBM's text format, version 3 or 4 (written by
// LightGBM 2.3 and later). See [Read].
func LightGBM(src []byte) (*Model, error) {
	m, err := readLightGBM(src)
	if err != nil {
		return nil, fmt.Errorf("LightGBM model: %w", err)
	}
	return m, nil
}

// lightgbm is a file being read.
type lightgbm struct {
	model  Model
	budget *budget
	dicts  []dictionary // by column; of categories
	texted bool         // the categories have texts in the file
	b      *builder     // of the tree that is being read
	tree   lightgbmTree
}

func readLightGBM(src []byte) (*Model, error) {
	head, trees, tail, err := sections(src)
	if err != nil {
		return nil, err
	}
	r := &lightgbm{budget: newBudget(src), model: Model{Library: "LightGBM"}}
	if err := r.header(head, tail); err != nil {
		return nil, err
	}
	classes := max(1, r.model.Classes)
	nodes, counts := make([]int, classes), make([]int, classes) // tree t belongs to class t mod classes
	count := 0
	for rest := trees; len(rest) > 0; count++ {
		var one []byte
		one, rest = cutTree(rest)
		leaves, err := lightgbmLeaves(one)
		if err != nil {
			return nil, fmt.Errorf("tree %d: %w", count, err)
		}
		nodes[count%classes] += 2*leaves - 1
		counts[count%classes]++
	}
	if count%classes != 0 {
		return nil, data.WithHint(fmt.Errorf("has %d trees for %d classes", count, classes), "the file is cut off: save the model again")
	}
	builders, err := newBuilders(r.budget, nodes, counts)
	if err != nil {
		return nil, err
	}
	t := 0
	for rest := trees; len(rest) > 0; t++ {
		var one []byte
		one, rest = cutTree(rest)
		r.b = builders[t%classes]
		if err := r.add(one); err != nil {
			return nil, fmt.Errorf("tree %d: %w", t, err)
		}
	}
	m, err := r.model.finish(builders)
	if err == nil && averages(head) && count > 0 {
		for k := range m.Members {
			m.Members[k].Weight = float64(classes) / float64(count) // a random forest predicts the mean of its trees
		}
	}
	return m, err
}

// sections cuts a file into what comes before the trees, the trees, and what
// comes behind.
func sections(src []byte) (head, trees, tail []byte, err error) {
	const end = "\nend of trees"
	stop := bytes.Index(src, []byte(end))
	if stop < 0 {
		return nil, nil, nil, data.WithHint(fmt.Errorf(`has no line "end of trees"`), "the file is cut off: save the model again")
	}
	head, tail = src[:stop+1], src[stop+len(end):]
	if start := bytes.Index(head, []byte("\nTree=")); start >= 0 {
		head, trees = head[:start+1], head[start+1:]
	}
	return head, trees, tail, nil
}

// cutTree returns the first tree and the rest. rest begins with "Tree=".
func cutTree(rest []byte) (tree, others []byte) {
	if n := bytes.Index(rest[1:], []byte("\nTree=")); n >= 0 {
		return rest[:n+2], rest[n+2:]
	}
	return rest, nil
}

// attributes calls f with every line NAME=VALUE.
func attributes(text []byte, f func(name string, value []byte) error) error {
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		name, v, ok := bytes.Cut(bytes.TrimRight(line, "\r"), []byte("="))
		if !ok || len(name) > 64 {
			continue
		}
		if err := f(string(name), v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// averages reports whether the header has the line of random forests.
func averages(head []byte) bool { return bytes.Contains(head, []byte("\naverage_output")) }

// header reads columns and objective.
func (r *lightgbm) header(head, tail []byte) error {
	classes := map[string]int{"num_class": 1, "num_tree_per_iteration": 1}
	var version, objective, names, infos string
	columns := -1
	err := attributes(head, func(name string, v []byte) (err error) {
		switch name {
		case "version":
			version = string(v)
		case "num_class", "num_tree_per_iteration":
			if classes[name], err = strconv.Atoi(string(v)); err == nil && (classes[name] < 1 || classes[name] > maxClasses) {
				return fmt.Errorf("%d is not from 1 to %d", classes[name], maxClasses)
			}
		case "max_feature_idx":
			columns, err = strconv.Atoi(string(v))
			columns++
		case "objective":
			objective = string(v)
		case "feature_names":
			names = string(v)
		case "feature_infos":
			infos = string(v)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case version != "v3" && version != "v4":
		return fmt.Errorf("version %q of the format is not known; v3 and v4 are", clip(version))
	case columns < 1 || columns > len(names):
		return fmt.Errorf("max_feature_idx is %d, and the names of the columns have %d letters", columns-1, len(names))
	}
	if err := r.budget.take(columns, 100); err != nil { // their descriptions, names among them
		return err
	}
	name, info := strings.Fields(names), strings.Fields(infos)
	if len(name) != columns || len(info) != columns {
		return fmt.Errorf("%d names and %d feature_infos for %d columns", len(name), len(info), columns)
	}
	for _, s := range name {
		r.model.Columns = append(r.model.Columns, Column{Name: s})
	}
	if err := r.objective(objective); err != nil {
		return err
	}
	several := r.model.Calibration.Method == "softmax" || r.model.Calibration.Method == "sigmoids"
	switch k := classes["num_class"]; {
	case k != classes["num_tree_per_iteration"] || several != (k > 1):
		return fmt.Errorf("%d classes and %d trees an iteration do not go with objective %q", k, classes["num_tree_per_iteration"], r.model.Objective)
	case several:
		r.model.Classes = k
	}
	return r.categories(info, tail)
}

// objective sets the link from margin to prediction.
func (r *lightgbm) objective(text string) error {
	words := strings.Fields(text)
	if len(words) == 0 {
		return data.WithHint(fmt.Errorf("names no objective, so it is not known what its sums mean"),
			`add the line "objective=regression", "objective=binary sigmoid:1" or "objective=poisson" to the head of the file, as the loss was`)
	}
	r.model.Objective = words[0]
	link := bundle.Calibration{Method: "identity"}
	switch words[0] {
	case "regression", "regression_l2", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg":
	case "multiclass":
		link.Method = "softmax"
	case "multiclassova":
		link = bundle.Calibration{Method: "sigmoids", A: 1}
	case "poisson", "gamma", "tweedie":
		link.Method = "exp"
	case "binary", "cross_entropy":
		link = bundle.Calibration{Method: "sigmoid", A: 1}
	default:
		return fmt.Errorf("objective %q is not one that a bundle holds (regression, binary, multiclass, poisson, gamma, tweedie, lambdarank and others)", clip(words[0]))
	}
	for _, w := range words[1:] {
		name, v, _ := strings.Cut(w, ":")
		switch {
		case name == "sqrt":
			return fmt.Errorf("objective %q of square roots (reg_sqrt) is not one that a bundle holds", words[0])
		case name == "sigmoid" && link.A != 0 && words[0] != "cross_entropy":
			a, err := strconv.ParseFloat(v, 64)
			if err != nil || !(a > 0 && a <= math.MaxFloat64) {
				return fmt.Errorf("objective: sigmoid %q is not a positive number", clip(v))
			}
			link.A = a
		}
	}
	r.model.Calibration = link
	return nil
}

// categories finds the categorical columns and their dictionaries: a column's
// info is [low:high] for a number, none if it never varied, and else the codes,
// separated by colons.
func (r *lightgbm) categories(info []string, tail []byte) error {
	r.dicts = make([]dictionary, len(info))
	var categorical, none []int
	for j, s := range info {
		switch {
		case s == "none":
			none = append(none, j)
		case s[0] != '[':
			r.model.Columns[j].Category = true
			categorical = append(categorical, j)
		}
	}
	lists, err := r.pandas(tail)
	if err != nil {
		return fmt.Errorf("pandas_categorical: %w", err)
	}
	r.texted = len(lists) > 0
	if r.texted {
		if len(lists) != len(categorical) {
			categorical = append(categorical, none...)
			slices.Sort(categorical)
		}
		if len(lists) != len(categorical) {
			return data.WithHint(fmt.Errorf("has the categories of %d columns, but %d are categorical, so it is not clear which they are", len(lists), len(categorical)),
				"train with columns of dtype category that are all used as categories, and none as an ordered one")
		}
	}
	for k, j := range categorical {
		var codes []int64
		var texts []string
		if r.texted {
			texts = lists[k]
			if highest := highestCode(info[j]); highest >= len(texts) {
				return fmt.Errorf("pandas_categorical: has %d categories for column %q, whose trees know a category number %d", len(texts), r.model.Columns[j].Name, highest)
			}
			codes = make([]int64, len(texts))
			for i := range codes {
				codes[i] = int64(i)
			}
		} else if codes, texts, err = r.codes(info[j]); err != nil {
			return fmt.Errorf("feature_infos: column %q: %w", r.model.Columns[j].Name, err)
		}
		c := &r.model.Columns[j]
		c.Category = true
		if c.Categories, r.dicts[j], err = newDictionary(codes, texts); err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
	}
	return nil
}

// highestCode returns the last code of "0:3:12", which is in order; -1 if there
// is none.
func highestCode(info string) int {
	n, err := strconv.Atoi(info[strings.LastIndexByte(info, ':')+1:])
	if err != nil {
		return -1
	}
	return n
}

// categoryBytes is about what a category takes beside its text.
const categoryBytes = 64

// codes reads "0:3:12". Negative codes stand for missing values.
func (r *lightgbm) codes(info string) (codes []int64, texts []string, err error) {
	n := 1 + strings.Count(info, ":")
	if err := r.budget.take(n, 24); err != nil { // two characters each at least
		return nil, nil, err
	}
	for word := range strings.SplitSeq(info, ":") {
		c, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			return nil, nil, fmt.Errorf("%q is not the code of a category", clip(word))
		}
		if c >= 0 {
			codes, texts = append(codes, c), append(texts, word)
		}
	}
	return codes, texts, nil
}

// pandas reads the texts of the categories, one list a categorical column, that
// LightGBM's Python package adds at the end of the file. Without them it returns
// nil.
func (r *lightgbm) pandas(tail []byte) (lists [][]string, err error) {
	_, line, ok := bytes.Cut(tail, []byte("\npandas_categorical:"))
	if line, _, _ = bytes.Cut(line, []byte("\n")); !ok || len(bytes.TrimSpace(line)) == 0 || string(bytes.TrimSpace(line)) == "null" {
		return nil, nil
	}
	doc, err := document(line)
	if err != nil {
		return nil, err
	}
	err = doc.array(func(_ int, list value) error {
		n, err := list.count()
		if err != nil {
			return err
		}
		if err := r.budget.take(n, categoryBytes); err != nil {
			return err
		}
		texts := make([]string, 0, n)
		err = list.array(func(_ int, v value) error {
			s, err := categoryText(v)
			texts = append(texts, s)
			return err
		})
		lists = append(lists, texts)
		return err
	})
	return lists, err
}

// categoryText is a category as a table of Tandem has it.
func categoryText(v value) (string, error) {
	switch word := string(v.raw()[:1]); word {
	case `"`:
		return v.text()
	case "t", "f":
		return string(v.raw()), nil
	}
	x, err := v.number(64)
	return data.FormatNumber(x), err
}
