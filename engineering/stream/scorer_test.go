package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tandem-ml/tandem/engineering/stream"
)

// double answers {"n": N} with {"n": 2N}, and anything else with an error.
func double(_ context.Context, messages []stream.Message) ([]stream.Reply, error) {
	out := make([]stream.Reply, len(messages))
	for i, m := range messages {
		var row struct{ N *int }
		switch err := json.Unmarshal(m.Body, &row); {
		case err != nil || row.N == nil:
			out[i] = stream.Reply{Code: "contract", Message: `field "n" is missing`, Body: []byte(`{"error":{"code":"contract"}}`)}
		default:
			out[i] = stream.Reply{Body: fmt.Appendf(nil, `{"n":%d}`, 2**row.N)}
		}
	}
	return out, nil
}

// rows are records 0 to n-1 of 17 keys.
func rows(from, to int) []*kgo.Record {
	var out []*kgo.Record
	for i := from; i < to; i++ {
		out = append(out, &kgo.Record{Topic: "rows", Key: fmt.Appendf(nil, "k%d", i%17), Value: fmt.Appendf(nil, `{"n":%d}`, i)})
	}
	return out
}

func newScorer(t *testing.T, c *kfake.Cluster, more string, score stream.Score, o *told) *stream.Scorer {
	t.Helper()
	s, err := stream.NewScorer(address(t, c, stream.Consume, "rows?group=g"+more), address(t, c, stream.Produce, "scores"), score, o.options())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func scoring(t *testing.T, s *stream.Scorer) (stop func()) {
	t.Helper()
	return running(t, func(ctx context.Context) {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
}

// each checks that every row from 0 to n-1 has one committed answer, and no more:
// in order within its key, with its key, and with its own source.
func each(t *testing.T, c *kfake.Cluster, n int) {
	t.Helper()
	produced(t, c, &kgo.Record{Topic: "scores", Value: []byte("end")}, &kgo.Record{Topic: "scores", Partition: 0, Key: []byte("k0"), Value: []byte("end")})
	last, sources := map[string]int{}, map[string]bool{}
	count := 0
	for _, r := range consumed(t, c, "scores", n+2) {
		if string(r.Value) == "end" {
			continue
		}
		var answer struct{ N int }
		if err := json.Unmarshal(r.Value, &answer); err != nil || answer.N%2 != 0 {
			t.Fatalf("%s: %v", r.Value, err)
		}
		i, key := answer.N/2, string(r.Key)
		if key != fmt.Sprintf("k%d", i%17) {
			t.Fatalf("row %d is answered under key %s", i, key)
		}
		want := i%17 - 17
		if at, ok := last[key]; ok {
			want = at
		}
		if i != want+17 {
			t.Fatalf("key %s: row %d follows row %d", key, i, want)
		}
		last[key] = i
		if s := header(r, "source"); sources[s] || !strings.HasPrefix(s, "rows/") {
			t.Fatalf("source %q, again: %t", s, sources[s])
		} else {
			sources[s] = true
		}
		count++
	}
	if count != n {
		t.Fatalf("%d rows of %d are answered", count, n)
	}
}

func TestScorerAnswersEachRowOnce(t *testing.T) {
	t.Parallel()
	c := brokers(t, kfake.SeedTopics(3, "rows", "scores"))
	const n = 5000 // more than a block
	produced(t, c, rows(0, n)...)
	s := newScorer(t, c, "", double, new(told))
	stop := scoring(t, s)
	until(t, "all scored", func() bool { return measure(t, s.Measures(), "tandem_stream_records_total") == n })
	if lag := measure(t, s.Measures(), "tandem_stream_lag_records"); lag != 0 {
		t.Errorf("all is scored, and the lag is %v", lag)
	}
	stop()
	// Another begins where this one has ended.
	produced(t, c, rows(n, n+100)...)
	s = newScorer(t, c, "", double, new(told))
	stop = scoring(t, s)
	until(t, "all scored", func() bool { return measure(t, s.Measures(), "tandem_stream_records_total") == 100 })
	stop()
	each(t, c, n+100)
}

// A record that cannot be scored stops nothing: its error stands where its score
// would, or the record itself in the dead-letter topic.
func TestScorerPassesPoison(t *testing.T) {
	t.Parallel()
	for _, dead := range []string{"", "dead"} {
		c := brokers(t, kfake.SeedTopics(1, "rows", "scores", "dead"))
		poison := []*kgo.Record{
			{Topic: "rows", Key: []byte("p"), Value: []byte(`{`)}, {Topic: "rows", Value: nil}, {Topic: "rows", Value: []byte("\xff\x00")},
		}
		produced(t, c, append(append(rows(0, 10), poison...), rows(10, 20)...)...)
		more, to := "", "scores"
		if dead != "" {
			more, to = "&dead=dead", "dead"
		}
		s := newScorer(t, c, more, double, new(told))
		stop := scoring(t, s)
		until(t, "all scored", func() bool { return measure(t, s.Measures(), "tandem_stream_records_total") == 23 })
		stop()
		if n := measure(t, s.Measures(), "tandem_stream_errors_total"); n != 3 {
			t.Errorf("%v errors are counted", n)
		}
		var bad []*kgo.Record
		total := map[string]int{"scores": 23, "dead": 3}[to]
		for _, r := range consumed(t, c, to, total) {
			if header(r, "error") != "" {
				bad = append(bad, r)
			}
		}
		if len(bad) != 3 {
			t.Fatalf("%d errors in %s", len(bad), to)
		}
		for i, r := range bad {
			if header(r, "source") != fmt.Sprintf("rows/0/%d", 10+i) || header(r, "error") != "contract" {
				t.Errorf("headers %v", r.Headers)
			}
		}
		if r := bad[0]; string(r.Key) != "p" {
			t.Errorf("key %q", r.Key)
		}
		if r := bad[0]; dead == "" && string(r.Value) != `{"error":{"code":"contract"}}` || dead != "" && (string(r.Value) != `{` || header(r, "message") != `field "n" is missing`) {
			t.Errorf("in %s: %s, headers %v", to, r.Value, r.Headers)
		}
		if dead != "" {
			each(t, c, 20)
		}
	}
}

// An answer that no record can hold is an error of its own.
func TestScorerAnswersTooLarge(t *testing.T) {
	t.Parallel()
	c := brokers(t, kfake.SeedTopics(1, "rows", "scores"))
	produced(t, c, rows(0, 3)...)
	s := newScorer(t, c, "", func(_ context.Context, messages []stream.Message) ([]stream.Reply, error) {
		out := make([]stream.Reply, len(messages))
		for i, m := range messages {
			if out[i].Body = []byte(`"small"`); m.Source == "rows/0/1" {
				out[i].Body = make([]byte, 2_000_000)
			}
		}
		return out, nil
	}, new(told))
	scoring(t, s)
	for i, r := range consumed(t, c, "scores", 3) {
		if want := map[bool]string{true: "too_large"}[i == 1]; header(r, "error") != want {
			t.Errorf("record %d: error %q", i, header(r, "error"))
		}
	}
}

// What is scored when a process dies, or when the scores cannot be had, is not
// committed, and is scored again.
func TestScorerTriesAgain(t *testing.T) {
	t.Parallel()
	c := brokers(t, kfake.SeedTopics(1, "rows", "scores"))
	produced(t, c, rows(0, 50)...)
	var calls atomic.Int64
	var o told
	s := newScorer(t, c, "&instance=one", func(ctx context.Context, messages []stream.Message) ([]stream.Reply, error) {
		if calls.Add(1) == 1 {
			return nil, errors.New("the decision log cannot be written")
		}
		return double(ctx, messages)
	}, &o)
	stop := scoring(t, s)
	until(t, "all scored", func() bool { return measure(t, s.Measures(), "tandem_stream_records_total") == 50 })
	if !strings.Contains(o.String(), "the decision log cannot be written") {
		t.Errorf("told was %q", &o)
	}
	stop()

	// One that hangs in its scoring is stopped: nothing of it is committed.
	produced(t, c, rows(50, 60)...)
	hangs := make(chan struct{})
	s = newScorer(t, c, "&instance=one", func(ctx context.Context, messages []stream.Message) ([]stream.Reply, error) {
		close(hangs)
		<-ctx.Done()
		return nil, ctx.Err()
	}, new(told))
	stop = scoring(t, s)
	<-hangs
	stop()
	if n := measure(t, s.Measures(), "tandem_stream_records_total"); n != 0 {
		t.Errorf("%v are committed", n)
	}
	s = newScorer(t, c, "&instance=one", double, new(told))
	stop = scoring(t, s)
	until(t, "all scored", func() bool { return measure(t, s.Measures(), "tandem_stream_records_total") == 10 })
	stop()
	each(t, c, 60)
}

// What a killed process left half-written is rolled back by the one that comes after it
// under its name, without waiting for the brokers to give it up.
func TestScorerRollsBackTheDead(t *testing.T) {
	t.Parallel()
	c := brokers(t, kfake.SeedTopics(1, "rows", "scores"))
	dead, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.TransactionalID("tandem-g-one"), kgo.TransactionTimeout(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	if err := dead.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := dead.ProduceSync(t.Context(), &kgo.Record{Topic: "scores", Key: []byte("k0"), Value: []byte(`{"n":0}`),
		Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("rows/0/0")}}}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	produced(t, c, rows(0, 30)...)
	s := newScorer(t, c, "&instance=one", double, new(told))
	stop := scoring(t, s)
	until(t, "all scored", func() bool { return measure(t, s.Measures(), "tandem_stream_records_total") == 30 })
	stop()
	each(t, c, 30)
}

// Two members share the partitions; when one comes or goes the other takes over,
// and no row is answered twice or not at all.
func TestScorersShare(t *testing.T) {
	t.Parallel()
	c := brokers(t, kfake.SeedTopics(4, "rows", "scores"))
	n := 0
	more := func() {
		produced(t, c, rows(n, n+500)...)
		n += 500
	}
	both := func(ss ...*stream.Scorer) func() bool {
		return func() bool {
			sum := 0.0
			for _, s := range ss {
				sum += measure(t, s.Measures(), "tandem_stream_records_total")
			}
			return sum == float64(n)
		}
	}
	a := newScorer(t, c, "", double, new(told))
	stopA := scoring(t, a)
	more()
	until(t, "all scored", both(a))
	b := newScorer(t, c, "", double, new(told))
	stopB := scoring(t, b)
	more() // while they are sharing out
	if _, err := c.WaitGroupStable(t.Context(), "g", 2); err != nil {
		t.Fatal(err)
	}
	until(t, "all scored", both(a, b))
	// The second has partitions of its own now: rows of 17 keys reach all four.
	was := measure(t, b.Measures(), "tandem_stream_records_total")
	until(t, "shared", func() bool {
		more()
		until(t, "all scored", both(a, b))
		return measure(t, b.Measures(), "tandem_stream_records_total") > was
	})
	stopA()
	more()
	until(t, "all scored", both(a, b))
	stopB()
	each(t, c, n)
}

// While rows are scored few others are: a block is bounded, in bytes as well, however
// far behind it is and however well the rows are compressed.
func TestScorerBoundsItsBlocks(t *testing.T) {
	t.Parallel()
	c := brokers(t, kfake.SeedTopics(1, "rows", "scores"))
	big := strings.Repeat(" ", 100_000)
	var all []*kgo.Record
	const n = 200 // 20 MB
	for i := range n {
		all = append(all, &kgo.Record{Topic: "rows", Key: fmt.Appendf(nil, "k%d", i%17), Value: fmt.Appendf(nil, `{"n":%d%s}`, i, big)})
	}
	produced(t, c, all...)
	var blocks []int64 // bytes of what was asked for since the one before was committed
	var mu sync.Mutex
	var s *stream.Scorer
	s = newScorer(t, c, "", func(ctx context.Context, messages []stream.Message) ([]stream.Reply, error) {
		mu.Lock()
		defer mu.Unlock()
		committed := int(measure(t, s.Measures(), "tandem_stream_records_total"))
		for len(blocks) <= committed {
			blocks = append(blocks, 0)
		}
		for _, m := range messages {
			blocks[committed] += int64(len(m.Body))
		}
		return double(ctx, messages)
	}, new(told))
	stop := scoring(t, s)
	until(t, "all scored", func() bool { return measure(t, s.Measures(), "tandem_stream_records_total") == n })
	stop()
	for at, bytes := range blocks {
		if most := int64(4 << 20); bytes > most && (at > 0 || bytes > 100*101_000) {
			t.Errorf("%d bytes are in the block from record %d on", bytes, at)
		}
	}
	each(t, c, n)
}

// The brokers go and come back in the middle: what was under way is committed once.
func TestScorerOutlivesTheBroker(t *testing.T) {
	t.Parallel()
	disk, port := t.TempDir(), newPort(t)
	c := brokers(t, kfake.SeedTopics(2, "rows", "scores"), kfake.DataDir(disk), kfake.ClusterID("one"), kfake.ListenFn(port.open))
	produced(t, c, rows(0, 300)...)
	hold, held := make(chan struct{}), make(chan struct{}, 100)
	var gate atomic.Bool
	s := newScorer(t, c, "", func(ctx context.Context, messages []stream.Message) ([]stream.Reply, error) {
		if gate.Load() {
			held <- struct{}{}
			select {
			case <-hold:
			case <-ctx.Done():
			}
		}
		return double(ctx, messages)
	}, new(told))
	stop := scoring(t, s)
	until(t, "the first scored", func() bool { return measure(t, s.Measures(), "tandem_stream_records_total") == 300 })
	gate.Store(true)
	produced(t, c, rows(300, 400)...)
	<-held // a block is being scored
	c.Close()
	gate.Store(false)
	close(hold)
	c = brokers(t, kfake.DataDir(disk), kfake.ClusterID("one"), kfake.ListenFn(port.open))
	produced(t, c, rows(400, 600)...)
	until(t, "all scored", func() bool { return measure(t, s.Measures(), "tandem_stream_records_total") == 600 })
	stop()
	each(t, c, 600)
}

func TestScorerRefusesCircles(t *testing.T) {
	t.Parallel()
	parse := func(s string, role stream.Role) stream.Address {
		a, err := stream.ParseAddress(s, role)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, c := range []struct{ from, to string }{
		{"kafka://one/rows?group=g", "kafka://one/rows"},
		{"kafka://one/rows?group=g&dead=rows", "kafka://one/scores"},
		{"kafka://one/rows?group=g", "kafka://two/scores"},
	} {
		if _, err := stream.NewScorer(parse(c.from, stream.Consume), parse(c.to, stream.Produce), double, stream.Options{Getenv: nothing}); err == nil {
			t.Errorf("%s to %s is taken", c.from, c.to)
		}
	}
}
