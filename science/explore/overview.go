package explore

import (
	"math"

	"github.com/tandem-ml/tandem/data"
)

func overview(t *data.Table, c *data.Contract) (Overview, Missing) {
	o := Overview{Rows: t.Rows(), Columns: len(t.Columns), Kinds: map[string]int{}}
	m := newPatterns(t.Rows())
	for _, col := range t.Columns {
		o.Kinds[col.Kind.String()]++
		o.MissingCells += m.add(col)
	}
	o.CompleteRows = m.complete()
	o.Duplicates = duplicates(t, c)
	return o, m.missing(t)
}

// duplicates counts the rows that equal an earlier row in every column but
// those of the id role. Rows are compared by a 64-bit hash: among a billion
// rows the chance that two unequal ones are taken for equal is under 3%, among
// a million under one in thirty million.
func duplicates(t *data.Table, c *data.Contract) int {
	hash := make([]uint64, t.Rows())
	used := false
	for _, col := range t.Columns {
		if f := c.Field(col.Name); f != nil && f.Role == data.ID {
			continue
		}
		used = true
		addHashes(hash, col)
	}
	if !used {
		return 0
	}
	return repeats(hash)
}

func addHashes(hash []uint64, col *data.Column) {
	add := func(i int, v uint64) { hash[i] = scramble(hash[i]*31 + v) }
	switch col.Kind {
	case data.Number:
		for i, v := range col.Numbers {
			switch {
			case math.IsNaN(v):
				add(i, 0x7ff8dead)
			case v == 0:
				add(i, 0) // -0 equals 0
			default:
				add(i, scramble(math.Float64bits(v)))
			}
		}
	case data.Category:
		for i, v := range col.Codes {
			add(i, scramble(uint64(int64(v))+0x51ed))
		}
	case data.Time:
		for i, v := range col.Times {
			add(i, scramble(uint64(v)))
		}
	case data.Text:
		for i, v := range col.Texts {
			h := uint64(14695981039346656037) // FNV-1a
			for j := range len(v) {
				h = (h ^ uint64(v[j])) * 1099511628211
			}
			add(i, h)
		}
	}
}

// scramble is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA
// 2014): every bit of the input changes half of the output's bits.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
