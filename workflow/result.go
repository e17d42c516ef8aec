package workflow

import (
	"fmt"
	"sort"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/tune"
)

// TrainResult is what a training prints as JSON. Metrics of the other task are
// left out.
type TrainResult struct {
	Task        bundle.Task        `json:"task"`
	Metric      string             `json:"metric"`
	Model       string             `json:"model"`  // the chosen row of the leaderboard
	Bundle      string             `json:"bundle"` // the bundle's id
	Seconds     float64            `json:"seconds"`
	Complete    bool               `json:"complete"` // false: the budget cut the search
	Holdout     map[string]any     `json:"holdout"`
	Baseline    map[string]float64 `json:"baseline"`
	Leaderboard []LeaderboardLine  `json:"leaderboard"`
}

// LeaderboardLine is a candidate as it is printed: out-of-fold results and the
// time it took.
type LeaderboardLine struct {
	bundle.LeaderboardRow
	Seconds float64 `json:"seconds"`
	Note    string  `json:"note,omitempty"` // what a reader should know of it
}

func lines(rows []tune.Row) []LeaderboardLine {
	out := make([]LeaderboardLine, len(rows))
	for i, r := range rows {
		out[i] = LeaderboardLine{r.LeaderboardRow, r.Seconds, r.Note}
	}
	return out
}

// holdoutJSON puts measures, threshold and confusion side by side.
func holdoutJSON(rows int, measures map[string]bundle.Measure, threshold float64, confusion *bundle.Confusion) map[string]any {
	out := map[string]any{"rows": rows}
	for name, m := range measures {
		out[name] = m
	}
	if confusion != nil {
		out["threshold"] = threshold
		out["confusion"] = confusion
	}
	return out
}

// JSON returns the training's result as it is printed.
func (t *Training) JSON() TrainResult {
	return TrainResult{
		Task: t.Bundle.Manifest.Task, Metric: t.Facts.Metric, Model: t.Facts.Chosen, Bundle: t.Bundle.ID(),
		Seconds: t.Seconds, Complete: t.Facts.Complete,
		Holdout:  holdoutJSON(t.Eval.Rows, t.Eval.Facts.Measures, t.Bundle.Decision.Threshold, t.Eval.Facts.Confusion),
		Baseline: t.Eval.Baseline, Leaderboard: t.Facts.Leaderboard,
	}
}

// RunResult is what a run prints as JSON: a training's result, and where
// everything is.
type RunResult struct {
	TrainResult
	Name   string        `json:"name"`
	File   string        `json:"file"` // the bundle
	Out    string        `json:"out"`  // the folder of pages and reports
	Stages []string      `json:"stages"`
	Ran    []string      `json:"ran"` // stages that were not unchanged
	Gates  []bundle.Gate `json:"gates,omitempty"`
}

// JSON returns the run's result as it is printed.
func (r *Run) JSON() RunResult {
	c := r.Bundle.Card
	ran := r.Ran
	if ran == nil {
		ran = []string{}
	}
	return RunResult{
		TrainResult: TrainResult{
			Task: c.Task, Metric: c.Metric, Model: c.Chosen, Bundle: r.Bundle.ID(), Seconds: r.Seconds, Complete: r.Trained.Complete,
			Holdout:  holdoutJSON(c.Split.Holdout, c.Holdout, c.Threshold, c.Confusion),
			Baseline: c.Baseline, Leaderboard: r.Trained.Leaderboard,
		},
		Name: r.Project.Name, File: r.Path, Out: r.Out, Stages: r.Stages, Ran: ran, Gates: c.Gates,
	}
}

// Text returns the run's result for a person.
func (r *Run) Text() string {
	var b strings.Builder
	b.WriteString(cardText(r.Bundle.Card, r.Trained.Leaderboard))
	for _, g := range r.Bundle.Card.Gates {
		mark := "held"
		if !g.Held {
			mark = "DID NOT HOLD"
		}
		fmt.Fprintf(&b, "gate %s %s: %s (%.4f)\n", g.Metric, g.Rule, mark, g.Value)
	}
	if len(r.Ran) == 0 {
		b.WriteString("nothing has changed since the last run, so nothing was done\n")
	}
	fmt.Fprintf(&b, "bundle  %s\n        id %s\npages   %s/report.html  %s/explore.html", r.Path, r.Bundle.ID(), r.Out, r.Out)
	return b.String()
}

// Text returns the training's result for a person.
func (t *Training) Text() string {
	return strings.TrimSuffix(cardText(t.Bundle.Card, t.Facts.Leaderboard)+fmt.Sprintf("bundle id %s", t.Bundle.ID()), "\n")
}

