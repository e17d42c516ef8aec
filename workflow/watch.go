package workflow

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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

// mostWatched bounds how many bundles are watched: those that decided last. It is
// more than ever answer at a time, so that a champion that comes back, and
// outcomes that come late, find the windows that they belong to.
const mostWatched = 16

// watch follows the decision log and keeps a monitor for each of the bundles that
// decided last. It reads the log and nothing else, in the log's order, so a process
// that starts again sees exactly what the one before saw. (What was erased in
// the meantime is gone from the windows as well.)
//
// In memory it holds a monitor and at most keepReports windows for each of mostWatched
// bundles, and some twelve bytes for each outcome.
type watch struct {
	log     *decisions.Log
	bundles func(id string) (*bundle.Bundle, error)
	opt     monitor.Options
	project string
	alarm   func(bundle, text string) // told when an alarm begins and when it is over, but for the log's past; may be nil

	done     atomic.Pointer[decisions.Position] // as position, for those who will not wait
	reading  sync.Mutex                         // one catchUp at a time, and the three fields below
	position decisions.Position
	settled  map[uint64]struct{} // decisions whose outcome was counted
	current  bool                // the log was read to its end once

	mu      sync.Mutex // held for one record, never while the log is read
	watched map[string]*watchedBundle
	decides uint64 // decisions that were read
}

// settleLag is how long after a decision's time it may still be on its way into
// the log. A window of a duration is closed by the clock only that much later,
// so that a rebuilt watch, which closes it at the next decision, has the same
// decisions in it.
const settleLag = 2 * time.Minute

type watchedBundle struct {
	monitor    *monitor.Monitor // nil: the bundle cannot be watched
	reports    Watched
	standing   map[string]bool // kinds of alarm that the newest windows raised
	unreadable int             // decisions and outcomes that the bundle does not understand; in no window
	decided    uint64          // the newest, as counted by watch.decides
}

func newWatch(log *decisions.Log, p *project.Project, bundles func(string) (*bundle.Bundle, error)) *watch {
	return &watch{log: log, bundles: bundles, project: p.Name, opt: monitor.Options{Window: p.Monitor.Window},
		watched: make(map[string]*watchedBundle), settled: make(map[uint64]struct{})}
}

// catchUp reads what was logged since the last call.
func (w *watch) catchUp(ctx context.Context) error {
	w.reading.Lock()
	defer w.reading.Unlock()
	next, err := w.log.Scan(ctx, w.position, func(r decisions.Record) error {
		switch {
		case r.Decision != nil && r.Decision.Project == w.project:
			w.decided(r.Decision)
		case r.Outcome != nil:
			w.learned(r.Outcome)
		}
		return nil
	})
	w.position = next
	w.done.Store(&next)
	w.current = w.current || err == nil
	return err
}

// read returns the position up to which the log was read.
func (w *watch) read() decisions.Position {
	if p := w.done.Load(); p != nil {
		return *p
	}
	return decisions.Position{}
}

// tick ends windows of a duration that are over although no decision came
// since. It is called after catchUp.
func (w *watch) tick(now time.Time) {
	w.reading.Lock()
	defer w.reading.Unlock()
	w.mu.Lock()
	ids := slices.Sorted(maps.Keys(w.watched))
	w.mu.Unlock()
	for _, id := range ids {
		if b := w.of(id); b != nil && b.monitor != nil {
			w.closed(b, id, b.monitor.Tick(now.Add(-settleLag)))
		}
	}
}

// of returns a bundle that is watched, nil if it is not.
func (w *watch) of(id string) *watchedBundle {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.watched[id]
}

