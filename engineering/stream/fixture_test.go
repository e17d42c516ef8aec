package stream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/stream"
)

// brokers starts a cluster with topics of that many partitions.
func brokers(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func address(t *testing.T, c *kfake.Cluster, role stream.Role, rest string) stream.Address {
	t.Helper()
	a, err := stream.ParseAddress("kafka://"+strings.Join(c.ListenAddrs(), ",")+"/"+rest, role)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// nothing is an environment in which nothing is set.
func nothing(string) string { return "" }

// told keeps what people are told.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (o *told) tell(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, text)
}

func (o *told) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.lines, "\n")
}

func (o *told) options() stream.Options { return stream.Options{Getenv: nothing, Tell: o.tell} }

// until waits for something that happens sooner or later, however slow the machine.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute: not %s", what)
		}
	}
}

// consumed reads n committed records of a topic.
func consumed(t *testing.T, c *kfake.Cluster, topic string, n int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var out []*kgo.Record
	for len(out) < n {
		f := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("topic %s: %d of %d records after a minute", topic, len(out), n)
		}
		out = append(out, f.Records()...)
	}
	return out
}

// produced writes records and waits for the broker.
func produced(t *testing.T, c *kfake.Cluster, records ...*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func measure(t *testing.T, ms []stream.Measure, name string) float64 {
	t.Helper()
	for _, m := range ms {
		if m.Name == name {
			return m.Value()
		}
	}
	t.Fatalf("there is no measure %s", name)
	return 0
}

func openLog(t *testing.T, dir string, opt decisions.Options) *decisions.Log {
	t.Helper()
	log, err := decisions.Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}

var noon = time.Date(2020, 3, 4, 12, 0, 0, 0, time.UTC)

// decide logs n decisions in calls of ten and returns their ids.
func decide(t *testing.T, log *decisions.Log, n int) []string {
	t.Helper()
	var ids []string
	for len(ids) < n {
		ds := make([]decisions.Decision, min(10, n-len(ids)))
		for i := range ds {
			ds[i] = decisions.Decision{ID: log.NewID(noon), Time: noon, Project: "credit", Bundle: strings.Repeat("ab", 32), Key: fmt.Sprint(len(ids)),
				Inputs: json.RawMessage(fmt.Sprintf(`{"Income":%d}`, len(ids))), Score: 0.25, Decision: "good"}
			ids = append(ids, ds[i].ID)
		}
		if err := log.Append(t.Context(), ds...); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// running runs until stop is called, which waits.
func running(t *testing.T, run func(ctx context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// port is a listener that outlives the brokers behind it, so that they come back
// under the same address. While there is none it hangs up on callers.
type port struct {
	net.Listener
	gate atomic.Pointer[gate]
}

type gate struct {
	net.Addr
	callers chan net.Conn
	shut    chan struct{}
	once    sync.Once
}

func newPort(t *testing.T) *port {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &port{Listener: l}
	p.open("", "")
	p.gate.Load().Close()
	go func() {
		for {
			caller, err := l.Accept()
			if err != nil {
				return
			}
			g := p.gate.Load()
			select {
			case g.callers <- caller:
			case <-g.shut:
				caller.Close()
			}
		}
	}()
	return p
}

// open is for [kfake.ListenFn].
func (p *port) open(_, _ string) (net.Listener, error) {
	g := &gate{Addr: p.Listener.Addr(), callers: make(chan net.Conn), shut: make(chan struct{})}
	p.gate.Store(g)
	return listener{g}, nil
}

type listener struct{ *gate }

func (l listener) Addr() net.Addr { return l.gate.Addr }

func (g *gate) Accept() (net.Conn, error) {
	select {
	case c := <-g.callers:
		return c, nil
	case <-g.shut:
		return nil, net.ErrClosed
	}
}

func (g *gate) Close() error {
	g.once.Do(func() { close(g.shut) })
	return nil
}
