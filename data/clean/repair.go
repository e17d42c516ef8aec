package clean

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// Cell is one repaired value. Text is a category's, X a number or a time in
// microseconds since 1970; none of them counts when the value is missing.
type Cell struct {
	Missing bool
	Text    string
	X       float64
}

// Repairer applies the repairs of one column. It is immutable and safe for
// concurrent use.
type Repairer struct {
	kind   data.Kind // of the repaired value
	steps  []compiled
	forget bool // a value may become missing
}

type compiled struct {
	data.Repair
	into map[string]string // merge: spelling -> value
	to   *unit
}

// Compile checks a column's repairs and makes them ready. kind is that of the
// repaired value, as the contract says it. It returns nil for no repairs, and an
// error for one that is not known, contradicts itself or does not give the kind.
func Compile(repairs []data.Repair, kind data.Kind) (*Repairer, error) {
	if len(repairs) == 0 {
		return nil, nil
	}
	r := &Repairer{kind: kind}
	for _, one := range repairs {
		c, err := compile(one)
		if err != nil {
			return nil, err
		}
		if gives := KindOf(one); gives != 0 && gives != kind && !(gives == data.Category && kind == data.Text) {
			return nil, fmt.Errorf("%s gives a %s, and the column is a %s", one.Op, gives, kind)
		}
		if one.Otherwise != "reject" && one.Op != "trim" && one.Op != "merge" {
			r.forget = true
		}
		r.steps = append(r.steps, c)
	}
	return r, r.settled()
}

// settled returns an error if repairing twice is not repairing once, which can
// only be where one merge undoes what another step did, or would have to come
// behind a trim.
func (r *Repairer) settled() error {
	if r.kind == data.Number || r.kind == data.Time {
		return nil
	}
	texts := []string{"true", "false"}
	for i := range r.steps {
		for value, spellings := range r.steps[i].Into {
			texts = append(append(texts, value), spellings...)
		}
	}
	for _, s := range texts { // what a trim makes of these it may have made too late
		texts = append(texts, " "+strings.ReplaceAll(s, " ", "  ")+" ")
	}
	slices.Sort(texts)
	for _, s := range texts {
		once := r.Format(s)
		if again := r.Format(once); again != once {
			return fmt.Errorf("%q becomes %q, and that would become %q: the steps of the column undo one another, or a trim must come first", s, once, again)
		}
	}
	return nil
}

// KindOf returns the kind that a repair gives; 0 if it keeps the column's.
func KindOf(r data.Repair) data.Kind {
	switch r.Op {
	case "number", "units", "bounds":
		return data.Number
	case "time":
		return data.Time
	case "boolean", "merge":
		return data.Category
	}
	return 0
}

