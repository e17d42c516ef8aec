package clean

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/tandem-ml/tandem/data"
)

// Proposal is a step that a table suggests.
type Proposal struct {
	Step Step   `json:"step"`
	Why  string `json:"why"` // the evidence, as a sentence without a final period; no cell's value is in it
	// Safe says that the step only reads a column as what it plainly is; others
	// change what a table says, and need a person's word.
	Safe bool `json:"safe"`
}

// What a proposal needs. They were set before any table was judged by them.
const (
	leastCells   = 20   // cells with a value, for any proposal about a column
	leastTyped   = 0.8  // share that reads as the type, for a column of words
	leastUnits   = 0.95 // ... for one with units
	mostValues   = 5000 // distinct values, for spellings
	rarity       = 10   // how many times more frequent the right spelling is
	leastLetters = 4    // of a value in which one letter may be a slip
	mostWrong    = 0.01 // share of values that may be impossible
)

// Propose looks for steps, in the table's order of columns, duplicates last.
func Propose(t *data.Table) []Proposal {
	var out []Proposal
	for _, c := range t.Columns {
		out = append(out, proposeFor(c)...)
	}
	if t.Rows() > 0 && len(t.Columns) > 1 {
		s := Step{Repair: data.Repair{Op: "duplicates"}}
		if done, err := Table(t, []Step{s}); err == nil && done.Done[0].Dropped > 0 {
			out = append(out, Proposal{Step: s, Why: fmt.Sprintf("%d of %d rows equal an earlier one in every column", done.Done[0].Dropped, t.Rows())})
		}
	}
	return out
}

func proposeFor(c *data.Column) []Proposal {
	values, counts, n := tally(c)
	if n < leastCells {
		return nil
	}
	if c.Kind == data.Number {
		return impossible(c, n)
	}
	if c.Kind != data.Category && c.Kind != data.Text {
		return nil
	}
	if p := typed(c.Name, values, counts, n); p != nil {
		return []Proposal{*p}
	}
	if c.Kind == data.Category && len(values) <= mostValues {
		return spellings(c.Name, values, counts)
	}
	return nil
}

// tally returns the distinct values of a column of words, in order, how often
// each occurs, and how many cells have a value.
func tally(c *data.Column) (values []string, counts []int, n int) {
	switch c.Kind {
	case data.Category:
		count := make([]int, len(c.Dict))
		for _, k := range c.Codes {
			if k >= 0 {
				count[k]++
				n++
			}
		}
		for k, v := range c.Dict {
			if count[k] > 0 {
				values, counts = append(values, v), append(counts, count[k])
			}
		}
	case data.Text:
		count := map[string]int{}
		for _, v := range c.Texts {
			if v != "" {
				count[v]++
				n++
			}
		}
		values = sortedKeys(count)
		for _, v := range values {
			counts = append(counts, count[v])
		}
	default:
		for i := range c.Len() {
			if !c.Missing(i) {
				n++
			}
		}
	}
	return values, counts, n
}

// typed proposes a type for a column of words. The types are tried in the order
// in which one excludes the next.
func typed(name string, values []string, counts []int, n int) *Proposal {
	share := func(r data.Repair) (int, float64) {
		kind := KindOf(r)
		rep, err := Compile([]data.Repair{r}, kind)
		if err != nil {
			return 0, 0
		}
		read := 0
		for i, v := range values {
			if c, _ := rep.Text(v); !c.Missing {
				read += counts[i]
			}
		}
		return read, float64(read) / float64(n)
	}
	offer := func(r data.Repair, what string, read int) *Proposal {
		return &Proposal{Step: Step{Column: name, Repair: r}, Safe: true,
			Why: fmt.Sprintf("%d of %d values are %s; the others become missing", read, n, what)}
	}
	if r := (data.Repair{Op: "boolean"}); saidTwice(values) {
		if read, of := share(r); of >= leastUnits && len(values) <= 12 {
			return offer(r, "yes or no in words", read)
		}
	}
	if leadingZeros(values) {
		return nil // codes, such as those of places
	}
	for _, decimal := range []string{"", ","} {
		if r := (data.Repair{Op: "number", Decimal: decimal}); len(values) > 2 {
			if read, of := share(r); of >= leastTyped {
				return offer(r, "numbers", read)
			}
		}
	}
	if to := commonUnit(values, counts, n); to != "" {
		r := data.Repair{Op: "units", To: to}
		if read, of := share(r); of >= leastUnits {
			p := offer(r, "numbers, most of them in "+to, read)
			return p
		}
	}
	var best *Proposal
	bestRead, ties := 0, false
	for _, form := range []string{"ymd", "dmy", "mdy"} {
		r := data.Repair{Op: "time", Form: form}
		read, of := share(r)
		if of < leastTyped {
			continue
		}
		ties = read == bestRead
		if read > bestRead {
			best, bestRead = offer(r, "dates", read), read
		}
	}
	if ties {
		return nil // no cell says which of day and month comes first
	}
	return best
}

// saidTwice reports whether values say yes, or no, in more than one word: only
// then is there something to be made one.
func saidTwice(values []string) bool {
	said := map[string]int{}
	for _, v := range values {
		if b, ok := truth(v); ok {
			said[b]++
		}
	}
	return said["true"] > 1 || said["false"] > 1
}

// leadingZeros reports whether some value of digits alone begins with a zero.
func leadingZeros(values []string) bool {
	for _, v := range values {
		if len(v) > 1 && v[0] == '0' && strings.Trim(v, "0123456789") == "" {
			return true
		}
	}
	return false
}

