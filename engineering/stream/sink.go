package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// Log is what a sink reads; *decisions.Log is one, and its comments say what each
// method promises.
type Log interface {
	Scan(ctx context.Context, from decisions.Position, f func(decisions.Record) error) (decisions.Position, error)
	Head() decisions.Head
}

// Options are what a stream is told of its surroundings.
type Options struct {
	Getenv func(string) string // nil: os.Getenv
	Tell   func(text string)   // told once what goes wrong, and when it is over; nil: nobody is
}

func (o *Options) complete() {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
}

// A batch is what is in memory of the log, and what is sent again after a crash.
const (
	batchRecords = 2000
	batchBytes   = 8 << 20
	lookEvery    = 200 * time.Millisecond // for what is new in the log
	stopWithin   = 3 * time.Second        // for the batch that is under way when a sink is stopped
)

// Sink sends a decision log to a topic.
type Sink struct {
	log    Log
	to     Address
	path   string
	client *kgo.Client
	say    say

	// Used by Run alone.
	mark mark               // as in the file
	next decisions.Position // where to read on
	met  bool               // the record of mark was found in the log, or there is none

	number       atomic.Uint64 // of the newest confirmed record
	oldest       atomic.Int64  // microseconds: time of the oldest record that was read and is not confirmed; 0: none
	sent, failed atomic.Uint64
	position     atomic.Pointer[decisions.Position]
}

// OpenSink returns a sink of a log. Its position is kept in dir, which is made if
// it is not there, in a file named after the topic. It does not wait for the
// brokers, which may be away.
func OpenSink(log Log, dir string, to Address, opt Options) (*Sink, error) {
	opt.complete()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open sink: %w", err)
	}
	s := &Sink{log: log, to: to, path: markPath(dir, to.Topic), say: say{tell: opt.Tell}}
	var err error
	if s.mark, err = readMark(s.path); err != nil {
		return nil, err
	}
	if s.mark.Topic == "" {
		// From now on, nothing is deleted that was not sent.
		s.mark.Topic = to.Topic
		if err := s.mark.write(s.path); err != nil {
			return nil, fmt.Errorf("open sink: %w", err)
		}
	}
	s.take(s.mark)
	opts, err := to.options(opt.Getenv)
	if err != nil {
		return nil, err
	}
	// The buffer takes more than a batch, so that Produce never waits.
	opts = append(opts, kgo.MaxBufferedRecords(2*batchRecords), kgo.ProducerLinger(0))
	if s.client, err = kgo.NewClient(opts...); err != nil {
		return nil, fmt.Errorf("open sink: %w", err)
	}
	return s, nil
}

// take makes m what is known to be sent.
func (s *Sink) take(m mark) {
	s.mark = m
	s.number.Store(m.Number)
	p := m.Position
	s.position.Store(&p)
}

// Position is where the log is needed from: what lies before it was confirmed.
func (s *Sink) Position() decisions.Position { return *s.position.Load() }

// Close gives up what is not confirmed; the log has it.
func (s *Sink) Close() { s.client.Close() }

