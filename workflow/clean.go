package workflow

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
	"github.com/tandem-ml/tandem/data/ingest"
	"github.com/tandem-ml/tandem/project"
	"github.com/tandem-ml/tandem/science/explore/privacy"
)

// Preparation is what cleaning does, or would do, to a table.
type Preparation struct {
	Source   string           `json:"source"`
	Rows     int              `json:"rows"` // that could be read
	Left     int              `json:"rows_left"`
	Steps    []clean.Done     `json:"steps"`              // those that were taken, or would be
	Proposed []clean.Proposal `json:"proposed,omitempty"` // those that wait for a person's word
	YAML     string           `json:"yaml,omitempty"`     // the proposals as a section of tandem.yaml
	Constant []string         `json:"constant,omitempty"` // columns with one value, which no model needs
	Rejects  []ingest.Reject  `json:"-"`

	table *data.Table
	files []string // what was read, as this process finds it
}

// Prepare reads a source, or the data of a project's folder, and takes its
// steps of cleaning: those of the project, or else those that are safe of what
// the table suggests, or all of them with accept. Examples in it are masked
// where a column holds personal data.
func Prepare(ctx context.Context, source string, accept bool, opt Options) (*Preparation, error) {
	how := ingest.Options{}
	var steps []clean.Step
	var p *project.Project
	if info, err := os.Stat(source); err == nil && info.IsDir() {
		if p, err = project.Load(source); err != nil {
			return nil, err
		}
		how, source, steps = reading(p), p.Data.Source, p.Clean
	}
	how.Strict = opt.Strict
	how.Progress = func(rows int) { opt.Talk.Progress("  %d rows", rows) }
	res, err := ingest.Read(ctx, source, how)
	if err != nil {
		return nil, err
	}
	tellFindings(opt.Talk, res.Findings)
	tellRejects(opt.Talk, res.Rejects)
	out := &Preparation{Source: res.Snapshot.Source, Rows: res.Table.Rows(), Rejects: res.Rejects}
	out.files = append(out.files, source)
	for _, f := range how.Tables {
		out.files = append(out.files, f)
	}
	for i, f := range out.files {
		if !filepath.IsAbs(f) {
			out.files[i] = filepath.Join(how.Dir, f)
		}
	}
	if p != nil {
		if err := p.CheckColumns(res.Table.Names()); err != nil {
			return nil, err
		}
	}
	if len(steps) == 0 {
		proposed := clean.Propose(res.Table)
		var all []clean.Step
		for _, one := range proposed {
			if one.Step.Op == "merge" && personal(res.Table.Column(one.Step.Column)) {
				continue // its text would spell out personal values
			}
			all = append(all, one.Step)
			if one.Safe || accept {
				steps = append(steps, one.Step)
			} else {
				out.Proposed = append(out.Proposed, one)
			}
		}
		if len(all) > 0 {
			out.YAML = clean.YAML(all)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	done, err := clean.Table(res.Table, steps)
	if err != nil {
		return nil, err
	}
	out.Steps, out.table, out.Left = done.Done, done.Table, done.Table.Rows()
	out.Rejects = append(out.Rejects, refusedRows(out.Source, done.Bad)...)
	tellRejects(opt.Talk, out.Rejects[len(res.Rejects):])
	for i := range out.Steps {
		maskExamples(&out.Steps[i], res.Table)
	}
	for _, c := range done.Table.Columns {
		if one(c) {
			out.Constant = append(out.Constant, c.Name)
		}
	}
	return out, ctx.Err()
}

// one reports whether a column has no two values.
func one(c *data.Column) bool {
	first := ""
	for i := range c.Len() {
		v := c.Format(i)
		if i == 0 {
			first = v
		}
		if v != first {
			return false
		}
	}
	return true
}

// maskExamples makes a step's examples fit for anyone's eyes.
func maskExamples(d *clean.Done, t *data.Table) {
	c := t.Column(d.Step.Column)
	if d.Step.Op == "duplicates" && len(d.Example) > 0 {
		if c = t.Columns[0]; len(d.Step.By) > 0 {
			c = t.Column(d.Step.By[0])
		}
	}
	if c == nil {
		return
	}
	mask := privacy.Redact
	if f := privacy.Scan(c.Name, sampled(c)); f != nil && !f.Within {
		mask = privacy.Mask
	}
	d.Example = slices.Clone(d.Example)
	for i := range d.Example {
		d.Example[i] = clean.Change{From: mask(d.Example[i].From), To: mask(d.Example[i].To)}
	}
}

// PreparedFormats are the endings that a prepared table is written with.
func PreparedFormats() []string { return []string{".csv", ".parquet", ".arrow"} }

// Write writes the table to a file of the format that its name ends with; it
// appears whole or not at all. In CSV and Parquet times are RFC 3339, and a
// missing value is empty.
func (p *Preparation) Write(ctx context.Context, path string) error {
	if there, err := os.Stat(path); err == nil {
		for _, pattern := range p.files {
			files, _ := filepath.Glob(pattern)
			for _, f := range append(files, pattern) {
				if raw, err := os.Stat(f); err == nil && os.SameFile(raw, there) {
					return Usagef("-o %s would replace the file that is read; name another", path)
				}
			}
		}
	}
	var write func(w io.Writer) error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		write = func(w io.Writer) error { return writeTable(ctx, w, p.table) }
	case ".parquet":
		write = func(w io.Writer) error {
			out, err := ingest.NewParquetWriter(w)
			if err != nil {
				return err
			}
			var numbers []bool
			for _, c := range p.table.Columns {
				numbers = append(numbers, c.Kind == data.Number)
			}
			if err := writeTable(ctx, out, p.table); err != nil {
				return errors.Join(err, out.Close(nil, nil))
			}
			return out.Close(p.table.Names(), numbers)
		}
	case ".arrow":
		write = func(w io.Writer) error {
			out := ingest.NewArrowWriter(w)
			if err := out.Write(asTexts(p.table)); err != nil {
				return err
			}
			return out.Close()
		}
	default:
		return Usagef("%s: a table is written as %s", path, strings.Join(PreparedFormats(), ", "))
	}
	return writeFile(path, write)
}

// writeTable writes a table as CSV.
func writeTable(ctx context.Context, w io.Writer, t *data.Table) error {
	out := csv.NewWriter(w)
	if err := out.Write(t.Names()); err != nil {
		return err
	}
	line := make([]string, len(t.Columns))
	for i := range t.Rows() {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for j, c := range t.Columns {
			line[j] = c.Format(i)
		}
		if len(line) == 1 && line[0] == "" { // else it would be an empty line, which is no row
			out.Flush()
			if _, err := io.WriteString(w, "\"\"\n"); err != nil {
				return err
			}
			continue
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// asTexts returns the table with its categories and times as texts.
func asTexts(t *data.Table) *data.Table {
	out := &data.Table{}
	for _, c := range t.Columns {
		if c.Kind != data.Number {
			texts := make([]string, c.Len())
			for i := range texts {
				texts[i] = c.Format(i)
			}
			c = &data.Column{Name: c.Name, Kind: data.Text, Texts: texts}
		}
		out.Columns = append(out.Columns, c)
	}
	return out
}

// Text tells what was done, or would be.
func (p *Preparation) Text(w io.Writer, dry bool) error {
	var b bytes.Buffer
	verb := "taken"
	if dry {
		verb = "would be taken"
	}
	fmt.Fprintf(&b, "%s: %d rows, %d of them left\n", p.Source, p.Rows, p.Left)
	for _, d := range p.Steps {
		fmt.Fprintf(&b, "  %s: %s\n    why: %s\n", verb, d.Sentence(), d.Reason)
		for _, e := range d.Example {
			to := fmt.Sprintf("%q", e.To)
			if e.To == "" {
				to = "nothing"
			}
			if d.Step.Op == "flag" {
				fmt.Fprintf(&b, "    flagged %q\n", e.From)
			} else {
				fmt.Fprintf(&b, "    %q becomes %s\n", e.From, to)
			}
		}
	}
	for _, one := range p.Proposed {
		fmt.Fprintf(&b, "  proposed: %s of %s, since %s\n", one.Step.Op, subjectOf(one.Step), one.Why)
	}
	for _, name := range p.Constant {
		fmt.Fprintf(&b, "  %s has one value only; a model leaves it out\n", name)
	}
	if p.YAML != "" {
		fmt.Fprintf(&b, "\nFor tandem.yaml, if you agree:\n\n%s", p.YAML)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func subjectOf(s clean.Step) string {
	if s.Op == "duplicates" {
		return "rows"
	}
	return s.Column
}

// ContractOf returns the contract of a table, of a project's data (as its
// tandem.yaml has it learned and changed), or of a bundle, and its text as a
// file to edit.
func ContractOf(ctx context.Context, source string, opt Options) (*data.Contract, []byte, error) {
	var c data.Contract
	info, err := os.Stat(source)
	switch {
	case err == nil && info.IsDir():
		p, err := project.Load(source)
		if err != nil {
			return nil, nil, err
		}
		in, err := read(ctx, p, opt)
		if err != nil {
			return nil, nil, err
		}
		c = in.Contract
	case strings.HasSuffix(source, ".tandem"):
		b, err := bundle.Open(source)
		if err != nil {
			return nil, nil, err
		}
		c = b.Contract
	default:
		res, err := ingest.Read(ctx, source, ingest.Options{})
		if err != nil {
			return nil, nil, err
		}
		tellRejects(opt.Talk, res.Rejects)
		profile := data.NewProfile(res.Table)
		if c, err = data.Learn(res.Table, &profile, data.Roles{}); err != nil {
			return nil, nil, err
		}
	}
	return &c, project.WriteContract(&c), nil
}

// WriteText writes a file that appears whole or not at all.
func WriteText(path string, text []byte) error { return writeBytes(path, text) }

// proposedComment writes the steps that a table suggests as comments of a
// project file. Columns of personal values are left out: their spellings have no
// place in a file that is passed around.
func proposedComment(t *data.Table) string {
	var steps []clean.Step
	for _, one := range clean.Propose(t) {
		if one.Step.Op == "merge" && personal(t.Column(one.Step.Column)) {
			continue
		}
		steps = append(steps, one.Step)
	}
	if len(steps) == 0 {
		return ""
	}
	text := "\n# Steps that the data suggest; tandem prepare --dry-run shows what each would do.\n"
	for line := range strings.Lines(clean.YAML(steps)) {
		text += "# " + line
	}
	return text
}

func personal(c *data.Column) bool {
	f := privacy.Scan(c.Name, sampled(c))
	return f != nil
}

// sampled returns evenly spaced values of a column.
func sampled(c *data.Column) []string {
	var values []string
	for i := 0; i < c.Len(); i += max(1, c.Len()/400) {
		values = append(values, c.Format(i))
	}
	return values
}
