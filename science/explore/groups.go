package explore

import (
	"math"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// Groups says which rows belong together.
type Groups struct {
	DuplicateRows int `json:"duplicate_rows"` // equal to an earlier one in all columns but the id
	// NearDuplicates are rows that equal an earlier one but for case and spaces in
	// words, and numbers apart by less than a thousandth.
	NearDuplicates int `json:"near_duplicate_rows"`
	// Conflicts are rows that equal an earlier one in all but the target.
	Conflicts int `json:"conflicting_rows"`
	// Split is the column that names parts such as train and test; "" for none.
	// Overlap counts rows of its smaller parts that also stand in the largest.
	Split   string `json:"split,omitempty"`
	Overlap int    `json:"split_overlap"`
}

func groups(t *data.Table, p *Page, c *data.Contract) Groups {
	g := Groups{DuplicateRows: p.Overview.Duplicates}
	if t.Rows() < 2 {
		return g
	}
	target := ""
	if p.Target != nil {
		target = p.Target.Name
	}
	var split *data.Column
	for i, col := range t.Columns {
		if isSplit(col, p.Columns[i]) {
			split = col
			g.Split = col.Name
			break
		}
	}
	skip := func(name string) bool {
		f := c.Field(name)
		return f != nil && f.Role == data.ID || name == g.Split && split != nil
	}
	used := 0
	for i, col := range t.Columns {
		if !skip(col.Name) && p.Columns[i].Distinct > 1 {
			used++
		}
	}
	// Rows of few columns are near to each other by chance.
	if used >= 5 && len(t.Columns) <= 1000 {
		near := rowHashes(t, skip, true)
		g.NearDuplicates = max(repeats(near)-g.DuplicateRows, 0)
	}
	if target != "" && used >= 3 && g.DuplicateRows >= 0 {
		exact := rowHashes(t, func(name string) bool { return skip(name) || name == target }, false)
		if split != nil {
			g.Overlap = overlap(exact, split)
		}
		g.Conflicts = max(repeats(exact)-g.DuplicateRows, 0)
	} else if split != nil {
		g.Overlap = overlap(rowHashes(t, skip, false), split)
	}
	return g
}

// isSplit knows columns such as split = train or test.
func isSplit(col *data.Column, c Column) bool {
	if col.Kind != data.Category || c.Distinct < 2 || c.Distinct > 6 {
		return false
	}
	for _, v := range col.Dict {
		switch strings.ToLower(v) {
		case "train", "training", "test", "testing", "valid", "validation", "val", "dev", "holdout", "eval":
		default:
			return false
		}
	}
	return true
}

// overlap counts the rows of the smaller parts that equal one of the largest.
func overlap(hash []uint64, split *data.Column) int {
	counts := make([]int, len(split.Dict))
	for _, c := range split.Codes {
		if c >= 0 {
			counts[c]++
		}
	}
	most := slices.Index(counts, slices.Max(counts))
	var largest []uint64
	for i, c := range split.Codes {
		if int(c) == most {
			largest = append(largest, hash[i])
		}
	}
	slices.Sort(largest)
	n := 0
	for i, c := range split.Codes {
		if int(c) == most || c < 0 {
			continue
		}
		if _, found := slices.BinarySearch(largest, hash[i]); found {
			n++
		}
	}
	return n
}

// repeats counts those equal to an earlier one, using up the hashes.
func repeats(hash []uint64) int {
	sorted, _ := radix(hash, nil)
	n := 0
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			n++
		}
	}
	return n
}

// rowHashes hashes the values of each row, by name of column and by value, so
// that rows of two tables can be compared. loose makes near values equal.
func rowHashes(t *data.Table, skip func(name string) bool, loose bool) []uint64 {
	hash := make([]uint64, t.Rows())
	for _, col := range t.Columns {
		if skip(col.Name) {
			continue
		}
		seed := textHash(col.Name)
		add := func(i int, v uint64) { hash[i] += scramble(v ^ seed) } // in any order of the columns
		switch col.Kind {
		case data.Number:
			for i, v := range col.Numbers {
				switch {
				case math.IsNaN(v):
					add(i, 1)
				case v == 0:
					add(i, 2)
				default:
					b := math.Float64bits(v)
					if loose {
						b = (b + 1<<41) >> 42 // ten bits of mantissa are left
					}
					add(i, b)
				}
			}
		case data.Category:
			of := make([]uint64, len(col.Dict))
			for c, v := range col.Dict {
				of[c] = textHash(normal(v, loose))
			}
			for i, c := range col.Codes {
				if c >= 0 {
					add(i, of[c])
				} else {
					add(i, 1)
				}
			}
		case data.Time:
			for i, v := range col.Times {
				add(i, uint64(v))
			}
		case data.Text:
			for i, v := range col.Texts {
				add(i, textHash(normal(v, loose)))
			}
		}
	}
	return hash
}

func normal(v string, loose bool) string {
	if !loose {
		return v
	}
	return strings.ToLower(strings.Join(strings.Fields(v), " "))
}

// textHash is FNV-1a.
func textHash(v string) uint64 {
	h := uint64(14695981039346656037)
	for j := range len(v) {
		h = (h ^ uint64(v[j])) * 1099511628211
	}
	return h
}
