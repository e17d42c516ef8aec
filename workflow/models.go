package workflow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/rollout"
	"github.com/tandem-ml/tandem/project"
)

// Models is a project's registry, open for looking and for changing the
// champion. It may be used beside a running server, which follows.
type Models struct {
	Project  *project.Project
	registry *registry.Registry
}

// OpenModels opens the registry of the project in dir. A project that was
// never up has none, which is an error.
func OpenModels(ctx context.Context, dir string) (*Models, error) {
	p, err := project.Load(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(stateDir(p.Dir), "registry.db")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, data.WithHint(fmt.Errorf("project %q has no models yet", p.Name), "make one with: tandem up %s", dir)
		}
		return nil, err
	}
	reg, err := registry.Open(ctx, stateDir(p.Dir))
	if err != nil {
		return nil, err
	}
	return &Models{p, reg}, nil
}

// Close gives the registry back.
func (m *Models) Close() error { return m.registry.Close() }

// ModelLine is a version as it is listed.
type ModelLine struct {
	registry.Version
	Aliases []string                  `json:"aliases"`
	Percent float64                   `json:"percent,omitempty"` // of a canary
	Learner string                    `json:"learner"`
	Holdout map[string]bundle.Measure `json:"holdout"`
	Problem string                    `json:"problem,omitempty"` // why the bundle cannot be opened; then Learner and Holdout are empty
}

// List returns the project's versions, newest first.
func (m *Models) List(ctx context.Context) ([]ModelLine, error) {
	versions, err := m.registry.Versions(ctx, m.Project.Name)
	if err != nil {
		return nil, err
	}
	aliases, err := m.registry.Aliases(ctx, m.Project.Name)
	if err != nil {
		return nil, err
	}
	out := make([]ModelLine, 0, len(versions))
	for _, v := range slices.Backward(versions) {
		line := ModelLine{Version: v, Aliases: []string{}}
		if b, err := m.open(v); err != nil {
			line.Problem = err.Error()
		} else {
			line.Learner, line.Holdout = b.Card.Chosen, b.Card.Holdout
		}
		for _, a := range aliases {
			if a.Version == v.Number {
				line.Aliases = append(line.Aliases, a.Name)
				line.Percent += a.Percent // only one alias has any
			}
		}
		out = append(out, line)
	}
	return out, nil
}

// Show returns a version's bundle.
func (m *Models) Show(ctx context.Context, number int) (registry.Version, *bundle.Bundle, error) {
	v, err := m.registry.Version(ctx, m.Project.Name, number)
	if err != nil {
		return v, nil, m.explain(err)
	}
	b, err := m.open(v)
	return v, b, err
}

func (m *Models) open(v registry.Version) (*bundle.Bundle, error) {
	b, err := openBundle(m.registry, make(map[string]*bundle.Bundle), v.Bundle)
	if err != nil {
		return nil, fmt.Errorf("version %d: %w", v.Number, err)
	}
	return b, nil
}

// Promote makes a version the champion by a person's decision: see
// [Models.Change].
func (m *Models) Promote(ctx context.Context, number int, reason string) error {
	_, err := m.Change(ctx, rollout.Change{Kind: rollout.Promote, Version: number, Reason: reason})
	return err
}

// Rollback makes the champion before this one the champion again and returns
// it. It fails, and changes nothing, if the champion is changed by another
// process at the same moment.
func (m *Models) Rollback(ctx context.Context, reason string) (registry.Version, error) {
	return m.rollback(ctx, rollout.Change{Kind: rollout.Rollback, Reason: reason})
}

func (m *Models) explain(err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return data.WithHint(err, "the versions are listed by: tandem models list %s", m.Project.Dir)
	}
	return err
}

// Status is a project in production at a glance.
type Status struct {
	Project   string           `json:"project"`
	Champion  int              `json:"champion"` // version; 0: none
	Bundle    string           `json:"bundle"`
	Canary    int              `json:"canary,omitempty"`   // version
	Percent   float64          `json:"percent,omitempty"`  // that the canary answers
	Shadow    int              `json:"shadow,omitempty"`   // version
	Shadowed  int64            `json:"shadowed,omitempty"` // decisions of shadows in the log
	Decisions decisions.Counts `json:"decisions"`
	Watched   Watched          `json:"watched"` // of the champion
	Unread    int              `json:"unread"`  // decisions and outcomes that the champion's watch had to pass over
	Alarms    []string         `json:"alarms"`  // of the newest window of decisions and of outcomes
}

