package workflow

import (
	"cmp"
	"errors"
	"slices"

	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/monitor"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// measure shows under the server's /metrics what the decision log has to do and what
// the watch has seen. What is asked for at a scrape is counts that are kept anyway.
func (s *service) measure(server *serve.Server) error {
	counter, gauge := true, false
	log := func(f func(decisions.Stats) float64) func() float64 {
		return func() float64 { return f(s.log.Stats()) }
	}
	var errs []error
	for _, m := range []struct {
		name, help string
		counter    bool
		value      func() float64
	}{
		{"tandem_log_segments", "Files of the decision log.", gauge, log(func(x decisions.Stats) float64 { return float64(x.Segments) })},
		{"tandem_log_bytes", "Bytes of the decision log on disk.", gauge, log(func(x decisions.Stats) float64 { return float64(x.Bytes) })},
		{"tandem_log_records", "Records of the decision log: decisions, outcomes, erasures, ever written.", gauge, log(func(x decisions.Stats) float64 { return float64(x.Records) })},
		{"tandem_log_batches_total", "Writes of the decision log.", counter, log(func(x decisions.Stats) float64 { return float64(x.Batches) })},
		{"tandem_log_appends_total", "Appends to the decision log; those that came together shared a write.", counter, log(func(x decisions.Stats) float64 { return float64(x.Appends) })},
		{"tandem_log_written_bytes_total", "Bytes written to the decision log.", counter, log(func(x decisions.Stats) float64 { return float64(x.Written) })},
		{"tandem_log_write_seconds_total", "Time that the writes of the decision log took, with durability disk until they were on it.", counter, log(func(x decisions.Stats) float64 { return x.Writing.Seconds() })},
	} {
		errs = append(errs, server.Measure(m.name, m.help, m.counter, m.value))
	}
	project := s.project.Name
	// Of the champion, and in its newest window: nothing until there is one.
	window := func(f func(monitor.Report, func(float64, ...string))) func(func(float64, ...string)) {
		return func(yield func(float64, ...string)) {
			if w := s.watch.seen(s.current().Bundle); len(w.Windows) > 0 {
				f(w.Windows[len(w.Windows)-1], yield)
			}
		}
	}
	outcomes := func(f func(monitor.Performance, func(float64, ...string))) func(func(float64, ...string)) {
		return func(yield func(float64, ...string)) {
			if w := s.watch.seen(s.current().Bundle); len(w.Outcomes) > 0 {
				f(w.Outcomes[len(w.Outcomes)-1], yield)
			}
		}
	}
	yes := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	kind := func(alarms []monitor.Alarm, kind string) float64 {
		return yes(slices.ContainsFunc(alarms, func(a monitor.Alarm) bool { return a.Kind == kind }))
	}
	for _, m := range []struct {
		name, help string
		labels     []string
		each       func(func(float64, ...string))
	}{
		{"tandem_watch_decisions", "Decisions of the champion in the window that is not full yet.", []string{"project"}, func(yield func(float64, ...string)) {
			yield(float64(s.watch.seen(s.current().Bundle).Seen), project)
		}},
		{"tandem_drift_window_timestamp_seconds", "When the champion's newest window of decisions ended.", []string{"project"}, window(func(r monitor.Report, yield func(float64, ...string)) {
			yield(float64(r.To.UnixMilli())/1000, project)
		})},
		{"tandem_drift_columns", "Columns that have drifted in the newest window.", []string{"project"}, window(func(r monitor.Report, yield func(float64, ...string)) {
			n := 0
			for _, c := range r.Columns {
				if c.Drifted {
					n++
				}
			}
			yield(float64(n), project)
		})},
		{"tandem_drift_psi", "Population stability index of the newest window: of the scores, and of the column that has the largest.", []string{"project", "of"}, window(func(r monitor.Report, yield func(float64, ...string)) {
			if r.Score != nil {
				yield(r.Score.PSI, project, "score")
			}
			if len(r.Columns) > 0 {
				yield(slices.MaxFunc(r.Columns, func(a, b monitor.ColumnReport) int { return cmp.Compare(a.PSI, b.PSI) }).PSI, project, "worst_column")
			}
		})},
		{"tandem_drift_alarm", "1 if the newest window raises an alarm of that kind, else 0.", []string{"project", "kind"}, window(func(r monitor.Report, yield func(float64, ...string)) {
			for _, k := range []string{monitor.CovariateDrift, monitor.ScoreDrift} {
				yield(kind(r.Alarms, k), project, k)
			}
		})},
		{"tandem_performance_alarm", "1 if the newest window of outcomes says that the champion has become worse, else 0.", []string{"project"}, outcomes(func(p monitor.Performance, yield func(float64, ...string)) {
			yield(yes(p.Alarm), project)
		})},
		{"tandem_performance", "How good the champion was in the newest window of outcomes, and what its holdout had promised.", []string{"project", "metric", "of"}, outcomes(func(p monitor.Performance, yield func(float64, ...string)) {
			if p.Judged {
				yield(p.Realised.Value, project, p.Metric, "outcomes")
				yield(p.Holdout.Value, project, p.Metric, "holdout")
			}
		})},
	} {
		errs = append(errs, server.MeasureBy(m.name, m.help, m.labels, m.each))
	}
	return errors.Join(errs...)
}

// current returns the version that is champion.
func (s *service) current() registry.Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.champion
}