func compile(r data.Repair) (compiled, error) {
	c := compiled{Repair: r}
	if r.Otherwise != "" && r.Otherwise != "missing" && r.Otherwise != "reject" {
		return c, fmt.Errorf("%s: otherwise is %q, and may be missing or reject", r.Op, r.Otherwise)
	}
	if r.Decimal != "" && r.Decimal != "." && r.Decimal != "," {
		return c, fmt.Errorf("%s: decimal is %q, and may be \".\" or \",\"", r.Op, r.Decimal)
	}
	switch r.Op {
	case "trim", "number", "boolean":
	case "merge":
		if len(r.Into) == 0 {
			return c, fmt.Errorf("merge: no spellings are given")
		}
		c.into = map[string]string{}
		for value, spellings := range r.Into {
			if value == "" {
				return c, fmt.Errorf("merge: the value that others become is empty")
			}
			for _, s := range spellings {
				if s == value {
					continue
				}
				if _, chain := r.Into[s]; chain {
					return c, fmt.Errorf("merge: %q is both a spelling of %q and a value that others become", s, value)
				}
				if other, twice := c.into[s]; twice && other != value {
					return c, fmt.Errorf("merge: %q would become both %q and %q", s, min(value, other), max(value, other))
				}
				c.into[s] = value
			}
		}
	case "units":
		if c.to = unitNamed(r.To); c.to == nil {
			return c, fmt.Errorf("units: %q is not a unit that is known; they are %s", r.To, unitList())
		}
	case "time":
		switch r.Form {
		case "dmy", "mdy", "ymd":
		default:
			return c, fmt.Errorf("time: form is %q, and may be dmy, mdy or ymd", r.Form)
		}
	case "bounds":
		switch {
		case r.Min == nil && r.Max == nil:
			return c, fmt.Errorf("bounds: give min, max or both")
		case r.Min != nil && r.Max != nil && !(*r.Min <= *r.Max):
			return c, fmt.Errorf("bounds: min %v is above max %v", *r.Min, *r.Max)
		case r.Min != nil && !finite(*r.Min), r.Max != nil && !finite(*r.Max):
			return c, fmt.Errorf("bounds: min and max must be finite")
		}
	default:
		return c, fmt.Errorf("there is no repair %q", r.Op)
	}
	return c, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Forgets reports whether a value that is there may become missing.
func (r *Repairer) Forgets() bool { return r != nil && r.forget }

// ReadsText reports whether the repairs need the cell as the file writes it:
// false if they are about numbers that are read as such.
func (r *Repairer) ReadsText() bool {
	if r == nil {
		return false
	}
	for i := range r.steps {
		if r.steps[i].Op != "bounds" {
			return true
		}
	}
	return false
}

// Text repairs a value that comes as text. rule says what a value breaks whose
// row is refused ("must be a number"), "" otherwise; the value is not in it. A
// blank text is missing.
func (r *Repairer) Text(s string) (c Cell, rule string) {
	if strings.TrimSpace(s) == "" {
		return Cell{Missing: true}, ""
	}
	c.Text = s
	typed := false // X holds the value
	for i := range r.steps {
		st := &r.steps[i]
		ok := true
		rule := ""
		switch st.Op {
		case "trim":
			if !typed {
				c.Text = strings.Join(strings.Fields(c.Text), " ")
			}
		case "merge":
			if v, is := st.into[c.Text]; is {
				c.Text = v
			} else if x, number := data.ParseNumber(c.Text); number { // 1.0 is spelled 1 where the column was read as numbers
				if v, is := st.into[data.FormatNumber(x)]; is {
					c.Text = v
				}
			}
		case "boolean":
			c.Text, ok = truth(c.Text)
			rule = "must say yes or no"
		case "number":
			if !typed {
				c.X, ok = parseNumber(c.Text, st.Decimal)
				rule, typed = "must be a number", true
			}
		case "units":
			if !typed {
				c.X, ok = quantity(c.Text, st.Decimal, st.to)
				rule, typed = "must be a number, or one with a unit that can be turned into "+st.To, true
			}
		case "time":
			if !typed {
				var us int64
				us, ok = parseTime(c.Text, st.Form)
				c.X = instant(us)
				rule, typed = "must be a time", true
			}
		case "bounds":
			if !typed {
				c.X, ok = data.ParseNumber(strings.TrimSpace(c.Text))
				rule, typed = "must be a number", true
			}
			if ok {
				rule = st.outside(c.X)
				ok = rule == ""
			}
		}
		if !ok {
			if st.Otherwise == "reject" {
				return Cell{Missing: true}, rule
			}
			return Cell{Missing: true}, ""
		}
	}
	if !typed && r.kind == data.Number {
		if c.X, typed = data.ParseNumber(strings.TrimSpace(c.Text)); !typed {
			return Cell{Missing: true}, "must be a number"
		}
	}
	if !typed && r.kind == data.Time {
		us, ok := data.ParseTime(c.Text)
		if !ok {
			return Cell{Missing: true}, "must be a time"
		}
		c.X = instant(us)
	}
	return c, ""
}

// instant returns a time as a float64, which after the year 2255 has not every
// microsecond. The last ones of the year 9999 stay in it: no later time is read.
func instant(us int64) float64 {
	const last = 253402300799999968 // the float64 before the year 10000
	return float64(min(us, last))
}

// Number repairs a value that comes as a number; NaN is missing. Of a category
// it is the text of the number.
func (r *Repairer) Number(x float64) (c Cell, rule string) {
	if x != x {
		return Cell{Missing: true}, ""
	}
	if r.kind != data.Number {
		return r.Text(data.FormatNumber(x))
	}
	for i := range r.steps {
		st := &r.steps[i]
		if st.Op != "bounds" {
			continue // it is a number already, and in the unit that all get
		}
		if rule := st.outside(x); rule != "" {
			if st.Otherwise == "reject" {
				return Cell{Missing: true}, rule
			}
			return Cell{Missing: true}, ""
		}
	}
	return Cell{X: x}, ""
}

// Format repairs a text and writes the result as text again, "" if it is
// missing or refused.
func (r *Repairer) Format(s string) string {
	c, rule := r.Text(s)
	switch {
	case c.Missing || rule != "":
		return ""
	case r.kind == data.Number:
		return data.FormatNumber(c.X)
	case r.kind == data.Time:
		return data.FormatTime(int64(c.X))
	}
	return c.Text
}

func (c *compiled) outside(x float64) string {
	switch {
	case c.Min != nil && x < *c.Min:
		return "must be at least " + data.FormatNumber(*c.Min)
	case c.Max != nil && x > *c.Max:
		return "must be at most " + data.FormatNumber(*c.Max)
	}
	return ""
}
