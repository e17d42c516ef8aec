package serve

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandem-ml/tandem/engineering/rollout"
)

// Lineup is the models of a project: who answers, and who stands beside.
type Lineup struct {
	Champion Model   // answers
	Canary   *Model  // answers a share in its place; may be nil
	Percent  float64 // of the keys, in (0, 100]
	Shadow   *Model  // scores what was answered, is never answered; may be nil
}

// beside is what a champion has beside it; it never changes.
type beside struct {
	champion *Model // itself, alone
	canary   *Model // may be nil
	percent  float64
	shadow   *Model // may be nil
}

// Put makes a lineup answer for its project. As [Server.Swap] it does not wait:
// requests under way finish with the models they began with. It changes nothing
// and returns an error if a model has no bundle or belongs to another project,
// if two have the same version, if the percentage is none, or if the answers
// of one cannot stand beside the champion's (see [rollout.SameAnswers]).
func (s *Server) Put(l Lineup) error {
	members := []*Model{&l.Champion}
	if l.Canary != nil {
		if !(l.Percent > 0 && l.Percent <= 100) {
			return fmt.Errorf("canary of %s: %v is not a percentage above 0 and at most 100", l.Champion.Project, l.Percent)
		}
		members = append(members, l.Canary)
	}
	if l.Shadow != nil {
		members = append(members, l.Shadow)
	}
	for i, m := range members {
		switch {
		case m.Bundle == nil:
			return fmt.Errorf("a model without a bundle for %s", l.Champion.Project)
		case m.Project != l.Champion.Project:
			return fmt.Errorf("a model of %s cannot stand beside one of %s", m.Project, l.Champion.Project)
		}
		if slices.ContainsFunc(members[:i], func(o *Model) bool { return versionOf(o) == versionOf(m) }) {
			return fmt.Errorf("two models of %s are version %s", m.Project, versionOf(m))
		}
		if err := rollout.SameAnswers(l.Champion.Bundle, m.Bundle); err != nil {
			return fmt.Errorf("version %s of %s beside version %s: %w", versionOf(m), m.Project, versionOf(&l.Champion), err)
		}
	}
	s.swapping.Lock()
	defer s.swapping.Unlock()
	was := (*s.models.Load())[l.Champion.Project]
	alone := func(m *Model) *Model {
		if m == nil {
			return nil
		}
		out := &Model{Project: m.Project, Version: m.Version, Bundle: m.Bundle}
		// A version that stays, or changes its place, goes on with its counts.
		for _, old := range was.loaded() {
			if versionOf(old) == versionOf(m) && old.Bundle.ID() == m.Bundle.ID() {
				out.serving = old.serving
			}
		}
		if out.serving == nil {
			out.serving = s.metrics.serving(*out)
		}
		return out
	}
	b := &beside{champion: alone(&l.Champion), canary: alone(l.Canary), percent: l.Percent, shadow: alone(l.Shadow)}
	m := *b.champion
	m.beside = b
	next := maps.Clone(*s.models.Load())
	next[m.Project] = &m
	s.models.Store(&next)
	if was == nil || versionOf(was) != versionOf(&m) || was.Bundle.ID() != m.Bundle.ID() {
		s.metrics.swapped(m)
	}
	return nil
}

// Lineup returns who answers for a project, and whether anybody does.
func (s *Server) Lineup(project string) (Lineup, bool) {
	m := (*s.models.Load())[project]
	if m == nil {
		return Lineup{}, false
	}
	b := m.beside
	return Lineup{Champion: *b.champion, Canary: b.canary, Percent: b.percent, Shadow: b.shadow}, true
}

// Remove takes a project out of service. Requests under way finish.
func (s *Server) Remove(project string) {
	s.swapping.Lock()
	defer s.swapping.Unlock()
	next := maps.Clone(*s.models.Load())
	delete(next, project)
	s.models.Store(&next)
	s.metrics.model.DeletePartialMatch(prometheus.Labels{"project": project})
}

// loaded returns the models of a lineup, each alone, the champion first; none if m
// is nil.
func (m *Model) loaded() []*Model {
	if m == nil || m.beside == nil {
		return nil
	}
	out := []*Model{m.beside.champion}
	for _, other := range []*Model{m.beside.canary, m.beside.shadow} {
		if other != nil {
			out = append(out, other)
		}
	}
	return out
}

// Loaded returns the ids of the bundles that are in service for a project.
func (s *Server) Loaded(project string) []string {
	var out []string
	for _, m := range (*s.models.Load())[project].loaded() {
		out = append(out, m.Bundle.ID())
	}
	return out
}

