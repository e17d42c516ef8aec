package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/project"
)

// followEvery is how often a running server looks whether the champion has
// changed: a promotion by another process is in service within a second.
const followEvery = 300 * time.Millisecond

// stateDir is where a project keeps what must last.
func stateDir(dir string) string { return filepath.Join(dir, ".tandem", "state") }

// decisionsDir is where its decision log lies.
func decisionsDir(dir string) string { return filepath.Join(stateDir(dir), "decisions") }

// service is a project in production: registry, decision log, monitor and
// server, in one process.
type service struct {
	project  *project.Project
	registry *registry.Registry
	log      *decisions.Log
	watch    *watch
	server   *serve.Server
	talk     *Talk

	poke chan struct{} // something was logged

	mu       sync.Mutex
	bundles  map[string]*bundle.Bundle // by id, opened once
	champion registry.Version
	refused  string // why the newest run's bundle is not the champion; "" if it is
}

// openService opens a project's state; only one process at a time may.
func openService(ctx context.Context, p *project.Project, talk *Talk, logger *slog.Logger) (*service, error) {
	state := stateDir(p.Dir)
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, unwritable(state, err)
	}
	log, err := decisions.Open(decisionsDir(p.Dir), decisions.Options{})
	if err != nil {
		return nil, err
	}
	if rec := log.Recovered(); rec.Torn > 0 || rec.Lost > 0 {
		talk.Line("  decisions %d bytes of a half-written end were cut off; %d acknowledged records are missing", rec.Torn, rec.Lost)
	}
	reg, err := registry.Open(ctx, state)
	if err != nil {
		log.Close()
		return nil, err
	}
	s := &service{project: p, registry: reg, log: log, talk: talk,
		poke: make(chan struct{}, 1), bundles: make(map[string]*bundle.Bundle)}
	s.watch = newWatch(log, p, s.bundle)
	s.server = serve.New(serve.Options{
		Log: log, Bundle: s.bundle, Logger: logger, Pages: s.pages(),
		Decided: func(serve.Model, []decisions.Decision, bundle.Rows) { s.poked() },
		Learned: func(string, []decisions.Outcome) { s.poked() },
	})
	return s, nil
}

func (s *service) close() error { return errors.Join(s.log.Close(), s.registry.Close()) }

func (s *service) poked() {
	select {
	case s.poke <- struct{}{}:
	default: // the watch is awake already
	}
}

// bundle opens a bundle of the registry by its id, once.
func (s *service) bundle(id string) (*bundle.Bundle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return openBundle(s.registry, s.bundles, id)
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

// follow puts the registry's champion into service, if it is not already.
func (s *service) follow(ctx context.Context) error {
	v, set, err := s.registry.Alias(ctx, s.project.Name, registry.Champion)
	if err != nil || !set {
		return err
	}
	s.mu.Lock()
	same := v.Number == s.champion.Number
	s.mu.Unlock()
	if same {
		return nil
	}
	b, err := s.bundle(v.Bundle)
	if err != nil {
		return fmt.Errorf("champion version %d: %w", v.Number, err)
	}
	s.server.Swap(serve.Model{Project: s.project.Name, Version: fmt.Sprint(v.Number), Bundle: b})
	s.mu.Lock()
	before := s.champion.Number
	s.champion = v
	s.mu.Unlock()
	if before != 0 {
		s.talk.Line("%s  version %d answers now, before it was %d", clock(), v.Number, before)
	}
	return nil
}

func clock() string { return time.Now().Format("15:04:05") }

// run follows the registry and the log until ctx ends.
func (s *service) run(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	var revision int64 = -1
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.poke:
			if err := s.watch.catchUp(ctx); err != nil && ctx.Err() == nil {
				s.talk.Line("watch: %v", err)
			}
		case <-tick.C:
			now, err := s.registry.Revision(ctx)
			if err == nil && now != revision {
				err = s.follow(ctx)
			}
			if err != nil {
				if ctx.Err() == nil {
					s.talk.Line("the champion stays: %v", err)
				}
				continue
			}
			revision = now
		}
	}
}
