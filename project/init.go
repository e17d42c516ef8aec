package project

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/tandem-ml/tandem/data"
)

// Init writes a project file for a table, with its guesses and the reason for
// each as comments. p is the table's profile; source is what data.source shall
// say. The notes give each guess and its reason in one line, for the terminal.
//
// The guesses go by name and by number of values, never by how well a column
// would predict, so that nothing is learned from the data before it is split.
// What Init writes is accepted by [Parse] whatever the table holds; a table
// without columns gives a file whose target must be filled in.
func Init(t *data.Table, p *data.Profile, source string) ([]byte, []string) {
	g := guess(t, p)
	base, _, _ := strings.Cut(filepath.Base(filepath.ToSlash(source)), ".")
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line("# Written by tandem init from %s: %d rows, %d columns.", inWords(source), t.Rows(), len(t.Columns))
	line("# Read it through: what follows a # says why each line is there. All keys are in docs/project-file.md.")
	line("name: %s", yamlText(nameFrom(base)))
	line("")
	line("data:")
	line("  source: %s", yamlText(source))
	for _, l := range g.lines {
		line("")
		line("  # %s", l.why)
		if len(l.columns) > 0 {
			quoted := make([]string, len(l.columns))
			for i, c := range l.columns {
				quoted[i] = yamlText(c)
			}
			line("  %s: [%s]", l.key, strings.Join(quoted, ", "))
		} else {
			line("  %s: %s", l.key, yamlText(l.value))
		}
	}
	line("")
	line("model:")
	line("  budget: 60s # wall time for the search")
	if g.binary {
		line("")
		line("decision:")
		line("  # What each kind of wrong decision costs; only the ratio matters. Equal costs are rarely true: edit them.")
		line("  cost: {false_positive: 1, false_negative: 1}")
		line("")
		line("# Conditions that a model must meet on rows it has not seen.")
		line("# gates:")
		line("#   auc: \">= 0.75\"")
		line("#   calibration_error: \"<= 0.05\"")
	} else {
		line("")
		line("# Conditions that a model must meet on rows it has not seen.")
		line("# gates:")
		line("#   r2: \">= 0.5\"")
	}
	return b.Bytes(), g.notes
}

// guesses are the lines of the data section with their reasons.
type guesses struct {
	lines  []guessLine
	notes  []string
	binary bool
	taken  map[string]bool // columns that have a part already
}

type guessLine struct {
	key     string
	value   string
	columns []string // for keys that take a list
	why     string
}

func (g *guesses) add(key, value string, columns []string, format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	g.lines = append(g.lines, guessLine{key, value, columns, why})
	shown := inWords(value)
	if columns != nil {
		words := make([]string, len(columns))
		for i, c := range columns {
			words[i] = inWords(c)
		}
		shown = strings.Join(words, ", ")
	}
	g.notes = append(g.notes, fmt.Sprintf("%s: %s (%s)", key, shown, why))
}

func guess(t *data.Table, p *data.Profile) *guesses {
	g := &guesses{taken: map[string]bool{}}
	if len(t.Columns) == 0 {
		g.add("target", "target", nil, "The data has no columns; write the name of the column to predict.")
		return g
	}
	target, why := guessTarget(t)
	g.taken[target.Name] = true
	g.add("target", target.Name, nil, "%s", why)
	if vs := valuesOf(target, 2); len(vs) == 2 {
		g.binary = true
		value, why := guessPositive(vs)
		g.add("positive", value, nil, "%s", why)
	}
	g.time(t)
	g.ids(t, p)
	g.protected(t)
	return g
}

// Words by which columns are recognised, in lower case, as whole words of the
// name: "loan_status" and "LoanStatus" both hold "status".
var (
	targetWords = words("target label class outcome default defaulted churn churned status bad fraud deny denied " +
		"response responded converted survived approved delinquent delinquency y")
	positiveWords = words("bad yes true default defaulted churn churned fraud deny denied positive delinquent late")
	timeWords     = words("date time timestamp at day applied created issued opened")
	idWords       = words("id key number no uuid guid ref reference")
	personWords   = words("customer client user account patient borrower member person household applicant")
	protectWords  = words("age sex gender race ethnicity ethnic marital religion nationality national origin " +
		"disability disabled pregnant senior foreign birth born")
)

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

// wordsOf splits a column's name into lower-case words at anything that is no
// letter or digit and where lower case meets upper case.
func wordsOf(name string) []string {
	var b strings.Builder
	before := ' '
	for _, c := range name {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			b.WriteByte(' ')
		case unicode.IsUpper(c) && (unicode.IsLower(before) || unicode.IsDigit(before)):
			b.WriteByte(' ')
			b.WriteRune(unicode.ToLower(c))
		default:
			b.WriteRune(unicode.ToLower(c))
		}
		before = c
	}
	return strings.Fields(b.String())
}

func named(name string, among map[string]bool) bool {
	for _, w := range wordsOf(name) {
		if among[w] {
			return true
		}
	}
	return false
}

