package explore

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
)

// Text is what a page says of a column of free text.
type Text struct {
	Rows      int        `json:"rows"`       // evenly spaced rows that it is measured on
	Lengths   []Quantile `json:"lengths"`    // characters
	Words     []Quantile `json:"words"`      // tokens
	Tokens    int        `json:"tokens"`     // distinct, up to 200,000
	TopTokens []Token    `json:"top_tokens"` // by rows that hold them
	// Duplicates are texts equal to an earlier one; NearDuplicates those that are
	// so but for case, digits and punctuation, of four words or more.
	Duplicates     int `json:"duplicates"`
	NearDuplicates int `json:"near_duplicates"`
	// Terms are the tokens that separate the classes of a two-valued target, those
	// of the positive class first, strongest first, at most ten for each.
	Terms []Term `json:"terms"`
}

// Token is a word with the number of rows that hold it.
type Token struct {
	Token string `json:"token"`
	Rows  int    `json:"rows"`
}

// Term is a token that goes with a class.
type Term struct {
	Token    string `json:"token"`
	Positive bool   `json:"positive"` // the class
	Rows     int    `json:"rows"`
	Rate     Num    `json:"rate"` // of the positive class among them
	// Z is the difference in log odds between the classes in standard errors,
	// with all rows as prior (Monroe, Colaresi and Quinn, Fightin' Words, 2008).
	Z Num `json:"z"`
}

const (
	textRows  = 20_000
	textBytes = 4096 // of a text that are read
	// leastRows is in how many rows a token must stand to be shown: a token of
	// fewer might be a person's.
	leastRows = 5
	maxTokens = 200_000
)

// describeText reads evenly spaced rows. With hide no token is told, since the
// column itself holds personal data.
func describeText(col *data.Column, y *labels, hide bool) *Text {
	out := &Text{TopTokens: []Token{}, Terms: []Term{}, Lengths: []Quantile{}, Words: []Quantile{}}
	var lengths, words []float64
	rows := map[string]*[3]int{} // rows, rows of class 0, rows of class 1
	exact, near := map[uint64]struct{}{}, map[uint64]struct{}{}
	var class [2]int
	for _, i := range spread(col.Len(), textRows) {
		v := col.Texts[i]
		if v == "" {
			continue
		}
		out.Rows++
		lengths = append(lengths, float64(utf8.RuneCountInString(v)))
		k := -1
		if y != nil && y.task == "binary" && !math.IsNaN(y.y[i]) {
			k = int(y.y[i])
			class[k]++
		}
		found := tokenize(v)
		words = append(words, float64(len(found)))
		h := textHash(v)
		_, again := exact[h]
		exact[h] = struct{}{}
		if again {
			out.Duplicates++
		}
		loose := uint64(7)
		for _, t := range found {
			loose = scramble(loose ^ textHash(strings.Map(digitsAlike, t)))
		}
		if len(found) >= 4 { // of keys and names, all that differ in digits are others
			if _, close := near[loose]; close && !again {
				out.NearDuplicates++
			}
			near[loose] = struct{}{}
		}
		slices.Sort(found)
		for _, t := range slices.Compact(found) {
			c := rows[t]
			if c == nil {
				if len(rows) == maxTokens {
					continue
				}
				c = &[3]int{}
				rows[strings.Clone(t)] = c
			}
			c[0]++
			if k >= 0 {
				c[1+k]++
			}
		}
	}
	out.Tokens = len(rows)
	out.Lengths, out.Words = quantilesOf(lengths), quantilesOf(words)
	if hide {
		return out
	}
	type entry struct {
		token string
		rows  [3]int
		z     float64
	}
	var all []entry
	for t, c := range rows {
		if c[0] >= leastRows && !strings.ContainsFunc(t, unicode.IsDigit) {
			all = append(all, entry{token: t, rows: *c})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(b.rows[0]-a.rows[0], cmp.Compare(a.token, b.token)) })
	for _, e := range all[:min(len(all), 20)] {
		out.TopTokens = append(out.TopTokens, Token{chart.Clean(e.token, 40), e.rows[0]})
	}
	if class[0] < 20 || class[1] < 20 {
		return out
	}
	n := float64(class[0] + class[1])
	const prior = 10 // rows that the prior weighs
	for k := range all {
		e := &all[k]
		share := float64(e.rows[1]+e.rows[2]) / n
		odds := func(c int) (logOdds, variance float64) {
			with := float64(e.rows[1+c]) + float64(prior*share) + 0.5
			without := float64(class[c]-e.rows[1+c]) + float64(prior*(1-share)) + 0.5
			return math.Log(with / without), 1/with + 1/without
		}
		l0, v0 := odds(0)
		l1, v1 := odds(1)
		e.z = (l1 - l0) / math.Sqrt(v0+v1)
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(math.Abs(b.z), math.Abs(a.z)) })
	for _, positive := range []bool{true, false} {
		shown := 0
		for _, e := range all {
			if (e.z > 0) != positive || math.Abs(e.z) < 3.5 || shown == 10 {
				continue
			}
			shown++
			out.Terms = append(out.Terms, Term{chart.Clean(e.token, 40), positive, e.rows[0], Num(float64(e.rows[2]) / float64(max(e.rows[1]+e.rows[2], 1))), Num(e.z)})
		}
	}
	return out
}

func digitsAlike(r rune) rune {
	if unicode.IsDigit(r) {
		return '0'
	}
	return r
}

// tokenize cuts a text into runs of letters and digits in lower case, and
// letters of scripts that are written without spaces one by one.
func tokenize(v string) []string {
	if len(v) > textBytes {
		cut := textBytes
		for cut > 0 && !utf8.RuneStart(v[cut]) {
			cut--
		}
		v = v[:cut]
	}
	v = strings.ToLower(v)
	var out []string
	start := -1
	for i, r := range v {
		single := r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer)
		inside := !single && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
		if !inside && start >= 0 {
			out = append(out, v[start:i])
			start = -1
		}
		switch {
		case single:
			out = append(out, v[i:i+utf8.RuneLen(r)])
		case inside && start < 0:
			start = i
		}
	}
	if start >= 0 {
		out = append(out, v[start:])
	}
	return out
}

func quantilesOf(v []float64) []Quantile {
	out := []Quantile{}
	if len(v) == 0 {
		return out
	}
	slices.Sort(v)
	for _, q := range []float64{0, 0.25, 0.5, 0.75, 0.95, 1} {
		out = append(out, Quantile{q, Num(v[int(q*float64(len(v)-1)+0.5)])})
	}
	return out
}