// Run sends what is in the log, and what comes, until ctx ends, and then, unless the
// brokers are away, what is left. It has no errors: what goes wrong is told, and
// tried again.
func (s *Sink) Run(ctx context.Context) {
	s.next = s.mark.Position
	var err error
	for wait := time.Duration(0); pause(ctx, wait); {
		var n int
		n, err = s.step(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			s.say.say("sink %s: %v; %d records wait in the log", s.to.Topic, err, s.behind())
			wait = time.Second
		case n > 0:
			wait = 0
		default:
			wait = lookEvery
		}
	}
	if err != nil {
		return
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	for {
		if n, err := s.step(last); n == 0 || err != nil {
			return
		}
	}
}

// step sends a batch and returns how many records were in it.
func (s *Sink) step(ctx context.Context) (int, error) {
	if !s.met {
		if err := s.meet(ctx); err != nil {
			return 0, err
		}
	}
	batch, err := s.read(ctx)
	if err != nil || len(batch.records) == 0 {
		return 0, err
	}
	s.oldest.Store(batch.oldest.UnixMicro())
	if err := s.send(ctx, batch.records); err != nil {
		s.failed.Add(1)
		return 0, err
	}
	m := batch.last
	m.Cluster, m.Topic, m.Time = s.mark.Cluster, s.to.Topic, time.Now().UTC()
	s.take(m)
	s.next = batch.next
	s.oldest.Store(0)
	s.sent.Add(uint64(len(batch.records)))
	if err := m.write(s.path); err != nil {
		return 0, fmt.Errorf("the position cannot be kept, after a crash more would be sent again: %w", err)
	}
	if s.say.last.Load() != nil {
		s.say.say("sink %s: records are confirmed", s.to.Topic)
	}
	return len(batch.records), nil
}

// meet finds the place of the file in the log, once a broker says which cluster it is.
func (s *Sink) meet(ctx context.Context) error {
	cluster, err := look(ctx, s.client, s.to.Topic)
	if err != nil {
		return err
	}
	again := ""
	if s.mark.Number > 0 {
		if s.mark.Cluster != cluster {
			again = "this is another cluster than the one that was written to"
		} else if ok, err := s.found(ctx); err != nil {
			return err
		} else if !ok {
			again = "the log is not the one that was sent before, or has lost its end"
		}
	}
	if again != "" {
		s.say.say("sink %s: %s: all of the log is sent once more", s.to.Topic, again)
		s.take(mark{})
		s.next = decisions.Position{}
	}
	s.mark.Cluster, s.mark.Topic, s.met = cluster, s.to.Topic, true
	return nil
}

var errEnough = errors.New("enough")

// found reports whether the record of the mark is where it was, and sets next behind it.
func (s *Sink) found(ctx context.Context) (bool, error) {
	same := false
	_, err := s.log.Scan(ctx, s.mark.Position, func(r decisions.Record) error {
		same = r.Number == s.mark.Number && r.Link == s.mark.Link
		s.next = r.Next
		return errEnough
	})
	var disk *fs.PathError
	switch {
	case errors.Is(err, errEnough), err == nil:
		return same, nil
	case ctx.Err() != nil, errors.As(err, &disk):
		return false, err
	}
	return false, nil // no record begins there: it was another log
}

type batch struct {
	records []*kgo.Record
	oldest  time.Time
	last    mark
	next    decisions.Position
}

// read makes a batch of what follows in the log.
func (s *Sink) read(ctx context.Context) (batch, error) {
	b := batch{next: s.next}
	bytes := 0
	_, err := s.log.Scan(ctx, s.next, func(r decisions.Record) error {
		if len(b.records) == batchRecords || bytes > batchBytes {
			return errEnough
		}
		out := eventOf(r).record(s.to)
		if b.records = append(b.records, out); b.oldest.IsZero() {
			b.oldest = r.Time
		}
		bytes += len(out.Value)
		b.last = mark{Position: b.next, Number: r.Number, Link: r.Link}
		b.next = r.Next
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return b, err
}

// send returns when all records are confirmed, or one cannot be, or shortly after
// ctx has ended.
func (s *Sink) send(ctx context.Context, records []*kgo.Record) error {
	bounded, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopWithin, cancel) })()
	var left sync.WaitGroup
	var first atomic.Pointer[error]
	for _, r := range records {
		left.Add(1)
		s.client.Produce(bounded, r, func(_ *kgo.Record, err error) {
			if err != nil {
				first.CompareAndSwap(nil, &err)
			}
			left.Done()
		})
	}
	done := make(chan struct{})
	go func() { left.Wait(); close(done) }()
	ask := time.NewTicker(5 * time.Second)
	defer ask.Stop()
	for {
		select {
		case <-done:
			if err := first.Load(); err != nil {
				return *err
			}
			return nil
		case <-bounded.Done():
			return bounded.Err()
		case <-ask.C:
			if _, err := look(bounded, s.client, s.to.Topic); err != nil && bounded.Err() == nil {
				s.say.say("sink %s: %v; %d records wait in the log", s.to.Topic, err, s.behind())
			}
		}
	}
}

// behind is how many records of the log are not confirmed.
func (s *Sink) behind() uint64 {
	all, n := s.log.Head().Records, s.number.Load()
	return all - min(n, all)
}

// Measures tell how far the sink is.
func (s *Sink) Measures() []Measure {
	return []Measure{
		{"tandem_sink_lag_records", "Records of the decision log that the topic has not confirmed.", false, func() float64 { return float64(s.behind()) }},
		{"tandem_sink_lag_seconds", "Age of the oldest of them that is on its way, 0 if none is.", false, func() float64 {
			if us := s.oldest.Load(); us != 0 {
				return max(0, time.Since(time.UnixMicro(us)).Seconds())
			}
			return 0
		}},
		{"tandem_sink_sent_total", "Records that the topic has confirmed.", true, func() float64 { return float64(s.sent.Load()) }},
		{"tandem_sink_failed_total", "Batches that were not confirmed, and are sent again.", true, func() float64 { return float64(s.failed.Load()) }},
	}
}
