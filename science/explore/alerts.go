package explore

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
)

// Alert is something worth a person's look: what it is, the figure that shows
// it, and what to do.
type Alert struct {
	// Kind is one of leakage, very_strong, target, missing_predicts_target, few_rows,
	// near_copy, duplicates, near_duplicates, split_overlap, infinite, mostly_missing,
	// identifier, high_cardinality, spellings, imbalance, all_missing, constant, nearly_constant,
	// protected, personal, outliers, associated, conflicts, drift, text_tells, or one of package leak's.
	Kind     string `json:"kind"`
	Severity string `json:"severity"` // "high", "medium" or "low"
	Column   string `json:"column,omitempty"`
	What     string `json:"what"`
	Evidence string `json:"evidence"`
	Do       string `json:"do"`
	// Step is the text to add to tandem.yaml, "" where no setting is the cure.
	Step string `json:"step,omitempty"`
	step step
}

// Sentence returns the alert as one sentence for a model's card.
func (a Alert) Sentence() string { return a.What + ": " + a.Evidence + "." }

// The figures from which on something is an alert.
const (
	leakAUC         = 0.99
	leakCorrelation = 0.995
	strong          = 0.95 // AUC or correlation that is worth a question
	leakClass       = 20   // rows of each class that a leakage alert needs
	mostly          = 0.5
	nearlyAll       = 0.99 // of the values are one
	manyValues      = 100  // distinct categories
	imbalanced      = 0.10 // share of the rarer class: note it
	veryImbalanced  = 0.01 // a warning
	fewRows         = 200
	missingZ        = 4.0  // standard errors: p < 0.0001, so that a hundred columns give no false alarm
	missingGap      = 0.05 // and the rates must differ by so much, or by half of the lesser
)

var ranks = map[string]int{"high": 0, "medium": 1, "low": 2}

// alerts returns all alerts, by severity, then in the order of their checks,
// then in table order.
func alerts(t *data.Table, p *Page, copies []nearCopy, leaks []Alert, show func(column, value string) string) []Alert {
	var out []Alert
	out = append(out, leaks...)
	out = append(out, tableAlerts(p)...)
	if p.Target != nil {
		out = append(out, targetAlerts(p.Target)...)
	}
	usable := func(f func(Column) *Alert) {
		for _, c := range p.Columns {
			if a := f(c); a != nil {
				a.Column = c.Name
				out = append(out, *a)
			}
		}
	}
	usable(func(c Column) *Alert { return tells(c, p.Target) })
	usable(func(c Column) *Alert { return missingTells(c, p.Target) })
	for _, c := range copies {
		out = append(out, Alert{Kind: "near_copy", Severity: "medium", Column: c.column, What: quote(c.column) + " is nearly a copy of " + quote(c.of), Evidence: c.evidence,
			Do: "leave one of the two out; together they share their importance and hide it", step: step{exclude: c.column}})
	}
	for i, c := range p.Columns {
		out = append(out, columnAlerts(t.Columns[i], c, show)...)
	}
	out = append(out, moreAlerts(p)...)
	slices.SortStableFunc(out, func(a, b Alert) int { return ranks[a.Severity] - ranks[b.Severity] })
	for i := range out {
		out[i].Step = out[i].step.yaml()
	}
	return out
}

func quote(name string) string { return chart.Clean(name, 60) }

func tableAlerts(p *Page) []Alert {
	var out []Alert
	o := p.Overview
	if o.Rows < fewRows {
		out = append(out, Alert{Kind: "few_rows", Severity: "medium", What: "The table is small", Evidence: plural(int64(o.Rows), "row"),
			Do: "treat every figure as a rough one; a model needs some hundred rows of each outcome"})
	}
	if o.Duplicates > 0 {
		severity := "low"
		if o.Duplicates*100 >= o.Rows {
			severity = "medium"
		}
		out = append(out, Alert{Kind: "duplicates", Severity: severity, What: "Rows occur more than once",
			Evidence: fmt.Sprintf("%s of %s rows (%s) equal an earlier one", chart.Count(int64(o.Duplicates)), chart.Count(int64(o.Rows)), chart.Percent(float64(o.Duplicates)/float64(o.Rows))),
			Do:       "find out whether they are repeated records; equal rows in training and holdout make a model look better than it is",
			step:     step{clean: []clean.Step{{Repair: data.Repair{Op: "duplicates"}}}}})
	}
	return out
}

