package workflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/rollout"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// Change does what a person asks for, and says what is so now. The audit trail
// keeps the reason, who asked if that is known, and what was overruled by force. A
// running server follows within a second.
//
// A version is looked at before it gets its place: its bundle is opened, which
// reproduces its proof rows, and compared with the champion's (see
// [rollout.Compatible]). What it then does not come up to is a
// [rollout.Refusal]. A rollback asks nothing but that the bundle opens: the model
// has answered before.
func (m *Models) Change(ctx context.Context, c rollout.Change) (string, error) {
	if err := c.Check(); err != nil {
		return "", &rollout.Refusal{Err: err}
	}
	project := m.Project.Name
	switch c.Kind {
	case rollout.Rollback:
		v, err := m.rollback(ctx, c)
		return fmt.Sprintf("version %d is the champion again", v.Number), moved(err)
	case rollout.StopShadow:
		return "there is no shadow", m.registry.ClearAlias(ctx, project, registry.Shadow, c.Reason)
	case rollout.StopCanary:
		return "there is no canary", m.registry.ClearAlias(ctx, project, registry.Canary, c.Reason)
	}
	evidence, err := m.examine(ctx, c)
	if err != nil {
		return "", refused(err)
	}
	p := registry.Promotion{Project: project, Alias: registry.Champion, Version: c.Version, Reason: c.Reason, Evidence: evidence}
	said := fmt.Sprintf("version %d is the champion", c.Version)
	switch c.Kind {
	case rollout.Shadow:
		p.Alias, said = registry.Shadow, fmt.Sprintf("version %d is the shadow", c.Version)
	case rollout.Canary:
		p.Alias, p.Percent = registry.Canary, c.Percent
		said = fmt.Sprintf("version %d answers %s%% as the canary", c.Version, data.FormatNumber(c.Percent))
	}
	return said, moved(m.registry.Promote(ctx, p))
}

// moved makes a refusal of what has changed since a version was looked at; other
// errors are the registry's own.
func moved(err error) error {
	if errors.Is(err, registry.ErrMoved) || errors.Is(err, registry.ErrChampion) || errors.Is(err, registry.ErrNotFound) {
		return refused(err)
	}
	return err
}

// asked is what the audit trail says of how a change came about; nil if there
// is nothing to say.
func asked(by, overruled string) any {
	if by == "" && overruled == "" {
		return nil
	}
	return struct {
		By        string `json:"by,omitempty"`        // the name of a key
		Overruled string `json:"overruled,omitempty"` // what would have been refused
	}{by, overruled}
}

// examine looks at a version that is to get a place.
func (m *Models) examine(ctx context.Context, c rollout.Change) (evidence any, err error) {
	_, next, err := m.Show(ctx, c.Version)
	if err != nil {
		return nil, err
	}
	if err := rollout.Warm(next); err != nil {
		return nil, err
	}
	v, set, err := m.registry.Alias(ctx, m.Project.Name, registry.Champion)
	switch {
	case err != nil:
		return nil, err
	case c.Kind == rollout.Promote && (!set || v.Number == c.Version):
		return asked(c.By, ""), nil
	case !set:
		return nil, data.WithHint(errors.New("there is no champion to stand beside"), "make one with: tandem models promote")
	case v.Number == c.Version:
		return nil, fmt.Errorf("version %d is the champion", c.Version)
	}
	now, err := m.open(v)
	if err != nil {
		if c.Kind == rollout.Promote { // it may be why there is to be another
			return asked(c.By, ""), nil
		}
		return nil, err
	}
	if c.Kind != rollout.Promote { // they answer side by side, force or not
		if err := rollout.SameAnswers(now, next); err != nil {
			return nil, err
		}
	}
	broken := rollout.Compatible(now, next)
	switch {
	case broken == nil || c.Kind == rollout.Shadow:
		return asked(c.By, ""), nil
	case c.Force:
		return asked(c.By, broken.Error()), nil
	}
	return nil, data.WithHint(fmt.Errorf("version %d cannot follow version %d: %w", c.Version, v.Number, broken), "force overrules this: tandem models promote %d --force", c.Version)
}

// refused makes a refusal of what is wrong with the change that was asked for.
func refused(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &rollout.Refusal{Missing: errors.Is(err, registry.ErrNotFound), Err: err}
}

// rollback makes the champion before this one the champion again.
func (m *Models) rollback(ctx context.Context, c rollout.Change) (registry.Version, error) {
	now, _, err := m.registry.Alias(ctx, m.Project.Name, registry.Champion)
	if err != nil {
		return registry.Version{}, err
	}
	v, set, err := m.registry.Previous(ctx, m.Project.Name, registry.Champion)
	if err != nil {
		return v, err
	}
	if !set {
		return v, refused(m.explain(fmt.Errorf("roll back: the champion replaced no other version: %w", registry.ErrNotFound)))
	}
	if _, err := m.open(v); err != nil {
		return v, refused(err)
	}
	return v, m.registry.Promote(ctx, registry.Promotion{Project: m.Project.Name, Alias: registry.Champion,
		Version: v.Number, Expect: now.Number, Reason: "rollback: " + c.Reason, Evidence: asked(c.By, "")})
}

// places are the versions that stand in a project's places; 0: none.
type places struct {
	champion, canary, shadow int
	percent                  float64 // of the canary
}

