package data

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Learn makes the contract that a table obeys: the kinds and roles of its
// columns in table order and, for features, what is required and within which
// bounds. p is the table's profile; the table itself is asked only what a
// profile cannot know exactly.
//
// A column without a role in r is a feature, unless it cannot be one: text, a
// single value, no value, or an identifier. Those become Excluded, and Why says
// so. Identifiers are whole-number columns named like one (id, key, number ...)
// whose values never repeat, and categories with more than [MaxTop] values.
//
// r.Target may be "", when there is nothing to predict yet. Every error is
// joined with the others and says what to do: a name in r that is not a column,
// a column with two roles, a target without values, with one value only, of free
// text or of times, a time column without times, and a table in which no feature is left. Rows without a target are
// the caller's to drop.
func Learn(t *Table, p *Profile, r Roles) (Contract, error) {
	roles, err := assign(t, r)
	if err != nil {
		return Contract{}, err
	}
	var c Contract
	var problems []error
	features := 0
	for i, col := range t.Columns {
		f, err := learnField(col, &p.Columns[i], cmp.Or(roles[col.Name], Feature))
		if err != nil {
			problems = append(problems, err)
		}
		if f.Role == Feature {
			features++
		}
		c.Fields = append(c.Fields, f)
	}
	if r.Target != "" && features == 0 && len(problems) == 0 {
		var why []string
		for _, f := range c.Fields {
			if f.Why != "" {
				why = append(why, fmt.Sprintf("%q %s", f.Name, f.Why))
			}
		}
		problems = append(problems, WithHint(errors.New("no column is left to learn from"),
			"give the table a column that tells rows apart; %s",
			cmp.Or(strings.Join(why, ", "), "it has the target alone")))
	}
	return c, errors.Join(problems...)
}

// assign returns the role of each named column.
func assign(t *Table, r Roles) (map[string]Role, error) {
	roles := map[string]Role{}
	var problems []error
	set := func(role Role, names ...string) {
		for _, name := range names {
			switch {
			case name == "":
			case t.Column(name) == nil:
				problems = append(problems, unknownColumn(role, name, t.Names()))
			case roles[name] != "" && roles[name] != role:
				problems = append(problems, WithHint(
					fmt.Errorf("column %q is named as %s and as %s", name, roles[name], role),
					"leave it in one of the two places"))
			default:
				roles[name] = role
			}
		}
	}
	set(Target, r.Target)
	set(ID, r.ID)
	set(TimeRole, r.Time)
	set(Group, r.Group)
	set(Protected, r.Protected...)
	set(Excluded, r.Exclude...)
	return roles, errors.Join(problems...)
}

func unknownColumn(role Role, name string, names []string) error {
	err := fmt.Errorf("%s %q is not a column of the table", role, name)
	if near := Nearest(name, names); near != "" {
		return WithHint(err, "did you mean %q?", near)
	}
	const most = 20
	list := make([]string, 0, most)
	for _, n := range names[:min(len(names), most)] {
		list = append(list, strconv.Quote(n))
	}
	if len(names) > most {
		list = append(list, fmt.Sprintf("and %d more", len(names)-most))
	}
	return WithHint(err, "the columns are %s", strings.Join(list, ", "))
}

func learnField(col *Column, p *ColumnProfile, role Role) (Field, error) {
	f := Field{Name: col.Name, Kind: col.Kind, Role: role, MissingRate: p.MissingRate()}
	switch role {
	case Feature:
		if why := unusable(col, p); why != "" {
			f.Role, f.Why = Excluded, why
			return f, nil
		}
		f.Required = p.Missing == 0
		if col.Kind == Number {
			f.Min, f.Max = bounds(p)
		}
	case Excluded:
		f.Why = "is excluded by the project"
		return f, nil
	case Target:
		if err := checkTarget(col, p); err != nil {
			return f, err
		}
	case TimeRole:
		if col.Kind == Category || col.Kind == Text {
			return f, WithHint(fmt.Errorf("time %q holds no times but %s", col.Name, col.Kind),
				"write times as 2026-01-31 or 2026-01-31T08:30:00Z, or name another column")
		}
		return f, nil
	case ID, Group:
		return f, nil // their values are not the model's business
	}
	switch col.Kind {
	case Number:
		f.Integer = p.Whole
		f.Infinite = p.PosInf+p.NegInf > 0
	case Category:
		f.Categories = occurring(col)
	}
	return f, nil
}

