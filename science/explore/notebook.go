package explore

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/tandem-ml/tandem/chart"
)

// Notebook writes the findings as a Jupyter notebook (nbformat 4.5) to go on
// from: the alerts and the figures as text, and for each of the most telling
// columns a cell of Python that reads the data again. source is the file that
// the cells read. The cells were not run: a notebook of this program's needs no
// Python to be written.
func (p *Page) Notebook(w io.Writer, source string) error {
	type cell struct {
		Type     string         `json:"cell_type"`
		ID       string         `json:"id"`
		Metadata map[string]any `json:"metadata"`
		Source   []string       `json:"source"`
	}
	var cells []any
	lines := func(s string) []string {
		out := strings.SplitAfter(strings.TrimRight(s, "\n"), "\n")
		return out
	}
	text := func(s string) {
		cells = append(cells, cell{Type: "markdown", ID: fmt.Sprintf("cell-%d", len(cells)+1), Metadata: map[string]any{}, Source: lines(s)})
	}
	code := func(s string) {
		cells = append(cells, struct {
			cell
			Outputs []any `json:"outputs"`
			Count   *int  `json:"execution_count"`
		}{cell: cell{Type: "code", ID: fmt.Sprintf("cell-%d", len(cells)+1), Metadata: map[string]any{}, Source: lines(s)}, Outputs: []any{}})
	}
	md := func(s string) string { return markdown(chart.Clean(s, 300)) }
	text(fmt.Sprintf("# %s\n\nExploration of the data before training: %s, %s, %s.", md(p.Title), plural(int64(p.Overview.Rows), "row"), plural(int64(p.Overview.Columns), "column"),
		plural(int64(p.Overview.Duplicates), "duplicate row")))
	var b strings.Builder
	b.WriteString("## Alerts\n\n")
	for _, a := range p.Alerts[:min(len(p.Alerts), 100)] {
		fmt.Fprintf(&b, "- **%s** (%s): %s. *What to do*: %s.\n", md(a.What), a.Severity, md(a.Evidence), md(a.Do))
	}
	if len(p.Alerts) == 0 {
		b.WriteString("Nothing that needs a look was found.\n")
	}
	if p.Steps != "" {
		// A fence longer than any run of backquotes inside.
		fence := "```"
		for strings.Contains(p.Steps, fence) {
			fence += "`"
		}
		b.WriteString("\nAll of it in `tandem.yaml`:\n\n" + fence + "yaml\n" + shownStep(p.Steps) + fence + "\n")
	}
	text(b.String())
	read := "pd.read_csv(" + python(source) + ")"
	switch {
	case strings.HasSuffix(source, ".parquet"):
		read = "pd.read_parquet(" + python(source) + ")"
	case strings.Contains(source, ".jsonl"), strings.Contains(source, ".ndjson"):
		read = "pd.read_json(" + python(source) + ", lines=True)"
	case strings.Contains(source, ".tsv"):
		read = "pd.read_csv(" + python(source) + `, sep="\t")`
	}
	code("import pandas as pd\n\ndf = " + read + "\ndf.head()")
	if t := p.Target; t != nil {
		text(fmt.Sprintf("## Target\n\n%s: %s known, %s missing.", md(t.Name), chart.Count(int64(t.Known)), chart.Count(t.Missing)))
		code("df[" + python(t.Name) + "].value_counts(dropna=False).head(20)")
		var s strings.Builder
		s.WriteString("## What single columns say of it\n\n| column | " + map[bool]string{true: "AUC", false: "correlation"}[t.Task == "binary"] + " | information value | mutual information, bits |\n| --- | --- | --- | --- |\n")
		strongest := p.byStrength(20)
		for _, c := range strongest {
			fmt.Fprintf(&s, "| %s | %s | %s | %s |\n", md(c.Name), chart.Fixed(float64(c.Relation.Strength)), chart.Fixed(float64(c.Relation.InformationValue)), chart.Fixed(float64(c.Relation.Mutual)))
		}
		if len(strongest) > 0 {
			text(s.String())
		}
		for _, c := range strongest[:min(len(strongest), 5)] {
			by := "df[" + python(c.Name) + "]"
			if c.Number != nil && c.Distinct > 12 {
				by = "pd.qcut(" + by + `, 10, duplicates="drop")`
			}
			what := "df[" + python(t.Name) + "]"
			if t.Task == "binary" {
				what = "(" + what + ".astype(str) == " + python(t.Positive) + ")"
			}
			code(what + ".groupby(" + by + ", observed=True, dropna=False).agg([\"size\", \"mean\"]).head(30)")
		}
	}
	if len(p.Associations.Pairs) > 0 {
		var s strings.Builder
		s.WriteString("## What goes together\n\n| column | and | measure | strength |\n| --- | --- | --- | --- |\n")
		for _, q := range p.Associations.Pairs[:min(len(p.Associations.Pairs), 20)] {
			fmt.Fprintf(&s, "| %s | %s | %s | %s |\n", md(q.A), md(q.B), measures[q.Measure], chart.Fixed(float64(q.Strength)))
		}
		text(s.String())
	}
	book := map[string]any{
		"nbformat": 4, "nbformat_minor": 5, "cells": cells,
		"metadata": map[string]any{
			"kernelspec":    map[string]any{"display_name": "Python 3", "language": "python", "name": "python3"},
			"language_info": map[string]any{"name": "python"},
		},
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(book); err != nil {
		return fmt.Errorf("write exploration of %q as a notebook: %w", p.Title, err)
	}
	return nil
}

// markdown escapes what Markdown, and the HTML in it, would obey.
func markdown(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "#", `\#`, "$", `\$`).Replace(s)
}

// python writes a text as a literal of Python, which takes JSON's.
func python(s string) string {
	b, err := json.Marshal(strings.ToValidUTF8(s, "\uFFFD"))
	if err != nil {
		return `""`
	}
	return string(b)
}

// Text writes the alerts, a line each, and the steps.
func (p *Page) Text(w io.Writer) error {
	var b strings.Builder
	for _, a := range p.Alerts {
		fmt.Fprintf(&b, "%s\n", a.Sentence())
	}
	if p.Steps != "" {
		b.WriteString("\nTo add to tandem.yaml, if you agree:\n\n" + shownStep(p.Steps))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
