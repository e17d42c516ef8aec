package serve_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"

	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// An explanation has the bits of the bundle's contributions, and decides nothing.
func TestExplain(t *testing.T) {
	t.Parallel()
	decided := 0
	s := newServer(t, serve.Options{})
	s2 := newServer(t, serve.Options{Decided: func(_ serve.Model, ds []decisions.Decision, _ bundle.Rows) { decided += len(ds) }})
	b := lender(t, 0)
	rows := rowsOf(100)
	got := read[struct {
		Results []struct {
			Margin, Base, Score float64
			Decision            string
			Contributions       map[string]float64
		}
		Model, Bundle string
	}](t, ask(t, s2.Handler(), "POST", "/v1/explain/credit", `{"rows":[`+strings.Join(rows, ",")+`]}`), 200)
	if len(got.Results) != 100 || got.Model != "3" || got.Bundle != b.ID() || decided != 0 {
		t.Fatalf("%d results of %s, %d decisions", len(got.Results), got.Model, decided)
	}
	for i, g := range got.Results {
		row, part := make([]float64, 3), make([]float64, 3)
		if _, err := b.Layout().DecodeJSON(row, []byte(rows[i]), true); err != nil {
			t.Fatal(err)
		}
		base, margin := b.Contributions(part, row)
		_, score := b.Score(row)
		if g.Base != base || g.Margin != margin || g.Score != score || g.Decision != b.Decide(score) || len(g.Contributions) != 3 {
			t.Errorf("row %d: %+v", i, g)
		}
		sum := base
		for j, f := range b.Layout().Fields() {
			if g.Contributions[f.Name] != part[j] {
				t.Errorf("row %d: %s contributes %v, want %v", i, f.Name, g.Contributions[f.Name], part[j])
			}
			sum += part[j]
		}
		if math.Abs(sum-margin) > 1e-12 {
			t.Errorf("row %d: base and contributions are %v, the margin %v", i, sum, margin)
		}
	}
	for body, want := range map[string]string{`{"rows":[]}`: "no_rows", `{"rows":[{"Income":"x"}]}`: "contract", `[]`: "json"} {
		if a := ask(t, s.Handler(), "POST", "/v1/explain/credit", body); a.status != 400 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := ask(t, s.Handler(), "POST", "/v1/explain/nobody", `{"rows":[{}]}`); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
	g := serve.New(serve.Options{})
	g.Swap(serve.Model{Project: "grades", Version: "1", Bundle: grades(t)})
	if a := ask(t, g.Handler(), "POST", "/v1/explain/grades", `{"rows":[{"x":3,"y":0.5}]}`); a.status != 200 || !strings.Contains(a.body, `"decision":"high"`) || !strings.Contains(a.body, `"contributions":{"x":3,"y":0}`) {
		t.Errorf("several classes: %d %s", a.status, a.body)
	}
}

// The description types the rows of what is in service, for those who may score.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := newServer(t, serve.Options{})
	a := ask(t, s.Handler(), "GET", "/openapi.json", "")
	doc := read[struct {
		OpenAPI string
		Paths   map[string]struct {
			Post struct {
				RequestBody struct {
					Content map[string]struct {
						Example json.RawMessage
					}
				}
			}
		}
	}](t, a, 200)
	if doc.OpenAPI != "3.1.0" || strings.Contains(a.body, `"bearer"`) || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %s", a.header, a.body)
	}
	for path, item := range doc.Paths {
		if example := item.Post.RequestBody.Content["application/json"].Example; len(example) > 0 {
			if a := ask(t, s.Handler(), "POST", path, string(example)); a.status != 200 {
				t.Errorf("the example of %s, %s: %d %s", path, example, a.status, a.body)
			}
		}
	}
}
