package bundle_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

func errorsAs(err error, target any) bool { return errors.As(err, target) }

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, json string
		want       []float64 // Income, Job, Records, employed_since, Owner, Ratio
	}{
		{"only what is required", `{"Income":129}`, []float64{129, nan, nan, nan, nan, nan}},
		{"everything", `{"Income":129,"Job":"fixed","Records":"1","employed_since":"1970-01-01T00:00:01Z","Owner":"true","Ratio":-0.5}`,
			[]float64{129, 0, 1, 1e6, 1, -0.5}},
		{"another order and white space", " {\t\"Ratio\" : 1E2 ,\r\n\"Income\":0.0 } ", []float64{0, nan, nan, nan, nan, 100}},
		{"null is missing", `{"Income":1,"Job":null,"Ratio":null,"employed_since":null}`, []float64{1, nan, nan, nan, nan, nan}},
		{"empty text is missing", `{"Income":1,"Job":""}`, []float64{1, nan, nan, nan, nan, nan}},
		{"booleans", `{"Income":1,"Owner":true}`, []float64{1, nan, nan, nan, 1, nan}},
		{"numeric categories", `{"Income":1,"Records":2.0}`, []float64{1, nan, 2, nan, nan, nan}},
		{"numeric categories as text", `{"Income":1,"Records":"1.0"}`, []float64{1, nan, 1, nan, nan, nan}},
		{"unseen", `{"Income":1,"Job":"pirate","Records":7,"Owner":"yes"}`, []float64{1, 3, 3, nan, 2, nan}},
		{"a date", `{"Income":1,"employed_since":"1970-01-02"}`, []float64{1, nan, nan, 86400e6, nan, nan}},
		{"a time without zone", `{"Income":1,"employed_since":"1970-01-01 00:01:00"}`, []float64{1, nan, nan, 60e6, nan, nan}},
		{"another zone", `{"Income":1,"employed_since":"1970-01-01T02:00:00+02:00"}`, []float64{1, nan, nan, 0, nan, nan}},
		{"escapes", `{"\u0049ncome":1,"J\u006fb":"f\u0069xed"}`, []float64{1, 0, nan, nan, nan, nan}},
		{"target and excluded are skipped", `{"Income":1,"Status":{"a":[1,{"b":"]"}]},"notes":"\ud83d\ude00"}`, []float64{1, nan, nan, nan, nan, nan}},
		{"the bounds themselves", `{"Income":1000}`, []float64{1000, nan, nan, nan, nan, nan}},
		{"precision", `{"Income":0.1000000000000000055511151231257827}`, []float64{0.1, nan, nan, nan, nan, nan}},
	} {
		row := make([]float64, inputs)
		if _, err := layout(t).DecodeJSON(row, []byte(c.json), true); err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if !sameValues(row, c.want) {
			t.Errorf("%s: %v, want %v", c.name, row, c.want)
		}
	}
}

func TestDecodeJSONExtras(t *testing.T) {
	t.Parallel()
	row := make([]float64, inputs)
	x, err := layout(t).DecodeJSON(row, []byte(`{"applied_at":"2024-03-01 10:00:00","Age":41,"Income":1,"Job":"pirate","application":12345678901234567890}`), true)
	if err != nil {
		t.Fatal(err)
	}
	want := "[{application id 12345678901234567890} {Age protected 41} {applied_at time 2024-03-01T10:00:00Z}] [{1 pirate}]"
	if got := fmt.Sprint(x.Values, x.Unseen); got != want {
		t.Errorf("extras %s, want %s", got, want)
	}
	if x.Value("Age") != 41.0 || x.Value("Income") != nil {
		t.Errorf("Value: Age %v, Income %v", x.Value("Age"), x.Value("Income"))
	}
	x, err = layout(t).DecodeJSON(row, []byte(`{"Income":1,"application":"A-7","Age":null}`), true)
	if err != nil || len(x.Values) != 1 || x.Value("application") != "A-7" {
		t.Errorf("extras %v, %v", x, err)
	}
}

