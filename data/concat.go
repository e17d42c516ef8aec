package data

import (
	"fmt"
	"sort"
)

// Concat returns the rows of a followed by those of b. Both must have the same
// columns of the same kinds, in any order; the result has a's order. It returns
// an error naming the column that is missing or of another kind.
func Concat(a, b *Table) (*Table, error) {
	if len(a.Columns) != len(b.Columns) {
		return nil, fmt.Errorf("tables of %d and %d columns cannot be put together", len(a.Columns), len(b.Columns))
	}
	out := make([]*Column, len(a.Columns))
	for i, x := range a.Columns {
		y := b.Column(x.Name)
		if y == nil {
			return nil, fmt.Errorf("column %q is in one table only", x.Name)
		}
		if x.Kind != y.Kind {
			return nil, fmt.Errorf("column %q is a %s in one table and a %s in the other", x.Name, x.Kind, y.Kind)
		}
		c := &Column{Name: x.Name, Kind: x.Kind}
		switch x.Kind {
		case Number:
			c.Numbers = join(x.Numbers, y.Numbers)
		case Text:
			c.Texts = join(x.Texts, y.Texts)
		case Time:
			c.Times = join(x.Times, y.Times)
		case Category:
			joinCategories(c, x, y)
		}
		out[i] = c
	}
	return NewTable(out...)
}

func join[T any](a, b []T) []T {
	return append(append(make([]T, 0, len(a)+len(b)), a...), b...)
}

// joinCategories gives c a dictionary that holds both and translates the codes.
func joinCategories(c, x, y *Column) {
	code := make(map[string]int32, len(x.Dict)+len(y.Dict))
	for _, d := range [][]string{x.Dict, y.Dict} {
		for _, v := range d {
			if _, known := code[v]; !known {
				code[v] = 0
				c.Dict = append(c.Dict, v)
			}
		}
	}
	sort.Strings(c.Dict)
	for i, v := range c.Dict {
		code[v] = int32(i)
	}
	c.Codes = make([]int32, 0, len(x.Codes)+len(y.Codes))
	for _, from := range []*Column{x, y} {
		for _, k := range from.Codes {
			if k >= 0 {
				k = code[from.Dict[k]]
			}
			c.Codes = append(c.Codes, k)
		}
	}
}

// CategoryColumn returns a category column of the given values, "" being
// missing.
func CategoryColumn(name string, values []string) *Column {
	c := &Column{Name: name, Kind: Category, Codes: make([]int32, len(values))}
	code := make(map[string]int32)
	for _, v := range values {
		if _, known := code[v]; !known && v != "" {
			code[v] = 0
			c.Dict = append(c.Dict, v)
		}
	}
	sort.Strings(c.Dict)
	for i, v := range c.Dict {
		code[v] = int32(i)
	}
	for i, v := range values {
		if c.Codes[i] = -1; v != "" {
			c.Codes[i] = code[v]
		}
	}
	return c
}
