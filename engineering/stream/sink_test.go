package stream_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/stream"
)

// sent is a record of the topic as a consumer reads it.
type sent struct {
	Kind     string
	Number   uint64
	Link     string
	ID       string
	Decision *decisions.Decision
	Outcome  *decisions.Outcome
	Omitted  bool
}

// whole drops repeated records, as a consumer does, and checks that all of the log is
// there: each number once, with the link of the log.
func whole(t *testing.T, c *kfake.Cluster, log *decisions.Log, topic string, atLeast int) map[uint64]sent {
	t.Helper()
	links := map[uint64]string{}
	if _, err := log.Scan(t.Context(), decisions.Position{}, func(r decisions.Record) error {
		links[r.Number] = r.Link.String()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := map[uint64]sent{}
	for _, r := range consumed(t, c, topic, atLeast) {
		var s sent
		if err := json.Unmarshal(r.Value, &s); err != nil {
			t.Fatal(err)
		}
		if header(r, "link") != s.Link || header(r, "kind") != s.Kind || links[s.Number] != s.Link || s.ID != "" && string(r.Key) != s.ID {
			t.Fatalf("record %d: %s, headers %v, key %s; the log has link %s", s.Number, r.Value, r.Headers, r.Key, links[s.Number])
		}
		got[s.Number] = s
	}
	if len(got) != len(links) {
		t.Fatalf("the topic has %d records of %d", len(got), len(links))
	}
	return got
}

func openSink(t *testing.T, log stream.Log, dir string, to stream.Address, o *told) *stream.Sink {
	t.Helper()
	s, err := stream.OpenSink(log, dir, to, o.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// All that the log holds reaches the topic, what is erased without its content, and
// what comes later too; the position tells retention what may go.
func TestSinkSendsTheLog(t *testing.T) {
	t.Parallel()
	c := brokers(t, kfake.SeedTopics(3, "decided"))
	dir := t.TempDir()
	log := openLog(t, filepath.Join(dir, "log"), decisions.Options{SegmentSize: 4096})
	ids := decide(t, log, 100)
	if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: ids[3], Value: "bad", At: noon}); err != nil {
		t.Fatal(err)
	}
	if err := log.Erase(t.Context(), ids[7]); err != nil {
		t.Fatal(err)
	}
	var o told
	s := openSink(t, log, filepath.Join(dir, "sinks"), address(t, c, stream.Out, "decided"), &o)
	if p, ok, err := stream.Unsent(filepath.Join(dir, "sinks")); err != nil || !ok || p != (decisions.Position{}) {
		t.Fatalf("nothing was sent, and the log is needed from %v on, %t %v", p, ok, err)
	}
	stop := running(t, s.Run)
	until(t, "all sent", func() bool { return measure(t, s.Measures(), "tandem_sink_lag_records") == 0 })
	later := decide(t, log, 5)
	until(t, "all sent", func() bool { return measure(t, s.Measures(), "tandem_sink_sent_total") == 107 })
	stop()
	got := whole(t, c, log, "decided", 107)
	if d := got[1].Decision; d == nil || d.ID != ids[0] || string(d.Inputs) != `{"Income":0}` || d.Score != 0.25 || d.Project != "credit" {
		t.Errorf("the first decision came as %+v", got[1])
	}
	if o := got[101].Outcome; o == nil || o.Decision != ids[3] || o.Value != "bad" {
		t.Errorf("the outcome came as %+v", got[101])
	}
	if e := got[8]; e.Kind != "erased" || e.Decision != nil || e.ID != ids[7] {
		t.Errorf("the erased decision came as %+v", e)
	}
	if e := got[102]; e.Kind != "erasure" || e.ID != ids[7] {
		t.Errorf("the erasure came as %+v", e)
	}
	if got[107].ID != later[4] {
		t.Errorf("the last is %+v", got[107])
	}
	p, ok, err := stream.Unsent(filepath.Join(dir, "sinks"))
	if err != nil || !ok || p != s.Position() || p.Segment < 2 {
		t.Errorf("the log is needed from %v on, the sink says %v; %t %v", p, s.Position(), ok, err)
	}
	if o.String() != "" {
		t.Errorf("nothing went wrong, and told was %s", &o)
	}
}

// A process that was killed before it could keep its position sends some records
// again and loses none; one that ended well sends none again.
func TestSinkGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	c := brokers(t, kfake.SeedTopics(1, "decided"))
	dir, sinks := t.TempDir(), t.TempDir()
	to := address(t, c, stream.Out, "decided")
	file := filepath.Join(sinks, "decided.sink.json")
	log := openLog(t, dir, decisions.Options{})
	round := func(more int) float64 {
		decide(t, log, more)
		s := openSink(t, log, sinks, to, new(told))
		defer s.Close()
		stop := running(t, s.Run)
		defer stop()
		until(t, "all sent", func() bool { return measure(t, s.Measures(), "tandem_sink_lag_records") == 0 })
		stop()
		return measure(t, s.Measures(), "tandem_sink_sent_total")
	}
	if n := round(20); n != 20 {
		t.Errorf("%v were sent", n)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := round(30); n != 30 {
		t.Errorf("%v were sent, 30 are new", n)
	}
	// The file of the moment before the 30 were confirmed, and half of a new one.
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".new", before[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	if n := round(1); n != 31 {
		t.Errorf("%v were sent, 30 again and 1 is new", n)
	}
	whole(t, c, log, "decided", 81)

	// What cannot be read is said, not guessed.
	if err := os.WriteFile(file, before[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.OpenSink(log, sinks, to, stream.Options{Getenv: nothing}); err == nil || !strings.Contains(err.Error(), "decided.sink.json") {
		t.Errorf("a torn position: %v", err)
	}
	if _, _, err := stream.Unsent(sinks); err == nil {
		t.Error("a torn position lets retention delete")
	}
}

// A position in another log, or at another cluster, is no position.
func TestSinkBeginsAgainWhereItIsAStranger(t *testing.T) {
	t.Parallel()
	sinks := t.TempDir()
	send := func(c *kfake.Cluster, log *decisions.Log, n float64) string {
		var o told
		s := openSink(t, log, sinks, address(t, c, stream.Out, "decided"), &o)
		stop := running(t, s.Run)
		until(t, "all sent", func() bool { return measure(t, s.Measures(), "tandem_sink_sent_total") == n })
		stop()
		return o.String()
	}
	one := brokers(t, kfake.SeedTopics(1, "decided"), kfake.ClusterID("one"))
	a := openLog(t, t.TempDir(), decisions.Options{})
	decide(t, a, 12)
	if o := send(one, a, 12); o != "" {
		t.Error(o)
	}
	other := brokers(t, kfake.SeedTopics(1, "decided"), kfake.ClusterID("other"))
	if o := send(other, a, 12); !strings.Contains(o, "another cluster") {
		t.Error(o)
	}
	whole(t, other, a, "decided", 12)
	b := openLog(t, t.TempDir(), decisions.Options{}) // restored from nothing, say
	decide(t, b, 40)
	third := brokers(t, kfake.SeedTopics(1, "decided"), kfake.ClusterID("other"))
	if o := send(third, b, 40); !strings.Contains(o, "not the one that was sent") {
		t.Error(o)
	}
	whole(t, third, b, "decided", 40)
}

// While the broker is away decisions go on being logged and are counted; when it is
// back they come, all of them.
func TestSinkOutlivesTheBroker(t *testing.T) {
	t.Parallel()
	disk, port := t.TempDir(), newPort(t)
	c := brokers(t, kfake.SeedTopics(2, "decided"), kfake.DataDir(disk), kfake.ClusterID("one"), kfake.ListenFn(port.open))
	to := address(t, c, stream.Out, "decided")
	log := openLog(t, t.TempDir(), decisions.Options{})
	s := openSink(t, log, t.TempDir(), to, new(told))
	stop := running(t, s.Run)
	decide(t, log, 25)
	until(t, "all sent", func() bool { return measure(t, s.Measures(), "tandem_sink_sent_total") == 25 })
	c.Close()
	decide(t, log, 5000) // more than a batch
	until(t, "a batch on its way", func() bool { return measure(t, s.Measures(), "tandem_sink_lag_seconds") > 0 })
	if n := measure(t, s.Measures(), "tandem_sink_lag_records"); n != 5000 {
		t.Errorf("%v records behind, 5000 came", n)
	}
	c = brokers(t, kfake.DataDir(disk), kfake.ClusterID("one"), kfake.ListenFn(port.open))
	until(t, "all sent", func() bool { return measure(t, s.Measures(), "tandem_sink_lag_records") == 0 })
	stop()
	whole(t, c, log, "decided", 5025)
}

// A decision that no record can hold comes without its inputs, and stops nothing.
func TestSinkShortensWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	c := brokers(t, kfake.SeedTopics(1, "decided"))
	log := openLog(t, t.TempDir(), decisions.Options{})
	big := decisions.Decision{ID: log.NewID(noon), Time: noon, Project: "credit", Inputs: json.RawMessage(`{"notes":"` + strings.Repeat("x", 50_000) + `"}`), Score: 0.5}
	bigger := decisions.Decision{ID: log.NewID(noon), Time: noon, Project: strings.Repeat("p", 60_000), Score: 0.5}
	if err := log.Append(t.Context(), big, bigger); err != nil {
		t.Fatal(err)
	}
	decide(t, log, 3)
	s := openSink(t, log, t.TempDir(), address(t, c, stream.Out, "decided?max_bytes=20000"), new(told))
	running(t, s.Run)
	got := whole(t, c, log, "decided", 5)
	if e := got[1]; !e.Omitted || e.Decision == nil || e.Decision.Inputs != nil || e.Decision.Score != 0.5 {
		t.Errorf("it came as %+v", e)
	}
	if e := got[2]; !e.Omitted || e.Decision != nil || e.ID != bigger.ID {
		t.Errorf("it came as %+v", e)
	}
	if e := got[3]; e.Omitted || e.Decision == nil {
		t.Errorf("it came as %+v", e)
	}
}

// What consumers are not to see stays in the log.
func TestSinkWithoutInputs(t *testing.T) {
	t.Parallel()
	c := brokers(t, kfake.SeedTopics(1, "decided"))
	log := openLog(t, t.TempDir(), decisions.Options{})
	decide(t, log, 1)
	s := openSink(t, log, t.TempDir(), address(t, c, stream.Out, "decided?inputs=false"), new(told))
	running(t, s.Run)
	if e := whole(t, c, log, "decided", 1)[1]; !e.Omitted || e.Decision == nil || e.Decision.Inputs != nil || e.Decision.Reasons != nil || e.Decision.Score != 0.25 {
		t.Errorf("it came as %+v", e)
	}
}

// A topic that is not there is said by name; it is used once it is there.
func TestSinkWaitsForItsTopic(t *testing.T) {
	t.Parallel()
	c := brokers(t)
	log := openLog(t, t.TempDir(), decisions.Options{})
	decide(t, log, 3)
	var o told
	s := openSink(t, log, t.TempDir(), address(t, c, stream.Out, "decided"), &o)
	running(t, s.Run)
	until(t, "told", func() bool { return strings.Contains(o.String(), `there is no topic "decided"`) })
	if err := c.CreateTopic("decided", 1, nil); err != nil {
		t.Fatal(err)
	}
	whole(t, c, log, "decided", 3)
	until(t, "told that it is over", func() bool { return strings.HasSuffix(o.String(), "records are confirmed") })
}

// Where there is no log a decision is answered when the broker has it, and refused
// when it does not take it.
func TestTopicConfirmsOrRefuses(t *testing.T) {
	t.Parallel()
	c := brokers(t, kfake.SeedTopics(1, "decided"))
	var o told
	topic, err := stream.OpenTopic(address(t, c, stream.Out, "decided"), o.options())
	if err != nil {
		t.Fatal(err)
	}
	defer topic.Close()
	if err := topic.Append(t.Context(), decisions.Decision{ID: "1", Project: "credit", Score: 0.5}, decisions.Decision{ID: "2", Project: "credit"}); err != nil {
		t.Fatal(err)
	}
	if got := consumed(t, c, "decided", 2); string(got[0].Key) != "1" || header(got[1], "id") != "2" || header(got[0], "kind") != "decision" || !strings.Contains(string(got[0].Value), `"score":0.5`) {
		t.Errorf("it came as %s, %s", got[0].Value, got[1].Value)
	}
	if err := c.DeleteTopic("decided"); err != nil {
		t.Fatal(err)
	}
	if err := topic.Append(t.Context(), decisions.Decision{ID: "3"}); err == nil {
		t.Error("a decision that nobody took is confirmed")
	}
	if n := measure(t, topic.Measures(), "tandem_sink_failed_total"); n != 1 {
		t.Errorf("%v were refused", n)
	}
	if !strings.Contains(o.String(), "decisions are refused") {
		t.Errorf("told was %q", &o)
	}
}
