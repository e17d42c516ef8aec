package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
	"github.com/tandem-ml/tandem/data/ingest"
	"github.com/tandem-ml/tandem/project"
	"github.com/tandem-ml/tandem/science/explore"
	"github.com/tandem-ml/tandem/science/hypothesis"
	"github.com/tandem-ml/tandem/science/report"
)

// Training is the outcome of [Train]: a finished bundle and its facts.
type Training struct {
	Bundle   *bundle.Bundle
	Facts    TrainFacts
	Eval     *Evaluation
	Seconds  float64
	Ingested *Ingested
}

// Train takes a file all the way to a bundle without a project folder: p holds
// the settings, p.Data.Source the file. test is a file with the rows to
// evaluate on, or "" to hold rows of the source back.
func Train(ctx context.Context, p *project.Project, test string, opt Options) (*Training, error) {
	start := time.Now()
	in, err := read(ctx, p, opt)
	if err != nil {
		return nil, err
	}
	in.talkAbout(opt.Talk)
	// All that can fail for want of good input, and all that does not need the
	// model, comes before the budget is spent.
	var given prepared
	if test != "" {
		opt.NoHoldout = true
		if given, err = labelled(ctx, test, &in.Contract, in.Target, in.Snapshot.Read, opt); err != nil {
			return nil, fmt.Errorf("test rows: %w", err)
		}
	}
	page, err := explorePage(in, p.Name)
	if err != nil {
		return nil, err
	}
	opt.spent = time.Since(start) + afterSearch(in, given.rows.N, p.Model.Budget)
	tr, err := train(ctx, in, p, opt)
	if err != nil {
		return nil, err
	}
	all, err := prepare(in.Table, &in.Contract, in.Target)
	if err != nil {
		return nil, err
	}
	holdout := take(all, tr.Split.Holdout)
	if test != "" {
		holdout, tr.Split.Method = given, "given"
	}
	ev, err := assess(tr.Bundle, holdout, take(all, tr.Split.Train).y, p.Seed)
	if err != nil {
		return nil, err
	}
	imp, err := importance(ctx, tr.Bundle, holdout, p.Seed)
	if err != nil {
		return nil, err
	}
	tr.Bundle.Card = card(in, p, tr, ev, imp, nil, alerts(page))
	tr.Bundle.Scores = ev.Scores
	if tr.Bundle, err = bundle.New(*tr.Bundle); err != nil {
		return nil, err
	}
	return &Training{Bundle: tr.Bundle, Facts: tr.facts(), Eval: ev, Ingested: in, Seconds: time.Since(start).Seconds()}, nil
}

// afterSearch returns how much of a budget to keep for what follows the
// search: scoring the rows held back, resampling them for the intervals,
// shuffling their columns, and explaining some of them. The rates are those of
// a slow machine with a model of some hundred trees. A budget too short for all
// of it goes to the search for the most part, which is then exceeded a little.
func afterSearch(in *Ingested, given int, budget time.Duration) time.Duration {
	rows := in.Table.Rows()
	judged, scored := rows/5, rows*35/100
	if given > 0 {
		judged, scored = given, given+rows*15/100
	}
	shuffled := min(judged*len(in.Contract.Inputs())*importanceRepeats, importanceWork/500)
	need := time.Duration(scored)*10*time.Microsecond +
		time.Duration(min(judged*1000, 100_000_000))*15*time.Nanosecond +
		time.Duration(shuffled)*10*time.Microsecond +
		time.Duration(min(judged, 1000))*300*time.Microsecond
	return min(need, budget/4)
}

// labelled reads rows with their outcomes by a contract. Rows that cannot be
// read, break the contract or have no outcome are told and left out.
func labelled(ctx context.Context, source string, c *data.Contract, target Target, as data.Dialect, opt Options) (prepared, error) {
	wanted := without(*c, data.Excluded)
	res, err := ingest.Read(ctx, source, ingest.Options{Contract: &wanted, Dialect: as, Strict: opt.Strict})
	if err != nil {
		return prepared{}, err
	}
	if res.Table.Column(target.Column) == nil {
		return prepared{}, fmt.Errorf("%s has no column %q, the target", source, target.Column)
	}
	tellRejects(opt.Talk, res.Rejects)
	table, err := repairedColumn(res.Table, c.Field(target.Column))
	if err != nil {
		return prepared{}, err
	}
	t, unknown := withTarget(table, target.Column)
	if unknown > 0 {
		opt.Talk.Line("            %d rows of %s have no value in %q and are left out", unknown, source, target.Column)
	}
	layout, err := bundle.NewLayout(c)
	if err != nil {
		return prepared{}, err
	}
	rows, bad, err := layout.EncodeTable(t)
	if err != nil {
		return prepared{}, err
	}
	y, err := target.labels(t.Column(target.Column))
	if err != nil {
		return prepared{}, err
	}
	if len(bad) == 0 {
		return prepared{rows, y}, nil
	}
	opt.Talk.Line("            %d rows of %s break the contract and are left out, the first is %v", len(bad), source, firstBad(bad))
	keep := make([]int, 0, rows.N-len(bad))
	for i := range rows.N {
		if bad[i] == nil {
			keep = append(keep, i)
		}
	}
	if len(keep) == 0 {
		return prepared{}, fmt.Errorf("no row of %s keeps the contract", source)
	}
	return take(prepared{rows, y}, keep), nil
}