// deciding returns the bundle of a decision. One that was not watched takes the
// place of the one that has not decided for longest, if there are too many.
func (w *watch) deciding(id string) *watchedBundle {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decides++
	b := w.watched[id]
	if b == nil {
		if len(w.watched) >= mostWatched {
			oldest := slices.MinFunc(slices.Collect(maps.Keys(w.watched)), func(a, b string) int {
				return cmp.Compare(w.watched[a].decided, w.watched[b].decided)
			})
			delete(w.watched, oldest)
		}
		b = &watchedBundle{standing: make(map[string]bool)}
		w.watched[id] = b
		if opened, err := w.bundles(id); err == nil {
			b.monitor, _ = monitor.New(opened, w.opt) // nil: a bundle without a usable profile is not watched
		}
	}
	b.decided = w.decides
	return b
}

func (w *watch) decided(d *decisions.Decision) {
	b := w.deciding(d.Bundle)
	if b.monitor == nil {
		return
	}
	report, err := b.monitor.ObserveLogged(d.Time, d.Inputs, d.Score)
	if err != nil {
		w.passOver(b)
		return
	}
	w.closed(b, d.Bundle, report)
}

// learned counts an outcome once: a repetition or a correction of one that was
// counted changes the log, not the window it was counted in.
func (w *watch) learned(o *decisions.Outcome) {
	key := randomPart(o.Decision)
	if _, counted := w.settled[key]; counted {
		return
	}
	d, _, err := w.log.Get(o.Decision)
	if err != nil || d.Project != w.project {
		return // erased since, or another project's
	}
	w.settled[key] = struct{}{}
	b := w.of(d.Bundle)
	if b == nil || b.monitor == nil { // no longer watched, or never
		return
	}
	p, err := b.monitor.Outcome(d.Score, d.Decision, o.Value)
	if err != nil {
		w.passOver(b) // neither of the bundle's two labels
		return
	}
	if p == nil {
		return
	}
	w.mu.Lock()
	b.reports.Outcomes = keep(b.reports.Outcomes, *p)
	w.mu.Unlock()
	if p.Judged {
		w.tell(b, d.Bundle, p.Alarms, monitor.PerformanceDrop)
	}
}

// closed keeps the report of a window that has ended, if one has.
func (w *watch) closed(b *watchedBundle, id string, report *monitor.Report) {
	if report == nil {
		return
	}
	w.mu.Lock()
	b.reports.Windows = keep(b.reports.Windows, *report)
	w.mu.Unlock()
	w.tell(b, id, report.Alarms, monitor.CovariateDrift, monitor.ScoreDrift)
}

func (w *watch) passOver(b *watchedBundle) {
	w.mu.Lock()
	b.unreadable++
	w.mu.Unlock()
}

// tell says which alarms of the given kinds have begun with a window, and which
// are over. One that goes on is in the window's report.
func (w *watch) tell(b *watchedBundle, id string, alarms []monitor.Alarm, kinds ...string) {
	for _, kind := range kinds {
		i := slices.IndexFunc(alarms, func(a monitor.Alarm) bool { return a.Kind == kind })
		before, now := b.standing[kind], i >= 0
		b.standing[kind] = now
		switch {
		case before == now || w.alarm == nil || !w.current:
		case now:
			w.alarm(id, "ALARM "+kind+": "+alarms[i].Text)
		default:
			w.alarm(id, "the "+kind+" is over")
		}
	}
}

// randomPart is the last 8 bytes of a decision's id, which are random: enough
// to tell decisions apart in a quarter of the memory.
func randomPart(decision string) uint64 {
	digits := strings.ReplaceAll(decision, "-", "")
	n, _ := strconv.ParseUint(digits[max(0, len(digits)-16):], 16, 64) // the log takes no other ids
	return n
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
	out := b.reports
	out.Windows, out.Outcomes = slices.Clone(out.Windows), slices.Clone(out.Outcomes)
	if b.monitor != nil {
		out.Seen, out.Of = b.monitor.Progress()
	}
	return out
}

// passedOver returns how many decisions and outcomes of a bundle are in no
// window, since the bundle does not understand them.
func (w *watch) passedOver(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.watched[id]; b != nil {
		return b.unreadable
	}
	return 0
}
