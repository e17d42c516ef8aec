package foreign_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/foreign"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
)

// A model of one tree with two leaves.
func ExampleRead() {
	m, err := foreign.Read([]byte(`tree
version=v4
num_class=1
num_tree_per_iteration=1
max_feature_idx=0
objective=binary sigmoid:1
feature_names=income
feature_infos=[0:500]

Tree=0
num_leaves=2
num_cat=0
split_feature=0
threshold=120.5
decision_type=10
left_child=-1
right_child=-2
leaf_value=0.5 -0.75
leaf_count=60 40
internal_count=100
shrinkage=1

end of trees
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Library, m.Task, m.Columns[0].Name)
	for _, income := range []float64{120.5, 121, math.NaN()} {
		fmt.Println(m.Members[0].Trees.Margin([]float64{income}))
	}
	// Output:
	// LightGBM binary income
	// 0.5
	// -0.75
	// 0.5
}

// What was read and written is read as the same trees.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, path := range models(t, goldenFolder) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			m, b := read(t, path)
			write := foreign.WriteXGBoost
			switch {
			case m.Library == "CatBoost":
				return // reads only
			case m.Library == "LightGBM":
				write = foreign.WriteLightGBM
			}
			out, err := write(b)
			if err != nil {
				t.Fatal(err)
			}
			again, err := foreign.Read(out)
			if err != nil {
				t.Fatal(err)
			}
			if m.Task != again.Task || !reflect.DeepEqual(m.Calibration, again.Calibration) {
				t.Errorf("link %v, want %v", again.Calibration, m.Calibration)
			}
			other := ready(t, again)
			rows := foreign.Probe(b, 500)
			got, want := make([]float64, rows.N), make([]float64, rows.N)
			b.ScoreRows(want, nil, rows)
			other.ScoreRows(got, nil, rows)
			for i := range got {
				same := got[i] == want[i]
				if m.Library == "XGBoost" { // the base is in the first tree's leaves, rounded
					same = near(got[i], want[i], 1e-6)
				} else if m.Members[0].Weight != 1 {
					same = near(got[i], want[i], 1e-15)
				}
				if !same {
					t.Fatalf("row %v: margin %v after writing, %v before", rows.Row(i), got[i], want[i])
				}
			}
		})
	}
}

// LightGBM's model of a bundle's trees gives the bundle's margins, and XGBoost's
// its leaves for values of float32, also where rounding decides.
func TestExportKeepsLeaves(t *testing.T) {
	t.Parallel()
	m := oneSplit(1.1, tree.Forest{})
	for _, write := range []func(*bundle.Model) ([]byte, error){foreign.WriteLightGBM, foreign.WriteXGBoost} {
		out, err := write(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := foreign.Read(out)
		if err != nil {
			t.Fatal(err)
		}
		other := ready(t, again)
		for _, x := range []float32{1, 1.1, math.Nextafter32(1.1, 2), math.Nextafter32(1.1, 0), -3, float32(math.Inf(1)), float32(math.NaN())} {
			row := []float64{float64(x)}
			if got, want := other.Margin(row), m.Margin(row); got != want {
				t.Errorf("%s: margin %v at %v, want %v", again.Library, got, x, want)
			}
		}
	}
}

// oneSplit is a regression by one column and one threshold.
func oneSplit(threshold float64, change tree.Forest) *bundle.Model {
	f := tree.Forest{Features: 1, Base: 0.25, Root: []int32{0, 3}, Feature: []int32{0, 0, 0}, Threshold: []float64{threshold, 0, 0},
		Left: []int32{1, -1, -1}, Right: []int32{2, -1, -1}, MissingLeft: []bool{true, false, false}, Set: []int32{-1, -1, -1},
		Value: []float64{0, 1, -1}, Cover: []float64{3, 2, 1}}
	if change.Sets != nil {
		f.Set, f.Sets, f.MissingLeft = change.Set, change.Sets, change.MissingLeft
	}
	field := data.Field{Name: "x", Kind: data.Number, Role: data.Feature, Infinite: true}
	op := step.Number
	if change.Sets != nil {
		field.Kind, field.Categories, field.Infinite, op = data.Category, []string{"a", "b"}, false, step.Code
	}
	m, err := bundle.NewModel(bundle.Model{
		Contract:    data.Contract{Fields: []data.Field{field}},
		Members:     []bundle.Member{{Learner: "gbdt", Weight: 1, Plan: step.Plan{{Name: "x", Op: op}}, Trees: &f}},
		Calibration: bundle.Calibration{Method: "identity"},
	})
	if err != nil {
		panic(err)
	}
	return m
}

// targetMeans is a model of one tree over what the target was on average in
// each of two categories.
func targetMeans() *bundle.Model {
	m := oneSplit(0.5, tree.Forest{})
	m.Contract.Fields[0] = data.Field{Name: "x", Kind: data.Category, Role: data.Feature, Categories: []string{"a", "b"}}
	m.Members[0].Plan = step.Plan{{Name: "x target mean", Op: step.TargetMean, Categories: 2, Values: []float64{0.25, 0.75}}}
	ready, err := bundle.NewModel(*m)
	if err != nil {
		panic(err)
	}
	return ready
}

func TestExportRefuses(t *testing.T) {
	t.Parallel()
	member := oneSplit(1, tree.Forest{}).Members[0]
	for _, c := range []struct {
		want      string
		lightgbm  bool
		xgboost   bool
		change    func(m *bundle.Model)
		startWith *bundle.Model
	}{
		{"blend of 2", true, true, func(m *bundle.Model) { m.Members = append(m.Members, member) }, nil},
		{`step "float32"`, true, false, func(m *bundle.Model) { m.Members[0].Plan = step.Plan{{Op: step.Float32}} }, nil},
		{`step "zero_missing"`, false, true, func(m *bundle.Model) { m.Members[0].Plan = step.Plan{{Op: step.ZeroMissing}} }, nil},
		{`step "month"`, true, true, func(m *bundle.Model) { m.Members[0].Plan = step.Plan{{Op: step.Month}} }, nil},
		{`ordered target statistics (step "target_mean")`, true, true, nil, targetMeans()},
		{"calibrated", true, true, func(m *bundle.Model) { m.Calibration = bundle.Calibration{Method: "sigmoid", A: 1, B: .1} }, nil},
		{"calibrated", false, true, func(m *bundle.Model) { m.Calibration = bundle.Calibration{Method: "sigmoid", A: 2} }, nil},
		{"is split at", true, true, nil, oneSplit(math.Inf(1), tree.Forest{})},
		{"no float32", false, true, nil, oneSplit(1e300, tree.Forest{})},
		{"missing value of the category", true, false, nil, oneSplit(0, tree.Forest{Set: []int32{0, -1, -1}, Sets: [][]uint64{{1}}, MissingLeft: []bool{true, false, false}})},
	} {
		m := c.startWith
		if m == nil {
			m = oneSplit(1, tree.Forest{})
		}
		if c.change != nil {
			c.change(m)
		}
		for _, w := range []struct {
			name    string
			refused bool
			write   func(*bundle.Model) ([]byte, error)
		}{{"LightGBM", c.lightgbm, foreign.WriteLightGBM}, {"XGBoost", c.xgboost, foreign.WriteXGBoost}} {
			_, err := w.write(m)
			if w.refused && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%s: error %v, want one about %q", w.name, err, c.want)
			}
			if !w.refused && err != nil {
				t.Errorf("%s refuses what it can say: %v", w.name, err)
			}
		}
	}
}

// A hostile file gives an error that names what is wrong, and takes no more
// memory than four times its size. (Not in parallel: it counts bytes.)
func TestHostile(t *testing.T) {
	lightgbm := string(must(os.ReadFile(goldenFolder + "/binary.lgb.txt")))
	xgboost := string(must(os.ReadFile(goldenFolder + "/codes.xgb.json")))
	ubj := must(os.ReadFile(goldenFolder + "/codes.xgb.ubj"))
	catboost := string(must(os.ReadFile(goldenFolder + "/binary.cat.json")))
	line := func(src, name, value string) string { // the first line NAME=...
		i := strings.Index(src, "\n"+name+"=") + 1
		return src[:i] + name + "=" + value + src[i+strings.Index(src[i:], "\n"):]
	}
	array := func(src, name, value string) string {
		i := strings.Index(src, `"`+name+`":`)
		return src[:i] + `"` + name + `":` + value + src[i+strings.Index(src[i:], "]")+1:]
	}
	leaves := func(n int) string { // a chain, each inner node the child of the one before
		var feature, threshold, decision, left, right, value, count strings.Builder
		for i := range n - 1 {
			next := i + 1
			if i == n-2 {
				next = ^(n - 1)
			}
			fmt.Fprintf(&feature, "0 ")
			fmt.Fprintf(&threshold, "0 ")
			fmt.Fprintf(&decision, "2 ")
			fmt.Fprintf(&left, "%d ", ^i)
			fmt.Fprintf(&right, "%d ", next)
		}
		for range n {
			value.WriteString("0 ")
			count.WriteString("0 ")
		}
		return fmt.Sprintf("Tree=0\nnum_leaves=%d\nsplit_feature=%s\nthreshold=%s\ndecision_type=%s\nleft_child=%s\nright_child=%s\nleaf_value=%s\nleaf_count=%s\ninternal_count=%s\n\nend of trees\n",
			n, feature.String(), threshold.String(), decision.String(), left.String(), right.String(), value.String(), count.String(), feature.String())
	}
	head := lightgbm[:strings.Index(lightgbm, "Tree=0")]
	harmed := bytes.Replace(ubj, []byte("left_children[$l#L"), []byte("left_children[$l#L\x7f"), 1)
	huge := bytes.Clone(ubj)
	binary.BigEndian.PutUint64(huge[bytes.Index(huge, []byte("left_children[$l#L"))+18:], 1<<40)
	for _, c := range []struct{ want, src string }{
		{"no model that is known", ""},
		{"no model that is known", "hello"},
		{"no model that is known", `{"a":1}`},
		{"not valid JSON", `{"learner":`},
		{"not valid JSON", `{"learner":` + strings.Repeat("[", 1<<20)},
		{"no line", lightgbm[:len(lightgbm)/2]},
		{"version", strings.Replace(lightgbm, "version=v4", "version=v9", 1)},
		{"3 classes and 1 trees", line(lightgbm, "num_class", "3")},
		{"is not from 1 to", line(lightgbm, "num_class", "2000000000")},
		{"1 classes", line(lightgbm, "objective", "multiclass num_class:1")},
		{"objective", line(lightgbm, "objective", "custom")},
		{"no objective", line(lightgbm, "objective", "")},
		{"square roots", line(lightgbm, "objective", "regression sqrt")},
		{"max_feature_idx", line(lightgbm, "max_feature_idx", "2000000000")},
		{"max_feature_idx", line(lightgbm, "max_feature_idx", "-7")},
		{"names", line(lightgbm, "max_feature_idx", "3")},
		{"num_leaves", line(lightgbm, "num_leaves", "2147483647")},
		{"num_leaves", line(lightgbm, "num_leaves", "0")},
		{"values", line(lightgbm, "num_leaves", "14")},
		{"not a number", line(lightgbm, "threshold", "nan"+strings.Repeat(" nan", 13))},
		{"leaf_value", line(lightgbm, "leaf_value", "nan"+strings.Repeat(" nan", 14))},
		{"value", line(lightgbm, "leaf_value", "1e301"+strings.Repeat(" 1", 14))},
		{"below two nodes, or below itself", line(lightgbm, "left_child", "0"+strings.Repeat(" 0", 13))},
		{"not among the tree's", line(lightgbm, "left_child", "99"+strings.Repeat(" 0", 13))},
		{"column 77", line(lightgbm, "split_feature", "77"+strings.Repeat(" 0", 13))},
		{"decision_type", line(lightgbm, "decision_type", "255"+strings.Repeat(" 0", 13))},
		{"both a number and a category", line(lightgbm, "decision_type", "1"+strings.Repeat(" 1", 13))},
		{"cat", line(lightgbm, "cat_boundaries", "0 999")},
		{"cat_threshold", line(lightgbm, "cat_threshold", "-1")},
		{"absent", strings.Replace(lightgbm, "split_feature=", "split_future=", 1)},
		{"linear", strings.Replace(lightgbm, "is_linear=0", "is_linear=1", 1)},
		{"pandas_categorical", strings.Replace(lightgbm, "pandas_categorical:[[", "pandas_categorical:[[],[", 1)},
		{"pandas_categorical", strings.Replace(lightgbm, "pandas_categorical:[[", "pandas_categorical:[[[],", 1)},
		{"more than a file of its size", head + leaves(5000)},
		{"deeper", head + strings.ReplaceAll(leaves(5000), " 0", "        0")},

		{"num_class 3", strings.Replace(xgboost, `"num_class":"0"`, `"num_class":"3"`, 1)},
		{"at most", strings.Replace(xgboost, `"num_class":"0"`, `"num_class":"1e9"`, 1)},
		{"objective", strings.Replace(xgboost, "reg:squarederror", "survival:cox", 1)},
		{"booster", strings.Replace(xgboost, `"gbtree"`, `"dart"`, 1)},
		{"num_feature", strings.Replace(xgboost, `"num_feature":"6"`, `"num_feature":"1e30"`, -1)},
		{"types for", strings.Replace(xgboost, `"num_feature":"6"`, `"num_feature":"1000000"`, -1)},
		{"different lengths", array(xgboost, "left_children", "[1,-1]")},
		{"not an array", array(xgboost, "left_children", "7")},
		{"kind", array(xgboost, "left_children", "[0.5]")},
		{"twice", strings.Replace(xgboost, `"left_children":`, `"left_children":[],"left_children":`, 1)},
		{"categories", array(xgboost, "categories_sizes", "[100000,1]")},
		{"base_score", strings.Replace(strings.Replace(xgboost, "reg:squarederror", "binary:logistic", 1), `"base_score":"[`, `"base_score":"[7`, 1)},
		{"UBJSON", string(harmed)},
		{"UBJSON", string(huge)},
		{"UBJSON", string(ubj[:len(ubj)/2])},
		{"UBJSON", "{i\x01a" + strings.Repeat("[", 1<<20)},

		{"leaf_values", array(catboost, "leaf_values", "[1,2,3]")},
		{"loss_function", strings.Replace(catboost, "Logloss", "MultiClass", 1)},
		{"target statistics", strings.Replace(catboost, `"OneHotFeature"`, `"OnlineCtr"`, 1)},
		{"scale", strings.Replace(catboost, `"scale_and_bias": [1`, `"scale_and_bias": [2`, 1)},
	} {
		var before, after runtime.MemStats
		src := []byte(c.src)
		runtime.ReadMemStats(&before)
		_, err := foreign.Read(src)
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > uint64(4*len(src)+1<<17) {
			t.Errorf("%q: took %d bytes for a file of %d", c.want, taken, len(src))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one about %q", err, c.want)
			continue
		}
		if len(err.Error()) > 600 {
			t.Errorf("an error of %d letters", len(err.Error()))
		}
	}
}

// The memory that reading takes, the model included, stays within four times
// the file, whether it is read or refused.
func TestMemory(t *testing.T) {
	for _, path := range models(t, goldenFolder) {
		src := must(os.ReadFile(path))
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m, err := foreign.Read(src)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if grown := int(after.HeapAlloc) - int(before.HeapAlloc); grown > 4*len(src)+1<<16 {
			t.Errorf("%s: %d bytes for a file of %d", path, grown, len(src))
		}
		runtime.KeepAlive(m)
	}
}

func must(src []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return src
}

// Whatever the bytes, Read returns a model that scores, or an error.
func FuzzRead(f *testing.F) {
	paths, err := filepath.Glob(goldenFolder + "/*.rows")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		f.Add(must(os.ReadFile(strings.TrimSuffix(path, ".rows"))))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := foreign.Read(src)
		if err != nil {
			return
		}
		model, err := bundle.NewModel(modelOf(m))
		if err != nil {
			t.Fatalf("a model that was read cannot be used: %v", err)
		}
		rows := foreign.Probe(model, 3)
		model.ScoreRows(make([]float64, 3), nil, rows)
		if out, err := foreign.WriteLightGBM(model); err == nil {
			if _, err := foreign.Read(out); err != nil {
				t.Fatalf("what was written cannot be read: %v", err)
			}
		}
	})
}
