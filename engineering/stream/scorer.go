package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/tandem-ml/tandem/data"
)

// Message is a consumed record's value and where it stood.
type Message struct {
	Body   []byte
	Source string // TOPIC/PARTITION/OFFSET
	Trace  string // the record's header traceparent, of W3C Trace Context, or ""
}

// Reply is what becomes of it.
type Reply struct {
	Body    []byte // the answer, or the error
	Code    string // of the error; "": it was scored
	Message string // of the error, for people; without values
	Trace   string // the header traceparent of the record that it makes, or ""
}

// Score answers messages in their order. An error means that none is answered, and
// that it is worth to try again. It is called from several goroutines.
type Score func(ctx context.Context, messages []Message) ([]Reply, error)

// Scorer scores a topic into another.
type Scorer struct {
	from, to Address
	score    Score
	opts     []kgo.Opt
	say      say

	records, bad, givenUp atomic.Uint64
	late                  atomic.Int64 // microseconds from a record's time to its answer's commit, for the newest

	mu  sync.Mutex
	lag map[int32]int64 // by partition that is ours
}

// A block is what is scored and committed together.
const (
	blockRecords = 2000
	blockBytes   = 4 << 20 // of what is fetched ahead, as it is compressed; and about so much of a block
	firstRecords = 100     // of the first block, before it is known how large records are
	share        = 64      // records that are scored by one goroutine at a time
	commitWithin = 20 * time.Second

	// How long the brokers wait for a member or a transaction of which nothing
	// is heard; so long do others wait after a kill -9, unless it comes back
	// under the same instance name.
	silence = 10 * time.Second
)

// NewScorer checks the addresses; see [Scorer.Run].
func NewScorer(from, to Address, score Score, opt Options) (*Scorer, error) {
	opt.complete()
	if len(to.Brokers) > 0 && fmt.Sprint(to.Brokers) != fmt.Sprint(from.Brokers) {
		return nil, data.WithHint(errors.New("--consume and --produce name different brokers, but a transaction is one cluster's"), "leave the brokers of --produce out: kafka:///%s", to.Topic)
	}
	if to.Topic == from.Topic || from.Dead == from.Topic {
		return nil, errors.New("scores cannot go to the topic that they are made of")
	}
	s := &Scorer{from: from, to: to, score: score, say: say{tell: opt.Tell}, lag: make(map[int32]int64)}
	from.Largest = to.Largest
	opts, err := from.options(opt.Getenv)
	if err != nil {
		return nil, err
	}
	name := from.Instance
	if name == "" {
		name = strconv.FormatUint(rand.Uint64(), 36) // another at each start: none is fenced
	} else {
		opts = append(opts, kgo.InstanceID(name))
	}
	start := kgo.NewOffset().AtStart()
	if from.Latest {
		start = kgo.NewOffset().AtEnd()
	}
	gone := func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, p := range lost[from.Topic] {
			delete(s.lag, p)
		}
	}
	s.opts = append(opts,
		kgo.ConsumerGroup(from.Group), kgo.ConsumeTopics(from.Topic), kgo.ConsumeStartOffset(start),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxBytes(blockBytes), kgo.FetchMaxPartitionBytes(blockBytes/4), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.MaxDecompressBatchBytes(256<<20),
		kgo.TransactionalID("tandem-"+from.Group+"-"+name), kgo.TransactionTimeout(silence), kgo.SessionTimeout(silence),
		kgo.HeartbeatInterval(time.Second), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(2*blockRecords),
		kgo.OnPartitionsRevoked(gone), kgo.OnPartitionsLost(gone))
	return s, nil
}

// Run scores until ctx ends, and then finishes the block that is under way. The
// answers of a block and the offsets that it consumed are committed together. In
// each partition answers stand in the order of the records; blocks are scored on
// all processors. It returns an error only if the client cannot be made: what
// goes wrong later is told, and tried again.
func (s *Scorer) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		session, err := kgo.NewGroupTransactSession(s.opts...)
		if err != nil {
			return fmt.Errorf("consume %s: %w", s.from.Topic, err)
		}
		err = s.session(ctx, session)
		leave(session)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.FencedInstanceID) {
			err = fmt.Errorf("another scorer has taken over (instance= must be another name for each): %w", err)
		}
		s.trouble(err)
		pause(ctx, time.Second)
	}
	return nil
}

