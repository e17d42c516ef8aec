package workflow

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
	"github.com/tandem-ml/tandem/data/ingest"
	"github.com/tandem-ml/tandem/project"
)

// Ingested is a source after it was read: the table without the rows whose
// target is unknown, what was learned of it, and what could not be read.
type Ingested struct {
	Table    *data.Table
	Profile  *data.Profile
	Contract data.Contract
	Snapshot data.Snapshot
	Target   Target
	Rejects  []ingest.Reject
	Findings []data.Finding
	Cleaned  []clean.Done // what the steps of the project's clean section did
	steps    []clean.Step // those of the project that production needs
	NoTarget int          // rows left out because their target is missing
}

// read reads the project's source, and learns its contract and profile.
func read(ctx context.Context, p *project.Project, opt Options) (*Ingested, error) {
	how := reading(p)
	how.Strict = opt.Strict
	how.Progress = func(rows int) { opt.Talk.Progress("  ingest  %d rows", rows) }
	res, err := ingest.Read(ctx, p.Data.Source, how)
	if err != nil {
		return nil, err
	}
	in := &Ingested{Snapshot: res.Snapshot, Rejects: res.Rejects, Findings: res.Findings}
	t, err := in.clean(res.Table, p)
	if err != nil {
		return nil, err
	}
	return in, in.learn(t, p)
}

// clean takes the steps of the project. Rows that a rule refuses are rejects.
func (in *Ingested) clean(t *data.Table, p *project.Project) (*data.Table, error) {
	if len(p.Clean) == 0 {
		return t, nil
	}
	if err := p.CheckColumns(t.Names()); err != nil {
		return nil, err
	}
	done, err := clean.Table(t, p.Clean)
	if err != nil {
		return nil, err
	}
	if done.Table.Rows() == 0 {
		return nil, data.WithHint(fmt.Errorf("the clean section leaves no row of %d", t.Rows()), "look at its steps with: tandem prepare --dry-run")
	}
	in.Cleaned = done.Done
	in.steps = clean.Needed(t, p.Clean)
	in.Rejects = append(in.Rejects, refusedRows(in.Snapshot.Source, done.Bad)...)
	return done.Table, nil
}

// refusedRows lists rows that a rule refused, in order.
func refusedRows(source string, bad map[int]*data.CellError) []ingest.Reject {
	var out []ingest.Reject
	for _, row := range slices.Sorted(maps.Keys(bad)) {
		e := bad[row]
		out = append(out, ingest.Reject{File: source, Row: e.Row, Column: e.Column, Value: e.Value, Reason: e.Err})
	}
	return out
}

// reading is how the project's source is read.
func reading(p *project.Project) ingest.Options {
	return ingest.Options{Dir: p.Dir, Dialect: p.Data.Read, SQL: p.Data.SQL, Tables: p.Data.Files}
}

// learn fills in everything that follows from the table.
func (in *Ingested) learn(t *data.Table, p *project.Project) error {
	if err := p.CheckColumns(t.Names()); err != nil {
		return err
	}
	if p.Data.Time != "" && t.Column(p.Data.Time).Kind != data.Time {
		return data.WithHint(fmt.Errorf("column %q, the time, does not hold times but is a %s column", p.Data.Time, t.Column(p.Data.Time).Kind),
			"write times as 2026-01-31 or 2026-01-31 12:30:00")
	}
	if t.Column(p.Data.Target) == nil {
		return noColumn(t, p.Data.Target)
	}
	in.Table, in.NoTarget = withTarget(t, p.Data.Target)
	profile := data.NewProfile(in.Table)
	in.Profile = &profile
	var err error
	if in.Target, err = resolveTarget(in.Table.Column(p.Data.Target), p.Model.Task, p.Data.Positive); err != nil {
		return err
	}
	if err := checkMetric(in.Target.Task, p.Model.Metric); err != nil {
		return err
	}
	if in.Contract, err = data.Learn(in.Table, in.Profile, p.Roles()); err != nil {
		return err
	}
	steps := p.Clean
	if in.steps != nil {
		steps = in.steps
	}
	if err := clean.Fields(&in.Contract, steps); err != nil {
		return err
	}
	file, err := p.ContractFile()
	if err != nil {
		return err
	}
	if file != nil {
		if err := file.Apply(&in.Contract); err != nil {
			return err
		}
	}
	return p.Apply(&in.Contract)
}