// commonUnit returns the unit that most of the values with one have, "" if
// there are few such values.
func commonUnit(values []string, counts []int, n int) string {
	uses := map[string]int{}
	with := 0
	for i, v := range values {
		if _, name, ok := leadingNumber(strings.TrimSpace(v), ""); ok && name != "" {
			if u := unitNamed(strings.TrimSuffix(name, ".")); u != nil {
				uses[u.names[0]] += counts[i]
				with += counts[i]
			}
		}
	}
	if float64(with) < 0.5*float64(n) {
		return ""
	}
	best := ""
	for _, name := range sortedKeys(uses) {
		if best == "" || uses[name] > uses[best] {
			best = name
		}
	}
	return best
}

// impossible proposes a bound of 0 where almost all numbers have one sign and
// the few others lie far out, which times and money seldom do.
func impossible(c *data.Column, n int) []Proposal {
	negative, positive := 0, 0
	for _, x := range c.Numbers {
		switch {
		case x < 0:
			negative++
		case x > 0:
			positive++
		}
	}
	if negative == 0 || positive < 200 || float64(negative) > mostWrong*float64(n) {
		return nil
	}
	zero := 0.0
	return []Proposal{{Step: Step{Column: c.Name, Repair: data.Repair{Op: "bounds", Min: &zero}},
		Why: fmt.Sprintf("%d of %d numbers are negative", negative, n)}}
}

// spellings proposes to merge values that differ in case, blanks or punctuation
// alone, and rare ones that are one slip away from a frequent one.
func spellings(name string, values []string, counts []int) []Proposal {
	into := map[string][]string{}
	target := make([]int, len(values)) // the value that each becomes
	folded := map[string]int{}         // fold -> its most frequent value
	for i, v := range values {
		target[i] = i
		f := fold(v)
		if f == "" {
			continue
		}
		if j, known := folded[f]; !known || counts[i] > counts[j] {
			folded[f] = i
		}
	}
	total := make([]int, len(values)) // rows of a value with its spellings
	cases := 0
	for i, v := range values {
		if j, known := folded[fold(v)]; known && j != i {
			target[i] = j
			cases++
		}
		total[target[i]] += counts[i]
	}
	slips := 0
	near := neighbours(values, func(i int) bool { return target[i] == i && len([]rune(values[i])) >= leastLetters })
	for i := range values {
		best, second := -1, 0
		for _, j := range near[i] {
			if total[j] < rarity*total[i] || !slip(values[i], values[j]) {
				continue
			}
			switch {
			case best < 0 || total[j] > total[best]:
				if best >= 0 {
					second = total[best]
				}
				best = j
			case total[j] > second:
				second = total[j]
			}
		}
		if best >= 0 && total[best] >= 2*second {
			target[i] = best
			slips++
		}
	}
	for i := range values {
		j := i
		for target[j] != j { // a spelling of a slip
			j = target[j]
		}
		if j != i {
			into[values[j]] = append(into[values[j]], values[i])
		}
	}
	if len(into) == 0 {
		return nil
	}
	return []Proposal{{Step: Step{Column: name, Repair: data.Repair{Op: "merge", Into: into}},
		Why: fmt.Sprintf("%d values differ from a more frequent one in case, blanks or punctuation alone, %d by one letter", cases, slips)}}
}

// fold writes a value in lower case without punctuation and with single blanks.
// Where nothing but punctuation tells values apart it stays: +, -, <, >, =, %, #.
func fold(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune("+-<>=%#/", r), unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.M, r), unicode.IsSymbol(r):
			return unicode.ToLower(r)
		case r == '.' || r == ',':
			return -1
		}
		return ' '
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// neighbours lists, for each value that may be compared, the others that become
// the same text by leaving out at most one letter of each: they are at most one
// slip away, or two of one kind.
func neighbours(values []string, may func(i int) bool) [][]int {
	by := map[string][]int{}
	for i, v := range values {
		if !may(i) || len(v) > 100 {
			continue
		}
		seen := map[string]bool{}
		add := func(s string) {
			if !seen[s] {
				seen[s] = true
				by[s] = append(by[s], i)
			}
		}
		r := []rune(v)
		add(v)
		for k := range r {
			add(string(r[:k]) + string(r[k+1:]))
		}
	}
	near := make([][]int, len(values))
	for _, text := range sortedKeys(by) {
		group := by[text]
		if len(group) > 50 {
			continue // a pattern such as A1, A2, A3, not a slip
		}
		for _, i := range group {
			for _, j := range group {
				if i != j && !slices.Contains(near[i], j) {
					near[i] = append(near[i], j)
				}
			}
		}
	}
	return near
}

// slip reports whether a is b with one letter wrong, left out, added, or two
// swapped. Digits that differ are different things, as in Unit 1 and Unit 2, and
// so is a first letter.
func slip(a, b string) bool {
	x, y := []rune(a), []rune(b)
	p := 0
	for p < len(x) && p < len(y) && x[p] == y[p] {
		p++
	}
	q := 0
	for q < len(x)-p && q < len(y)-p && x[len(x)-1-q] == y[len(y)-1-q] {
		q++
	}
	x, y = x[p:len(x)-q], y[p:len(y)-q]
	digit := func(r []rune) bool { return slices.ContainsFunc(r, unicode.IsDigit) }
	switch {
	case digit(x) && (digit(y) || len(y) == 0), digit(y) && len(x) == 0:
		return false
	case len(x) <= 1 && len(y) <= 1:
		return len(x)+len(y) > 0
	case len(x) == 2 && len(y) == 2:
		return x[0] == y[1] && x[1] == y[0]
	}
	return false
}