func (s *Scorer) trouble(err error) {
	s.say.say("consume %s: %v; it is tried again", s.from.Topic, err)
}

// leave says goodbye to the group, as long as somebody listens.
func leave(session *kgo.GroupTransactSession) {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	session.Client().LeaveGroupContext(ctx)
	done := make(chan struct{})
	go func() { session.Close(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// session scores blocks until ctx ends or the client is of no use any more.
func (s *Scorer) session(ctx context.Context, session *kgo.GroupTransactSession) error {
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { s.watch(watching, session.Client()) })
	defer watcher.Wait()
	defer stop()
	for most := firstRecords; ; {
		fetched := session.PollRecords(ctx, most)
		if ctx.Err() != nil {
			return nil
		}
		var failed error
		fetched.EachError(func(topic string, partition int32, err error) {
			failed = fmt.Errorf("partition %d: %w", partition, err)
		})
		if fetched.IsClientClosed() {
			return kgo.ErrClientClosed
		}
		if failed != nil {
			s.trouble(failed)
			if fetched.NumRecords() == 0 {
				pause(ctx, time.Second)
			}
		}
		if fetched.NumRecords() == 0 {
			continue
		}
		if err := s.block(ctx, session, fetched); err != nil || ctx.Err() != nil {
			return err
		}
		bytes := 1
		fetched.EachRecord(func(r *kgo.Record) { bytes += len(r.Key) + len(r.Value) })
		most = min(max(1, blockBytes*fetched.NumRecords()/bytes), blockRecords)
	}
}

// block scores what was fetched and commits it. A block that is not committed is
// fetched again, by us or whoever has its partitions then.
func (s *Scorer) block(ctx context.Context, session *kgo.GroupTransactSession, fetched kgo.Fetches) error {
	records := fetched.Records()
	replies, err := s.answers(ctx, records)
	if err != nil {
		return err // ctx has ended
	}
	if err := session.Begin(); err != nil {
		return err
	}
	// What is begun is finished, also when we are to stop.
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWithin)
	defer cancel()
	first := kgo.AbortingFirstErrPromise(session.Client())
	bad := uint64(0)
	for i, r := range records {
		if replies[i].Code != "" {
			bad++
		}
		session.Produce(finish, s.output(r, replies[i]), first.Promise())
	}
	if err := session.Client().Flush(finish); err != nil {
		return fmt.Errorf("the brokers do not take the answers: %w", err)
	}
	failed := first.Err()
	committed, err := session.End(finish, kgo.TransactionEndTry(failed == nil))
	switch {
	case err != nil:
		s.givenUp.Add(1)
		return fmt.Errorf("the transaction cannot be ended: %w", errors.Join(failed, err))
	case failed != nil:
		s.givenUp.Add(1)
		s.trouble(failed)
		pause(ctx, time.Second)
		return nil
	case !committed: // partitions went to another member meanwhile
		s.givenUp.Add(1)
		return nil
	}
	s.records.Add(uint64(len(records)))
	s.bad.Add(bad)
	s.late.Store(time.Since(records[len(records)-1].Timestamp).Microseconds())
	s.note(fetched)
	if s.say.last.Load() != nil {
		s.say.say("consume %s: rows are scored", s.from.Topic)
	}
	return nil
}

// answers scores records in shares on all processors. While the scores cannot be had
// it goes on trying until ctx ends.
func (s *Scorer) answers(ctx context.Context, records []*kgo.Record) ([]Reply, error) {
	replies := make([]Reply, len(records))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for begin := 0; begin < len(records); begin += share {
		part := records[begin:min(begin+share, len(records))]
		to := replies[begin:]
		group.Go(func() error {
			messages := make([]Message, len(part))
			for i, r := range part {
				messages[i] = Message{r.Value, source(r), traceparent(r)}
			}
			for {
				got, err := s.score(ctx, messages)
				if err == nil && len(got) != len(messages) {
					err = fmt.Errorf("%d answers to %d messages", len(got), len(messages))
				}
				if err == nil {
					copy(to, got)
					return nil
				}
				if ctx.Err() == nil {
					s.trouble(err)
				}
				if !pause(ctx, time.Second) {
					return ctx.Err()
				}
			}
		})
	}
	return replies, group.Wait()
}

func source(r *kgo.Record) string {
	return r.Topic + "/" + strconv.Itoa(int(r.Partition)) + "/" + strconv.FormatInt(r.Offset, 10)
}

// traceparent returns the header of that name.
func traceparent(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == "traceparent" && len(h.Value) <= 128 {
			return string(h.Value)
		}
	}
	return ""
}