// repairedColumn returns the table with the field's column repaired: outcomes are
// spelled as the others are.
func repairedColumn(t *data.Table, f *data.Field) (*data.Table, error) {
	if f == nil || len(f.Clean) == 0 {
		return t, nil
	}
	columns := slices.Clone(t.Columns)
	for i, c := range columns {
		if c.Name == f.Name {
			var err error
			if columns[i], err = clean.Column(c, f); err != nil {
				return nil, err
			}
		}
	}
	return data.NewTable(columns...)
}

// targetOf returns what a bundle predicts.
func targetOf(b *bundle.Bundle) Target {
	return Target{Task: b.Manifest.Task, Column: b.Manifest.Target, Positive: b.Decision.Positive, Negative: b.Decision.Negative}
}

// EvaluateFile measures a bundle on rows with known outcomes. The baseline
// decides by the majority of these rows, since the training rows are not at
// hand.
func EvaluateFile(ctx context.Context, b *bundle.Bundle, source string, opt Options) (*Evaluation, error) {
	if b.Manifest.Task == bundle.Multiclass {
		return nil, data.WithHint(Usagef("the model tells several classes apart, and evaluate measures two classes or a number"),
			"tandem predict gives the probability of each class")
	}
	p, err := labelled(ctx, source, &b.Contract, targetOf(b), b.Manifest.Data.Read, opt)
	if err != nil {
		return nil, err
	}
	return assess(b, p, p.y, b.Manifest.Seed)
}

// ExploreFile reads a table, or the data of a project's folder, and draws its
// exploration page. target may be "".
func ExploreFile(ctx context.Context, source, target, positive string, opt Options) (*explore.Page, error) {
	how := ingest.Options{Strict: opt.Strict, Empty: true, Progress: func(rows int) { opt.Talk.Progress("  %d rows", rows) }}
	if info, err := os.Stat(source); err == nil && info.IsDir() {
		p, err := project.Load(source)
		if err != nil {
			return nil, err
		}
		progress := how.Progress
		how, source = reading(p), p.Data.Source
		how.Strict, how.Empty, how.Progress = opt.Strict, true, progress
		if target == "" {
			target, positive = p.Data.Target, p.Data.Positive
		}
	}
	res, err := ingest.Read(ctx, source, how)
	if err != nil {
		return nil, err
	}
	source = res.Snapshot.Source // without passwords
	tellFindings(opt.Talk, res.Findings)
	tellRejects(opt.Talk, res.Rejects)
	profile := data.NewProfile(res.Table)
	o := explore.Options{Title: pageTitle(source), Ingest: told(res.Findings, res.Rejects)}
	var contract *data.Contract
	if target != "" {
		c := res.Table.Column(target)
		if c == nil {
			return nil, noColumn(res.Table, target)
		}
		if len(distinct(c, 2)) < 2 { // which is to be seen on the page, not a reason for none
			note := fmt.Sprintf("column %q, the target, has fewer than two values: the other columns are not related to it", target)
			opt.Talk.Line("            %s", note)
			o.Ingest = append(o.Ingest, note)
			return explore.Build(res.Table, &profile, nil, o)
		}
		t, err := resolveTarget(c, "auto", positive)
		if err != nil {
			return nil, err
		}
		learned, err := data.Learn(res.Table, &profile, data.Roles{Target: target})
		if err != nil {
			return nil, err
		}
		contract, o.Target, o.Positive = &learned, target, t.Positive
	}
	return explore.Build(res.Table, &profile, contract, o)
}

// pageTitle names a page after its source: a file by its base name, since the
// folders before it say where it lay and not what it is; anything else as it is.
func pageTitle(source string) string {
	if info, err := os.Stat(source); err == nil && info.Mode().IsRegular() {
		return filepath.Base(source)
	}
	return source
}

// CompareFiles reads two tables and says what changed from before to now.
func CompareFiles(ctx context.Context, now, before string, opt Options) (*explore.Difference, error) {
	var read [2]*ingest.Result
	for i, source := range []string{before, now} {
		res, err := ingest.Read(ctx, source, ingest.Options{Strict: opt.Strict, Progress: func(rows int) { opt.Talk.Progress("  %d rows", rows) }})
		if err != nil {
			return nil, err
		}
		tellRejects(opt.Talk, res.Rejects)
		read[i] = res
	}
	return explore.Compare(read[0].Table, read[1].Table, before, now), nil
}