// placesOf reads the places as they are at one moment.
func placesOf(ctx context.Context, reg *registry.Registry, project string) (places, error) {
	aliases, err := reg.Aliases(ctx, project)
	var p places
	for _, a := range aliases {
		switch a.Name {
		case registry.Champion:
			p.champion = a.Version
		case registry.Canary:
			p.canary, p.percent = a.Version, a.Percent
		case registry.Shadow:
			p.shadow = a.Version
		}
	}
	return p, err
}

// follow puts the registry's lineup into service, if it is not already. Every
// bundle is opened, tried and warmed before. A champion that fails there leaves
// all as it was; a canary or a shadow that does is left out. Either is noted in
// the audit trail.
func (s *service) follow(ctx context.Context) error {
	s.following.Lock()
	defer s.following.Unlock()
	want, err := placesOf(ctx, s.registry, s.project.Name)
	if err != nil || want.champion == 0 {
		return err
	}
	s.mu.Lock()
	before := s.places
	s.mu.Unlock()
	if want == before {
		return nil
	}
	champion, v, err := s.prepare(ctx, registry.Champion, want.champion, nil)
	if err != nil {
		return err
	}
	lineup := serve.Lineup{Champion: *champion}
	var beside []error
	if want.canary != 0 {
		lineup.Percent = want.percent
		lineup.Canary, _, err = s.prepare(ctx, registry.Canary, want.canary, champion.Bundle)
		beside = append(beside, err)
	}
	if want.shadow != 0 {
		lineup.Shadow, _, err = s.prepare(ctx, registry.Shadow, want.shadow, champion.Bundle)
		beside = append(beside, err)
	}
	if err := s.server.Put(lineup); err != nil {
		return err
	}
	s.mu.Lock()
	s.champion, s.places = v, want
	if before.champion != 0 && before.champion != want.champion {
		s.refused = "" // what is in force now was decided after that run
	}
	s.mu.Unlock()
	s.tell(before, want)
	// What is left out is said, and not tried again before something changes.
	for _, err := range beside {
		if err != nil {
			s.talk.Line("%s  %v", clock(), err)
		}
	}
	return nil
}

// prepare makes a version ready to stand in a place; beside is the champion that
// it is to stand beside, nil for the champion itself.
func (s *service) prepare(ctx context.Context, place string, number int, beside *bundle.Bundle) (*serve.Model, registry.Version, error) {
	v, err := s.registry.Version(ctx, s.project.Name, number)
	if err != nil {
		return nil, v, err
	}
	b, err := s.bundle(v.Bundle)
	if err == nil {
		err = rollout.Warm(b)
	}
	if err == nil && beside != nil {
		err = rollout.SameAnswers(beside, b)
	}
	if err != nil {
		err = fmt.Errorf("%s version %d is not put into service: %w", place, number, err)
		return nil, v, errors.Join(err, s.note(ctx, place, v, err))
	}
	s.mu.Lock()
	delete(s.noted, place)
	s.mu.Unlock()
	return &serve.Model{Project: s.project.Name, Version: fmt.Sprint(number), Bundle: b}, v, nil
}

// note writes into the audit trail that a version was not put into service;
// once as long as the reason stays.
func (s *service) note(ctx context.Context, place string, v registry.Version, cause error) error {
	s.mu.Lock()
	known := s.noted[place] == cause.Error()
	s.noted[place] = cause.Error()
	s.mu.Unlock()
	if known {
		return nil
	}
	return s.registry.Audit(ctx, s.project.Name, registry.EventNotServed, map[string]any{
		"alias": place, "version": v.Number, "bundle": v.Bundle, "reason": cause.Error()})
}

// tell says what has changed; the first lineup is told elsewhere.
func (s *service) tell(before, now places) {
	if before.champion != 0 && before.champion != now.champion {
		s.talk.Line("%s  version %d answers now, before it was %d", clock(), now.champion, before.champion)
	}
	if now.canary != before.canary || now.percent != before.percent {
		if now.canary == 0 {
			s.talk.Line("%s  the canary is gone, version %d answers everybody", clock(), now.champion)
		} else {
			s.talk.Line("%s  version %d answers %s%% as the canary", clock(), now.canary, data.FormatNumber(now.percent))
		}
	}
	if now.shadow != before.shadow {
		if now.shadow == 0 {
			s.talk.Line("%s  the shadow is gone", clock())
		} else {
			s.talk.Line("%s  version %d is the shadow", clock(), now.shadow)
		}
	}
}

// change does what a person asks for over HTTP, and follows at once.
func (s *service) change(ctx context.Context, _ string, c rollout.Change) error {
	m := &Models{s.project, s.registry}
	if _, err := m.Change(ctx, c); err != nil {
		return err
	}
	return s.follow(ctx)
}

// mostOpen bounds the bundles that are held open beside those in service: for
// replays and pages.
const mostOpen = 8

// forget lets go of open bundles that are not in service, if there are too many.
// It is called with s.mu held.
func (s *service) forget(but string) {
	if len(s.bundles) <= mostOpen {
		return
	}
	keep := map[string]bool{but: true}
	for _, id := range s.server.Loaded(s.project.Name) {
		keep[id] = true
	}
	for id := range s.bundles {
		if !keep[id] {
			delete(s.bundles, id)
		}
	}
}
