package hypothesis

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/tandem-ml/tandem/data"
)

// Question names what to test. Exactly one of Compare, Associate, Correlate,
// Trend, Spread, Normal, Proportion, Paired, AB and Survival is set, with those
// that go with it. [Parse] reads one from a line of text.
type Question struct {
	Question string // in plain words; "" makes one from the columns

	Compare   string   // a number column: does it differ between groups?
	Between   string   // the column of the groups; also with Spread and Survival
	Within    float64  // with Compare of two groups: are the means within this of each other?
	Given     []string // number columns held equal; with Compare and Correlate
	Associate []string // two columns of categories, or of few distinct numbers: are they linked?
	Correlate []string // two number columns: do they go together?

	Trend string // a number column, or one of two values: does it rise or fall
	Over  string // with this column of times or numbers?

	Spread string // a number column: does it vary alike in the groups of Between?
	Normal string // a number column: is it normal?

	Proportion string  // a column: is the share of rows with the value
	Is         string  // ... this
	Of         float64 // ... this share? 0 means one half

	Paired []string // two columns or more, measured on the same rows: did something change?

	AB      string  // the metric of an experiment, a number column or one of two values
	Arm     string  // the column of its arms
	Control string  // the arm to compare with; "" takes one named control, a, old, off, no or 0, or else the first
	Per     string  // the metric's denominator, as in clicks per view; "" is none
	Pre     string  // the metric before the experiment; "" is none
	Share   float64 // of the rows meant for the arm that is not the control; 0 means one half

	Survival string // a number column: how long until the event
	Event    string // the column that says whether it came: two values, 1, yes or true for it
}

// verb returns the verb of a question, or an error that says what is missing or
// too much.
func (q Question) verb() (string, error) {
	set := map[string]bool{
		"compare": q.Compare != "", "associate": len(q.Associate) > 0, "correlate": len(q.Correlate) > 0, "trend": q.Trend != "",
		"spread": q.Spread != "", "normal": q.Normal != "", "proportion": q.Proportion != "", "paired": len(q.Paired) > 0,
		"ab": q.AB != "", "survival": q.Survival != "",
	}
	verb := ""
	for _, v := range verbs {
		if !set[v.word] {
			continue
		}
		if verb != "" {
			return "", data.WithHint(fmt.Errorf("both %s and %s are given", verb, v.word), "ask one thing at a time: %s, or %s", usage(verb), usage(v.word))
		}
		verb = v.word
	}
	for _, with := range []struct {
		name  string
		set   bool
		verbs string
	}{
		{"between", q.Between != "", "compare spread survival"}, {"within", q.Within != 0, "compare"}, {"given", len(q.Given) > 0, "compare correlate"},
		{"over", q.Over != "", "trend"}, {"is", q.Is != "", "proportion"}, {"of", q.Of != 0, "proportion"}, {"arm", q.Arm != "", "ab"},
		{"control", q.Control != "", "ab"}, {"per", q.Per != "", "ab"}, {"pre", q.Pre != "", "ab"}, {"share", q.Share != 0, "ab"}, {"event", q.Event != "", "survival"},
	} {
		if !with.set {
			continue
		}
		if verb == "" {
			first, _, _ := strings.Cut(with.verbs, " ")
			return "", data.WithHint(fmt.Errorf("%s is given, but %s is missing", with.name, first), "write %s", usage(first))
		}
		if !strings.Contains(" "+with.verbs+" ", " "+verb+" ") {
			return "", data.WithHint(fmt.Errorf("both %s and %s are given", verb, with.name), "write %s", usage(verb))
		}
	}
	if verb == "" {
		return "", data.WithHint(errors.New("the question is missing"), "write %s, or %s", usage("compare"), usage("associate"))
	}
	for _, need := range []struct {
		verb, name string
		missing    bool
	}{
		{"compare", "between", q.Between == ""}, {"spread", "between", q.Between == ""}, {"survival", "between", q.Between == ""},
		{"survival", "event", q.Event == ""}, {"trend", "over", q.Over == ""}, {"proportion", "is", q.Is == ""}, {"ab", "arm", q.Arm == ""},
	} {
		if need.verb == verb && need.missing {
			return "", data.WithHint(fmt.Errorf("%s is missing", need.name), "write %s", usage(verb))
		}
	}
	for name, list := range map[string][]string{"associate": q.Associate, "correlate": q.Correlate} {
		if name == verb && len(list) != 2 {
			return "", data.WithHint(fmt.Errorf("%s names %d columns, not two", name, len(list)), "write %s", usage(verb))
		}
	}
	switch {
	case verb == "paired" && len(q.Paired) < 2:
		return "", data.WithHint(errors.New("paired names one column"), "write %s", usage(verb))
	case q.Within < 0:
		return "", data.WithHint(fmt.Errorf("within is %v", q.Within), "give the largest difference that does not matter, as a positive number")
	case q.Within != 0 && len(q.Given) > 0:
		return "", data.WithHint(errors.New("both within and given are given"), "ask for one of them")
	case q.Of < 0 || q.Of >= 1:
		return "", data.WithHint(fmt.Errorf("of is %v", q.Of), "give a share between 0 and 1")
	case q.Share < 0 || q.Share >= 1:
		return "", data.WithHint(fmt.Errorf("share is %v", q.Share), "give a share between 0 and 1")
	case q.Per != "" && q.Pre != "":
		return "", data.WithHint(errors.New("both per and pre are given"), "a ratio is not adjusted by a value before; leave one out")
	}
	return verb, nil
}

