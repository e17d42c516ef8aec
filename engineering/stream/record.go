package stream

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// event is a record of the log as consumers of the topic see it.
type event struct {
	Kind     string              `json:"kind"`             // decision, outcome, erasure, loss; erased: a decision or outcome that was
	Number   uint64              `json:"number,omitempty"` // in the log
	Link     string              `json:"link,omitempty"`   // of the chain, hex: no two records have the same
	ID       string              `json:"id,omitempty"`     // of the decision
	Time     time.Time           `json:"time"`
	Decision *decisions.Decision `json:"decision,omitempty"`
	Outcome  *decisions.Outcome  `json:"outcome,omitempty"`
	Omitted  bool                `json:"omitted,omitempty"` // inputs and reasons are only in the log: as asked for, or since the record would be too large
}

func eventOf(r decisions.Record) event {
	e := event{Kind: "erasure", Number: r.Number, Link: r.Link.String(), ID: r.ID, Time: r.Time, Decision: r.Decision, Outcome: r.Outcome}
	switch {
	case r.Decision != nil:
		e.Kind = "decision"
	case r.Outcome != nil:
		e.Kind = "outcome"
	case r.Erased:
		e.Kind = "erased"
	case r.ID == "":
		e.Kind = "loss"
	}
	return e
}

// record makes the topic's record of an event. All that is about one decision has the same
// key, and so the same partition and its order.
func (e event) record(to Address) *kgo.Record {
	if to.Bare {
		e = e.bare()
	}
	value, err := json.Marshal(e)
	if err != nil || len(value) > to.Largest-overhead {
		value = e.short(to.Largest)
	}
	r := &kgo.Record{Topic: to.Topic, Value: value, Headers: []kgo.RecordHeader{{Key: "kind", Value: []byte(e.Kind)}}}
	if e.ID != "" {
		r.Key = []byte(e.ID)
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "id", Value: r.Key})
	}
	if e.Number > 0 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "number", Value: strconv.AppendUint(nil, e.Number, 10)},
			kgo.RecordHeader{Key: "link", Value: []byte(e.Link)})
	}
	if e.Decision != nil && len(e.Decision.Project) <= maxName {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "project", Value: []byte(e.Decision.Project)})
	}
	return r
}

// overhead is more than what a record has beside its value: key, headers with names
// of at most maxName bytes, and the frame of its batch.
const (
	overhead = 2048
	maxName  = 512
)

// bare is an event without inputs and reasons, for a consumer to ask the log for.
func (e event) bare() event {
	if e.Decision != nil {
		d := *e.Decision
		d.Inputs, d.Reasons = nil, nil
		e.Decision, e.Omitted = &d, true
	}
	return e
}

// short is an event that fits into a record.
func (e event) short(largest int) []byte {
	e = e.bare()
	e.Omitted = true
	value, err := json.Marshal(e)
	if err != nil || len(value) > largest-overhead {
		e.Decision, e.Outcome = nil, nil
		value, _ = json.Marshal(e) // texts of ours, a number and a time
	}
	return value
}
