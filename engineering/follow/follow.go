// Package follow keeps a server in step with the places its bundles come from.
//
// What is new or replaced there is read, decoded, which reproduces its proof rows,
// warmed up and only then swapped in, between two requests. What is damaged, or is not what was
// pinned, is refused and said once, and the old one goes on. A bundle that has gone from a folder
// or below a prefix is unloaded. A place that cannot be reached changes nothing.
//
// What came over a network is kept in a cache, if there is one, and serves a
// restart while the network is away.
package follow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/durable"
	"github.com/tandem-ml/tandem/engineering/fetch"
	"github.com/tandem-ml/tandem/engineering/rollout"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// Options say how places are followed.
type Options struct {
	Fetch fetch.Options
	Poll  time.Duration                    // between two looks; 0: never after the first
	Cache string                           // folder in which is kept what came over a network; "": none
	Say   func(format string, args ...any) // told what changes, and what is refused; nil: nobody
}

// Follower follows places. Its methods are for one goroutine.
type Follower struct {
	opt     Options
	sources []*source
}

// source is a place and what is known of it.
type source struct {
	fetch.Source
	address string // as it may be shown
	remote  bool
	tags    map[string]string // of what was read, served or refused, by name
	held    map[string]held   // what is served, by name
	said    map[string]string // by name, "" for the place itself: the trouble that was said
}

// held is a bundle that is served.
type held struct{ sum, id string }

// New returns a follower of places, as [fetch.Open] takes them.
func New(places []string, opt Options) (*Follower, error) {
	if opt.Say == nil {
		opt.Say = func(string, ...any) {}
	}
	f := &Follower{opt: opt}
	for _, p := range places {
		s, err := fetch.Open(p, opt.Fetch)
		if err != nil {
			return nil, err
		}
		f.sources = append(f.sources, &source{Source: s, address: fetch.Redact(p), remote: fetch.IsRemote(p),
			tags: map[string]string{}, held: map[string]held{}, said: map[string]string{}})
	}
	return f, nil
}

// Load reads all bundles. A place without any, one that cannot be read and is not
// in the cache, a damaged bundle and two models of one name are errors.
func (f *Follower) Load(ctx context.Context) ([]serve.Model, error) {
	var out []serve.Model
	for _, s := range f.sources {
		models, err := f.first(ctx, s)
		if err != nil {
			cached := f.cached(s)
			if len(cached) == 0 {
				return nil, err
			}
			f.opt.Say("%v: serving what was kept of it in %s", err, f.opt.Cache)
			s.said[""] = err.Error()
			models = cached
		}
		for _, m := range models {
			if slices.ContainsFunc(out, func(o serve.Model) bool { return o.Project == m.Project }) {
				return nil, data.WithHint(fmt.Errorf("two bundles are named %q", m.Project), "rename one of the files, or add #name=NAME to an address")
			}
			out = append(out, m)
		}
	}
	return out, nil
}

// Attach makes a server of bundles follow the places that they are read from.
func Attach(a *serve.Alone, opt Options) {
	var f *Follower
	a.Open = func(ctx context.Context, places []string) (models []serve.Model, err error) {
		if f, err = New(places, opt); err != nil {
			return nil, err
		}
		return f.Load(ctx)
	}
	beside := a.Beside
	a.Beside = func(server *serve.Server) (func(context.Context) error, error) {
		var other func(context.Context) error
		if beside != nil {
			var err error
			if other, err = beside(server); err != nil {
				return nil, err
			}
		}
		return func(ctx context.Context) error {
			both, ctx := errgroup.WithContext(ctx)
			both.Go(func() error { f.Follow(ctx, server); return nil })
			if other != nil {
				both.Go(func() error { return other(ctx) })
			}
			return both.Wait()
		}, nil
	}
}

// first reads all bundles of a place.
func (f *Follower) first(ctx context.Context, s *source) ([]serve.Model, error) {
	clear(s.tags)
	found, err := s.Look(ctx, nil)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, data.WithHint(fmt.Errorf("there is no bundle in %s", s), "bundles are files named *.tandem; tandem train and tandem import write them")
	}
	var out []serve.Model
	for _, one := range found {
		if s.tags[one.Name] != "" {
			return nil, data.WithHint(fmt.Errorf("two bundles are named %q", one.Name), "rename one of the files")
		}
		content, err := one.Read(ctx)
		if err != nil {
			return nil, err
		}
		m, err := model(s, one, content)
		if err != nil {
			return nil, err
		}
		s.tags[one.Name], s.held[one.Name] = one.Tag, held{sum(content), m.Bundle.ID()}
		f.keep(s, one.Name, content)
		out = append(out, m)
	}
	return out, nil
}

// model makes what was read ready to answer.
func model(s *source, one fetch.Found, content []byte) (serve.Model, error) {
	b, err := bundle.Decode(content)
	if err == nil && one.Pin != "" && b.ID() != one.Pin {
		err = fmt.Errorf("it is the bundle %s and is pinned to %s", b.ID(), one.Pin)
	}
	if err == nil {
		err = rollout.Warm(b)
	}
	if err != nil {
		return serve.Model{}, fmt.Errorf("open bundle %q of %s: %w", one.Name, s, err)
	}
	return serve.Model{Project: one.Name, Version: one.Version, Bundle: b}, nil
}

// Follow looks again and again until ctx ends, and changes what the server
// answers with. The server has what [Follower.Load] returned.
func (f *Follower) Follow(ctx context.Context, server *serve.Server) {
	if f.opt.Poll <= 0 {
		return
	}
	tick := time.NewTicker(f.opt.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, s := range f.sources {
			f.look(ctx, s, server)
		}
	}
}

