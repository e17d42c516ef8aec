package explore

import (
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
	"github.com/tandem-ml/tandem/science/explore/leak"
)

// leaks asks package leak, and turns what it suspects into alerts.
func leaks(t *data.Table, p *Page, profiles []*data.ColumnProfile, y *labels, secret *secrets) []Alert {
	if y == nil || y.y == nil {
		return nil
	}
	in := leak.Input{Target: p.Target.Name, Y: y.y, Binary: y.task == "binary", Positive: y.positive, Strong: strong, Show: func(column, value string) string { return quote(secret.show(column, value)) }}
	if len(p.Target.Values) == 2 {
		in.Negative = p.Target.Values[0].Value
		if in.Negative == y.positive {
			in.Negative = p.Target.Values[1].Value
		}
	}
	for i, c := range p.Columns {
		if c.Name == p.Target.Name {
			continue
		}
		col := leak.Column{Column: t.Columns[i], Profile: profiles[i], Role: c.Role, Strength: math.NaN()}
		if c.Relation != nil {
			col.Strength = float64(c.Relation.Strength)
		}
		in.Columns = append(in.Columns, col)
	}
	var out []Alert
	for _, f := range leak.Find(in) {
		severity := "medium"
		if f.High {
			severity = "high"
		}
		out = append(out, Alert{Kind: f.Kind, Severity: severity, Column: f.Column, What: f.What, Evidence: f.Evidence, Do: f.Do,
			step: step{exclude: f.Exclude, group: f.Group, time: f.Time}})
	}
	for _, i := range p.Interactions {
		if i.Both > 0.9 {
			out = append(out, Alert{Kind: "parts", Severity: "high", Column: i.A, What: quote(i.A) + " and " + quote(i.B) + " together give the target",
				Evidence: "their combinations explain " + chart.Percent(float64(i.Both)) + " of its variance", Do: "leave both out if they are recorded together with the target", step: step{exclude: i.A}})
		}
	}
	for _, c := range p.Columns {
		if c.Text == nil {
			continue
		}
		for _, term := range c.Text.Terms {
			rate, share := float64(term.Rate), float64(y.base)
			if !term.Positive {
				rate, share = 1-rate, 1-share
			}
			// The rows with the term against all rows of the class.
			if covered := float64(term.Rows) * rate / max(share*float64(c.Text.Rows), 1); rate >= 0.97 && covered >= 0.3 && share <= 0.9 && term.Rows >= 30 {
				out = append(out, Alert{Kind: "text_tells", Severity: "high", Column: c.Name, What: "A word in " + quote(c.Name) + " gives the target away",
					Evidence: fmt.Sprintf("of the %s with the word %s %s are of one class, of all rows %s", plural(int64(term.Rows), "text"), quote(term.Token), chart.Percent(rate), chart.Percent(share)),
					Do:       "read some of the texts; if they were written once the outcome was known, leave them out", step: step{exclude: c.Name}})
				break
			}
		}
	}
	return out
}

// moreAlerts are those on privacy, outliers, drift and groups of rows.
func moreAlerts(p *Page) []Alert {
	var out []Alert
	for _, c := range p.Columns {
		if f := c.Personal; f != nil {
			evidence := chart.Percent(f.Share) + " of the values looked at have the form"
			switch {
			case f.Share == 0:
				evidence = "its name says so"
			case f.Within:
				evidence = chart.Percent(f.Share) + " of the texts looked at hold some"
			case f.ByName:
				evidence += ", and its name says so too"
			}
			out = append(out, Alert{Kind: "personal", Severity: "medium", Column: c.Name, What: quote(c.Name) + " holds " + f.What, Evidence: evidence,
				Do: "keep it out of the model unless it must be there; values are masked on this page", step: step{exclude: c.Name}})
		}
		if o := c.Outliers; o != nil && c.Number != nil && c.Role != data.Target {
			if n := float64(o.Robust); n > 0 && float64(c.Number.Skew) > 20 || float64(c.Number.Skew) < -20 {
				out = append(out, Alert{Kind: "outliers", Severity: "low", Column: c.Name, What: quote(c.Name) + " has values far from all others",
					Evidence: fmt.Sprintf("%s from the median by over 3.5 robust standard deviations; the greatest is %s", plural(int64(max(n, 0)), "value"), chart.Short(float64(c.Number.Max))),
					Do:       "look at the outermost ones: a unit, a sign or a comma that went wrong? Trees do not mind them, linear models do",
					step:     step{clean: []clean.Step{{Column: c.Name, Repair: data.Repair{Op: "flag"}, Outliers: "mad"}}}})
			}
		}
		if d := c.Drift; d != nil && d.Shifted {
			severity, what := "low", "last"
			if c.Role == data.Target {
				severity = "medium"
			}
			order := "in the order of the file"
			if p.Time != nil && p.Time.Column != "" {
				order = "by " + quote(p.Time.Column)
			}
			out = append(out, Alert{Kind: "drift", Severity: severity, Column: c.Name, What: quote(c.Name) + " changes from the first rows to the " + what,
				Evidence: fmt.Sprintf("%s of the last %s from the first, %s: %s", map[string]string{"wasserstein": "Wasserstein distance", "js": "Jensen-Shannon distance"}[d.Measure], plural(int64(p.Time.Part), "row"), order, chart.Fixed(float64(d.Distance))),
				Do:       "if rows come in time, name the time, so that models are judged on the newest rows", step: step{time: p.Time.Column}})
		}
	}
	told := 0
	for _, q := range p.Associations.Pairs {
		if s := math.Abs(float64(q.Strength)); s >= 0.9 && s < copyRank && told < 10 && (p.Target == nil || q.A != p.Target.Name && q.B != p.Target.Name) {
			told++
			out = append(out, Alert{Kind: "associated", Severity: "low", Column: q.B, What: quote(q.B) + " goes with " + quote(q.A), Evidence: measures[q.Measure] + " " + chart.Fixed(float64(q.Strength)),
				Do: "nothing for trees; in a linear model their weights are not to be read one by one"})
		}
	}
	g := p.Groups
	rows := max(p.Overview.Rows, 1)
	if g.NearDuplicates*200 > rows {
		out = append(out, Alert{Kind: "near_duplicates", Severity: "low", What: "Rows are nearly equal", Evidence: fmt.Sprintf("%s (%s) equal an earlier one but for case, spaces and the last digits", plural(int64(g.NearDuplicates), "row"), chart.Percent(float64(g.NearDuplicates)/float64(rows))),
			Do: "if they are records of one thing, keep them on one side of the split with data.group"})
	}
	if g.Conflicts*100 > rows {
		out = append(out, Alert{Kind: "conflicts", Severity: "low", What: "Equal rows have different targets", Evidence: fmt.Sprintf("%s (%s) equal an earlier one in all but the target", plural(int64(g.Conflicts), "row"), chart.Percent(float64(g.Conflicts)/float64(rows))),
			Do: "no model can tell them apart; find out what does"})
	}
	if g.Overlap > 0 {
		out = append(out, Alert{Kind: "split_overlap", Severity: "high", What: "Rows stand on both sides of " + quote(g.Split), Evidence: plural(int64(g.Overlap), "row") + " of the smaller parts occur in the largest",
			Do: "take them out of one side: a model judged on rows that it has seen looks better than it is"})
	}
	return out
}
