package serve

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
)

// CompareReaders reads a score request both ways. It returns whether the quick
// one took it and how that differs from the strict one, "" if it does not.
func CompareReaders(b *bundle.Bundle, body []byte, most int) (quick bool, difference string) {
	m := &Model{Bundle: b}
	got, gotRows, gotInputs, quick := quickScore(m, body, most)
	if !quick {
		return false, ""
	}
	if err := checkJSON(body); err != nil {
		return true, fmt.Sprintf("the body %v", err)
	}
	want, err := decodeScore(body, most)
	if err != nil {
		return true, err.Error()
	}
	wantRows, wantInputs, err := decodeRows(m, want.rows, true)
	if err != nil {
		return true, err.Error()
	}
	if got.id != want.id || got.silent != want.silent || gotRows.N != wantRows.N || gotRows.Cols != wantRows.Cols {
		return true, fmt.Sprintf("%+v and %d rows, want %+v and %d rows", got, gotRows.N, want, wantRows.N)
	}
	for i := range wantRows.Data {
		if math.Float64bits(gotRows.Data[i]) != math.Float64bits(wantRows.Data[i]) {
			return true, fmt.Sprintf("value %d is %v, want %v", i, gotRows.Data[i], wantRows.Data[i])
		}
	}
	if got, want := fmt.Sprintf("%#v", gotInputs), fmt.Sprintf("%#v", wantInputs); got != want {
		return true, got + ", want " + want
	}
	return true, ""
}

// An answer has the bytes that package encoding/json gives it.
func TestAnswerIsEncodingJSONs(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	texts := []string{"", "bad", "Income: 80", `a "quoted" \ text`, "<b>&amp;</b>", "über 1 000 €", "line\nend\ttab\x00\x7f", "\u2028 and \u2029", "no UTF-8 \xff\xc0", "\U0001f600", "\ufffd"}
	text := func() string { return texts[rng.IntN(len(texts))] }
	number := func() float64 {
		switch rng.IntN(4) {
		case 0:
			return []float64{0, math.Copysign(0, -1), 1, -1, 1e-6, 9.99e-7, 1e-7, -1e-9, 1e-10, 1e-100, 1e20, 1e21, -1e21, 1e22, 1e100, 5e-324, math.MaxFloat64}[rng.IntN(17)]
		case 1:
			for {
				if x := math.Float64frombits(rng.Uint64()); !math.IsNaN(x) && !math.IsInf(x, 0) {
					return x
				}
			}
		}
		return rng.NormFloat64()
	}
	for range 2000 {
		a := &scoreAnswer{Model: text(), Bundle: text(), Results: make([]result, rng.IntN(4))}
		for i := range a.Results {
			r := &a.Results[i]
			*r = result{ID: text(), Score: number(), Decision: text()}
			if rng.IntN(3) == 0 {
				r.Scores = map[string]float64{text(): number(), "good": number()}
			}
			if rng.IntN(4) > 0 {
				r.Reasons = make([]bundle.Reason, rng.IntN(4))
			}
			for k := range r.Reasons {
				r.Reasons[k] = bundle.Reason{Column: text(), Value: []any{nil, number(), text(), true}[rng.IntN(4)], Contribution: number(), Text: text()}
			}
		}
		want, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.appendTo(nil); string(got) != string(want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}