// guessTarget prefers, among the columns of two values, one whose name means an
// outcome, then the last and the first column of the table, then any. Without
// such a column it goes by name, and then takes the last column.
func guessTarget(t *data.Table) (*data.Column, string) {
	last, first := t.Columns[len(t.Columns)-1], t.Columns[0]
	outcome := func(c *data.Column) bool { return named(c.Name, targetWords) && !named(c.Name, protectWords) }
	var two []*data.Column
	isTwo := map[*data.Column]bool{}
	for _, c := range t.Columns {
		if len(valuesOf(c, 2)) == 2 {
			two = append(two, c)
			isTwo[c] = true
		}
	}
	for _, c := range two {
		if outcome(c) {
			return c, "Its name means an outcome, and it has two values."
		}
	}
	switch {
	case isTwo[last]:
		return last, "It is the last column and has two values."
	case isTwo[first]:
		return first, "It is the first column and has two values."
	case len(two) > 0:
		return two[0], "It is the first column with two values; nothing else speaks for it, so check it."
	}
	for _, c := range t.Columns {
		if outcome(c) && c.Kind != data.Text && c.Kind != data.Time && len(valuesOf(c, 1)) > 1 {
			return c, "Its name means an outcome; no column has just two values."
		}
	}
	return last, "It is the last column; nothing else speaks for it, so check it."
}

// means reports whether a value says that the event happened: by its name, or
// because it is 1 and the other is 0.
func means(value, other string) bool {
	return named(value, positiveWords) || data.SameValue(value, "1") && data.SameValue(other, "0")
}

// guessPositive takes the value whose name means the event, else the rarer.
func guessPositive(vs []valueCount) (string, string) {
	a, b := means(vs[0].value, vs[1].value), means(vs[1].value, vs[0].value)
	rare := 0
	if vs[1].count < vs[0].count {
		rare = 1
	}
	counts := fmt.Sprintf("%s in %d rows, %s in %d", inWords(vs[0].value), vs[0].count, inWords(vs[1].value), vs[1].count)
	switch {
	case a && !b:
		return vs[0].value, "The value that means the event: " + counts + "."
	case b && !a:
		return vs[1].value, "The value that means the event: " + counts + "."
	}
	return vs[rare].value, "The rarer value: " + counts + "."
}

func (g *guesses) time(t *data.Table) {
	var times []*data.Column
	for _, c := range t.Columns {
		if c.Kind == data.Time && !g.taken[c.Name] {
			times = append(times, c)
		}
	}
	if len(times) == 0 {
		return
	}
	best, why := times[0], "A column of times: the model is then judged on the newest rows."
	for _, c := range times {
		if named(c.Name, timeWords) {
			best = c
			break
		}
	}
	if len(times) > 1 {
		why = "One of several columns of times; it must be when the row became known: the model is judged on the newest rows."
	}
	g.taken[best.Name] = true
	g.add("time", best.Name, nil, "%s", why)
}

// ids finds one column that names the row and one that names whom it is about.
func (g *guesses) ids(t *data.Table, p *data.Profile) {
	var id, group *data.Column
	for _, c := range t.Columns {
		cp := p.Column(c.Name)
		if g.taken[c.Name] || cp == nil || c.Kind == data.Time || c.Kind == data.Number && !cp.Whole || t.Rows() < 2 {
			continue
		}
		isID := named(c.Name, idWords)
		person := named(c.Name, personWords)
		switch {
		case isID && id == nil && cp.Missing == 0 && len(valuesOf(c, t.Rows()-1)) == t.Rows():
			id = c
		case isID && person && group == nil && cp.Distinct > 20:
			group = c
		}
	}
	if id != nil {
		g.taken[id.Name] = true
		g.add("id", id.Name, nil, "It is named like an identifier and never repeats.")
	}
	if group != nil {
		g.taken[group.Name] = true
		g.add("group", group.Name, nil, "It names whom a row is about and repeats: rows of one are kept on one side of every split.")
	}
}

func (g *guesses) protected(t *data.Table) {
	var names []string
	for _, c := range t.Columns {
		if !g.taken[c.Name] && named(c.Name, protectWords) {
			g.taken[c.Name] = true
			names = append(names, c.Name)
		}
	}
	if names != nil {
		g.add("protected", "", names, "The names suggest a protected characteristic: never scored and never a reason. Remove what is not one.")
	}
}

type valueCount struct {
	value string
	count int
}

// valuesOf counts the values of a column, in the order of their first
// appearance, and gives up, with limit+1 of them, at more than limit.
func valuesOf(c *data.Column, limit int) []valueCount {
	var out []valueCount
	index := map[string]int{}
	for row := range c.Len() {
		if c.Missing(row) {
			continue
		}
		v := c.Format(row)
		i, seen := index[v]
		if !seen {
			i = len(out)
			index[v] = i
			out = append(out, valueCount{v, 0})
			if len(out) > limit {
				return out
			}
		}
		out[i].count++
	}
	return out
}

var plainText = regexp.MustCompile(`^[A-Za-z_]([A-Za-z0-9_./ -]*[A-Za-z0-9_./-])?$`)

// yamlText writes a text so that YAML reads the same text: as it is where that
// is beyond doubt, else in double quotes, whose escapes JSON shares.
func yamlText(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
	default:
		if plainText.MatchString(s) {
			return s
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(fmt.Sprintf("project: %q cannot be written: %v", s, err)) // every text can
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// inWords writes a name for a comment or a note: on one line, and not endless.
func inWords(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "…"
	}
	if plainText.MatchString(s) {
		return s
	}
	return fmt.Sprintf("%q", s)
}