// told lists for a page what reading guessed and repaired, and the rejected rows,
// the first of them one by one.
func told(found []data.Finding, rejects []ingest.Reject) []string {
	const shown = 20
	var out []string
	for _, f := range found {
		if f.Kind != "reject" {
			out = append(out, f.String())
		}
	}
	for _, r := range rejects[:min(shown, len(rejects))] {
		e := data.CellError{File: r.File, Line: r.Line, Row: r.Row, Column: r.Column, Value: r.Value, Err: r.Reason}
		out = append(out, "rejected: "+e.Error())
	}
	if n := len(rejects) - shown; n > 0 {
		out = append(out, fmt.Sprintf("and %d more rows that cannot be read", n))
	}
	return out
}

func noColumn(t *data.Table, name string) error {
	err := fmt.Errorf("the data has no column %q", name)
	if near := data.Nearest(name, t.Names()); near != "" {
		return data.WithHint(err, "did you mean %q?", near)
	}
	return err
}

// Init reads a table and writes a project file for it, with the reason for
// each guess as a comment. It returns the notes a person should read.
func Init(ctx context.Context, source, path string, opt Options) ([]string, error) {
	res, err := ingest.Read(ctx, source, ingest.Options{Strict: opt.Strict})
	if err != nil {
		return nil, err
	}
	countFindings(opt.Talk, res.Findings)
	tellRejects(opt.Talk, res.Rejects)
	profile := data.NewProfile(res.Table)
	relative := source
	if rel, err := filepath.Rel(filepath.Dir(path), source); err == nil && !strings.Contains(source, "://") {
		relative = rel
	}
	text, notes := project.Init(res.Table, &profile, relative)
	text = append(text, proposedComment(res.Table)...)
	return notes, writeBytes(path, text)
}

// Question is a hypothesis about the columns of a table.
type Question = hypothesis.Question

// ParseQuestion reads a question from a line, as science/hypothesis describes it.
func ParseQuestion(line string) (Question, error) { return hypothesis.Parse(line) }

// QuestionForms returns how each kind of question is written.
func QuestionForms() []string { return hypothesis.Usages() }

// TestHypotheses tests questions about a file, or, where source is a
// project's folder, the hypotheses of the project. P-values are corrected for
// their number by the method of that name, "" being Holm's.
func TestHypotheses(ctx context.Context, source string, asked []Question, correction string, opt Options) ([]bundle.Hypothesis, error) {
	var how ingest.Options
	by, err := hypothesis.CorrectionOf(cmp.Or(correction, "Holm"))
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(source); err == nil && info.IsDir() {
		p, err := project.Load(source)
		if err != nil {
			return nil, err
		}
		if len(p.Hypotheses) == 0 {
			return nil, fmt.Errorf("the project %s declares no hypotheses", p.Name)
		}
		asked, source, how = questions(p), p.Data.Source, reading(p)
	}
	how.Strict = opt.Strict
	res, err := ingest.Read(ctx, source, how)
	if err != nil {
		return nil, err
	}
	countFindings(opt.Talk, res.Findings)
	tellRejects(opt.Talk, res.Rejects)
	return hypothesis.TestCorrected(res.Table, asked, by)
}

// WriteReport writes a bundle's report to dir, which is made if need be, as
// stem.report.html, .md and .json and returns their paths.
func WriteReport(b *bundle.Bundle, dir, stem string) ([]string, error) {
	r := report.New(b.Manifest, b.Card)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, unwritable(dir, err)
	}
	base := filepath.Join(dir, stem+".report")
	for _, w := range []struct {
		end   string
		write func(io.Writer) error
	}{{".html", r.HTML}, {".md", r.Markdown}, {".json", r.JSON}} {
		if err := writeFile(base+w.end, w.write); err != nil {
			return nil, err
		}
	}
	return []string{base + ".html", base + ".md", base + ".json"}, nil
}

// CardMarkdown writes a bundle's report as Markdown.
func CardMarkdown(b *bundle.Bundle, w io.Writer) error {
	return report.New(b.Manifest, b.Card).Markdown(w)
}

// WritePage writes a page to path; it appears whole or not at all.
func WritePage(path string, page func(io.Writer) error) error { return writeFile(path, page) }

// WriteBundle writes a bundle to path; it appears whole or not at all.
func WriteBundle(path string, b *bundle.Bundle) error {
	if err := bundle.WriteFile(path, b); err != nil {
		return unwritable(path, err)
	}
	return nil
}

// Broken turns the refusal of a bundle into a check that did not hold. A file
// that cannot be read at all stays an ordinary error.
func Broken(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EISDIR) {
		return err
	}
	return NotHeld("%w", err)
}
