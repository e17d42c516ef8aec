package registry

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Event is one line of the audit trail.
type Event struct {
	Seq     int64           `json:"seq"` // 1, 2, 3 ... over all projects
	Project string          `json:"project"`
	Kind    string          `json:"kind"`
	At      time.Time       `json:"at"`    // UTC
	Facts   json.RawMessage `json:"facts"` // keys sorted
	Hash    string          `json:"hash"`  // hex
}

// Audit appends one event. facts is anything that marshals to JSON.
func (r *Registry) Audit(ctx context.Context, project, kind string, facts any) error {
	err := r.write(ctx, func(tx *sql.Tx) error {
		switch kind {
		case "":
			return errors.New("the event has no kind")
		case EventVersion, EventAlias:
			return fmt.Errorf("events of kind %q are written by what they tell of", kind)
		}
		return audit(ctx, tx, project, kind, facts)
	})
	if err != nil {
		return r.explain(fmt.Errorf("audit %q in project %q: %w", kind, project, err))
	}
	return nil
}

func audit(ctx context.Context, tx *sql.Tx, project, kind string, facts any) error {
	canonical, err := canonicalJSON(facts)
	if err != nil {
		return fmt.Errorf("facts: %w", err)
	}
	var seq int64
	var last string
	if err := tx.QueryRowContext(ctx, `SELECT seq, hash FROM audit_head`).Scan(&seq, &last); err != nil {
		return err
	}
	e := Event{Seq: seq + 1, Project: project, Kind: kind, At: now(), Facts: canonical}
	e.Hash = e.link(last)
	_, err = tx.ExecContext(ctx, `INSERT INTO event (seq, project, kind, at, facts, hash) VALUES ($1, $2, $3, $4, $5, $6)`,
		e.Seq, e.Project, e.Kind, e.At.UnixMicro(), string(e.Facts), e.Hash)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE audit_head SET seq = $1, hash = $2`, e.Seq, e.Hash)
	return err
}

// link returns the event's hash: SHA-256 over the JSON array of the hash
// before it ("" for the first), the sequence number, the time in microseconds,
// the project, the kind, and the facts as text. JSON keeps the parts apart.
func (e Event) link(before string) string {
	b, err := json.Marshal([]any{before, e.Seq, e.At.UnixMicro(), e.Project, e.Kind, string(e.Facts)})
	if err != nil {
		panic(fmt.Sprintf("registry: event %d cannot be written as JSON: %v", e.Seq, err)) // texts and numbers can
	}
	return sha256Hex(b)
}

// canonicalJSON writes v with the keys of every object sorted.
func canonicalJSON(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	return json.Marshal(tree)
}

// Events returns the newest events of a project, the newest first; at most
// limit, or all if limit is 0. project "" means all projects.
func (r *Registry) Events(ctx context.Context, project string, limit int) ([]Event, error) {
	if limit <= 0 {
		limit = 1 << 62
	}
	es, err := collect(ctx, r.db, scanEvent, selectEvent+`WHERE project = $1 OR $1 = '' ORDER BY seq DESC LIMIT $2`, project, limit)
	if err != nil {
		return nil, fmt.Errorf("list events of project %q: %w", project, err)
	}
	return es, nil
}

const selectEvent = `SELECT seq, project, kind, at, facts, hash FROM event `

func scanEvent(row func(...any) error) (e Event, err error) {
	var at int64
	var facts string
	err = row(&e.Seq, &e.Project, &e.Kind, &at, &facts, &e.Hash)
	e.At, e.Facts = time.UnixMicro(at).UTC(), json.RawMessage(facts)
	return e, err
}

// ErrTampered is wrapped by every finding of VerifyAudit.
var ErrTampered = errors.New("the audit trail does not hold")

// VerifyAudit recomputes the whole chain and compares the versions and aliases
// in force with the events that made them. It returns nil if everything
// agrees, and otherwise the first event, version or alias that does not,
// wrapping ErrTampered.
func (r *Registry) VerifyAudit(ctx context.Context) error {
	// One read transaction: a writer at work must not look like a forger.
	tx, err := r.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("verify audit trail: %w", err)
	}
	defer tx.Rollback()
	if err := verify(ctx, tx); err != nil {
		return fmt.Errorf("verify audit trail: %w", err)
	}
	return nil
}

func verify(ctx context.Context, q querier) error {
	told := state{}
	var last Event
	// The scan checks each event as it comes: the trail may be long, and only
	// what it says of versions and aliases is kept.
	_, err := collect(ctx, q, func(row func(...any) error) (struct{}, error) {
		e, err := scanEvent(row)
		switch {
		case err != nil:
			return struct{}{}, err
		case e.Seq != last.Seq+1:
			return struct{}{}, fmt.Errorf("%w: after event %d comes event %d", ErrTampered, last.Seq, e.Seq)
		case e.Hash != e.link(last.Hash):
			return struct{}{}, fmt.Errorf("%w: event %d has been changed, or one before it", ErrTampered, e.Seq)
		}
		last = e
		return struct{}{}, told.apply(e)
	}, selectEvent+`ORDER BY seq`)
	if err != nil {
		return err
	}
	var seq int64
	var hash string
	err = q.QueryRowContext(ctx, `SELECT seq, hash FROM audit_head`).Scan(&seq, &hash)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: its head is missing", ErrTampered)
	case err != nil:
		return err
	case seq != last.Seq || hash != last.Hash:
		return fmt.Errorf("%w: its head is event %d, and the last event found is %d", ErrTampered, seq, last.Seq)
	}
	found, err := stateOf(ctx, q)
	if err != nil {
		return err
	}
	return told.compare(found)
}
