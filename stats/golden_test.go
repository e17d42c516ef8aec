package stats_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/tandem-ml/tandem/stats"
)

// goldenKinds holds one function for every kind of golden case. The files
// golden_FAMILY_test.go fill it.
var goldenKinds = map[string]func(t *testing.T, c goldenCase){}

// goldenCase is one reference result of stats.json: made with SciPy 1.17.1 and
// statsmodels 0.15.0, checked against R 4.2.2; each case names its source.
type goldenCase struct {
	ID            string
	Kind          string
	Inputs        map[string]json.RawMessage
	Params        map[string]json.RawMessage
	Expected      map[string]json.RawMessage
	ExpectedError string `json:"expected_error"`
	RTol, ATol    float64
	R             struct {
		Differs map[string]json.RawMessage
	}
}

// TestGolden runs every case of stats*.json, in testdata/golden or in the folder
// that TANDEM_GOLDEN names.
func TestGolden(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("TANDEM_GOLDEN")
	if folder == "" {
		folder = filepath.Join("testdata", "golden")
	}
	files, err := filepath.Glob(filepath.Join(folder, "stats*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no stats.json in %s (%v)", folder, err)
	}
	var cases []goldenCase
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Cases []goldenCase }
		if err := json.Unmarshal(raw, &file); err != nil {
			t.Fatal(err)
		}
		if len(file.Cases) == 0 {
			t.Fatalf("%s holds no cases", path)
		}
		cases = append(cases, file.Cases...)
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			f := goldenKinds[c.Kind]
			if f == nil {
				t.Fatalf("unknown kind %s", c.Kind)
			}
			f(t, c)
		})
	}
}

// check compares what a function returned with the case: got must hold every
// expected name, with a number, []float64, [][]float64, string, bool, or
// map[string]any; what else it holds is not looked at. If the case expects an
// error, err must be one that callers can tell. Where the file says that R
// differs, R's answer is accepted as well.
func (c goldenCase) check(t *testing.T, err error, got map[string]any) {
	t.Helper()
	if c.ExpectedError != "" {
		if !errors.Is(err, stats.ErrCollinear) && !errors.Is(err, stats.ErrSeparated) && !errors.Is(err, stats.ErrTooFew) && !errors.Is(err, stats.ErrConstant) && !errors.Is(err, stats.ErrValue) {
			t.Errorf("error %v, want a typed one (%s)", err, c.ExpectedError)
		}
		return
	}
	if err != nil {
		t.Fatalf("error %v", err)
	}
	for name, raw := range c.Expected {
		v, ok := got[name]
		if !ok {
			t.Errorf("unknown name %s", name)
			continue
		}
		if r, ok := c.R.Differs[name]; ok && c.differ(t, name, v, r) == "" {
			continue
		}
		if message := c.differ(t, name, v, raw); message != "" {
			t.Error(message)
		}
	}
}

// differ says how got differs from the raw expectation; "" if it does not.
func (c goldenCase) differ(t *testing.T, name string, got any, raw json.RawMessage) string {
	t.Helper()
	var want any
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c.compare(name, plain(t, got), want)
}

// compare compares values as JSON has them, numbers also being written as
// strings.
func (c goldenCase) compare(name string, got, want any) string {
	switch w := want.(type) {
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s = %v, want %v", name, got, want)
		}
		for i := range w {
			if message := c.compare(fmt.Sprintf("%s[%d]", name, i), g[i], w[i]); message != "" {
				return message
			}
		}
		return ""
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s = %v, want %v", name, got, want)
		}
		for key := range w {
			v, ok := g[key]
			if !ok {
				return fmt.Sprintf("%s: unknown name %s", name, key)
			}
			if message := c.compare(name+"."+key, v, w[key]); message != "" {
				return message
			}
		}
		return ""
	}
	g, isNumber := got.(float64)
	if w, ok := number(want); ok && isNumber {
		if g == w || math.IsNaN(g) && math.IsNaN(w) || math.Abs(g-w) <= c.ATol+c.RTol*math.Abs(w) && !math.IsInf(w, 0) {
			return ""
		}
		return fmt.Sprintf("%s = %.17g, want %.17g", name, g, w)
	}
	if got != want {
		return fmt.Sprintf("%s = %v, want %v", name, got, want)
	}
	return ""
}