// StatusOf reads the state of the project in dir, whether a server runs or not.
func StatusOf(ctx context.Context, dir string) (*Status, error) {
	m, err := OpenModels(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	log, err := decisions.OpenReadOnly(decisionsDir(m.Project.Dir))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	v, set, err := m.registry.Alias(ctx, m.Project.Name, registry.Champion)
	if err != nil {
		return nil, err
	}
	s := &Status{Project: m.Project.Name, Decisions: log.Counts(m.Project.Name), Alarms: []string{}}
	if !set {
		return s, nil
	}
	s.Champion, s.Bundle = v.Number, v.Bundle
	beside, err := placesOf(ctx, m.registry, m.Project.Name)
	if err != nil {
		return nil, err
	}
	s.Canary, s.Percent, s.Shadow = beside.canary, beside.percent, beside.shadow
	s.Shadowed = log.Counts(rollout.LoggedAs(m.Project.Name)).Decisions
	opened := make(map[string]*bundle.Bundle)
	w := newWatch(log, m.Project, func(id string) (*bundle.Bundle, error) { return openBundle(m.registry, opened, id) })
	if err := w.catchUp(ctx); err != nil {
		return nil, err
	}
	w.tick(time.Now())
	s.Watched, s.Unread = w.seen(v.Bundle), w.passedOver(v.Bundle)
	s.Alarms = append(s.Alarms, s.Watched.alarms()...)
	return s, nil
}

// alarms returns what the newest window of decisions and the newest of
// outcomes raised.
func (w Watched) alarms() []string {
	var out []string
	if n := len(w.Windows); n > 0 {
		for _, a := range w.Windows[n-1].Alarms {
			out = append(out, a.Kind+": "+a.Text)
		}
	}
	if n := len(w.Outcomes); n > 0 {
		for _, a := range w.Outcomes[n-1].Alarms {
			out = append(out, a.Kind+": "+a.Text)
		}
	}
	return out
}

// Text returns the status for a person.
func (s *Status) Text() string {
	var b strings.Builder
	if s.Champion == 0 {
		fmt.Fprintf(&b, "%s has no champion\n", s.Project)
	} else {
		fmt.Fprintf(&b, "%s is answered by version %d (%.12s)\n", s.Project, s.Champion, s.Bundle)
	}
	if s.Canary != 0 {
		fmt.Fprintf(&b, "  version %d answers %s%% as the canary\n", s.Canary, data.FormatNumber(s.Percent))
	}
	if s.Shadow != 0 {
		fmt.Fprintf(&b, "  version %d is the shadow; shadows have made %d decisions\n", s.Shadow, s.Shadowed)
	}
	fmt.Fprintf(&b, "  %d decisions, %d with an outcome\n", s.Decisions.Decisions, s.Decisions.Outcomes)
	if n := len(s.Watched.Windows); n > 0 {
		w := s.Watched.Windows[n-1]
		fmt.Fprintf(&b, "  newest of %d windows: %d decisions until %s: %s\n", n, w.Decisions, w.To.Format("2006-01-02 15:04"), strings.Join(w.Sentences, "; "))
	} else if s.Watched.Of > 0 {
		fmt.Fprintf(&b, "  first window: %d of %d decisions\n", s.Watched.Seen, s.Watched.Of)
	}
	if n := len(s.Watched.Outcomes); n > 0 {
		fmt.Fprintf(&b, "  newest outcomes: %s\n", strings.Join(s.Watched.Outcomes[n-1].Sentences, "; "))
	}
	if s.Unread > 0 {
		fmt.Fprintf(&b, "  %d decisions or outcomes are in no window: the champion does not understand them\n", s.Unread)
	}
	for _, a := range s.Alarms {
		fmt.Fprintf(&b, "  ALARM %s\n", a)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// VerifyProject checks what a project keeps: the decision log, the audit
// trail, and the bundle of every version. The error is ErrNotHeld if anything
// is not as it was written.
func VerifyProject(ctx context.Context, dir string) (*decisions.Report, error) {
	m, err := OpenModels(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	report, err := decisions.Verify(decisionsDir(m.Project.Dir))
	if err != nil {
		return nil, err
	}
	var problems []error
	for _, p := range report.Problems {
		problems = append(problems, &p)
	}
	if err := m.registry.VerifyAudit(ctx); err != nil {
		problems = append(problems, err)
	}
	lines, err := m.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		if l.Problem != "" {
			problems = append(problems, errors.New(l.Problem))
		}
	}
	if len(problems) > 0 {
		return report, NotHeld("%w", errors.Join(problems...))
	}
	return report, nil
}
