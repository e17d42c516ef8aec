package ingest

import (
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/data"
)

// column fills one column of the table.
type column struct {
	plan
	numbers []float64
	times   []int64
	texts   []string
	blanked int // cells of numbers or times that hold a mark for no value

	// Words are kept once each: codes point into words, in order of arrival,
	// until there are too many different ones for a category.
	codes []int32
	words []string
	code  map[string]int32
}

func newColumn(p plan, rows int) *column {
	c := &column{plan: p}
	switch p.kind {
	case data.Number:
		c.numbers = make([]float64, 0, rows)
	case data.Time:
		c.times = make([]int64, 0, rows)
	case data.Text:
		c.texts = make([]string, 0, rows)
	case data.Category:
		c.codes = make([]int32, 0, rows)
		c.code = map[string]int32{}
	}
	return c
}

// add appends a cell. If the cell is not of the column's kind nothing is
// appended and the answer says what it is not: "is not a number, ...".
func (c *column) add(v *cell) string {
	switch c.kind {
	case data.Number:
		return c.addNumber(v)
	case data.Time:
		return c.addTime(v)
	case data.Text:
		c.texts = append(c.texts, string(c.word(v)))
	case data.Category:
		c.addWord(c.word(v))
	}
	return ""
}

func (c *column) addNumber(v *cell) string {
	switch v.form {
	case absent:
		c.numbers = append(c.numbers, math.NaN())
		return ""
	case number:
		c.numbers = append(c.numbers, v.num)
		return ""
	case text:
		// In a column of decimal commas 1.234 is a thousand and more.
		if c.style != commas {
			if x, shape := parseNumber(v.text); shape != notNumber {
				c.numbers = append(c.numbers, x)
				return ""
			}
		}
		if c.style != plain {
			if x, ok := parseStyled(v.text, c.style); ok {
				c.numbers = append(c.numbers, x)
				return ""
			}
		}
		if isWeak(v.text) {
			c.blanked++
			c.numbers = append(c.numbers, math.NaN())
			return ""
		}
	}
	return c.complain("is not a number", "write numbers as 1234.5, without thousands marks, units or a decimal comma, or leave the cell empty")
}

func (c *column) addTime(v *cell) string {
	switch v.form {
	case absent:
		c.times = append(c.times, data.MissingTime)
		return ""
	case instant:
		c.times = append(c.times, v.us)
		return ""
	case text:
		if us, ok := parseTime(v.text, c.layout); ok {
			c.times = append(c.times, us)
			return ""
		}
		if isWeak(v.text) {
			c.blanked++
			c.times = append(c.times, data.MissingTime)
			return ""
		}
	}
	return c.complain("is not a time", [...]string{
		ymd: "write times as 2026-01-31 or 2026-01-31T08:30:00Z, or leave the cell empty",
		dmy: "write times as 31/01/2026, as the others are, or leave the cell empty",
		mdy: "write times as 01/31/2026, as the others are, or leave the cell empty",

		dmyShort: "write times as 31/01/26, as the others are, or leave the cell empty",
		mdyShort: "write times as 01/31/26, as the others are, or leave the cell empty",
		named:    "write times as 31 January 2026, as the others are, or leave the cell empty",
	}[max(c.layout, ymd)])
}

func (c *column) complain(what, cure string) string {
	if c.agreeing > 0 {
		what += fmt.Sprintf(", %d of the column's %d values are", c.agreeing, c.values)
	}
	return what + "; " + cure
}

// word returns the characters that stand for a cell; none for a missing one.
func (c *column) word(v *cell) []byte {
	switch v.form {
	case absent:
		return nil
	case number:
		if math.IsNaN(v.num) {
			return nil
		}
		return []byte(data.FormatNumber(v.num))
	case instant:
		return []byte(data.FormatTime(v.us))
	}
	if c.boolean {
		if value, known := truth(v.text); known {
			return truthWords[value]
		}
	}
	return v.text
}

func (c *column) addWord(b []byte) {
	if len(b) == 0 {
		c.codes = append(c.codes, -1)
		return
	}
	code, known := c.code[string(b)]
	if !known {
		code = int32(len(c.words))
		w := string(b)
		c.words = append(c.words, w)
		c.code[w] = code
	}
	c.codes = append(c.codes, code)
	if !known && !c.decided && c.tooMany(len(c.words), c.values) {
		c.toText()
	}
}

// tooMany reports whether words are free text rather than categories.
func (c *column) tooMany(distinct int, values int64) bool {
	return distinct > 1000 && int64(distinct) > values/2
}

func (c *column) toText() {
	c.kind = data.Text
	c.texts = make([]string, len(c.codes), max(len(c.codes), int(c.values)))
	for i, code := range c.codes {
		if code >= 0 {
			c.texts[i] = c.words[code]
		}
	}
	c.codes, c.words, c.code = nil, nil, nil
}

// cut shortens the column to its first rows.
func (c *column) cut(rows int) {
	switch c.kind {
	case data.Number:
		c.numbers = c.numbers[:min(rows, len(c.numbers))]
	case data.Time:
		c.times = c.times[:min(rows, len(c.times))]
	case data.Text:
		c.texts = c.texts[:min(rows, len(c.texts))]
	case data.Category:
		c.codes = c.codes[:min(rows, len(c.codes))]
	}
}

// finish returns the table's column.
func (c *column) finish() *data.Column {
	out := &data.Column{Name: c.name, Kind: c.kind}
	switch c.kind {
	case data.Number:
		out.Numbers = slices.Clip(c.numbers)
	case data.Time:
		out.Times = c.times
	case data.Text:
		out.Texts = c.texts
	case data.Category:
		out.Codes, out.Dict = c.sorted()
	}
	return out
}

// sorted returns the codes into a sorted dictionary of the words that occur;
// those of rejected rows do not.
func (c *column) sorted() ([]int32, []string) {
	used := make([]bool, len(c.words))
	for _, code := range c.codes {
		if code >= 0 {
			used[code] = true
		}
	}
	var dict []string
	for i, w := range c.words {
		if used[i] {
			dict = append(dict, w)
		}
	}
	slices.Sort(dict)
	place := make([]int32, len(c.words))
	for i, w := range c.words {
		at, _ := slices.BinarySearch(dict, w)
		place[i] = int32(at)
	}
	for i, code := range c.codes {
		if code >= 0 {
			c.codes[i] = place[code]
		}
	}
	return c.codes, dict
}
