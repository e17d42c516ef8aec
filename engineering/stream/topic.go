package stream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// Topic takes decisions where no log keeps them: a decision is answered when the
// brokers have confirmed it, and not otherwise.
type Topic struct {
	to           Address
	client       *kgo.Client
	say          say
	sent, failed atomic.Uint64
}

// What waits for the brokers is bounded: beyond it, decisions are refused at once.
const (
	waitRecords = 10_000
	waitBytes   = 64 << 20
	confirmIn   = 10 * time.Second
)

// OpenTopic does not wait for the brokers, which may be away.
func OpenTopic(to Address, opt Options) (*Topic, error) {
	opt.complete()
	opts, err := to.options(opt.Getenv)
	if err != nil {
		return nil, err
	}
	t := &Topic{to: to, say: say{tell: opt.Tell}}
	opts = append(opts, kgo.MaxBufferedRecords(waitRecords), kgo.MaxBufferedBytes(waitBytes), kgo.RecordDeliveryTimeout(confirmIn), kgo.ProducerLinger(time.Millisecond))
	if t.client, err = kgo.NewClient(opts...); err != nil {
		return nil, fmt.Errorf("open sink: %w", err)
	}
	return t, nil
}

// Append returns when all of the decisions are confirmed. If it returns an error some of
// them may be in the topic, or may come there: they were not answered.
func (t *Topic) Append(ctx context.Context, ds ...decisions.Decision) error {
	ctx, cancel := context.WithTimeout(ctx, confirmIn)
	defer cancel()
	confirmed := make(chan error, len(ds)) // room for all: nobody waits for a reader that left
	for i := range ds {
		d := &ds[i]
		r := event{Kind: "decision", ID: d.ID, Time: d.Time, Decision: d}.record(t.to)
		// Not the caller's context: it ends with the request, a record does not.
		t.client.TryProduce(context.WithoutCancel(ctx), r, func(_ *kgo.Record, err error) { confirmed <- err })
	}
	for range ds {
		select {
		case err := <-confirmed:
			if err != nil {
				return t.refused(err)
			}
		case <-ctx.Done():
			return t.refused(fmt.Errorf("not confirmed within %s", confirmIn))
		}
	}
	t.sent.Add(uint64(len(ds)))
	if t.say.last.Load() != nil {
		t.say.say("sink %s: decisions are confirmed", t.to.Topic)
	}
	return nil
}

func (t *Topic) refused(err error) error {
	t.failed.Add(1)
	if errors.Is(err, kgo.ErrMaxBuffered) {
		err = errors.New("the brokers are away or too slow, and all that may wait for them does")
	}
	t.say.say("sink %s: %v; decisions are refused", t.to.Topic, err)
	return fmt.Errorf("sink %s: %w", t.to.Topic, err)
}

// Close waits, not for long, for what is under way.
func (t *Topic) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	t.client.Flush(ctx) // what is not confirmed was not answered
	t.client.Close()
}

// Measures tell what waits, and what was sent.
func (t *Topic) Measures() []Measure {
	return []Measure{
		{"tandem_sink_lag_records", "Decisions that wait for the topic to confirm them.", false, func() float64 { return float64(t.client.BufferedProduceRecords()) }},
		{"tandem_sink_sent_total", "Decisions that the topic has confirmed.", true, func() float64 { return float64(t.sent.Load()) }},
		{"tandem_sink_failed_total", "Requests that were refused because their decisions were not confirmed.", true, func() float64 { return float64(t.failed.Load()) }},
	}
}