func targetAlerts(t *Target) []Alert {
	var out []Alert
	add := func(kind, severity, what, evidence, do string) {
		out = append(out, Alert{Kind: kind, Severity: severity, Column: t.Name, What: what, Evidence: evidence, Do: do})
	}
	name := quote(t.Name)
	switch {
	case t.Known == 0:
		add("target", "high", "The target "+name+" is missing everywhere", "no row has a value", "name another column as the target")
		return out
	case t.Task == "none" && len(t.Values) == 1:
		add("target", "high", "The target "+name+" has one value only", "every row says "+quote(t.Values[0].Value), "name another column as the target, or add rows with the other outcome")
	case t.Task == "none":
		add("target", "medium", "The target "+name+" has several classes", "more than two values", "give the positive value to explore it against all others")
	case t.Task == "binary":
		rare := min(float64(t.Rate), 1-float64(t.Rate))
		if rare == 0 {
			add("target", "high", "The target "+name+" has one class only", "every known row is on one side", "add rows with the other outcome")
		} else if rare < imbalanced {
			severity := "low"
			if rare < veryImbalanced {
				severity = "medium"
			}
			n := int64(math.Round(rare * float64(t.Known)))
			add("imbalance", severity, "One class of "+name+" is rare", fmt.Sprintf("%s of the rows (%s)", chart.Percent(rare), chart.Count(n)),
				fmt.Sprintf("do not judge by accuracy: always naming the larger class is right in %s", chart.Percent(1-rare)))
		}
	}
	if t.Missing > 0 {
		add("target", "medium", "The target "+name+" is missing in some rows", fmt.Sprintf("%s of %s", plural(t.Missing, "row"), chart.Count(t.Missing+int64(t.Known))),
			"such rows are left out; make sure that they are not of a kind of their own (rejected, still open)")
	}
	return out
}

// tells asks about columns that alone say almost all of the target.
func tells(c Column, t *Target) *Alert {
	if c.Relation == nil || t == nil {
		return nil
	}
	s, certain, evidence := float64(c.Relation.Strength), leakCorrelation, "alone it has a "+c.Relation.Measure+" with the target of "
	enough := t.Known >= 2*leakClass
	if c.Relation.Measure == "auc" {
		certain, evidence = leakAUC, "alone it ranks the target with an AUC of "
		enough = math.Round(min(float64(t.Rate), 1-float64(t.Rate))*float64(t.Known)) >= leakClass
	}
	switch {
	case !enough || !(s > strong):
		return nil
	case s > certain:
		return &Alert{Kind: "leakage", Severity: "high", What: quote(c.Name) + " may give the target away", Evidence: evidence + precise(s),
			Do: "find out when it becomes known; if only after the outcome, leave it out", step: step{exclude: c.Name}}
	}
	return &Alert{Kind: "very_strong", Severity: "medium", What: quote(c.Name) + " alone says most of the target", Evidence: evidence + precise(s),
		Do: "make sure that it is known before the outcome and is not computed from it", step: step{exclude: c.Name}}
}

func missingTells(c Column, t *Target) *Alert {
	r := c.Relation
	if r == nil || t == nil || math.Abs(float64(r.MissingZ)) < missingZ {
		return nil
	}
	with, without := float64(r.RatePresent), float64(r.RateMissing)
	gap, text := math.Abs(with-without), chart.Percent
	if t.Task == "regression" {
		text = chart.Short
	} else if gap < missingGap && gap < min(with, without)/2 {
		return nil
	}
	return &Alert{Kind: "missing_predicts_target", Severity: "medium", What: "Whether " + quote(c.Name) + " is missing goes with the target",
		Evidence: fmt.Sprintf("%s where it is missing, %s where it is not", text(without), text(with)),
		Do:       "find out why it is missing; if the outcome decides whether it is recorded, this is leakage"}
}

