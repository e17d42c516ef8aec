package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/chart"
)

// Markdown writes the report as GitHub-flavoured Markdown: the same sentences
// and tables as the page, without the charts. Text from the data is escaped,
// so that a column called "*" or "<b>" is shown and not obeyed.
func (r *Report) Markdown(w io.Writer) error {
	d := &markdown{}
	d.put("# %s\n\nModel report. %s.\n\n%s", r.Name, r.Subtitle, r.Verdict)
	if len(r.Figures) > 0 {
		d.table("figure", "value", "beside")
		for _, f := range r.Figures {
			d.row(f.Name, f.Text, f.Beside)
		}
	}
	d.decisions(r)
	d.put("## How good it is")
	if len(r.Measures) == 0 {
		d.put("The model was not evaluated on held-out rows.")
	} else {
		d.put("On the holdout: rows that took no part in training, calibration or the choice of the threshold.")
		d.table("metric", "value", "95% interval", "without a model", "better")
		for _, m := range r.Measures {
			d.row(m.Name, metricOf(m.Metric).text(m.Value), intervalOf(m), baselineOf(m), m.Better)
		}
	}
	d.model(r)
	d.put("## Data")
	for _, f := range r.Data {
		d.item("%s: %s", f.Name, f.Text)
	}
	d.put("## Limits found by the run")
	if len(r.Limits) == 0 {
		d.put("The run's own checks found none. They do not replace a validation by people who did not build the model.")
	}
	for _, l := range r.Limits {
		d.item("**%s** (%s): %s. %s", l.What, l.Severity, l.Evidence, whatToDo(l))
	}
	if len(r.Gates) > 0 {
		d.put("## Gates")
		d.table("gate", "rule", "value", "result")
		for _, g := range r.Gates {
			result := "not held"
			if g.Held {
				result = "held"
			}
			m := metricOf(g.Metric)
			d.row(m.name, g.Rule, m.text(g.Value), result)
		}
	}
	d.put("## Model card")
	for _, s := range r.Card {
		d.put("### %s", s.Heading)
		for _, line := range s.Lines {
			d.item("%s", line)
		}
	}
	d.b.WriteString("\n")
	if _, err := io.WriteString(w, d.b.String()); err != nil {
		return fmt.Errorf("write report of %q as Markdown: %w", r.Name, err)
	}
	return nil
}

func whatToDo(l Limit) string {
	if l.Do == "" {
		return ""
	}
	return "What to do: " + l.Do + "."
}

func (d *markdown) decisions(r *Report) {
	if r.Decisions == nil {
		return
	}
	d.put("## What it does when it decides")
	for _, s := range r.Decisions.Sentences {
		d.item("%s", s)
	}
	k := r.Decisions.Confusion
	d.table(strconv.Itoa(r.Decisions.Rows)+" held-out rows", "called "+r.Positive, "called "+r.Negative)
	d.row("is "+r.Positive, chart.Count(int64(k.TP))+" caught", chart.Count(int64(k.FN))+" missed")
	d.row("is "+r.Negative, chart.Count(int64(k.FP))+" false alarms", chart.Count(int64(k.TN))+" right")
}

// model writes the candidates, the importance and the hypotheses.
func (d *markdown) model(r *Report) {
	if len(r.Leaderboard) > 0 {
		d.put("## Candidates tried")
		d.put("Judged by cross-validation on the training rows; best first.")
		first, second := "AUC", "log loss"
		if r.Positive == "" {
			first, second = "RMSE", "MAE"
		}
		d.table("candidate", first, "SD", second, "settings")
		for _, c := range r.Leaderboard {
			name := c.Learner
			if c.Chosen {
				name += " (chosen)"
			}
			d.row(name, c.Value, c.Spread, c.Other, c.Params)
		}
	}
	if len(r.Importance) > 0 {
		d.put("## What it rests on")
		d.put("The loss on the holdout when a column's values are shuffled.")
		d.table("column", "loss", "SD", "mean absolute contribution")
		for _, i := range r.Importance {
			d.row(i.Column, chart.Short(i.Drop), chart.Short(i.SD), chart.Short(i.MeanAbs))
		}
	}
	if len(r.Hypotheses) > 0 {
		d.put("## Questions tested")
		for _, h := range r.Hypotheses {
			d.put("### %s", h.Question)
			d.put("%s", h.Sentence)
			d.put("%s, %s rows: statistic %s, p %s, corrected %s. %s %s (95%% interval %s to %s). %s", h.Test, chart.Count(int64(h.Rows)),
				chart.Short(h.Statistic), pValue(h.P), pValue(h.PCorrected), h.EffectName, chart.Fixed(h.Effect), chart.Fixed(h.EffectLow), chart.Fixed(h.EffectHigh), h.Why)
			for _, e := range h.Estimates {
				d.item("%s: %s (95%% interval %s to %s)", e.Name, chart.Short(e.Value), chart.Short(e.Low), chart.Short(e.High))
			}
			for _, c := range h.Checks {
				held := "holds"
				if !c.Holds {
					held = "does not hold"
				}
				d.item("Checked: %s: %s (%s)", c.Name, c.Found, held)
			}
			for _, n := range h.NotTaken {
				d.item("Not %s: %s", n.Test, n.Why)
			}
			for _, text := range h.Changes {
				d.item("%s", text)
			}
		}
	}
}

// markdown writes blocks separated by one empty line.
type markdown struct {
	b    strings.Builder
	last string // kind of the block before: "item" and "row" stay together
}

func (d *markdown) start(kind string) {
	switch {
	case d.b.Len() == 0:
	case kind != "block" && kind == d.last:
		d.b.WriteString("\n")
	default:
		d.b.WriteString("\n\n")
	}
	d.last = kind
}

// put writes a block; the arguments are escaped, the format is not.
func (d *markdown) put(format string, args ...string) {
	d.start("block")
	d.b.WriteString(strings.TrimRight(fmt.Sprintf(format, escaped(args)...), " "))
}

func (d *markdown) item(format string, args ...string) {
	d.start("item")
	d.b.WriteString("- " + strings.TrimRight(fmt.Sprintf(format, escaped(args)...), " "))
}

func (d *markdown) table(heads ...string) {
	d.start("block")
	d.last = "row"
	for _, h := range heads {
		d.b.WriteString("| " + escape(h) + " ")
	}
	d.b.WriteString("|\n" + strings.Repeat("| --- ", len(heads)) + "|")
}

func (d *markdown) row(cells ...string) {
	d.start("row")
	for _, c := range cells {
		d.b.WriteString("| " + escape(c) + " ")
	}
	d.b.WriteString("|")
}

func escaped(args []string) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = escape(a)
	}
	return out
}

var escaper = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "|", `\|`, "#", `\#`, "~", `\~`, "&", `\&`)

func escape(s string) string { return escaper.Replace(chart.Clean(s, 2000)) }
