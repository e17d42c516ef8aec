package openapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/openapi"
)

func bound(x float64) *float64 { return &x }

// model is a regression on a field of every kind and role.
func model(t *testing.T) *bundle.Bundle {
	t.Helper()
	many := make([]string, 80)
	for i := range many {
		many[i] = fmt.Sprintf("v%03d", i)
	}
	c := data.Contract{Fields: []data.Field{
		{Name: "customer", Kind: data.Text, Role: data.ID},
		{Name: "income", Kind: data.Number, Role: data.Feature, Required: true, Min: bound(0), Max: bound(1001)},
		{Name: "depth", Kind: data.Number, Role: data.Feature, Max: bound(-2.5)},
		{Name: "job", Kind: data.Category, Role: data.Feature, Required: true, Categories: []string{"fixed", "none"}},
		{Name: "town", Kind: data.Category, Role: data.Feature, Categories: many},
		{Name: "level", Kind: data.Category, Role: data.Feature, Categories: []string{"1", "2"}},
		{Name: "since", Kind: data.Time, Role: data.Feature},
		{Name: "age", Kind: data.Number, Role: data.Protected, Min: bound(18)},
		{Name: "notes", Kind: data.Text, Role: data.Excluded, Why: "text"},
		{Name: "loss", Kind: data.Number, Role: data.Target},
	}}
	m, err := bundle.NewModel(bundle.Model{Contract: c, Calibration: bundle.Calibration{Method: "identity"}, Members: []bundle.Member{{Learner: "linear", Weight: 1,
		Linear: &linear.Model{Weight: []float64{1}, Mean: []float64{0}}, Plan: step.Plan{{Name: "income", Op: step.Standard, Scale: 1, Low: -1e9, High: 1e9}}}}})
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float64, m.Layout().Cols())
	b, err := bundle.New(bundle.Bundle{Manifest: bundle.Manifest{Producer: "test", Name: "losses", Task: bundle.Regression, Target: "loss"}, Model: *m,
		Tests: m.TestRows(bundle.Rows{N: 1, Cols: len(row), Data: row})})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func document(t *testing.T, s openapi.Server) (text []byte, doc map[string]any) {
	t.Helper()
	text, err := openapi.Document(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return text, doc
}

// The rules of OpenAPI 3.1 that this document could break.
func TestDocument(t *testing.T) {
	t.Parallel()
	b := model(t)
	s := openapi.Server{Version: "1", Keys: true, Rows: 10, Models: []openapi.Model{{Project: "losses", Version: "1", Bundle: b}, {Project: "lo sses{}", Bundle: b}, {Project: "lo_sses__", Bundle: b}}}
	text, doc := document(t, s)
	if again, _ := document(t, s); string(again) != string(text) {
		t.Error("the same server has two documents")
	}
	if doc["openapi"] != "3.1.0" || doc["info"].(map[string]any)["title"] == "" || doc["info"].(map[string]any)["version"] != "1" {
		t.Errorf("%v", doc["info"])
	}
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	ids := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "{} ") {
			t.Errorf("the path %q has variables that are not described", path)
		}
		for _, op := range item.(map[string]any) {
			op := op.(map[string]any)
			if id := op["operationId"].(string); ids[id] {
				t.Errorf("two operations are %s", id)
			} else {
				ids[id] = true
			}
			for status, r := range op["responses"].(map[string]any) {
				if len(status) != 3 || r.(map[string]any)["description"] == "" {
					t.Errorf("%s: response %q", path, status)
				}
			}
		}
	}
	if len(ids) != 3*3+2 {
		t.Errorf("operations %v", ids)
	}
	walk(doc, func(m map[string]any) {
		if ref, ok := m["$ref"].(string); ok && schemas[strings.TrimPrefix(ref, "#/components/schemas/")] == nil {
			t.Errorf("%s leads nowhere", ref)
		}
		properties, _ := m["properties"].(map[string]any)
		required, _ := m["required"].([]any)
		for _, name := range required {
			if properties[name.(string)] == nil {
				t.Errorf("%v is required and not described", name)
			}
		}
		kinds := []string{"string", "number", "integer", "boolean", "object", "array", "null"}
		if kind, ok := m["type"].(string); ok && !slices.Contains(kinds, kind) && m["scheme"] == nil {
			t.Errorf("there is no type %q", kind)
		}
	})
	if len(doc["security"].([]any)) != 2 {
		t.Errorf("security %v", doc["security"])
	}
	if _, open := document(t, openapi.Server{Models: s.Models}); open["security"] != nil {
		t.Error("a server without keys asks for some")
	}
}

func walk(v any, see func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		see(v)
		for _, x := range v {
			walk(x, see)
		}
	case []any:
		for _, x := range v {
			walk(x, see)
		}
	}
}

// A row is typed as the contract has it, and its example keeps it.
func TestRow(t *testing.T) {
	t.Parallel()
	b := model(t)
	_, doc := document(t, openapi.Server{Models: []openapi.Model{{Project: "losses", Bundle: b}}, Rows: 10})
	row := doc["components"].(map[string]any)["schemas"].(map[string]any)["Row_losses"].(map[string]any)
	p := row["properties"].(map[string]any)
	got := func(name, key string) string { return fmt.Sprint(p[name].(map[string]any)[key]) }
	for _, c := range [][3]string{
		{"income", "type", "[number]"}, {"income", "minimum", "0"}, {"income", "maximum", "1001"}, {"depth", "type", "[number null]"}, {"depth", "maximum", "-2.5"},
		{"job", "type", "[string]"}, {"job", "examples", "[fixed none]"}, {"level", "type", "[string number boolean null]"}, {"since", "type", "[string null]"},
		{"age", "minimum", "<nil>"}, {"age", "type", "[number null]"}, {"customer", "type", "[string number null]"}, {"notes", "type", "<nil>"},
	} {
		if x := got(c[0], c[1]); x != c[2] {
			t.Errorf("%s of %s is %s, want %s", c[1], c[0], x, c[2])
		}
	}
	if n := len(p["town"].(map[string]any)["examples"].([]any)); n != 50 {
		t.Errorf("%d values of a category are listed", n)
	}
	if fmt.Sprint(row["required"]) != "[income job]" || row["additionalProperties"] != false || len(p) != 10 {
		t.Errorf("required %v, %d properties", row["required"], len(p))
	}
	content := doc["paths"].(map[string]any)["/v1/score/losses"].(map[string]any)["post"].(map[string]any)["requestBody"].(map[string]any)["content"].(map[string]any)
	example, err := json.Marshal(content["application/json"].(map[string]any)["example"].(map[string]any)["rows"].([]any)[0])
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float64, b.Layout().Cols())
	if extras, err := b.Layout().DecodeJSON(dst, example, true); err != nil || len(extras.Unseen) > 0 {
		t.Errorf("the example %s: %v, %v", example, err, extras)
	}
}