// unusable says why a column cannot be a feature; "" if it can.
func unusable(col *Column, p *ColumnProfile) string {
	switch {
	case p.Count == 0:
		return "every value is missing"
	case p.Distinct == 1:
		return "has one value only"
	case col.Kind == Text:
		return "is free text"
	case col.Kind == Category && p.Distinct > MaxTop:
		return fmt.Sprintf("looks like an identifier: %s distinct values in %s rows",
			thousands(int64(len(occurring(col)))), thousands(p.Count+p.Missing))
	case col.Kind == Number && p.Whole && p.Missing == 0 && namedLikeIdentifier(col.Name) && neverRepeats(col.Numbers):
		return fmt.Sprintf("looks like an identifier: %[1]s distinct values in %[1]s rows", thousands(p.Count))
	}
	return ""
}

func checkTarget(col *Column, p *ColumnProfile) error {
	name := strconv.Quote(col.Name)
	switch {
	case p.Count == 0:
		return WithHint(fmt.Errorf("target %s has no values: all %s rows are missing", name, thousands(p.Missing)),
			"name the column that holds the outcome, or add the outcomes to the file")
	case p.Distinct == 1:
		i := 0
		for col.Missing(i) {
			i++
		}
		return WithHint(fmt.Errorf("target %s has one class only: every row says %q", name, col.Format(i)),
			"a model learns from rows of both classes; add rows with the other outcome")
	case col.Kind == Text:
		return WithHint(fmt.Errorf("target %s is free text", name),
			"a target is a number or one of a few classes; name another column")
	case col.Kind == Time:
		return WithHint(fmt.Errorf("target %s is a time", name),
			"a target is a number or one of a few classes; turn the time into one of them first")
	}
	return nil
}

// bounds returns the observed range widened by ten times its width on either
// side; nil where that is beyond the largest number or nothing is finite.
func bounds(p *ColumnProfile) (low, high *float64) {
	if p.Finite() == 0 {
		return nil, nil
	}
	width := p.Max - p.Min
	if l := p.Min - float64(10*width); !math.IsInf(l, 0) {
		low = &l
	}
	if h := p.Max + float64(10*width); !math.IsInf(h, 0) {
		high = &h
	}
	return low, high
}

// occurring returns the dictionary entries that rows use: a table that was cut
// from another shares its dictionary.
func occurring(col *Column) []string {
	used := make([]bool, len(col.Dict))
	for _, code := range col.Codes {
		if code >= 0 {
			used[code] = true
		}
	}
	var out []string
	for i, v := range col.Dict {
		if used[i] {
			out = append(out, v)
		}
	}
	return out
}

func neverRepeats(numbers []float64) bool {
	seen := make(map[float64]struct{}, len(numbers))
	for _, x := range numbers {
		if _, again := seen[x]; again {
			return false
		}
		seen[x] = struct{}{}
	}
	return true
}

// identifierWords are words that end the name of an identifier.
var identifierWords = []string{"id", "ids", "key", "uuid", "guid", "index", "number", "no", "nr", "num",
	"row", "rownum", "rowid", "rowname", "rownames", "customerid", "userid", "instant"}

// namedLikeIdentifier reports whether the last word of a name is one of
// identifierWords: id, application_id, customerID, PassengerId, "Policy Number".
func namedLikeIdentifier(name string) bool {
	words := NameWords(name)
	return len(words) > 0 && slices.Contains(identifierWords, words[len(words)-1])
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
