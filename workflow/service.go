package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/project"
)

// followEvery is how often a running server looks whether the lineup has
// changed: a promotion by another process is in service within a second.
const followEvery = 300 * time.Millisecond

// watchEvery is how often it reads what was logged since. Reading many records
// at once costs less than waking for each request.
const watchEvery = 250 * time.Millisecond

// stateDir is where a project keeps what must last.
func stateDir(dir string) string { return filepath.Join(dir, ".tandem", "state") }

// decisionsDir is where its decision log lies.
func decisionsDir(dir string) string { return filepath.Join(stateDir(dir), "decisions") }

// KeysDir is where a project's API keys lie.
func KeysDir(dir string) string { return filepath.Join(stateDir(dir), "keys") }

// hasKeys reports whether there is any key in a folder.
func hasKeys(dir string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	return len(files) > 0
}

// service is a project in production: registry, decision log, monitor and
// server, in one process.
type service struct {
	project  *project.Project
	registry *registry.Registry
	log      *decisions.Log
	watch    *watch
	server   *serve.Server
	talk     *Talk
	streams  addresses // none but in Up

	erasing   sync.Mutex // one that erases what was asked for, or writes Parquet files, at a time
	following sync.Mutex // one change of the lineup at a time

	mu       sync.Mutex
	bundles  map[string]*bundle.Bundle // by id, opened once
	places   places                    // that were put into service
	champion registry.Version
	noted    map[string]string // by alias: why what it points at is not in service
	refused  string            // why the newest run's bundle was not made champion; "" if it was, or another was since
}

// openService opens a project's state; only one process at a time may.
// access holds the options that say who may ask.
func openService(ctx context.Context, p *project.Project, talk *Talk, access serve.Options, logger *slog.Logger) (*service, error) {
	state := stateDir(p.Dir)
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, unusable(p, err)
	}
	log, err := decisions.Open(decisionsDir(p.Dir), decisions.Options{Durability: decisions.Durability(p.Decisions.Durability)})
	if err != nil {
		return nil, unusable(p, err)
	}
	if rec := log.Recovered(); rec.Torn > 0 || rec.Lost > 0 {
		talk.Line("  decisions %d bytes of a half-written end were cut off; %d acknowledged records are missing", rec.Torn, rec.Lost)
	}
	reg, err := registry.Open(ctx, state)
	if err != nil {
		log.Close()
		return nil, unusable(p, err)
	}
	s := &service{project: p, registry: reg, log: log, talk: talk, bundles: make(map[string]*bundle.Bundle), noted: make(map[string]string)}
	s.watch = newWatch(log, p, s.bundle)
	access.Erase = func(ctx context.Context, ids []string, key, reason string) (int, error) {
		return s.erase(ctx, Subject{Key: key, IDs: ids}, reason)
	}
	access.File = reg.BundlePath
	access.Log, access.Bundle, access.Logger, access.Pages, access.Rollout = log, s.bundle, logger, s.pages(), s.change
	s.server = serve.New(access)
	if err := s.measure(s.server); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// unusable says whose state cannot be opened, and how to mend what the file
// system refused.
func unusable(p *project.Project, err error) error {
	err = fmt.Errorf("open the state of project %q: %w", p.Name, err)
	switch {
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return data.WithHint(err, "the server keeps registry and decisions in %s: let the user who runs it write there", stateDir(p.Dir))
	case errors.Is(err, syscall.ENOSPC):
		return data.WithHint(err, "the disk is full; free some space, %s may be deleted at any time", filepath.Join(p.Dir, ".tandem", "cache"))
	}
	return err
}

func (s *service) close() error {
	s.server.Settle() // what shadows have still to say belongs into the log
	return errors.Join(s.log.Close(), s.registry.Close())
}

// bundle opens a bundle of the registry by its id, once as long as it is wanted.
func (s *service) bundle(id string) (*bundle.Bundle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := openBundle(s.registry, s.bundles, id)
	s.forget(id)
	return b, err
}

func openBundle(reg *registry.Registry, opened map[string]*bundle.Bundle, id string) (*bundle.Bundle, error) {
	if b := opened[id]; b != nil {
		return b, nil
	}
	path, err := reg.BundlePath(id)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Open(path)
	if err != nil {
		return nil, err
	}
	if b.ID() != id {
		return nil, fmt.Errorf("%s holds the bundle %s", path, b.ID())
	}
	opened[id] = b
	return b, nil
}

func clock() string { return time.Now().Format("15:04:05") }

// followRegistry puts each new lineup into service until ctx ends. What goes
// wrong is said once, not at every look.
func (s *service) followRegistry(ctx context.Context) {
	var revision int64 = -1
	s.every(ctx, followEvery, "the champion stays", func() error {
		now, err := s.registry.Revision(ctx)
		if err != nil || now == revision {
			return err
		}
		if err := s.follow(ctx); err != nil {
			return err
		}
		revision = now
		return nil
	})
}

// watchLog keeps the watch up with the log until ctx ends. It reads what was
// written, beside the answers and not on their way.
func (s *service) watchLog(ctx context.Context) {
	s.every(ctx, watchEvery, "watch", func() error {
		if err := s.watch.catchUp(ctx); err != nil {
			return err
		}
		s.watch.tick(time.Now())
		return nil
	})
}

// eraseLog does the erasures that other processes ask for until ctx ends.
func (s *service) eraseLog(ctx context.Context) {
	s.every(ctx, eraseEvery, "erase", func() error { return s.eraseAsked(ctx) })
}

// every does work now and at each interval until ctx ends, and says an error
// when it is another than the time before.
func (s *service) every(ctx context.Context, interval time.Duration, what string, work func() error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	said := ""
	for {
		text := ""
		if err := work(); err != nil && ctx.Err() == nil {
			text = err.Error()
		}
		if text != said && text != "" {
			s.talk.Line("%s  %s: %s", clock(), what, text)
		}
		said = text
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// short is an id as people compare it.
func short(id string) string { return id[:min(12, len(id))] }
