package serve_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// grades has the margins x, 2y and 1 for the classes high, low and middle.
func grades(t *testing.T) *bundle.Bundle {
	t.Helper()
	c := data.Contract{Fields: []data.Field{
		{Name: "x", Kind: data.Number, Role: data.Feature, Required: true}, {Name: "y", Kind: data.Number, Role: data.Feature, Required: true},
		{Name: "grade", Kind: data.Category, Role: data.Target, Categories: []string{"high", "low", "middle"}},
	}}
	m := bundle.Model{Contract: c, Calibration: bundle.Calibration{Method: "softmax"}, Decision: bundle.Decision{Classes: []string{"high", "low", "middle"}}}
	for class, l := range []linear.Model{{Weight: []float64{1, 0}}, {Weight: []float64{0, 2}}, {Weight: []float64{0, 0}, Intercept: 1}} {
		l.Mean = []float64{0, 0}
		plan := step.Plan{{Name: "x", Op: step.Standard, Scale: 1, Low: -1e9, High: 1e9}, {Name: "y", Input: 1, Op: step.Standard, Scale: 1, Low: -1e9, High: 1e9}}
		m.Members = append(m.Members, bundle.Member{Learner: "logistic", Weight: 1, Output: class, Plan: plan, Linear: &l})
	}
	ready, err := bundle.NewModel(m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.New(bundle.Bundle{Manifest: bundle.Manifest{Producer: "test", Name: "grades", Task: bundle.Multiclass, Target: "grade", Reasons: 4},
		Model: *ready, Tests: ready.TestRows(bundle.Rows{N: 1, Cols: 2, Data: []float64{1, 1}})})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSeveralClasses(t *testing.T) {
	t.Parallel()
	s := serve.New(serve.Options{Log: openLog(t)})
	s.Swap(serve.Model{Project: "grades", Version: "1", Bundle: grades(t)})
	for _, rows := range []string{`{"x":3,"y":0.5}`, `{"x":3,"y":0.5},{"x":0,"y":-1}`} { // alone and among others
		got := read[struct {
			Results []struct {
				ID       string
				Score    float64
				Decision string
				Scores   map[string]float64
				Reasons  []reason
			}
		}](t, ask(t, s.Handler(), "POST", "/v1/score/grades", `{"rows":[`+rows+`]}`), 200).Results[0]
		sum := math.Exp(3) + 2*math.Exp(1)
		for class, want := range map[string]float64{"high": math.Exp(3) / sum, "low": math.E / sum, "middle": math.E / sum} {
			if math.Abs(got.Scores[class]-want) > 1e-15 {
				t.Errorf("class %s has %v, want %v", class, got.Scores[class], want)
			}
		}
		if got.Decision != "high" || got.Score != got.Scores["high"] {
			t.Errorf("%+v, want high", got)
		}
		if len(got.Reasons) != 1 || got.Reasons[0].Column != "x" || got.Reasons[0].Contribution != 3 {
			t.Errorf("reasons %+v, want x alone", got.Reasons)
		}
		again := read[struct {
			Decision string
			Replay   struct{ Equal bool }
		}](t, ask(t, s.Handler(), "GET", "/v1/decisions/"+got.ID+"?replay=true", ""), 200)
		if !again.Replay.Equal || again.Decision != "high" {
			t.Errorf("replayed as %+v", again)
		}
		outcome := fmt.Sprintf(`{"outcomes":[{"decision":%q,"value":"middle"}]}`, got.ID)
		if a := ask(t, s.Handler(), "POST", "/v1/outcomes/grades", outcome); a.status != 200 {
			t.Errorf("outcome: %d %s", a.status, a.body)
		}
		outcome = fmt.Sprintf(`{"outcomes":[{"decision":%q,"value":"best"}]}`, got.ID)
		if a := ask(t, s.Handler(), "POST", "/v1/outcomes/grades", outcome); a.status != 400 {
			t.Errorf("outcome of no class: %d %s", a.status, a.body)
		}
	}
	p := read[struct{ Predictions [][]float64 }](t, ask(t, s.Handler(), "POST", "/invocations", `{"instances":[[3,0.5],[0,-1]]}`), 200).Predictions
	if len(p) != 2 || len(p[1]) != 3 || !(p[1][2] > p[1][0] && p[1][0] > p[1][1]) {
		t.Errorf("predictions %v", p)
	}
}