// look brings the server in step with one place.
func (f *Follower) look(ctx context.Context, s *source, server *serve.Server) {
	found, err := s.Look(ctx, maps.Clone(s.tags))
	if f.trouble(ctx, s, "", err); err != nil {
		return
	}
	here := map[string]bool{}
	for _, one := range found {
		if here[one.Name] {
			f.trouble(ctx, s, one.Name, fmt.Errorf("two bundles of %s are named %q: the first is taken", s, one.Name))
			continue
		}
		here[one.Name] = true
		if one.Read != nil {
			f.trouble(ctx, s, one.Name, f.take(ctx, s, one, server))
		}
	}
	for name := range s.tags {
		if here[name] {
			continue
		}
		delete(s.tags, name)
		delete(s.said, name)
		if _, serving := s.held[name]; serving {
			delete(s.held, name)
			server.Remove(name)
			f.drop(s, name)
			f.opt.Say("%s: %s has gone and is not served any more", s, name)
		}
	}
}

// take puts what has changed into service.
func (f *Follower) take(ctx context.Context, s *source, one fetch.Found, server *serve.Server) error {
	for _, other := range f.sources {
		if _, taken := other.held[one.Name]; taken && other != s {
			return fmt.Errorf("%s: %q is not served: %s has a bundle of that name", s, one.Name, other)
		}
	}
	content, err := one.Read(ctx)
	if err != nil {
		return fmt.Errorf("%w: %s goes on as it was", err, one.Name)
	}
	before, serving := s.held[one.Name]
	digest := sum(content)
	if serving && before.sum == digest {
		s.tags[one.Name] = one.Tag
		return nil
	}
	m, err := model(s, one, content)
	if err == nil {
		err = f.put(server, m)
	}
	s.tags[one.Name] = one.Tag // what is wrong with it stays wrong until it is another
	switch {
	case err != nil && serving:
		return fmt.Errorf("%w: bundle %s goes on answering", err, short(before.id))
	case err != nil:
		return err
	}
	s.held[one.Name] = held{digest, m.Bundle.ID()}
	f.keep(s, one.Name, content)
	if serving {
		f.opt.Say("%s: bundle %s answers now, before it was %s", one.Name, short(m.Bundle.ID()), short(before.id))
	} else {
		f.opt.Say("%s: bundle %s is new, and answers", one.Name, short(m.Bundle.ID()))
	}
	return nil
}

// put swaps a champion in; what stands beside it stays.
func (f *Follower) put(server *serve.Server, m serve.Model) error {
	lineup, has := server.Lineup(m.Project)
	if has {
		if err := rollout.Compatible(lineup.Champion.Bundle, m.Bundle); err != nil {
			// Who has put it there has decided; a restart would serve it too.
			f.opt.Say("%s: %v", m.Project, err)
		}
	}
	lineup.Champion = m
	return server.Put(lineup)
}

// trouble says what is wrong when it is not what was wrong before, and that
// it is over.
func (f *Follower) trouble(ctx context.Context, s *source, name string, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil:
		if s.said[name] != "" && name == "" {
			f.opt.Say("%s can be read again", s)
		}
		delete(s.said, name)
	case s.said[name] != err.Error():
		s.said[name] = err.Error()
		f.opt.Say("%v", err)
		var hint *data.Hinted
		if errors.As(err, &hint) {
			f.opt.Say("  %s", hint.Hint)
		}
	}
}

// folder is where a place's bundles are kept.
func (f *Follower) folder(s *source) string {
	return filepath.Join(f.opt.Cache, sum([]byte(s.address))[:16])
}

// keep writes a bundle into the cache. What cannot be kept is said and served.
func (f *Follower) keep(s *source, name string, content []byte) {
	if f.opt.Cache == "" || !s.remote {
		return
	}
	dir := f.folder(s)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = durable.Write(filepath.Join(dir, name+".tandem"), 0o600, durable.Bytes(content))
	}
	if err != nil {
		f.opt.Say("%s cannot be kept in the cache: %v", name, durable.Plain(err))
	}
}

func (f *Follower) drop(s *source, name string) {
	if f.opt.Cache != "" && s.remote {
		os.Remove(filepath.Join(f.folder(s), name+".tandem"))
	}
}

// cached returns what is kept of a place: only what would be taken from it too.
func (f *Follower) cached(s *source) []serve.Model {
	if f.opt.Cache == "" || !s.remote {
		return nil
	}
	clear(s.held)
	clear(s.tags)
	files, _ := filepath.Glob(filepath.Join(f.folder(s), "*.tandem"))
	var out []serve.Model
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".tandem")
		if strings.HasPrefix(name, ".") {
			continue
		}
		content, err := os.ReadFile(file)
		var m serve.Model
		if err == nil {
			one := fetch.Found{Name: name}
			if p, can := s.Source.(interface{ Admits([]byte) (string, error) }); can {
				one.Pin, err = p.Admits(content)
			}
			if err == nil {
				m, err = model(s, one, content)
			}
		}
		if err != nil {
			f.opt.Say("%s of the cache is not served: %v", name, err)
			continue
		}
		s.held[name], s.tags[name] = held{sum(content), m.Bundle.ID()}, "kept"
		out = append(out, m)
	}
	return out
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// short is an id as people compare it.
func short(id string) string { return id[:min(12, len(id))] }