// measureNames orders the measures of both tasks for a person.
var measureNames = []struct{ key, text string }{
	{"auc", "AUC"}, {"accuracy", "accuracy"}, {"log_loss", "log loss"}, {"brier", "Brier score"}, {"ks", "KS"},
	{"calibration_error", "calibration error"}, {"rmse", "RMSE"}, {"mae", "MAE"}, {"r2", "R2"},
}

func measuresText(b *strings.Builder, measures map[string]bundle.Measure, baseline map[string]float64) {
	for _, n := range measureNames {
		m, ok := measures[n.key]
		if !ok {
			continue
		}
		fmt.Fprintf(b, "  %-18s %8.4f   %.4f to %.4f", n.text, m.Value, m.Low, m.High)
		if base, ok := baseline[n.key]; ok {
			fmt.Fprintf(b, "   (baseline %.4f)", base)
		}
		b.WriteString("\n")
	}
}

// shownRows is how many rows of a leaderboard are printed; the report has all.
const shownRows = 8

// cardText is the summary that run and train print.
func cardText(c bundle.Card, board []LeaderboardLine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nleaderboard of %d candidates, out of fold on %d training rows\n", len(board), c.Split.Train)
	for i, r := range board {
		if i >= shownRows && r.Learner != c.Chosen && i != len(board)-1 {
			continue
		}
		mark := " "
		if r.Learner == c.Chosen {
			mark = "*"
		}
		if r.AUC != nil && r.LogLoss != nil {
			sd := 0.0
			if r.AUCSD != nil {
				sd = *r.AUCSD
			}
			fmt.Fprintf(&b, "%s %-22s AUC %.4f (sd %.4f)   log loss %.4f   %5.1f s\n", mark, r.Learner, *r.AUC, sd, *r.LogLoss, r.Seconds)
		} else if r.RMSE != nil && r.MAE != nil {
			fmt.Fprintf(&b, "%s %-22s RMSE %.5g   MAE %.5g   %5.1f s\n", mark, r.Learner, *r.RMSE, *r.MAE, r.Seconds)
		}
	}
	fmt.Fprintf(&b, "\n%s on %d rows it has never seen (%s split), with 95%% intervals\n", c.Chosen, c.Split.Holdout, c.Split.Method)
	measuresText(&b, c.Holdout, c.Baseline)
	if c.Confusion != nil {
		fmt.Fprintf(&b, "  at threshold %.4f: %d of %d %q caught, %d of %d others flagged\n", c.Threshold,
			c.Confusion.TP, c.Confusion.TP+c.Confusion.FN, c.Positive, c.Confusion.FP, c.Confusion.FP+c.Confusion.TN)
	}
	if len(c.Importance) > 0 {
		names := make([]string, 0, 5)
		for _, x := range c.Importance[:min(5, len(c.Importance))] {
			names = append(names, x.Column)
		}
		fmt.Fprintf(&b, "  rests most on %s\n", strings.Join(names, ", "))
	}
	b.WriteString("\n")
	return b.String()
}

// EvaluationJSON returns an evaluation as it is printed.
func EvaluationJSON(b *bundle.Bundle, ev *Evaluation) any {
	return map[string]any{
		"task": b.Manifest.Task, "bundle": b.ID(), "baseline": ev.Baseline,
		"holdout": holdoutJSON(ev.Rows, ev.Facts.Measures, b.Decision.Threshold, ev.Facts.Confusion),
	}
}

// EvaluationText returns an evaluation for a person.
func EvaluationText(b *bundle.Bundle, ev *Evaluation) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d rows, with 95%% intervals\n", ev.Rows)
	measuresText(&s, ev.Facts.Measures, ev.Baseline)
	if c := ev.Facts.Confusion; c != nil {
		fmt.Fprintf(&s, "  at threshold %.4f: %d of %d %q caught, %d of %d others flagged\n", b.Decision.Threshold,
			c.TP, c.TP+c.FN, b.Decision.Positive, c.FP, c.FP+c.TN)
	}
	return strings.TrimSuffix(s.String(), "\n")
}

// meanAbs sorts columns by their mean absolute contribution.
func meanAbs(fields []data.Field, sum []float64, rows int) []bundle.Importance {
	out := make([]bundle.Importance, len(fields))
	for i, f := range fields {
		out[i] = bundle.Importance{Column: f.Name, MeanAbs: sum[i] / float64(max(rows, 1))}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].MeanAbs > out[j].MeanAbs })
	return out
}