// versioned returns the model of a route: the champion with what stands beside
// it, or of a route that names a version that one alone.
func (s *Server) versioned(name, version string) (*Model, error) {
	m, err := s.model(name)
	if err != nil || version == "" {
		return m, err
	}
	for _, v := range m.loaded() {
		if versionOf(v) == version {
			return v, nil
		}
	}
	return nil, refuse(http.StatusNotFound, "unknown_version", "this version of the model is not in service")
}

// versionsOf returns the versions that a route to the model may name.
func (s *Server) versionsOf(m *Model) []string {
	var out []string
	for _, v := range (*s.models.Load())[m.Project].loaded() {
		out = append(out, versionOf(v))
	}
	return out
}

// versionOf returns the version that clients see: "1" for a bundle without.
func versionOf(m *Model) string {
	if m.Version == "" {
		return "1"
	}
	return m.Version
}

// counts are those of one version, from when it is loaded until it is not any
// more, whatever its place.
type counts struct {
	rows   atomic.Int64
	class  map[string]*atomic.Int64
	passed atomic.Int64  // rows that it should have answered as a canary, and could not
	tally  rollout.Tally // as a shadow
	scores *scores       // of what it answered
}

var (
	versionScore     = prometheus.NewDesc("tandem_score", "Scores that were answered, by version: of classes in steps of 0.05, of numbers in steps of 5 percent of the holdout's.", []string{"project", "version"}, nil)
	versionPercent   = prometheus.NewDesc("tandem_version_percent", "Share of the requests that a loaded version answers, in percent.", []string{"project", "version", "role"}, nil)
	versionRows      = prometheus.NewDesc("tandem_version_rows_total", "Rows scored, logged and answered, by version.", []string{"project", "version"}, nil)
	versionDecisions = prometheus.NewDesc("tandem_version_decisions_total", "Decisions by version and class.", []string{"project", "version", "decision"}, nil)
	canaryPassed     = prometheus.NewDesc("tandem_canary_passed_rows_total", "Rows that the champion answered since the canary could not.", []string{"project", "version"}, nil)
	shadowRows       = prometheus.NewDesc("tandem_shadow_rows_total", "Rows of a shadow: scored, of them agreed or differed; failed; dropped for lack of time.", []string{"project", "version", "result"}, nil)
	shadowAgreement  = prometheus.NewDesc("tandem_shadow_agreement_ratio", "Share of a shadow's decisions that agree with what was answered.", []string{"project", "version"}, nil)
	shadowDifference = prometheus.NewDesc("tandem_shadow_score_difference_mean", "Mean distance between a shadow's scores and those that were answered.", []string{"project", "version"}, nil)
)

// versions shows the counts of the versions that are loaded, and of no other: so
// there are as many series as models in service, however many there have been.
type versions struct{ server *Server }

func (versions) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{versionScore, versionPercent, versionRows, versionDecisions, canaryPassed, shadowRows, shadowAgreement, shadowDifference} {
		out <- d
	}
}

func (v versions) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, x float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, x, labels...)
	}
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for project, m := range *v.server.models.Load() {
		b := m.beside
		for _, one := range m.loaded() {
			version, c := versionOf(one), one.serving.counts
			counter(versionRows, c.rows.Load(), project, version)
			count, sum, buckets := c.scores.cumulative()
			out <- prometheus.MustNewConstHistogram(versionScore, count, sum, buckets, project, version)
			for class, n := range c.class {
				counter(versionDecisions, n.Load(), project, version, class)
			}
			switch one {
			case b.champion:
				gauge(versionPercent, 100-b.percent, project, version, "champion")
			case b.canary:
				gauge(versionPercent, b.percent, project, version, "canary")
				counter(canaryPassed, c.passed.Load(), project, version)
			case b.shadow:
				gauge(versionPercent, 0, project, version, "shadow")
				t := c.tally.Comparison()
				counter(shadowRows, t.Rows, project, version, "scored")
				counter(shadowRows, t.Agreed, project, version, "agreed")
				counter(shadowRows, t.Differed, project, version, "differed")
				counter(shadowRows, t.Failed, project, version, "failed")
				counter(shadowRows, t.Dropped, project, version, "dropped")
				if x, ok := t.Agreement(); ok {
					gauge(shadowAgreement, x, project, version)
				}
				if x, ok := t.MeanDifference(); ok {
					gauge(shadowDifference, x, project, version)
				}
			}
		}
	}
}