// verbs lists what can be asked, and how it is written in a line of text.
var verbs = []struct{ word, usage string }{
	{"compare", "compare NUMBER by GROUPS [given A, B] [within MARGIN]"},
	{"associate", "associate A, B"},
	{"correlate", "correlate A, B [given C, D]"},
	{"trend", "trend NUMBER over TIME"},
	{"spread", "spread NUMBER by GROUPS"},
	{"normal", "normal NUMBER"},
	{"proportion", "proportion COLUMN is VALUE [of SHARE]"},
	{"paired", "paired BEFORE, AFTER"},
	{"ab", "ab METRIC by ARM [control VALUE] [per DENOMINATOR] [pre BEFORE] [share OF-TREATMENT]"},
	{"survival", "survival TIME event EVENT by GROUPS"},
}

func usage(verb string) string {
	for _, v := range verbs {
		if v.word == verb {
			return v.usage
		}
	}
	return ""
}

// Usages returns how each kind of question is written for [Parse].
func Usages() []string {
	out := make([]string, len(verbs))
	for i, v := range verbs {
		out[i] = v.usage
	}
	return out
}

func (q Question) title() string {
	switch {
	case q.Question != "":
		return q.Question
	case len(q.Associate) == 2:
		return fmt.Sprintf("Are %s and %s linked?", q.Associate[0], q.Associate[1])
	case len(q.Correlate) == 2 && len(q.Given) > 0:
		return fmt.Sprintf("Do %s and %s go together, %s being equal?", q.Correlate[0], q.Correlate[1], and(q.Given))
	case len(q.Correlate) == 2:
		return fmt.Sprintf("Do %s and %s go together?", q.Correlate[0], q.Correlate[1])
	case q.Trend != "":
		return fmt.Sprintf("Does %s rise or fall over %s?", q.Trend, q.Over)
	case q.Spread != "":
		return fmt.Sprintf("Does %s vary alike by %s?", q.Spread, q.Between)
	case q.Normal != "":
		return fmt.Sprintf("Is %s normal?", q.Normal)
	case q.Proportion != "":
		return fmt.Sprintf("Is %s %s in %s of rows?", q.Proportion, q.Is, percent(q.share()))
	case len(q.Paired) > 0:
		return fmt.Sprintf("Do %s differ?", and(q.Paired))
	case q.AB != "" && q.Per != "":
		return fmt.Sprintf("Does %s change %s per %s?", q.Arm, q.AB, q.Per)
	case q.AB != "":
		return fmt.Sprintf("Does %s change %s?", q.Arm, q.AB)
	case q.Survival != "":
		return fmt.Sprintf("Does %s until %s differ by %s?", q.Survival, q.Event, q.Between)
	case q.Within != 0:
		return fmt.Sprintf("Is %s the same by %s, within %s?", q.Compare, q.Between, short(q.Within))
	case len(q.Given) > 0:
		return fmt.Sprintf("Does %s differ by %s, %s being equal?", q.Compare, q.Between, and(q.Given))
	}
	return fmt.Sprintf("Does %s differ by %s?", q.Compare, q.Between)
}

// share is the one that a proportion is compared with.
func (q Question) share() float64 {
	if q.Of == 0 {
		return 0.5
	}
	return q.Of
}

