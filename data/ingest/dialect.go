package ingest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// dialect is how a CSV file is written.
type dialect struct {
	comma  byte
	quote  byte // 0: none
	escape byte // 0: a quote within quotes is doubled
	padded bool // a blank follows every separator and belongs to it
	skip   int  // bytes before the header
	header bool // the first line names the columns
}

// sampleSize is how much of a file tells its dialect.
const sampleSize = 1 << 16

// tally is how well a dialect fits a sample.
type tally struct {
	lines, bad   int
	first, width int         // cells of the first record; the width most records have
	agreeing     int         // records of that width
	share        float64     // of the lines
	starts       map[int]int // width: where the first record of that width begins
}

// fit parses a sample in a dialect.
func (d dialect) fit(sample []byte, whole bool) tally {
	s := csvScanner{dialect: d}
	t := tally{starts: map[int]int{}}
	widths := map[int]int{}
	for at := 0; at < len(sample); {
		n, bad := s.parse(sample[at:], whole)
		if n == 0 {
			break // the sample ends within a record
		}
		if n < 0 {
			at -= n
			continue
		}
		t.lines++
		w := len(s.rec.cells)
		if bad != "" {
			t.bad++
			w = 0
		} else {
			widths[w]++
			if _, seen := t.starts[w]; !seen {
				t.starts[w] = at
			}
		}
		if t.lines == 1 {
			t.first = w
		}
		at += n
	}
	t.width = t.first
	for w, n := range widths {
		if n > widths[t.width] || n == widths[t.width] && w != t.first && t.width != t.first && w > t.width {
			t.width = w
		}
	}
	t.agreeing = widths[t.width]
	if t.lines > 0 {
		t.share = float64(t.agreeing) / float64(t.lines)
	}
	return t
}

// score is by what dialects are compared: the share of lines that agree, less
// if the first line, which should name the columns, does not.
func (t tally) score() float64 {
	if t.width < 2 {
		return 0
	}
	if t.first != t.width {
		return t.share / 2
	}
	return t.share
}

// sniff tells which byte separates the cells of a sample: the one by which most
// lines have as many cells as most. Ties go to more cells, then to the order of
// the list.
func sniff(sample []byte, whole bool) byte {
	best, bestScore, bestWidth := byte(','), 0.0, 1
	for _, list := range [...]string{",;\t|", "^~\x01\x1f"} {
		for _, comma := range []byte(list) {
			if bytes.IndexByte(sample, comma) < 0 {
				continue
			}
			t := dialect{comma: comma, quote: '"'}.fit(sample, whole)
			if s := t.score(); s > bestScore || s == bestScore && s > 0 && t.width > bestWidth {
				best, bestScore, bestWidth = comma, s, t.width
			}
		}
		if bestScore > 0 {
			break
		}
	}
	return best
}

