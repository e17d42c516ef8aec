// Package trace says where the time of a request goes, and tells it to whom it
// concerns.
//
// # Main idea
//
// A [Watch] goes with a request. Each station says when it is done, [Watch.Done],
// and the time since the station before is its own: so the stages of a request
// add up to all of it, and each costs one look at the clock. Most requests have
// no watch: a nil one does nothing, and costs nothing but a comparison.
//
// From the same watch come the latencies by stage in the metrics, the line of the
// access log and the spans of a trace. A [Span] is made when a request begins, so
// that its name can be told, and its children when it has ended and everything
// is known.
//
// # What it does not do
//
// It sends nothing: package otlp beside it does, and is the only one that knows
// OpenTelemetry. What servers see of it are the two interfaces here.
package trace

import (
	"strings"
	"time"
)

// Stage is a part of the way of a request.
type Stage int

// The stages, in the order in which a request passes them.
const (
	Read    Stage = iota // of its body, and before that: who asks, and may it
	Queue                // until there is a place to be scored
	Decode               // into rows, by the contract
	Score                // by the model, and by its canary
	Reasons              // why it was decided so, and all else that a decision consists of
	Log                  // until the decision is kept
	Answer               // made and written
	Stages               // how many there are
)

var names = [Stages]string{"read", "queue", "decode", "score", "reasons", "log", "answer"}

// String returns the name of a stage, which is that of its label and its span.
func (s Stage) String() string { return names[s] }

// Watch measures one request. It is for one goroutine at a time. All methods may
// be called on nil.
type Watch struct {
	Span Span // who is told; nil: nobody

	// What was decided, for the span and the access log: set by who decides.
	Project, Version, Bundle string
	Rows                     int

	start time.Time
	last  time.Duration
	took  [Stages]time.Duration
	from  [Stages]time.Duration
	to    [Stages]time.Duration
}

// New returns a watch of what began at start, which must come from time.Now.
func New(start time.Time) *Watch { return &Watch{start: start} }

// Done ends a stage, which began when the one before ended. A stage may come
// again; its times are added.
func (w *Watch) Done(s Stage) {
	if w == nil {
		return
	}
	now := time.Since(w.start)
	if w.took[s] == 0 {
		w.from[s] = w.last
	}
	// A clock that has not moved since is no reason to forget the stage.
	w.took[s] += max(now-w.last, 1)
	w.to[s] = now
	w.last = now
}

// Decided notes what a request was about.
func (w *Watch) Decided(project, version, bundle string, rows int) {
	if w != nil {
		w.Project, w.Version, w.Bundle, w.Rows = project, version, bundle, w.Rows+rows
	}
}

// Took returns how long a stage took; ok is false if there was none.
func (w *Watch) Took(s Stage) (d time.Duration, ok bool) {
	if w == nil {
		return 0, false
	}
	return w.took[s], w.took[s] > 0
}

// End ends the span, if there is one, and gives it its stages as children. name
// is the route; failed says that the fault was the server's.
func (w *Watch) End(name string, took time.Duration, failed bool, about ...Attribute) {
	if w == nil || w.Span == nil {
		return
	}
	if w.Span.Recording() {
		for s := range Stages {
			if w.took[s] > 0 {
				w.Span.Child(s.String(), w.start.Add(w.from[s]), w.start.Add(w.to[s]))
			}
		}
		if w.Rows > 0 {
			about = append(about, Attribute{"tandem.project", w.Project}, Attribute{"tandem.model.version", w.Version},
				Attribute{"tandem.model.bundle", w.Bundle}, Attribute{"tandem.rows", w.Rows})
		}
	}
	w.Span.End(name, w.start.Add(took), failed, about...)
}

// Attribute is something said about a span. The value is a string or an int, and
// never an input, nor anything of a person.
type Attribute struct {
	Key   string
	Value any
}

// Origin is where a request comes from, in the words of W3C Trace Context. What
// is malformed counts as absent.
type Origin struct {
	Traceparent, Tracestate string   // of the caller; ""
	Links                   []string // traceparents of others it belongs to as well
}

// Tracer begins spans. It must be safe for concurrent use.
type Tracer interface {
	// Begin returns a span, never nil: one that is not Recording has a name all the
	// same, which the caller may look for.
	Begin(start time.Time, from Origin) Span
}

// Span is a piece of work in a trace. Children may be added after its end, and
// from other goroutines.
type Span interface {
	Recording() bool     // whether anybody will see it
	Traceparent() string // its name for those that it calls, in the form of W3C Trace Context
	Child(name string, from, to time.Time, about ...Attribute)
	End(name string, to time.Time, failed bool, about ...Attribute)
}

// ID returns the id of the trace that a traceparent names, 32 hexadecimal digits,
// "" if it names none.
func ID(traceparent string) string {
	if parts := strings.Split(traceparent, "-"); len(parts) >= 4 && len(parts[1]) == 32 {
		return parts[1]
	}
	return ""
}