// Parse reads a question from a line: one of [Usages], as in
//
//	compare Income by Status
//	correlate "Monthly debt", Income given Age
//	trend Income over applied_at
//
// Words between quotes, single or double, are one name, with whatever is in it;
// between stands for by, and = for is. The error says where the line ends to make
// sense, and shows how it is written.
func Parse(line string) (Question, error) {
	words, err := split(line)
	if err != nil {
		return Question{}, err
	}
	if len(words) == 0 {
		return Question{}, data.WithHint(errors.New("the question is empty"), "write one of: %s", strings.Join(Usages(), "; "))
	}
	verb := strings.ToLower(words[0].text)
	shape := usage(verb)
	if shape == "" || words[0].quoted {
		names := make([]string, len(verbs))
		for i, v := range verbs {
			names[i] = v.word
		}
		err := fmt.Errorf("a question does not begin with %q", words[0].text)
		if near := data.Nearest(verb, names); near != "" {
			return Question{}, data.WithHint(err, "did you mean %q? It is written: %s", near, usage(near))
		}
		return Question{}, data.WithHint(err, "write one of: %s", strings.Join(Usages(), "; "))
	}
	wrong := func(format string, args ...any) (Question, error) {
		return Question{}, data.WithHint(fmt.Errorf("in %q: %s", line, fmt.Sprintf(format, args...)), "write %s", shape)
	}
	// The words of the shape in small letters are keys: each begins a clause, to
	// which the words up to the next key belong.
	keys := map[string]bool{}
	for _, w := range strings.Fields(strings.NewReplacer("[", " ", "]", " ").Replace(shape))[1:] {
		if w == strings.ToLower(w) {
			keys[w] = true
		}
	}
	clauses := map[string][]string{}
	key := verb
	open := true // the next word begins a name
	for _, w := range words[1:] {
		word := strings.ToLower(w.text)
		switch {
		case word == "between":
			word = "by"
		case w.text == "=":
			word = "is"
		}
		switch {
		case !w.quoted && keys[word]:
			if key = word; len(clauses[key]) > 0 {
				return wrong("%q occurs twice", word)
			}
			open = true
		case !w.quoted && w.text == ",":
			open = true
		case open:
			clauses[key] = append(clauses[key], w.text)
			open = false
		default:
			return wrong("%q stands where a comma or a key word should; quote a name of several words", w.text)
		}
	}
	q := Question{}
	for _, key := range slices.Sorted(maps.Keys(clauses)) {
		names := clauses[key]
		one := func(into *string) {
			if len(names) != 1 {
				err = data.WithHint(fmt.Errorf("in %q: %s takes one name, not %d", line, key, len(names)), "write %s", shape)
			}
			*into = names[0]
		}
		number := func(into *float64) {
			text := ""
			if one(&text); err != nil {
				return
			}
			if *into, err = strconv.ParseFloat(text, 64); err != nil || !(*into > 0) {
				err = data.WithHint(fmt.Errorf("in %q: %s is followed by %q, not by a positive number", line, key, text), "write %s", shape)
			}
		}
		switch key {
		case "compare":
			one(&q.Compare)
		case "associate":
			q.Associate = names
		case "correlate":
			q.Correlate = names
		case "trend":
			one(&q.Trend)
		case "spread":
			one(&q.Spread)
		case "normal":
			one(&q.Normal)
		case "proportion":
			one(&q.Proportion)
		case "paired":
			q.Paired = names
		case "ab":
			one(&q.AB)
		case "survival":
			one(&q.Survival)
		case "by":
			if verb == "ab" {
				one(&q.Arm)
			} else {
				one(&q.Between)
			}
		case "given":
			q.Given = names
		case "within":
			number(&q.Within)
		case "over":
			one(&q.Over)
		case "is":
			one(&q.Is)
		case "of":
			number(&q.Of)
		case "control":
			one(&q.Control)
		case "per":
			one(&q.Per)
		case "pre":
			one(&q.Pre)
		case "share":
			number(&q.Share)
		case "event":
			one(&q.Event)
		}
		if err != nil {
			return Question{}, err
		}
	}
	if len(clauses[verb]) == 0 {
		return wrong("%s is not followed by a column", verb)
	}
	if _, err := q.verb(); err != nil {
		return Question{}, fmt.Errorf("in %q: %w", line, err)
	}
	return q, nil
}

type word struct {
	text   string
	quoted bool
}

// split cuts a line into words, commas and equal signs.
func split(line string) ([]word, error) {
	var out []word
	rest := []rune(line)
	for len(rest) > 0 {
		c := rest[0]
		switch {
		case unicode.IsSpace(c):
			rest = rest[1:]
		case c == ',' || c == '=':
			out = append(out, word{text: string(c)})
			rest = rest[1:]
		case c == '"' || c == '\'':
			end := 1
			for end < len(rest) && rest[end] != c {
				end++
			}
			if end == len(rest) {
				return nil, data.WithHint(fmt.Errorf("in %q: a quote is not closed", line), "close it with %c", c)
			}
			if end == 1 {
				return nil, data.WithHint(fmt.Errorf("in %q: a name is empty", line), "name a column between the quotes")
			}
			out = append(out, word{string(rest[1:end]), true})
			rest = rest[end+1:]
		default:
			end := 1
			for end < len(rest) && !unicode.IsSpace(rest[end]) && rest[end] != ',' && rest[end] != '=' {
				end++
			}
			out = append(out, word{text: string(rest[:end])})
			rest = rest[end:]
		}
	}
	return out, nil
}
