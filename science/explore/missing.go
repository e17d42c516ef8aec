package explore

import (
	"cmp"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/data"
)

// Missing says which columns are missing together.
type Missing struct {
	Columns  int       `json:"columns"`  // columns with a missing value
	Patterns []Pattern `json:"patterns"` // most rows first, at most 12, rows without a missing value among them
	Others   int       `json:"others"`   // how many patterns more there are
}

// Pattern is a set of columns that are missing in the same rows.
type Pattern struct {
	Columns []string `json:"columns"` // the first 40, in table order
	More    int      `json:"more,omitempty"`
	Rows    int      `json:"rows"`
}

const maxPatterns = 12

// patterns gathers for each row a hash of the set of its missing columns.
type patterns struct {
	hash    []uint64
	next    uint64
	columns int
}

func newPatterns(rows int) *patterns { return &patterns{hash: make([]uint64, rows)} }

// add notes where the column is missing, and returns in how many rows.
func (p *patterns) add(col *data.Column) int64 {
	p.next++
	bit := scramble(p.next) // sets are equal if the sums of their members' hashes are
	var n int64
	switch col.Kind {
	case data.Number:
		for i, v := range col.Numbers {
			if math.IsNaN(v) {
				p.hash[i] += bit
				n++
			}
		}
	case data.Category:
		for i, v := range col.Codes {
			if v < 0 {
				p.hash[i] += bit
				n++
			}
		}
	default:
		for i := range p.hash {
			if col.Missing(i) {
				p.hash[i] += bit
				n++
			}
		}
	}
	if n > 0 {
		p.columns++
	}
	return n
}

func (p *patterns) complete() int {
	n := 0
	for _, h := range p.hash {
		if h == 0 {
			n++
		}
	}
	return n
}

func (p *patterns) missing(t *data.Table) Missing {
	m := Missing{Columns: p.columns, Patterns: []Pattern{}}
	if p.columns == 0 {
		return m
	}
	type seen struct{ row, n int }
	at := map[uint64]int{}
	var all []seen
	for i, h := range p.hash {
		k, ok := at[h]
		if !ok {
			if k = len(all); k == 100_000 { // rows beyond so many patterns say nothing
				continue
			}
			at[h] = k
			all = append(all, seen{row: i})
		}
		all[k].n++
	}
	slices.SortFunc(all, func(a, b seen) int { return cmp.Or(b.n-a.n, a.row-b.row) })
	for _, s := range all[:min(len(all), maxPatterns)] {
		q := Pattern{Columns: []string{}, Rows: s.n}
		for _, col := range t.Columns {
			if col.Missing(s.row) {
				if len(q.Columns) < 40 {
					q.Columns = append(q.Columns, col.Name)
				} else {
					q.More++
				}
			}
		}
		m.Patterns = append(m.Patterns, q)
	}
	m.Others = len(all) - len(m.Patterns)
	return m
}
