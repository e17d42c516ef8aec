package workflow

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/durable"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/decisions/archive"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/rollout"
	"github.com/tandem-ml/tandem/project"
)

// An erasure is asked for by a file in the project's state and is done by
// whoever may write the log: a server that runs, or else who asks. The file
// goes when all is done, so an erasure that was interrupted is done by the next
// server. It names decisions by their ids, which are no personal data.

// Subject says whose decisions to erase, in exactly one of three ways.
type Subject struct {
	Key   string                // value of the project's id column
	IDs   []string              // of decisions
	Where []decisions.Condition // all must hold
}

func (s Subject) by() (string, error) {
	by := ""
	for _, way := range []struct {
		name  string
		given bool
	}{{"key", s.Key != ""}, {"id", len(s.IDs) > 0}, {"where", len(s.Where) > 0}} {
		if way.given && by != "" {
			return "", Usagef("say whose decisions to erase in one way: by key, by id or by conditions")
		}
		if way.given {
			by = way.name
		}
	}
	if by == "" {
		return "", Usagef("say whose decisions to erase: by key, by id or by conditions")
	}
	return by, nil
}

// find returns the decisions of a subject that are not erased yet, and those that a
// shadow made of the same rows.
func (s Subject) find(ctx context.Context, log *decisions.Log, project string) ([]string, error) {
	ids, err := s.decisions(ctx, log, project)
	shadow := rollout.LoggedAs(project)
	if err != nil || log.Counts(shadow).Decisions == 0 {
		return ids, err
	}
	of := make(map[string]bool, len(ids))
	for _, id := range ids {
		of[id] = true
	}
	err = log.Select(ctx, nil, func(e decisions.Entry) error {
		if e.Project == shadow && (of[e.RequestID] || s.Key != "" && e.Key == s.Key) {
			ids = append(ids, e.ID)
		}
		return nil
	})
	return ids, err
}

// decisions returns those of the project itself.
func (s Subject) decisions(ctx context.Context, log *decisions.Log, project string) (ids []string, err error) {
	switch {
	case s.Key != "":
		found, err := log.ByKey(project, s.Key)
		for _, e := range found {
			ids = append(ids, e.ID)
		}
		return ids, err
	case len(s.IDs) > 0:
		for _, id := range s.IDs {
			switch d, _, err := log.Get(id); {
			case err == nil && d.Project != project:
				return nil, fmt.Errorf("decision %s: %w", id, decisions.ErrUnknown)
			case err == nil:
				ids = append(ids, id)
			case !errors.Is(err, decisions.ErrErased):
				return nil, err
			}
		}
		slices.Sort(ids)
		return slices.Compact(ids), nil
	}
	err = log.Select(ctx, s.Where, func(e decisions.Entry) error {
		if e.Project == project {
			ids = append(ids, e.ID)
		}
		return nil
	})
	return ids, err
}

// erasure is the file that asks for one.
type erasure struct {
	Decisions []string  `json:"decisions"`
	By        string    `json:"by"`
	Reason    string    `json:"reason,omitempty"`
	Asked     time.Time `json:"asked"`
}

func erasuresDir(dir string) string { return filepath.Join(stateDir(dir), "erasures") }

// ArchiveDir is where a project's decision log lies as Parquet files.
func ArchiveDir(dir string) string { return filepath.Join(stateDir(dir), "parquet") }

