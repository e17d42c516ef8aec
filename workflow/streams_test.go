package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/follow"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// streamed produces applications and returns what is committed to the topic of
// their scores, by key.
func streamed(t *testing.T, brokers []string, rows map[string]json.RawMessage, topic string) map[string]float64 {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for key, row := range rows {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "rows", Key: []byte(key), Value: row}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]float64{}
	for len(got) < len(rows) {
		for _, r := range client.PollFetches(t.Context()).Records() {
			var a answer
			if err := json.Unmarshal(r.Value, &a); err != nil || len(a.Results) != 1 {
				t.Fatalf("%s: %v", r.Value, err)
			}
			got[string(r.Key)] = a.Results[0].Score
		}
	}
	return got
}

// A project scores a topic with its champion: the scores are those of the bundle to
// the bit, the decisions are logged, and the log goes to its own topic.
func TestUpStreams(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "rows", "scores", "decided"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	dir := trained(t)
	at := "kafka://" + c.ListenAddrs()[0] + "/"
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- Up(ctx, dir, UpOptions{Address: "127.0.0.1:0", Ready: func(url string) { ready <- url },
			Streams: Streams{Sink: at + "decided", Consume: at + "rows?group=g", Produce: "kafka:///scores"}})
	}()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { stop() })
	var url string
	select {
	case url = <-ready:
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	b, err := bundle.Open(filepath.Join(dir, "out", "loans.tandem"))
	if err != nil {
		t.Fatal(err)
	}
	rows, want := map[string]json.RawMessage{}, map[string]float64{}
	row := make([]float64, b.Layout().Cols())
	for _, a := range after(historyRows, 40) {
		rows[a.ID] = a.JSON()
		if _, err := b.Layout().DecodeJSON(row, a.JSON(), true); err != nil {
			t.Fatal(err)
		}
		_, want[a.ID] = b.Score(row)
	}
	for key, got := range streamed(t, c.ListenAddrs(), rows, "scores") {
		if math.Float64bits(got) != math.Float64bits(want[key]) {
			t.Errorf("%s scores %v, the bundle says %v", key, got, want[key])
		}
	}
	score(t, url, after(historyRows+40, 3)...) // through the other door
	resp, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !bytes.Contains(text, []byte("tandem_stream_records_total 40")) || !bytes.Contains(text, []byte("tandem_sink_lag_records")) {
		t.Errorf("/metrics: %v\n%s", err, text)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// What was decided until the end was sent before the end.
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics("decided"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	keys := map[string]bool{}
	for len(keys) < 43 {
		for _, r := range client.PollFetches(t.Context()).Records() {
			keys[string(r.Key)] = true
		}
	}
	mustVerify(t, dir)
	if p, ok, err := Unsent(dir); err != nil || !ok || p.Segment != 1 || p.Offset == 0 {
		t.Errorf("the log is needed from %v on, %t %v", p, ok, err)
	}
}

// Bundles alone: decisions are answered when the topic has them.
func TestServeAloneStreams(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "rows", "scores", "decided", "dead"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	at := "kafka://" + c.ListenAddrs()[0] + "/"
	file := filepath.Join(trained(t), "out", "loans.tandem")
	start := func(s Streams) (string, func() error) {
		ctx, cancel := context.WithCancel(context.Background())
		ready, done := make(chan string, 1), make(chan error, 1)
		go func() {
			done <- ServeAlone(ctx, serve.Alone{Bundles: []string{file}, Address: "127.0.0.1:0", Say: func(string, ...any) {}, Ready: func(url string) { ready <- url }}, follow.Options{}, s)
		}()
		stop := sync.OnceValue(func() error { cancel(); return <-done })
		t.Cleanup(func() { stop() })
		select {
		case url := <-ready:
			return url, stop
		case err := <-done:
			done <- err
			return "", stop
		}
	}
	url, stop := start(Streams{Sink: at + "decided", Consume: at + "rows?group=g&dead=dead", Produce: at + "scores?reasons=false"})
	apps := after(historyRows, 2)
	rows := map[string]json.RawMessage{"a": apps[0].JSON(), "b": json.RawMessage(fmt.Sprintf(`{"rows":[%s]}`, apps[1].JSON()))}
	got := streamed(t, c.ListenAddrs(), rows, "scores")
	one := score(t, url, apps[0])
	if got["a"] != one.Results[0].Score || got["b"] == got["a"] {
		t.Errorf("streamed %v, over HTTP %v", got, one)
	}
	if err := c.DeleteTopic("decided"); err != nil {
		t.Fatal(err)
	}
	if status, err := post(url+"/v1/score/loans", rowsOf(apps), nil); status != http.StatusServiceUnavailable {
		t.Errorf("without the topic: %d %v", status, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	for _, s := range []Streams{
		{Consume: at + "rows?group=g"}, {Produce: at + "scores"}, {Sink: "decided"}, {Consume: at + "rows?group=g&project=other", Produce: at + "scores"},
		{Consume: at + "rows?group=g", Produce: at + "rows"}, {Sink: at + "decided?sasl=plain"},
	} {
		_, stop := start(s)
		var usage *UsageError
		if err := stop(); !errors.As(err, &usage) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