// output is the record that answers r: its key is kept, so that what was in order
// stays in order.
func (s *Scorer) output(r *kgo.Record, reply Reply) *kgo.Record {
	out := &kgo.Record{Topic: s.to.Topic, Key: r.Key, Value: reply.Body, Headers: []kgo.RecordHeader{{Key: "source", Value: []byte(source(r))}}}
	if reply.Trace != "" {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: "traceparent", Value: []byte(reply.Trace)})
	}
	// At the front, and once: what was not an error would be one otherwise.
	room := s.to.Largest - overhead - len(r.Key)
	if reply.Code == "" && len(out.Value) > room {
		reply.Code, reply.Message = "too_large", fmt.Sprintf("the answer has %d bytes, more than a record may have", len(out.Value))
		out.Value = []byte(`{"error":{"code":"too_large","message":"` + reply.Message + `"}}`)
	}
	if reply.Code == "" {
		return out
	}
	out.Headers = append(out.Headers, kgo.RecordHeader{Key: "error", Value: []byte(reply.Code)})
	if s.from.Dead != "" {
		out.Topic, out.Value = s.from.Dead, r.Value
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: "message", Value: []byte(reply.Message)})
		room -= len(reply.Message)
	}
	if len(out.Value) > room {
		out.Value = nil // source says where it is
	}
	if room < 0 {
		out.Key = nil
	}
	return out
}

// note keeps how far we are behind in each partition of a block.
func (s *Scorer) note(fetched kgo.Fetches) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fetched.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			end := p.HighWatermark
			if p.LastStableOffset >= 0 {
				end = p.LastStableOffset
			}
			s.lag[p.Partition] = max(0, end-p.Records[n-1].Offset-1)
		}
	})
}

// watch tells when no broker answers, or a topic is not there.
func (s *Scorer) watch(ctx context.Context, client *kgo.Client) {
	topics := []string{s.from.Topic, s.to.Topic}
	if s.from.Dead != "" {
		topics = append(topics, s.from.Dead)
	}
	for {
		if _, err := look(ctx, client, topics...); err != nil && ctx.Err() == nil {
			s.trouble(err)
		}
		if !pause(ctx, 10*time.Second) {
			return
		}
	}
}

// Measures tell how far the scorer is.
func (s *Scorer) Measures() []Measure {
	return []Measure{
		{"tandem_stream_lag_records", "Records that were there at the newest fetches of this member's partitions and are not scored.", false, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			sum := int64(0)
			for _, n := range s.lag {
				sum += n
			}
			return float64(sum)
		}},
		{"tandem_stream_lag_seconds", "Time from the newest scored record's timestamp until its answer was committed.", false, func() float64 { return max(0, float64(s.late.Load())/1e6) }},
		{"tandem_stream_records_total", "Records whose answers were committed.", true, func() float64 { return float64(s.records.Load()) }},
		{"tandem_stream_errors_total", "Records among them that could not be scored.", true, func() float64 { return float64(s.bad.Load()) }},
		{"tandem_stream_retries_total", "Transactions that were given up; their records are fetched again.", true, func() float64 { return float64(s.givenUp.Load()) }},
	}
}