func TestDecodeJSONRefusesFields(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, json string
		want       string // field: rule; ...
	}{
		{"required absent", `{}`, `field "Income" is required`},
		{"required null", `{"Income":null}`, `field "Income" is required`},
		{"number as text", `{"Income":"129"}`, `field "Income" must be a number`},
		{"number as boolean", `{"Income":true}`, `field "Income" must be a number`},
		{"number as object", `{"Income":{"a":1}}`, `field "Income" must be a number`},
		{"too large", `{"Income":1e999}`, `field "Income" is too large a number`},
		{"above", `{"Income":1000.5}`, `field "Income" must be at most 1000`},
		{"below", `{"Income":-1}`, `field "Income" must be at least 0`},
		{"category as number", `{"Income":1,"Job":1}`, `field "Job" must be a string`},
		{"category as boolean", `{"Income":1,"Job":true}`, `field "Job" must be a string`},
		{"category as array", `{"Income":1,"Owner":["true"]}`, `field "Owner" must be a string`},
		{"time as number", `{"Income":1,"employed_since":12}`, `field "employed_since" must be a time such as "2006-01-02T15:04:05Z" or a date such as "2006-01-02"`},
		{"no such day", `{"Income":1,"employed_since":"2023-02-30"}`, `field "employed_since" must be a time such as "2006-01-02T15:04:05Z" or a date such as "2006-01-02"`},
		{"unknown", `{"Income":1,"income":2}`, `field "income" is not a field of this model`},
		{"twice", `{"Income":1,"Income":1}`, `field "Income" occurs twice`},
		{"twice by escape", `{"Income":1,"Incom\u0065":2}`, `field "Income" occurs twice`},
		{"protected of another type", `{"Income":1,"Age":"old"}`, `field "Age" must be a number`},
		{"id of another type", `{"Income":1,"application":[1]}`, `field "application" must be a string or a number`},
		{"several", `{"Job":7,"x":1}`, `field "Job" must be a string; field "x" is not a field of this model; field "Income" is required`},
	} {
		_, err := layout(t).DecodeJSON(make([]float64, inputs), []byte(c.json), true)
		var field *bundle.FieldError
		if err == nil || err.Error() != c.want || !errors.As(err, &field) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

func TestDecodeJSONRefusesText(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, s := range []string{
		``, `null`, `[]`, `1`, `"a"`, `{`, `{"Income"`, `{"Income":`, `{"Income":1`, `{"Income":1,`, `{"Income":1,}`, `{,}`, `{"Income" 1}`,
		`{"Income":1}x`, `{"Income":1}{}`, `{"Income":01}`, `{"Income":+1}`, `{"Income":.5}`, `{"Income":1.}`, `{"Income":1e}`, `{"Income":-}`,
		`{"Income":NaN}`, `{"Income":Infinity}`, `{"Income":0x10}`, `{"Income":1_0}`, `{"Income":nul}`, `{"Income":1,"Job":'fixed'}`,
		"{\"Income\":1,\"Job\":\"a\nb\"}", `{"Income":1,"Job":"a`, `{"Income":1,"Job":"\x"}`, `{"Income":1,"Job":"\u12"}`, `{"Income":1,"Job":"\ud800"}`,
		`{"Income":1,"Job":"\udc00\ud800"}`, "{\"Income\":1,\"Job\":\"\xff\"}", "{\"Income\":1,\"Job\":\"\\n\xff\"}", "\ufeff{\"Income\":1}",
		`{"Income":1,"notes":` + deep(65) + `}`, `{"Income":1,"notes":[1,]}`, `{"Income":1,"notes":{"a"}}`, "{\"Income\":1}\x00",
	} {
		_, err := layout(t).DecodeJSON(make([]float64, inputs), []byte(s), false)
		var list bundle.FieldErrors
		if !errors.As(err, &list) || len(list) != 1 || list[0].Field != "" {
			t.Errorf("%.60q: error %v, want one about the whole text", s, err)
		}
	}
	if _, err := layout(t).DecodeJSON(make([]float64, inputs), []byte(`{"Income":1,"notes":`+deep(64)+`}`), false); err != nil {
		t.Errorf("64 arrays in one another: %v", err)
	}
}

func TestDecodeJSONSkipsUnknownFields(t *testing.T) {
	t.Parallel()
	row := make([]float64, inputs)
	if _, err := layout(t).DecodeJSON(row, []byte(`{"a":{"b":[]},"Income":5,"c":null}`), false); err != nil || row[income] != 5 {
		t.Errorf("row %v, error %v", row, err)
	}
	if _, err := layout(t).DecodeJSON(row, []byte(`{"a":1,"Income":5,"a":2}`), false); err == nil {
		t.Error("an unknown name twice was accepted")
	}
}

func TestFieldErrorsAreFewAndSilentAboutValues(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"Income":"secret","Job":4711`)
	for i := range 100 {
		fmt.Fprintf(&b, `,"%sfield%d":"secret"`, strings.Repeat("ä", 100), i)
	}
	b.WriteString("}")
	_, err := layout(t).DecodeJSON(make([]float64, inputs), []byte(b.String()), true)
	var list bundle.FieldErrors
	if !errors.As(err, &list) || len(list) != bundle.MaxFieldErrors {
		t.Fatalf("%d errors, want %d", len(list), bundle.MaxFieldErrors)
	}
	if s := err.Error(); strings.Contains(s, "secret") || strings.Contains(s, "4711") || len(s) > 3000 {
		t.Errorf("error shows a value or is too long: %s", s)
	}
}

// FuzzDecodeJSON compares with encoding/json: whatever is accepted is valid
// JSON there, and its numbers and texts are the same.
func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{
		`{"Income":129,"Job":"fixed","Records":2.0,"employed_since":"1970-01-02","Owner":true,"Ratio":null,"Age":3,"application":"x"}`,
		`{"Income":1,"x":{"a":[1,2,{"b":"\ud83d\ude00\n"}]}}`, `{"Income":-0.0e-7,"Job":"\u00e4"}`, `{"Income":1,"Income":2}`, `{}`,
		`{"skipped":222E22221,"Income":2}`, // beyond float64, where nobody looks
		// How texts and names are told apart.
		`{"Income":1,"Job":"\ud800"}`, "{\"Income\":1,\"Job\":\"\xff\"}", "{\"Income\":1,\"\xff\":1,\"\xfe\":2}", `{"Income":1,"income":2,"JOB":"x"}`,
		`{"\u0049ncome":1,"Job":"\u0000"}`, `{"Income":1}{"Income":2}`, "\ufeff{\"Income\":1}", `{"Income":1e-400,"Ratio":4.9e-324}`, `{"Income":1,"Job":""}`,
	} {
		f.Add([]byte(s))
	}
	c := lender()
	l, err := bundle.NewLayout(&c)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		agree(t, l, raw)
		row := make([]float64, inputs)
		x, err := l.DecodeJSON(row, raw, false)
		if err != nil {
			var list bundle.FieldErrors
			if !errors.As(err, &list) || len(list) == 0 || len(list) > bundle.MaxFieldErrors {
				t.Fatalf("error %v of type %T", err, err)
			}
			return
		}
		var want map[string]any
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("%q was accepted, encoding/json says %v", raw, err)
		}
		for k, v := range want {
			if n, ok := v.(json.Number); ok {
				if x, err := n.Float64(); err == nil {
					want[k] = x
				}
			}
		}
		if v, ok := want["Income"].(float64); !ok || v != row[income] {
			t.Errorf("Income = %v, encoding/json %v", row[income], want["Income"])
		}
		if v, ok := want["Ratio"].(float64); ok != (row[ratio] == row[ratio]) || ok && v != row[ratio] {
			t.Errorf("Ratio = %v, encoding/json %v", row[ratio], want["Ratio"])
		}
		if v, _ := want["Job"].(string); v != "" {
			got := l.FormatValue(job, row[job])
			if got == bundle.Unseen && len(x.Unseen) > 0 {
				for _, u := range x.Unseen {
					if u.Col == job {
						got = u.Value
					}
				}
			}
			if got != v {
				t.Errorf("Job = %q, encoding/json %q", got, v)
			}
		} else if !math.IsNaN(row[job]) {
			t.Errorf("Job = %v, encoding/json %v", row[job], want["Job"])
		}
	})
}

func BenchmarkDecodeJSON(b *testing.B) {
	l := layout(b)
	raw := []byte(`{"Income":129,"Job":"fixed","Records":"1","employed_since":"1970-01-01T00:00:01Z","Owner":"true","Ratio":-0.5}`)
	row := make([]float64, inputs)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.DecodeJSON(row, raw, true); err != nil {
			b.Fatal(err)
		}
	}
}

// agree fails where DecodeNext reads anything else than strict DecodeJSON.
func agree(t *testing.T, l *bundle.Layout, raw []byte) (quick bool) {
	t.Helper()
	next, row := make([]float64, l.Cols()), make([]float64, l.Cols())
	x, n, ok := l.DecodeNext(next, raw)
	if !ok {
		return false
	}
	want, err := l.DecodeJSON(row, raw[:n], true)
	if err != nil {
		t.Fatalf("%q was read although %v", raw[:n], err)
	}
	for j := range row {
		if math.Float64bits(next[j]) != math.Float64bits(row[j]) {
			t.Fatalf("%q: column %d is %v, want %v", raw[:n], j, next[j], row[j])
		}
	}
	if got, want := fmt.Sprintf("%#v", x), fmt.Sprintf("%#v", want); got != want {
		t.Fatalf("%q: extras %s, want %s", raw[:n], got, want)
	}
	return true
}

// The quick way takes what callers send, and leaves to DecodeJSON what breaks a
// rule.
func TestDecodeNext(t *testing.T) {
	t.Parallel()
	l := layout(t)
	for _, raw := range []string{
		`{"Income":129}`,
		`{"application":"x","Income":129,"Job":"fixed","Records":"1","employed_since":"1970-01-01T00:00:01Z","Owner":"true","Ratio":-0.5,"Age":41} and what follows`,
		" {\t\"Ratio\" : 1E2 ,\r\n\"Income\":0.0 } ",
		`{"\u0049ncome":1,"J\u006fb":"pirate","applied_at":"2024-03-01","Age":3,"Owner":null}`,
		`{"Status":"good","Income":-0}`,
	} {
		if !agree(t, l, []byte(raw)) {
			t.Errorf("%s is not read", raw)
		}
	}
	for _, raw := range []string{
		``, `{`, `[]`, `{}`, `{"Income":1`, `{"Income":1,}`, `{"Income":1 "Age":2}`, `{"Income" 1}`, `{"Income":01}`, `{"Income":1.}`, `{"Income":.1}`, `{"Income":-}`,
		`{"Income":1,"Income":1}`, `{"Income":null}`, `{"Income":"1"}`, `{"Income":-1}`, `{"Income":1e999}`, `{"Income":1,"new":1}`, `{"Income":1,"Job":7}`,
		`{"Income":1,"notes":[]}`, "{\"Income\":1,\"Job\":\"\xff\"}", `{"Income":1,"Job":"\ud800"}`, `{Income:1}`, `{"Income":+1}`, `{"Income":NaN}`,
	} {
		if agree(t, l, []byte(raw)) {
			t.Errorf("%s is read", raw)
		}
	}
}

// A number has the bits of strconv.ParseFloat, however many digits it has.
func TestDecodeNextReadsNumbersToTheBit(t *testing.T) {
	t.Parallel()
	l, err := bundle.NewLayout(&data.Contract{Fields: []data.Field{{Name: "x", Kind: data.Number, Role: data.Feature}}})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + rng.IntN(10))
		}
		return string(b)
	}
	for range 20_000 {
		text := strings.TrimLeft(digits(1+rng.IntN(12)), "0")
		text = []string{"", "-"}[rng.IntN(2)] + cmp.Or(text, "0")
		if rng.IntN(4) > 0 {
			text += "." + digits(1+rng.IntN(20))
		}
		if rng.IntN(8) == 0 {
			text += "e" + strconv.Itoa(rng.IntN(40)-20)
		}
		row := make([]float64, 1)
		if _, _, ok := l.DecodeNext(row, []byte(`{"x":`+text+`}`)); !ok {
			t.Fatalf("%s is not read", text)
		}
		if want, _ := strconv.ParseFloat(text, 64); math.Float64bits(row[0]) != math.Float64bits(want) {
			t.Fatalf("%s is read as %v, want %v", text, row[0], want)
		}
	}
}