// plain turns a value into the types that JSON is decoded to.
func plain(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case float64, string, bool, nil:
		return v
	case int:
		return float64(v)
	case []float64:
		return plainSlice(t, v)
	case []int:
		return plainSlice(t, v)
	case []bool:
		return plainSlice(t, v)
	case []string:
		return plainSlice(t, v)
	case [][]float64:
		return plainSlice(t, v)
	case []any:
		return plainSlice(t, v)
	case []map[string]any:
		return plainSlice(t, v)
	case map[string]any:
		out := map[string]any{}
		for key := range v {
			out[key] = plain(t, v[key])
		}
		return out
	}
	t.Fatalf("a result of type %T", v)
	return nil
}

func plainSlice[T any](t *testing.T, v []T) []any {
	t.Helper()
	out := make([]any, len(v))
	for i := range v {
		out[i] = plain(t, v[i])
	}
	return out
}

// number reads a number of the file: also "NaN", "Inf", "-Inf", and null, which
// is missing.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case nil:
		return math.NaN(), true
	case string:
		switch v {
		case "NaN":
			return math.NaN(), true
		case "Inf":
			return math.Inf(1), true
		case "-Inf":
			return math.Inf(-1), true
		}
	}
	return 0, false
}

// has reports whether the case has an input or a parameter of that name.
func (c goldenCase) has(name string) bool {
	_, input := c.Inputs[name]
	_, param := c.Params[name]
	return input || param
}

// value decodes the input or parameter of that name, nil if there is none.
func (c goldenCase) value(t *testing.T, name string) any {
	t.Helper()
	raw, ok := c.Inputs[name]
	if !ok {
		raw, ok = c.Params[name]
	}
	if !ok {
		return nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// number returns an input or parameter, or otherwise if there is none.
func (c goldenCase) number(t *testing.T, name string, otherwise float64) float64 {
	t.Helper()
	if !c.has(name) {
		return otherwise
	}
	v, ok := number(c.value(t, name))
	if !ok {
		t.Fatalf("%s is not a number", name)
	}
	return v
}

// text is number for a string.
func (c goldenCase) text(t *testing.T, name, otherwise string) string {
	t.Helper()
	if !c.has(name) {
		return otherwise
	}
	v, ok := c.value(t, name).(string)
	if !ok {
		t.Fatalf("%s is not a string", name)
	}
	return v
}

// flag is number for a boolean.
func (c goldenCase) flag(t *testing.T, name string, otherwise bool) bool {
	t.Helper()
	if !c.has(name) {
		return otherwise
	}
	v, ok := c.value(t, name).(bool)
	if !ok {
		t.Fatalf("%s is not a boolean", name)
	}
	return v
}

// floats returns an input or parameter that is a list of numbers; missing ones
// are NaN. It is nil if there is no such list.
func (c goldenCase) floats(t *testing.T, name string) []float64 {
	t.Helper()
	return toFloats(t, name, c.value(t, name))
}

// table is floats for a list of lists.
func (c goldenCase) table(t *testing.T, name string) [][]float64 {
	t.Helper()
	rows, _ := c.value(t, name).([]any)
	out := make([][]float64, len(rows))
	for i, row := range rows {
		out[i] = toFloats(t, name, row)
	}
	return out
}

// texts is floats for a list of strings; numbers are written out.
func (c goldenCase) texts(t *testing.T, name string) []string {
	t.Helper()
	list, _ := c.value(t, name).([]any)
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	return out
}

func toFloats(t *testing.T, name string, v any) []float64 {
	t.Helper()
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		t.Fatalf("%s is not a list", name)
	}
	out := make([]float64, len(list))
	for i := range list {
		if out[i], ok = number(list[i]); !ok {
			if list[i] == true {
				out[i] = 1
			} else if list[i] != false {
				t.Fatalf("%s[%d] is not a number", name, i)
			}
		}
	}
	return out
}