// detect tells the dialect of a sample, as far as it is not given, and what it
// guessed. columns, which may be nil, are names that the header is expected to
// hold. comma is 0 where the format does not say.
func detect(sample []byte, whole bool, comma byte, given data.Dialect, columns []string) (dialect, []data.Finding) {
	var found []data.Finding
	guess := func(kind, about string, count int, setting, format string, args ...any) *data.Finding {
		found = append(found, data.Finding{Kind: kind, About: about, Count: count, Text: fmt.Sprintf(format, args...), Setting: setting})
		return &found[len(found)-1]
	}
	d := dialect{comma: comma, quote: '"', header: true}
	skipped := 0
	if given.Skip != nil {
		for range *given.Skip {
			n := firstLine(sample[skipped:])
			skipped += n
		}
		sample = sample[skipped:]
	}
	if given.Delimiter != "" {
		d.comma = given.Delimiter[0]
	} else if comma == 0 {
		if d.comma = sniff(sample, whole); d.comma != ',' {
			guess("guess", "dialect", 1, "data.read.delimiter: "+strconv.Quote(string(d.comma)), "cells are separated by %q", string(d.comma))
		}
	}
	switch given.Quote {
	case "":
		if single := (dialect{comma: d.comma, quote: '\''}); single.quotes(sample) >= 2 && d.quotes(sample) == 0 &&
			single.fit(sample, whole).score() >= d.fit(sample, whole).score() {
			d.quote = '\''
			guess("guess", "dialect", 1, `data.read.quote: "'"`, "cells are quoted with '")
		}
	case "none":
		d.quote = 0
	default:
		d.quote = given.Quote[0]
	}
	switch given.Escape {
	case "":
		if escaped := d; d.quote != 0 && bytes.Contains(sample, []byte{'\\', d.quote}) {
			escaped.escape = '\\'
			a, b := escaped.fit(sample, whole), d.fit(sample, whole)
			if a.score() > b.score() || a.score() == b.score() && a.bad < b.bad {
				d = escaped
				guess("guess", "dialect", 1, `data.read.escape: "\\"`, `a quote within quotes is written \%c`, d.quote)
			}
		}
	case "none":
	default:
		d.escape = given.Escape[0]
	}
	if given.Skip != nil {
		d.skip = skipped
	} else {
		d.skip = d.preamble(sample, whole)
		if n := lines(sample[:d.skip]); n > 0 {
			var shown []string
			for at := 0; at < d.skip && len(shown) < 3; {
				m := firstLine(sample[at:])
				if text := trim(sample[at : at+m]); len(text) > 0 {
					shown = append(shown, string(text))
				}
				at += max(m, 1)
			}
			guess("guess", "lines", n, fmt.Sprintf("data.read.skip: %d", n), "%s before the header %s no rows and %s passed over",
				plural(n, "line"), isAre(n), isAre(n)).Example = shown
		}
		sample = sample[d.skip:]
	}
	d.pad(sample, whole)
	if d.padded {
		guess("repair", "dialect", 1, "", "a blank follows every separator and is taken for a part of it")
	}
	switch {
	case given.Header != nil:
		d.header = *given.Header
	case !d.named(sample, whole, columns):
		d.header = false
		guess("guess", "header", 1, "data.read.header: false", "the first line looks like the others: the columns have no names")
	}
	return d, found
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// quotes counts the cells of a sample that begin with the quote.
func (d dialect) quotes(sample []byte) int {
	n := bytes.Count(sample, []byte{d.comma, d.quote}) + bytes.Count(sample, []byte{d.comma, ' ', d.quote}) + bytes.Count(sample, []byte{'\n', d.quote})
	if len(sample) > 0 && sample[0] == d.quote {
		n++
	}
	return n
}

// mostPreamble is how many lines may stand before the header.
const mostPreamble = 64

// preamble returns how many bytes stand before the header: titles, comments and
// notes, which have fewer cells than the table.
func (d dialect) preamble(sample []byte, whole bool) int {
	t := d.fit(sample, whole)
	comment := 0 // comments at the very beginning, in a file of any width
	for at := 0; at < len(sample) && sample[at] == '#'; {
		n := firstLine(sample[at:])
		if n == 0 || n == len(sample[at:]) {
			break
		}
		// A header may begin with #, as in "#chrom,start": then no comment follows,
		// no blank stands after it, and it has as many cells as the rows.
		next := sample[at+n:]
		if next[0] != '#' && sample[at+1] != ' ' && t.width > 1 && t.starts[t.width] == at {
			break
		}
		at += n
		comment = at
	}
	if comment > 0 {
		return comment + d.preamble(sample[comment:], whole)
	}
	start, ok := t.starts[t.width]
	if !ok || t.width < 2 || t.first == t.width || t.share < 0.6 || t.first > t.width {
		return 0
	}
	if t.first == t.width-1 && t.first > 1 {
		return 0 // a header without the name of the first or the last column
	}
	if lines(sample[:start]) > mostPreamble {
		return 0
	}
	return start
}

// pad finds out whether a blank follows every separator.
func (d *dialect) pad(sample []byte, whole bool) {
	count := &padding{}
	s := csvScanner{dialect: *d, count: count}
	for records := 0; len(sample) > 0 && records < 200; records++ {
		n, _ := s.parse(sample, whole)
		if n == 0 {
			break
		}
		sample = sample[max(n, -n):]
	}
	d.padded = count.cells >= 2 && count.padded == count.cells
}

// padding counts separators, and those that a blank follows.
type padding struct{ cells, padded int }

// named reports whether the first record of a sample names columns: it does
// unless it has a number or a time where the other records have them, too.
func (d dialect) named(sample []byte, complete bool, columns []string) bool {
	s := csvScanner{dialect: d}
	var first []string
	var typed, values []int // by column, of the records after the first
	for records := 0; len(sample) > 0 && records < 200; {
		n, bad := s.parse(sample, complete)
		if n == 0 {
			break
		}
		sample = sample[max(n, -n):]
		if n < 0 || bad != "" {
			continue
		}
		if records++; records == 1 {
			for _, c := range s.rec.cells {
				first = append(first, string(trim(c.text)))
			}
			typed, values = make([]int, len(first)), make([]int, len(first))
			continue
		}
		for i, c := range s.rec.cells {
			if i < len(first) && c.form == text {
				values[i]++
				if isTyped(c.text) {
					typed[i]++
				}
			}
		}
	}
	if columns != nil && slices.ContainsFunc(first, func(name string) bool { return slices.Contains(columns, name) }) {
		return true
	}
	against := 0
	last, rising, any := 0.0, true, false
	for i, cell := range first {
		if !isTyped([]byte(cell)) {
			if cell != "" && values[i] > 0 && typed[i] == values[i] {
				return true // a word above numbers
			}
			continue
		}
		if typed[i] == values[i] && values[i] > 0 {
			against++
		}
		// Years, months and codes may be names: they count up.
		x, shape := parseNumber([]byte(cell))
		rising = rising && shape == whole && (!any || x > last)
		last, any = x, true
	}
	typedFirst := 0
	for _, cell := range first {
		if isTyped([]byte(cell)) {
			typedFirst++
		}
	}
	return against == 0 || rising && typedFirst > 1 && !slices.Contains(first, "")
}

// isTyped reports whether a text is a number or a time rather than a word.
func isTyped(b []byte) bool {
	if _, shape := parseNumber(b); shape != notNumber {
		return true
	}
	if len(b) > longestNumber || !hasDigit(b) {
		return false
	}
	for l := ymd; l < layouts; l++ {
		if _, ok := parseTime(b, l); ok {
			return true
		}
	}
	w := look(b)
	return w.points || w.commas
}

// nameColumns makes the columns of a header: blanks cut off, names for those
// that have none, and numbers after names that occur again.
func nameColumns(cells []string) (columns []string, found []data.Finding) {
	taken := map[string]bool{}
	for _, c := range cells {
		taken[c] = true
	}
	seen := map[string]bool{}
	var empty, again []string
	for i, column := range cells {
		if column == "" {
			// Spreadsheets and data frames write an index without a name.
			for column = fmt.Sprintf("column_%d", i+1); taken[column]; {
				column += "_"
			}
			empty = append(empty, column)
		}
		if seen[column] {
			base := column
			for n := 2; seen[column] || taken[column]; n++ {
				column = fmt.Sprintf("%s_%d", base, n)
			}
			again = append(again, column)
		}
		seen[column] = true
		taken[column] = true
		columns = append(columns, column)
	}
	if empty != nil {
		found = append(found, data.Finding{Kind: "repair", About: "header", Count: len(empty), Example: empty[:min(3, len(empty))],
			Text: plural(len(empty), "column") + " without a name got one"})
	}
	if again != nil {
		found = append(found, data.Finding{Kind: "repair", About: "header", Count: len(again), Example: again[:min(3, len(again))],
			Text: plural(len(again), "column") + " with a name that another has got a number after it"})
	}
	return columns, found
}

// isTotal reports whether the first cell of a file's last row says that the row
// sums up the others.
func isTotal(b []byte) bool {
	b = trim(b)
	if len(b) < 3 || len(b) > 24 {
		return false
	}
	switch b[0] | ' ' {
	case 't', 's', 'g', 'i':
	default:
		return false
	}
	switch strings.ToLower(strings.TrimRight(string(b), ": .")) {
	case "total", "totals", "grand total", "sum", "sums", "summe", "gesamt", "gesamtsumme", "insgesamt", "subtotal", "suma", "totale", "totaal":
		return true
	}
	return false
}