func columnAlerts(col *data.Column, c Column, show func(column, value string) string) []Alert {
	var out []Alert
	name := quote(c.Name)
	add := func(kind, severity, what, evidence, do string) {
		out = append(out, Alert{Kind: kind, Severity: severity, Column: c.Name, What: what, Evidence: evidence, Do: do})
	}
	if c.Role == data.Protected {
		add("protected", "low", name+" is protected", "named in data.protected", "nothing; it is never scored and never a reason, and serves to check fairness")
	}
	if c.Role == data.Target {
		return out
	}
	if c.Count == 0 {
		if c.Missing > 0 {
			add("all_missing", "low", name+" is empty", "every value is missing", "nothing; it is left out")
		}
		return out
	}
	if n := c.Number; n != nil && n.PosInf+n.NegInf > 0 {
		add("infinite", "medium", name+" holds infinities", fmt.Sprintf("%s, %s of them negative", plural(n.PosInf+n.NegInf, "value"), chart.Count(n.NegInf)),
			"look for a division by zero upstream; trees order them as values, other models see them cut to the range")
	}
	if c.MissingRate > mostly {
		add("mostly_missing", "medium", name+" is mostly missing", chart.Percent(float64(c.MissingRate))+" of the rows", "keep it only if the rows that have it are of a kind you want to know")
	}
	if c.Distinct == 1 && c.Missing == 0 {
		add("constant", "low", name+" has one value only", "every row says "+quote(show(c.Name, firstValue(col))), "nothing; it is left out")
	}
	if share := commonest(c); share >= nearlyAll && share < 1 && c.Role == data.Feature {
		add("nearly_constant", "low", name+" has nearly one value only", chart.Percent(share)+" of the values are the same", "nothing for trees; if the few others matter, look at them by hand")
	}
	if c.Role != data.ID && identifies(col, c) {
		add("identifier", "medium", name+" looks like an identifier", fmt.Sprintf("%s distinct values in %s", chart.Count(c.Distinct), plural(c.Count, "row")),
			"name it as the id, or exclude it: a model would learn rows by heart")
		out[len(out)-1].step = step{id: c.Name}
	} else if col.Kind == data.Category && c.Distinct > manyValues && c.Role == data.Feature {
		add("high_cardinality", "low", name+" has many values", chart.Count(c.Distinct)+" distinct", "group rare values if you can; new ones will come in production")
	}
	if groups := spellings(col, show); len(groups) > 0 {
		add("spellings", "medium", name+" spells values in more than one way", groups[0]+more(len(groups)-1), "make them one, at the source or by a step of cleaning")
		out[len(out)-1].step = merging(col, show)
	}
	return out
}

// commonest returns the share of the most frequent value, of numbers that of 0.
func commonest(c Column) float64 {
	switch {
	case c.Kind == data.Category && len(c.Top) > 0:
		return float64(c.Top[0].Share)
	case c.Number != nil && c.Count > 0:
		return float64(c.Number.Zeros) / float64(c.Count)
	}
	return 0
}

func firstValue(col *data.Column) string {
	for i := range col.Len() {
		if !col.Missing(i) {
			return col.Format(i)
		}
	}
	return ""
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(", and %s", plural(int64(n), "more group"))
}

func plural(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return chart.Count(n) + " " + word + "s"
}

// identifies reports whether every value occurs once and looks given out
// rather than measured: texts and categories that never repeat, and whole
// numbers that never repeat and fill their range, or only rise or only fall.
func identifies(col *data.Column, c Column) bool {
	if c.Count < 20 || float64(c.Distinct) < 0.97*float64(c.Count) { // Distinct is an estimate beyond 1,000
		return false
	}
	switch col.Kind {
	case data.Category, data.Text:
		return col.Kind == data.Category || short(col)
	case data.Number:
		if !c.Number.Whole || c.Number.PosInf+c.Number.NegInf > 0 {
			return false
		}
		if span := float64(c.Number.Max) - float64(c.Number.Min); span < 1.5*float64(c.Count) {
			return true
		}
		return monotone(col.Numbers)
	}
	return false
}

// short reports whether texts are short enough to be keys rather than prose.
func short(col *data.Column) bool {
	total, n := 0, 0
	for _, s := range col.Texts {
		if s != "" {
			total += len(s)
			n++
		}
	}
	return n > 0 && total <= 40*n
}

func monotone(v []float64) bool {
	up, down := true, true
	last := math.NaN()
	for _, x := range v {
		if math.IsNaN(x) {
			continue
		}
		up = up && !(x <= last)
		down = down && !(x >= last)
		if !up && !down {
			return false
		}
		last = x
	}
	return true
}

// spellings returns the values of a category column that differ in case or
// white space alone, each group as `"Yes", "yes "`, in dictionary order.
func spellings(col *data.Column, show func(column, value string) string) []string {
	if col.Kind != data.Category || len(col.Dict) > 10_000 {
		return nil
	}
	groups := map[string][]string{}
	var order []string
	for _, v := range col.Dict {
		key := alike(v)
		if len(groups[key]) == 0 {
			order = append(order, key)
		}
		groups[key] = append(groups[key], fmt.Sprintf("%q", chart.Clean(show(col.Name, v), 40)))
	}
	var out []string
	for _, key := range order {
		if g := groups[key]; len(g) > 1 {
			out = append(out, strings.Join(g[:min(len(g), 4)], ", "))
		}
	}
	return out
}