// ask writes the file of an erasure.
func ask(dir string, e erasure) (path string, err error) {
	folder := erasuresDir(dir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	content, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	var name [8]byte
	rand.Read(name[:]) // never fails: see crypto/rand.Read
	path = filepath.Join(folder, fmt.Sprintf("%s-%s.json", e.Asked.UTC().Format("20060102T150405"), hex.EncodeToString(name[:])))
	return path, durable.Write(path, 0o600, durable.Bytes(content))
}

// eraseAsked does all that was asked for. What cannot be done stays.
func eraseAsked(ctx context.Context, p *project.Project, log *decisions.Log, reg *registry.Registry) error {
	files, err := filepath.Glob(filepath.Join(erasuresDir(p.Dir), "*.json"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range files { // sorted, so oldest first
		if err := eraseOne(ctx, p, log, reg, path); err != nil {
			errs = append(errs, fmt.Errorf("the erasure %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

func eraseOne(ctx context.Context, p *project.Project, log *decisions.Log, reg *registry.Registry, path string) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // done by another of us
	}
	if err != nil {
		return err
	}
	var e erasure
	if err := json.Unmarshal(content, &e); err != nil {
		return data.WithHint(err, "remove the file and ask for the erasure again")
	}
	there := e.Decisions[:0:0]
	for _, id := range e.Decisions {
		if _, _, err := log.Get(id); !errors.Is(err, decisions.ErrUnknown) { // removed by age meanwhile
			there = append(there, id)
		}
	}
	if err := log.Erase(ctx, there...); err != nil {
		return err
	}
	if err := rollInto(ctx, log, p, false); err != nil {
		return err
	}
	if err := reg.Audit(ctx, p.Name, "erased", map[string]any{
		"erasure": filepath.Base(path), "decisions": len(there), "by": e.By, "reason": e.Reason, "asked": e.Asked}); err != nil {
		return err
	}
	return os.Remove(path)
}

// rollInto brings the project's Parquet files up to the log, if there are any or
// if they are wanted.
func rollInto(ctx context.Context, log *decisions.Log, p *project.Project, wanted bool) error {
	dir := ArchiveDir(p.Dir)
	if !wanted {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}
	_, err := archive.Roll(ctx, log, dir, archive.Options{})
	return err
}

// Erased is what [Erase] did.
type Erased struct {
	Decisions int `json:"decisions"` // that were erased now
}

// Erase erases the content of all decisions of a subject, and of their outcomes,
// from the log and from its Parquet files, for good, and records in the audit
// trail that it was done, when, how many there were and the reason, which should
// name nobody. It returns when all is done. A server that runs does it within a
// second; without one Erase does it itself. If ctx ends first, the erasure is
// still done, by the server or by the next one.
func Erase(ctx context.Context, dir string, subject Subject, reason string) (Erased, error) {
	by, err := subject.by()
	if err != nil {
		return Erased{}, err
	}
	d, err := OpenDecisions(ctx, dir)
	if err != nil {
		return Erased{}, err
	}
	defer d.Close()
	p, reg := d.models.Project, d.models.registry
	ids, err := subject.find(ctx, d.log, p.Name)
	if err != nil || len(ids) == 0 {
		return Erased{}, err
	}
	path, err := ask(p.Dir, erasure{Decisions: ids, By: by, Reason: reason, Asked: time.Now().UTC()})
	if err != nil {
		return Erased{}, err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		log, err := decisions.Open(decisionsDir(p.Dir), decisions.Options{})
		if err == nil {
			if err = errors.Join(eraseAsked(ctx, p, log, reg), log.Close()); err != nil {
				return Erased{}, err
			}
		} else if !errors.Is(err, decisions.ErrInUse) {
			return Erased{}, err
		}
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return Erased{len(ids)}, nil
		}
		select {
		case <-ctx.Done():
			return Erased{}, data.WithHint(ctx.Err(), "the erasure stays in %s and is done by the server", path)
		case <-tick.C:
		}
	}
}

// erase is Erase by the server itself, for a request.
func (s *service) erase(ctx context.Context, subject Subject, reason string) (int, error) {
	by, err := subject.by()
	if err != nil {
		return 0, err
	}
	ids, err := subject.find(ctx, s.log, s.project.Name)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	if _, err := ask(s.project.Dir, erasure{Decisions: ids, By: by, Reason: reason, Asked: time.Now().UTC()}); err != nil {
		return 0, err
	}
	return len(ids), s.eraseAsked(ctx)
}

func (s *service) eraseAsked(ctx context.Context) error {
	s.erasing.Lock()
	defer s.erasing.Unlock()
	return eraseAsked(ctx, s.project, s.log, s.registry)
}