// withTarget leaves out the rows whose target is missing, or infinite.
func withTarget(t *data.Table, target string) (*data.Table, int) {
	c := t.Column(target)
	keep := make([]int, 0, t.Rows())
	for i := range t.Rows() {
		if hasTarget(c, i) {
			keep = append(keep, i)
		}
	}
	if len(keep) == t.Rows() {
		return t, 0
	}
	return t.Gather(keep), t.Rows() - len(keep)
}

// hasTarget reports whether row i has a value of the target that can be learned.
func hasTarget(c *data.Column, i int) bool {
	return !c.Missing(i) && !(c.Kind == data.Number && math.IsInf(c.Numbers[i], 0))
}

// tellRejects names the first rows that could not be read, and says how many
// there are.
func tellRejects(talk *Talk, rejects []ingest.Reject) {
	const shown = 5
	for _, r := range rejects[:min(shown, len(rejects))] {
		e := data.CellError{File: r.File, Line: r.Line, Row: r.Row, Column: r.Column, Value: r.Value, Err: r.Reason}
		talk.Line("            rejected: %v", &e)
	}
	if n := len(rejects) - shown; n > 0 {
		talk.Line("            ... and %d more rows that cannot be read", n)
	}
}

// tellCleaned says what each step of cleaning did.
func tellCleaned(talk *Talk, done []clean.Done) {
	for _, d := range done {
		talk.Line("            clean: %s", d.Sentence())
	}
}

// tellFindings lists what was guessed and repaired; rejects are told by
// tellRejects.
func tellFindings(talk *Talk, found []data.Finding) {
	for _, f := range found {
		if f.Kind != "reject" {
			talk.Line("            %v", f)
		}
	}
}

// countFindings says in one line how much was guessed and repaired.
func countFindings(talk *Talk, found []data.Finding) {
	guesses, repairs := 0, 0
	for _, f := range found {
		switch f.Kind {
		case "guess":
			guesses++
		case "repair":
			repairs++
		}
	}
	if guesses+repairs > 0 {
		talk.Line("            guesses: %d, repairs: %d in reading the source; tandem explore lists them", guesses, repairs)
	}
}

func checkMetric(task bundle.Task, metric string) error {
	switch {
	case metric == "" || metric == "auto":
	case task == bundle.Binary && (metric == "auc" || metric == "log_loss"):
	case task == bundle.Regression && metric == "rmse":
	default:
		return Usagef("metric %q does not fit the task %s; binary has auc and log_loss, regression has rmse", metric, task)
	}
	return nil
}

// talkAbout tells what a person should know of a reading.
func (in *Ingested) talkAbout(talk *Talk) {
	talk.Line("  ingest    %d rows, %d columns from %s", in.Snapshot.Rows, in.Snapshot.Columns, in.Snapshot.Source)
	countFindings(talk, in.Findings)
	tellCleaned(talk, in.Cleaned)
	tellRejects(talk, in.Rejects)
	if in.NoTarget > 0 {
		talk.Line("            %d rows have no value in %q, the target, and are left out", in.NoTarget, in.Target.Column)
	}
	for _, f := range in.Contract.Fields {
		if f.Role == data.Excluded && f.Why != "" {
			talk.Line("            %s is left out: %s", f.Name, f.Why)
		}
	}
	if in.Target.Why != "" {
		talk.Line("            %q is taken as the positive class of %s, %s; set positive to change it", in.Target.Positive, in.Target.Column, in.Target.Why)
	}
}
