package workflow

import (
	"context"
	"sync"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/monitor"
	"github.com/tandem-ml/tandem/project"
)

// Watched is what the monitor has seen of one bundle.
type Watched struct {
	Windows  []monitor.Report      `json:"windows"`  // newest last, at most keepReports
	Outcomes []monitor.Performance `json:"outcomes"` // newest last, at most keepReports
	Seen     int                   `json:"seen"`     // decisions in the window that is not full yet
	Of       int                   `json:"of"`       // how many it takes; 0 for a window of a duration
}

// keepReports bounds how many finished windows of a bundle are kept.
const keepReports = 200

// watch follows the decision log and keeps a monitor for each bundle that
// decided. It reads the log and nothing else, in the log's order, so a process
// that starts again sees exactly what the one before saw.
type watch struct {
	log     *decisions.Log
	bundles func(id string) (*bundle.Bundle, error)
	opt     monitor.Options
	project string
	alarm   func(bundle, text string) // told of each alarm of a window; may be nil

	mu       sync.Mutex // one catchUp at a time, and the fields below
	position decisions.Position
	watched  map[string]*watchedBundle
	settled  map[string]bool // decisions whose outcome was counted
}

type watchedBundle struct {
	monitor *monitor.Monitor // nil: the bundle cannot be watched
	reports Watched
}

func newWatch(log *decisions.Log, p *project.Project, bundles func(string) (*bundle.Bundle, error)) *watch {
	return &watch{log: log, bundles: bundles, project: p.Name, opt: monitor.Options{Window: p.Monitor.Window},
		watched: make(map[string]*watchedBundle), settled: make(map[string]bool)}
}

// catchUp reads what was logged since the last call.
func (w *watch) catchUp(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	next, err := w.log.Scan(ctx, w.position, func(r decisions.Record) error {
		switch {
		case r.Decision != nil && r.Decision.Project == w.project:
			return w.decided(r.Decision)
		case r.Outcome != nil:
			return w.learned(r.Outcome)
		}
		return nil
	})
	w.position = next
	return err
}

func (w *watch) of(id string) *watchedBundle {
	if b, ok := w.watched[id]; ok {
		return b
	}
	entry := &watchedBundle{}
	w.watched[id] = entry
	if b, err := w.bundles(id); err == nil {
		entry.monitor, _ = monitor.New(b, w.opt) // nil: a bundle without a usable profile is not watched
	}
	return entry
}

func (w *watch) decided(d *decisions.Decision) error {
	b := w.of(d.Bundle)
	if b.monitor == nil {
		return nil
	}
	report, err := b.monitor.ObserveLogged(d.Time, d.Inputs, d.Score)
	if err != nil {
		return err
	}
	if report != nil {
		b.reports.Windows = keep(b.reports.Windows, *report)
		w.tell(d.Bundle, report.Alarms)
	}
	return nil
}

// learned counts an outcome once: a repetition or a correction of one that was
// counted changes the log, not the window that is closed.
func (w *watch) learned(o *decisions.Outcome) error {
	if w.settled[o.Decision] {
		return nil
	}
	d, _, err := w.log.Get(o.Decision)
	if err != nil || d.Project != w.project {
		return nil // erased since, or another project's
	}
	w.settled[o.Decision] = true
	b := w.of(d.Bundle)
	if b.monitor == nil {
		return nil
	}
	p, err := b.monitor.Outcome(d.Score, o.Value)
	if err != nil {
		return nil // the class changed its name since; the gate of a retraining says so
	}
	if p != nil {
		b.reports.Outcomes = keep(b.reports.Outcomes, *p)
		w.tell(d.Bundle, p.Alarms)
	}
	return nil
}

func (w *watch) tell(bundle string, alarms []monitor.Alarm) {
	if w.alarm == nil {
		return
	}
	for _, a := range alarms {
		w.alarm(bundle, a.Kind+": "+a.Text)
	}
}

func keep[T any](list []T, x T) []T {
	if list = append(list, x); len(list) > keepReports {
		list = append([]T(nil), list[1:]...)
	}
	return list
}

// seen returns what was seen of a bundle.
func (w *watch) seen(id string) Watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.watched[id]
	if b == nil {
		return Watched{Of: w.opt.Window.Decisions}
	}
	out := Watched{Windows: append([]monitor.Report(nil), b.reports.Windows...),
		Outcomes: append([]monitor.Performance(nil), b.reports.Outcomes...)}
	if b.monitor != nil {
		out.Seen, out.Of = b.monitor.Progress()
	}
	return out
}
