package load_test

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/load"
)

func table(t *testing.T) *data.Table {
	t.Helper()
	tab, err := data.NewTable(
		&data.Column{Name: "Income", Kind: data.Number, Numbers: []float64{80, math.NaN(), 1.5}},
		data.CategoryColumn(`the "job"`, []string{"fixed", "", "a\nb"}),
		&data.Column{Name: "at", Kind: data.Time, Times: []int64{0, data.MissingTime, 1}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		form load.Form
		n    int
		want []string
	}{
		{load.Rows, 1, []string{
			`{"rows":[{"Income":80,"the \"job\"":"fixed","at":"1970-01-01T00:00:00Z"}]}`,
			`{"rows":[{"Income":null,"the \"job\"":null,"at":null}]}`,
			`{"rows":[{"Income":1.5,"the \"job\"":"a\nb","at":"1970-01-01T00:00:00.000001Z"}]}`}},
		{load.Instances, 2, []string{
			`{"instances":[{"Income":80,"the \"job\"":"fixed","at":"1970-01-01T00:00:00Z"},{"Income":null,"the \"job\"":null,"at":null}]}`,
			`{"instances":[{"Income":1.5,"the \"job\"":"a\nb","at":"1970-01-01T00:00:00.000001Z"},{"Income":80,"the \"job\"":"fixed","at":"1970-01-01T00:00:00Z"}]}`}},
		{load.Infer, 4, []string{
			`{"inputs":[{"name":"Income","shape":[4],"datatype":"FP64","data":[80,null,1.5,80]},` +
				`{"name":"the \"job\"","shape":[4],"datatype":"BYTES","data":["fixed",null,"a\nb","fixed"]},` +
				`{"name":"at","shape":[4],"datatype":"BYTES","data":["1970-01-01T00:00:00Z",null,"1970-01-01T00:00:00.000001Z","1970-01-01T00:00:00Z"]}]}`}},
	} {
		b, err := load.FromTable(table(t), c.form, c.n)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, body := range b.Of {
			if !json.Valid(body) {
				t.Errorf("not JSON: %s", body)
			}
			got = append(got, string(body))
		}
		if !slices.Equal(got, c.want) || b.Rows != c.n {
			t.Errorf("%s:\n%s\nwant\n%s", c.form, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	if _, err := load.FromTable(table(t), "columns", 1); err == nil {
		t.Error("there is no form columns")
	}
	inf, err := data.NewTable(&data.Column{Name: "x", Kind: data.Number, Numbers: []float64{1, math.Inf(1)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load.FromTable(inf, load.Rows, 1); err == nil || !strings.Contains(err.Error(), "row 2") || !strings.Contains(err.Error(), "infinite") {
		t.Errorf("%v", err)
	}
	// More than is held in memory is known before it is there.
	if _, err := load.FromTableWithin(inf.Gather([]int{0}), load.Rows, 1<<30, 1<<20); err == nil || !strings.Contains(err.Error(), "512 MB") {
		t.Errorf("%v", err)
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	models := `{"models":["credit"]}`
	o := options(server(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer k":
			http.Error(w, "", http.StatusUnauthorized)
		case r.URL.Path == "/v1/models":
			io.WriteString(w, models)
		case r.URL.Path == "/v2/models/credit":
			io.WriteString(w, `{"inputs":[{"name":"at"},{"name":"Income"}]}`)
		default:
			http.NotFound(w, r)
		}
	}) + "/ignored")
	if _, err := load.Ask(t.Context(), o, ""); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("%v", err)
	}
	o.Key = "k"
	m, err := load.Ask(t.Context(), o, "")
	if err != nil || m.Name != "credit" {
		t.Fatalf("%+v, %v", m, err)
	}
	picked, left := m.Pick(table(t))
	if !slices.Equal(picked.Names(), []string{"Income", "at"}) || !slices.Equal(left, []string{`the "job"`}) {
		t.Errorf("%q, left %q", picked.Names(), left)
	}
	if m, err := load.Ask(t.Context(), o, "other"); err != nil || m.Inputs != nil {
		t.Errorf("a server that says nothing of its inputs takes all: %+v, %v", m, err)
	}
	models = `{"models":["a","b"]}`
	if _, err := load.Ask(t.Context(), o, ""); err == nil || !strings.Contains(err.Error(), `"a" "b"`) {
		t.Errorf("%v", err)
	}
	for form, want := range map[load.Form]string{load.Rows: "/v1/score/a%20b", load.Instances: "/v1/models/a%20b:predict", load.Infer: "/v2/models/a%20b/infer"} {
		if got := form.Path("a b"); got != want {
			t.Errorf("%s: %s", form, got)
		}
	}
}
