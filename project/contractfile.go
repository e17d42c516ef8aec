package project

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/tandem-ml/tandem/data"
)

// ContractFile is a contract as people write it: what each column must be.
type ContractFile struct {
	File    string
	Columns []ContractColumn // in the file's order
}

// ContractColumn is what the file says of one column. What it leaves out stays
// as it is learned.
type ContractColumn struct {
	Name       string
	Kind       data.Kind `json:",omitzero"` // 0: not said
	Role       string
	Required   *bool
	Min, Max   *float64
	Categories []string // nil: not said
	Closed     bool     // other: refuse
	MaxMissing *float64 // the largest share of missing values in training

	place place
}

var contractWords = []string{"kind", "role", "required", "min", "max", "categories", "other", "missing", "max_missing"}

// ParseContract reads a contract's text; name is its file as it shall stand in
// messages. The error is as for [Load].
func ParseContract(name string, src []byte) (*ContractFile, error) {
	r := &reader{file: name, project: &Project{}, places: map[string]place{}}
	out := &ContractFile{File: name}
	if root, ok := r.syntax(src); ok {
		if root == nil || !r.isMap(root, "the file") {
			r.fail(place{1, 1}, "a contract begins with `columns:`; tandem contract writes one")
		}
		r.pairs(root, func(word string, where place, value ast.Node) {
			if word != "columns" {
				r.unknown(word, where, []string{"columns"})
				return
			}
			if r.isMap(value, "columns") {
				r.pairs(value, func(column string, where place, v ast.Node) {
					if c, ok := r.contractColumn(column, where, v); ok {
						out.Columns = append(out.Columns, c)
					}
				})
			}
		})
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return out, nil
}

func (r *reader) contractColumn(name string, where place, n ast.Node) (c ContractColumn, ok bool) {
	c = ContractColumn{Name: name, place: where}
	if !r.isMap(n, "column "+name) {
		return c, false
	}
	before := len(r.problems)
	r.pairs(n, func(word string, at place, v ast.Node) {
		switch word {
		case "kind":
			var kind string
			r.oneOf(v, &kind, []string{"number", "category", "text", "time"}, nil)
			if kind != "" {
				if err := c.Kind.UnmarshalText([]byte(kind)); err != nil {
					r.fail(at, "%v", err)
				}
			}
		case "role":
			r.oneOf(v, &c.Role, []string{"feature", "target", "protected", "id", "time", "group", "excluded"}, nil)
		case "required":
			c.Required = new(bool)
			r.boolean(v, c.Required)
		case "min":
			c.Min = r.optional(v)
		case "max":
			c.Max = r.optional(v)
		case "categories":
			r.texts(v, &c.Categories)
			slices.Sort(c.Categories)
			c.Categories = slices.Compact(c.Categories)
		case "other":
			var other string
			r.oneOf(v, &other, []string{"accept", "refuse"}, nil)
			c.Closed = other == "refuse"
		case "missing":
			var told float64 // for people: what training saw
			r.number(v, &told, 0, 1)
		case "max_missing":
			c.MaxMissing = new(float64)
			r.number(v, c.MaxMissing, 0, 1)
		default:
			r.unknown(word, at, contractWords)
		}
	})
	switch {
	case len(r.problems) > before:
	case c.Min != nil && c.Max != nil && *c.Min > *c.Max:
		r.fail(where, "column %q: min %v is above max %v", name, *c.Min, *c.Max)
	case c.Closed && len(c.Categories) == 0:
		r.fail(where, "column %q: other: refuse needs the categories that are accepted", name)
	case (c.Min != nil || c.Max != nil) && c.Kind != 0 && c.Kind != data.Number:
		r.fail(where, "column %q: min and max need a number column, and this one is a %s", name, c.Kind)
	}
	return c, len(r.problems) == before
}

// ContractFile reads the file that data.contract names; nil if there is none.
func (p *Project) ContractFile() (*ContractFile, error) {
	if p.Data.Contract == "" {
		return nil, nil
	}
	path := p.Data.Contract
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.Dir, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, data.WithHint(fmt.Errorf("data.contract: %w", err), "tandem contract writes one from the data")
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return ParseContract(path, src)
}

// Apply checks what was learned of a table against the file, and changes it to
// what the file says. It returns one [*Problem] per column that is not as the
// file says: absent, of another kind or role, or missing too often.
func (f *ContractFile) Apply(c *data.Contract) error {
	r := &reader{file: f.File}
	var names []string
	for i := range c.Fields {
		names = append(names, c.Fields[i].Name)
	}
	for _, want := range f.Columns {
		have := c.Field(want.Name)
		if have == nil {
			if want.Required == nil || *want.Required {
				r.fail(want.place, "the data has no column %q%s", want.Name, didYouMean(want.Name, names))
			}
			continue
		}
		switch {
		case want.Kind != 0 && want.Kind != have.Kind && have.Role != data.Excluded:
			r.fail(want.place, "column %q must be a %s, and in the data it is a %s", want.Name, want.Kind, have.Kind)
			continue
		case want.Role == string(data.Excluded) && have.Role == data.Feature:
			have.Role, have.Why = data.Excluded, "is excluded by the contract"
		case want.Role != "" && want.Role != string(have.Role) && have.Role != data.Excluded:
			r.fail(want.place, "column %q is %s here and %s by the data section of tandem.yaml; make them one", want.Name, want.Role, have.Role)
			continue
		}
		if want.MaxMissing != nil && have.MissingRate > *want.MaxMissing {
			r.fail(want.place, "column %q is missing in %.1f%% of the rows, and at most %.1f%% are allowed", want.Name, 100*have.MissingRate, 100**want.MaxMissing)
		}
		if have.Role != data.Feature {
			continue
		}
		if (want.Min != nil || want.Max != nil) && have.Kind != data.Number {
			r.fail(want.place, "column %q: min and max need a number column, and this one is a %s", want.Name, have.Kind)
			continue
		}
		if want.Min != nil {
			have.Min = want.Min
		}
		if want.Max != nil {
			have.Max = want.Max
		}
		if have.Min != nil && have.Max != nil && *have.Min > *have.Max {
			r.fail(want.place, "column %q: min %v is above max %v; give both bounds", want.Name, *have.Min, *have.Max)
		}
		if want.Required != nil {
			have.Required = *want.Required
		}
		if want.Categories != nil && have.Kind == data.Category {
			have.Categories, have.Closed = want.Categories, want.Closed
		}
	}
	return r.err()
}

// WriteContract writes a contract as [ParseContract] reads it.
func WriteContract(c *data.Contract) []byte {
	var b bytes.Buffer
	b.WriteString(`# What the columns must be. Edit it, and name it in tandem.yaml as data.contract: training and production hold to it.
# missing says what was seen; max_missing: 0.1 would bound it. other: refuse accepts the listed categories alone.
columns:
`)
	for _, f := range c.Fields {
		parts := []string{"kind: " + f.Kind.String(), "role: " + string(f.Role)}
		add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
		if f.Role == data.Feature {
			add("required: %v", f.Required)
			if f.Min != nil {
				add("min: %s", data.FormatNumber(*f.Min))
			}
			if f.Max != nil {
				add("max: %s", data.FormatNumber(*f.Max))
			}
			if f.Kind == data.Category {
				quoted := make([]string, len(f.Categories))
				for i, v := range f.Categories {
					quoted[i] = yamlText(v)
				}
				add("categories: [%s]", strings.Join(quoted, ", "))
				if f.Closed {
					add("other: refuse")
				}
			}
		}
		add("missing: %s", data.FormatNumber(float64(int(f.MissingRate*10000+0.5))/10000))
		fmt.Fprintf(&b, "  %s: {%s}\n", yamlText(f.Name), strings.Join(parts, ", "))
	}
	return b.Bytes()
}
