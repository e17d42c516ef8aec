package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Run is one execution of a project's stages.
type Run struct {
	ID      int64           `json:"id"` // given by AddRun
	Project string          `json:"project"`
	Kind    string          `json:"kind"` // "run" or "retrain"
	Start   time.Time       `json:"start"`
	End     time.Time       `json:"end"`
	Seconds float64         `json:"seconds"` // 0 given to AddRun means End - Start
	Outcome string          `json:"outcome"` // a word or a sentence: "done", "gate auc did not hold"
	Metrics json.RawMessage `json:"metrics"` // an object; nil means {}
	Bundle  string          `json:"bundle,omitempty"`
}

// AddRun records a run and returns it with its ID. Times are kept to the
// microsecond.
func (r *Registry) AddRun(ctx context.Context, run Run) (Run, error) {
	if run.Seconds == 0 {
		run.Seconds = run.End.Sub(run.Start).Seconds()
	}
	if run.Metrics == nil {
		run.Metrics = json.RawMessage("{}")
	}
	run.Start, run.End = run.Start.UTC().Truncate(time.Microsecond), run.End.UTC().Truncate(time.Microsecond)
	err := r.write(ctx, func(tx *sql.Tx) error {
		switch {
		case run.Project == "" || run.Kind == "":
			return errors.New("a run needs a project and a kind")
		case !json.Valid(run.Metrics):
			return errors.New("its metrics are not JSON")
		case run.End.Before(run.Start):
			return errors.New("it ends before it starts")
		}
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) + 1 FROM run`).Scan(&run.ID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO run (id, project, kind, started, ended, seconds, outcome, metrics, bundle_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			run.ID, run.Project, run.Kind, run.Start.UnixMicro(), run.End.UnixMicro(), run.Seconds, run.Outcome, string(run.Metrics), run.Bundle)
		return err
	})
	if err != nil {
		return Run{}, r.explain(fmt.Errorf("record run of project %q: %w", run.Project, err))
	}
	return run, nil
}

// Runs returns the newest runs of a project, the newest first; at most limit,
// or all if limit is 0.
func (r *Registry) Runs(ctx context.Context, project string, limit int) ([]Run, error) {
	if limit <= 0 {
		limit = 1 << 62
	}
	runs, err := collect(ctx, r.db, func(row func(...any) error) (run Run, err error) {
		var start, end int64
		var metrics string
		err = row(&run.ID, &run.Project, &run.Kind, &start, &end, &run.Seconds, &run.Outcome, &metrics, &run.Bundle)
		run.Start, run.End = time.UnixMicro(start).UTC(), time.UnixMicro(end).UTC()
		run.Metrics = json.RawMessage(metrics)
		return run, err
	}, `SELECT id, project, kind, started, ended, seconds, outcome, metrics, bundle_id FROM run
		WHERE project = $1 ORDER BY id DESC LIMIT $2`, project, limit)
	if err != nil {
		return nil, fmt.Errorf("list runs of project %q: %w", project, err)
	}
	return runs, nil
}
