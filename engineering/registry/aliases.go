package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The aliases that the program itself uses. Others may be set.
const (
	Champion   = "champion"   // the version that decides
	Challenger = "challenger" // the version that is to be compared with it
	Shadow     = "shadow"     // scored beside the champion, never answered
	Canary     = "canary"     // answers a part of the requests
)

// ErrMoved is wrapped by the error of a promotion that was based on another
// state of the alias than the one found.
var ErrMoved = errors.New("the alias has moved")

// ErrChampion is wrapped by the error of a promotion that would make the champion
// its own canary or shadow.
var ErrChampion = errors.New("it is the champion")

// Alias is a name that points at a version.
type Alias struct {
	Project string    `json:"project"`
	Name    string    `json:"alias"`
	Version int       `json:"version"`
	Percent float64   `json:"percent,omitempty"` // of a canary: its share of the requests
	Reason  string    `json:"reason,omitempty"`
	Since   time.Time `json:"since"` // UTC
}

// Promotion is a change of an alias with what speaks for it.
type Promotion struct {
	Project string
	Alias   string
	Version int
	Percent float64 // of the alias canary, in (0, 100]; 0 for any other
	Reason  string  // one sentence for people

	// Evidence is what the decision rests on, such as the verdict of a gate. It
	// is written to the audit trail as JSON. It may be nil.
	Evidence any

	// Expect is the version that the alias must point at for the promotion to
	// hold: the champion that the challenger was compared with. 0 asks nothing.
	Expect int
}

// aliasFacts is what the audit trail says of a changed alias.
type aliasFacts struct {
	Alias    string `json:"alias"`
	Version  int    `json:"version"` // 0: taken away
	Bundle   string `json:"bundle"`
	Before   int    `json:"before"` // 0: it was not set
	Reason   string `json:"reason"`
	Evidence any    `json:"evidence"`

	Percent float64 `json:"percent,omitempty"` // of a canary
}

// EventAlias is the kind of the event that a changed alias writes.
const EventAlias = "alias"

// EventNotServed is the kind of the event that a server writes when it does not
// put into service what an alias points at.
const EventNotServed = "not served"

// places are the aliases of which a version has one at most.
var places = []string{Champion, Canary, Shadow}

// SetAlias points an alias at a version. It is [Registry.Promote] without
// evidence.
func (r *Registry) SetAlias(ctx context.Context, project, alias string, version int, reason string) error {
	return r.Promote(ctx, Promotion{Project: project, Alias: alias, Version: version, Reason: reason})
}

// Promote points an alias at a version and writes the reason and the evidence
// to the audit trail, in one transaction. An alias that points there already, with
// the same percentage, stays as it is, and nothing is written. The error is ErrNotFound if there is
// no such version, ErrMoved if the alias is not as p expects, and ErrChampion as
// that says.
//
// A version is champion, canary or shadow, not two of them: to give it one of
// these places takes the other away from it, but the champion stays champion
// until another version is.
func (r *Registry) Promote(ctx context.Context, p Promotion) error {
	err := r.write(ctx, func(tx *sql.Tx) error {
		if err := checkAlias(p.Alias); err != nil {
			return err
		}
		if p.Alias == Canary && !(p.Percent > 0 && p.Percent <= 100) || p.Alias != Canary && p.Percent != 0 {
			return fmt.Errorf("%v is not its percentage: a canary has one above 0 and at most 100, and no other alias has any", p.Percent)
		}
		v, err := version(ctx, tx, p.Project, p.Version)
		if err != nil {
			return err
		}
		stack, err := stackOf(ctx, tx, p.Project, p.Alias)
		if err != nil {
			return err
		}
		before := stack.top()
		if slices.Contains(places, p.Alias) {
			if err := vacate(ctx, tx, p); err != nil {
				return err
			}
		}
		switch {
		case p.Expect != 0 && before.version != p.Expect:
			return fmt.Errorf("%w: it was expected at version %d and is at %s", ErrMoved, p.Expect, nameOf(before.version))
		case before.version == p.Version && before.percent == p.Percent:
			return nil
		}
		return change(ctx, tx, p, v.Bundle, before.version, stack.place(p.Version))
	})
	if err != nil {
		return r.explain(fmt.Errorf("set alias %q of project %q to version %d: %w", p.Alias, p.Project, p.Version, err))
	}
	return nil
}

// vacate takes the other places away from a version that is to get one.
func vacate(ctx context.Context, tx *sql.Tx, p Promotion) error {
	for _, other := range places {
		if other == p.Alias {
			continue
		}
		stack, err := stackOf(ctx, tx, p.Project, other)
		if err != nil {
			return err
		}
		top := stack.top()
		switch {
		case top.version != p.Version:
			continue
		case other == Champion:
			return ErrChampion
		}
		left := Promotion{Project: p.Project, Alias: other, Reason: "it becomes " + p.Alias}
		if err := change(ctx, tx, left, "", top.version, top.seq); err != nil {
			return err
		}
	}
	return nil
}

