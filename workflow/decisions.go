package workflow

import (
	"context"
	"errors"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/decisions/archive"
	"github.com/tandem-ml/tandem/engineering/rollout"
)

// Decisions is a project's decision log, open for looking beside a running
// server.
type Decisions struct {
	models *Models
	log    *decisions.Log
}

// OpenDecisions opens the log of the project in dir. A project that was never up
// has none, which is an error.
func OpenDecisions(ctx context.Context, dir string) (*Decisions, error) {
	m, err := OpenModels(ctx, dir)
	if err != nil {
		return nil, err
	}
	l, err := decisions.OpenReadOnly(decisionsDir(m.Project.Dir))
	if err != nil {
		m.Close()
		return nil, err
	}
	return &Decisions{m, l}, nil
}

// Close gives log and registry back.
func (d *Decisions) Close() error {
	return errors.Join(d.log.Close(), d.models.Close())
}

// Select calls f with the decisions that meet all conditions, in the order of
// the log, or only with the newest most of them if that is not 0. Those of
// shadows are left out, unless a condition is about the project or the id.
func (d *Decisions) Select(ctx context.Context, where []decisions.Condition, most int, f func(decisions.Entry) error) error {
	all := slices.ContainsFunc(where, func(c decisions.Condition) bool { return c.Field() == "project" || c.Field() == "id" })
	shadow := rollout.LoggedAs(d.models.Project.Name)
	each := func(f func(decisions.Entry) error) error {
		return d.log.Select(ctx, where, func(e decisions.Entry) error {
			if !all && e.Project == shadow {
				return nil
			}
			return f(e)
		})
	}
	if most == 0 {
		return each(f)
	}
	var newest []decisions.Entry // a ring, once it is full
	n := 0
	err := each(func(e decisions.Entry) error {
		if len(newest) < most {
			newest = append(newest, e)
		} else {
			newest[n%most] = e
		}
		n++
		return nil
	})
	if err != nil {
		return err
	}
	for i := max(0, n-most); i < n; i++ {
		if err := f(newest[i%most]); err != nil {
			return err
		}
	}
	return nil
}

// Outcome returns the newest outcome of a decision, nil if none is known.
func (d *Decisions) Outcome(id string) (*decisions.Outcome, error) {
	_, o, err := d.log.Get(id)
	return o, err
}

// ExportDecisions makes a folder mirror a project's decision log as Parquet
// files; see [archive.Roll].
func ExportDecisions(ctx context.Context, dir, to string) (archive.Result, error) {
	d, err := OpenDecisions(ctx, dir)
	if err != nil {
		return archive.Result{}, err
	}
	defer d.Close()
	return archive.Roll(ctx, d.log, to, archive.Options{Open: true})
}

// Replay computes the decisions that meet all conditions again. The error is
// ErrNotHeld if one comes out otherwise than it was logged.
func (d *Decisions) Replay(ctx context.Context, where []decisions.Condition) (decisions.ReplayReport, error) {
	opened := make(map[string]*bundle.Bundle)
	r, err := d.log.ReplayAll(ctx, func(id string) (*bundle.Bundle, error) {
		return openBundle(d.models.registry, opened, id)
	}, where)
	if err == nil && r.Failed > 0 {
		err = NotHeld("%d of %d decisions come out otherwise than they were logged", r.Failed, r.Decisions)
	}
	return r, err
}