// ClearAlias takes an alias away. One that is not set stays so, and nothing is
// written.
func (r *Registry) ClearAlias(ctx context.Context, project, alias, reason string) error {
	err := r.write(ctx, func(tx *sql.Tx) error {
		if err := checkAlias(alias); err != nil {
			return err
		}
		stack, err := stackOf(ctx, tx, project, alias)
		if err != nil || stack.top().version == 0 {
			return err
		}
		top := stack.top()
		return change(ctx, tx, Promotion{Project: project, Alias: alias, Reason: reason}, "", top.version, top.seq)
	})
	if err != nil {
		return r.explain(fmt.Errorf("clear alias %q of project %q: %w", alias, project, err))
	}
	return nil
}

func change(ctx context.Context, tx *sql.Tx, p Promotion, bundle string, before int, below int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO alias_change (seq, project, alias, version, percent, below, reason, at)
		SELECT COALESCE(MAX(seq), 0) + 1, $1, $2, $3, $4, $5, $6, $7 FROM alias_change`,
		p.Project, p.Alias, p.Version, p.Percent, below, p.Reason, now().UnixMicro())
	if err != nil {
		return err
	}
	return audit(ctx, tx, p.Project, EventAlias, aliasFacts{p.Alias, p.Version, bundle, before, p.Reason, p.Evidence, p.Percent})
}

// Alias returns the version that an alias points at, and false if it is not
// set.
func (r *Registry) Alias(ctx context.Context, project, alias string) (Version, bool, error) {
	return r.pointedAt(ctx, project, alias, func(s stack) int { return s.top().version })
}

// Previous returns the version to which a rollback of the alias leads: the one
// that the version in force replaced. It is false if there is none.
func (r *Registry) Previous(ctx context.Context, project, alias string) (Version, bool, error) {
	return r.pointedAt(ctx, project, alias, func(s stack) int {
		for _, c := range s[min(1, len(s)):] {
			if c.version != 0 {
				return c.version
			}
		}
		return 0
	})
}

func (r *Registry) pointedAt(ctx context.Context, project, alias string, pick func(stack) int) (Version, bool, error) {
	s, err := stackOf(ctx, r.db, project, alias)
	if err != nil {
		return Version{}, false, fmt.Errorf("alias %q of project %q: %w", alias, project, err)
	}
	number := pick(s)
	if number == 0 {
		return Version{}, false, nil
	}
	v, err := r.Version(ctx, project, number)
	return v, err == nil, err
}

// Aliases returns the aliases of a project that are set, by name.
func (r *Registry) Aliases(ctx context.Context, project string) ([]Alias, error) {
	as, err := collect(ctx, r.db, func(row func(...any) error) (a Alias, err error) {
		var at int64
		err = row(&a.Project, &a.Name, &a.Version, &a.Percent, &a.Reason, &at)
		a.Since = time.UnixMicro(at).UTC()
		return a, err
	}, `SELECT project, alias, version, percent, reason, at FROM alias_change
		WHERE project = $1 AND version > 0
		AND seq IN (SELECT MAX(seq) FROM alias_change WHERE project = $1 GROUP BY alias)
		ORDER BY alias`, project)
	if err != nil {
		return nil, fmt.Errorf("list aliases of project %q: %w", project, err)
	}
	return as, nil
}

// Revision returns a number that grows with every change of an alias of any
// project, in this process or another. Asking costs one look at an index.
func (r *Registry) Revision(ctx context.Context) (int64, error) {
	var n int64
	if err := r.db.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM alias_change`).Scan(&n); err != nil {
		return 0, fmt.Errorf("registry revision: %w", err)
	}
	return n, nil
}

// stack is what an alias points at, and below it what each version replaced.
type stack []entry

type entry struct {
	seq     int64
	version int
	percent float64
	below   int64
}

// stackOf reads an alias's stack, top first: the last change, then what each
// stands on.
func stackOf(ctx context.Context, q querier, project, alias string) (stack, error) {
	rows, err := collect(ctx, q, func(row func(...any) error) (e entry, err error) {
		return e, row(&e.seq, &e.version, &e.percent, &e.below)
	}, `SELECT seq, version, percent, below FROM alias_change WHERE project = $1 AND alias = $2 ORDER BY seq DESC`, project, alias)
	if err != nil {
		return nil, err
	}
	var s stack
	for _, e := range rows {
		if len(s) == 0 || e.seq == s[len(s)-1].below {
			s = append(s, e)
		}
	}
	return s, nil
}

func (s stack) top() entry {
	if len(s) == 0 {
		return entry{}
	}
	return s[0]
}

// place returns on which row a version is to stand: a version that is in the
// stack comes back to its old place, a new one stands on top.
func (s stack) place(version int) int64 {
	for _, e := range s {
		if e.version == version {
			return e.below
		}
	}
	return s.top().seq
}

func checkAlias(name string) error {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-_") != "" {
		return errors.New("an alias is made of lower-case letters, '-' and '_'")
	}
	return nil
}

func nameOf(version int) string {
	if version == 0 {
		return "none"
	}
	return fmt.Sprintf("version %d", version)
}
