package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/serve"
)

const (
	ndjson      = "application/x-ndjson"
	arrowStream = "application/vnd.apache.arrow.stream"
)

type lineAnswer struct {
	ID       string
	Score    float64
	Decision string
	Reasons  []reason
	Model    string
	Row      *int
	Error    *struct {
		Code, Message string
	}
}

func linesOf(t testing.TB, body string) (out []lineAnswer) {
	t.Helper()
	for line := range strings.Lines(body) {
		var a lineAnswer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		out = append(out, a)
	}
	return out
}

// Lines in, as many lines out, in their order, with the answers that a request
// of the same rows has; a bad row is answered with what is wrong with it.
func TestLines(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newServer(t, serve.Options{Log: log})
	h := s.Handler()
	rows := rowsOf(1300)
	want := score(t, h, rows...)
	bad := map[int]string{3: `{"Income":"80","Records":"no"}`, 4: `{"Income":80`, 700: `[1,2]`, 1299: `{"Income":80,"Records":"no","notes":"` + strings.Repeat("x", 1<<20) + `"}`}
	code := map[int]string{3: "contract", 4: "json", 700: "contract", 1299: "too_large"}
	var body strings.Builder
	for i, row := range rows {
		if bad[i] != "" {
			row = bad[i]
		}
		fmt.Fprintf(&body, " %s\r\n", row)
		if i%100 == 0 {
			body.WriteString("\n")
		}
	}
	a := ask(t, h, "POST", "/v1/score/credit", strings.TrimSpace(body.String()), "Content-Type", ndjson)
	if a.status != 200 || a.header.Get("Content-Type") != ndjson || a.header.Get("X-Model") != "3" || a.header.Get("X-Bundle") != want.Bundle {
		t.Fatalf("%d %v %.300s", a.status, a.header, a.body)
	}
	got := linesOf(t, a.body)
	if len(got) != len(rows) {
		t.Fatalf("%d lines to %d rows", len(got), len(rows))
	}
	for i, g := range got {
		w := want.Results[i]
		switch {
		case code[i] != "":
			if g.Error == nil || g.Error.Code != code[i] || g.Row == nil || *g.Row != i || g.ID != "" {
				t.Errorf("bad row %d: %+v %v", i, g, g.Error)
			}
			if code[i] == "contract" && !strings.Contains(g.Error.Message, fmt.Sprintf("row %d", i)) {
				t.Errorf("bad row %d: %s", i, g.Error.Message)
			}
		case g.Error != nil || math.Float64bits(g.Score) != math.Float64bits(w.Score) || g.Decision != w.Decision || len(g.Reasons) != len(w.Reasons):
			t.Fatalf("row %d: %+v, want %+v", i, g, w)
		default:
			d, _, err := log.Get(g.ID)
			if err != nil || string(d.Inputs) != rows[i] {
				t.Fatalf("row %d: logged as %s, %v", i, d.Inputs, err)
			}
		}
	}
	a = ask(t, h, "POST", "/v1/score/credit?reasons=false", applicant, "Content-Type", "application/jsonlines; charset=utf-8")
	if a.status != 200 || strings.Contains(a.body, "reasons") {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, c := range []struct {
		path, body, want string
		header           []string
	}{
		{"", "", "no_rows", nil}, {"", " \n\n", "no_rows", nil}, {"?x=1", applicant, "query", nil}, {"?reasons=maybe", applicant, "query", nil},
		{"", applicant, "idempotency_key", []string{"Idempotency-Key", "k"}}, {"", applicant, "content_encoding", []string{"Content-Encoding", "gzip"}},
		{"", applicant, "not_acceptable", []string{"Accept", "text/html"}}, {"", applicant, "deadline", []string{"X-Request-Timeout", "soon"}}, {"/versions/9", applicant, "unknown", nil},
	} {
		a := ask(t, h, "POST", "/v1/score/credit"+c.path, c.body, append([]string{"Content-Type", ndjson}, c.header...)...)
		if a.status < 400 || !strings.Contains(a.body, c.want) {
			t.Errorf("%v: %d %s", c, a.status, a.body)
		}
	}
}

// Rows without a finite score are bad rows.
func TestLinesWithoutScores(t *testing.T) {
	t.Parallel()
	s := serve.New(serve.Options{Log: openLog(t)})
	s.Swap(serve.Model{Project: "losses", Version: "1", Bundle: losses(t)})
	var body strings.Builder
	for i := range 40 {
		fmt.Fprintf(&body, "{\"x\":1,\"z\":%d}\n", map[bool]int{true: 1000000000, false: 0}[i%2 == 1])
	}
	got := linesOf(t, ask(t, s.Handler(), "POST", "/v1/score/losses", body.String(), "Content-Type", ndjson).body)
	if len(got) != 40 {
		t.Fatalf("%d lines", len(got))
	}
	for i, g := range got {
		if (g.Error != nil) != (i%2 == 1) || g.Error != nil && (g.Error.Code != "not_finite" || *g.Row != i) {
			t.Errorf("row %d: %+v", i, g)
		}
	}
}

// openStream begins a request whose rows are written to the pipe.
func openStream(t *testing.T, url string) (*io.PipeWriter, func() (*http.Response, error)) {
	t.Helper()
	in, out := io.Pipe()
	r, err := http.NewRequest("POST", url+"/v1/score/credit?reasons=false", in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", ndjson)
	type result struct {
		resp *http.Response
		err  error
	}
	done := make(chan result, 1)
	client := &http.Client{Transport: &http.Transport{}}
	go func() {
		resp, err := client.Do(r)
		done <- result{resp, err}
	}()
	return out, func() (*http.Response, error) {
		r := <-done
		return r.resp, r.err
	}
}

// A row is answered before the next is sent, and a stream may be longer than a
// request's body and than its number of rows.
func TestLinesFlow(t *testing.T) {
	t.Parallel()
	url, _ := running(t, newServer(t, serve.Options{Limits: serve.Limits{Body: 1000, Rows: 5, Held: 1 << 20}}))
	to, answer := openStream(t, url)
	var in *bufio.Reader
	for i := range 100 {
		if _, err := fmt.Fprintf(to, "{\"Income\":%d,\"Records\":\"no\"}\n", i); err != nil {
			t.Fatal(err)
		}
		if in == nil {
			resp, err := answer()
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			defer resp.Body.Close()
			in = bufio.NewReader(resp.Body)
		}
		if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, `"score"`) {
			t.Fatalf("row %d: %s %v", i, line, err)
		}
	}
	to.Close()
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("%s %v", rest, err)
	}
}

// What is held does not grow with what a client sends while it reads no answer.
func TestStreamsHoldABlock(t *testing.T) {
	t.Parallel()
	url, _ := running(t, newServer(t, serve.Options{Limits: serve.Limits{Write: time.Second}}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/score/credit HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n", strings.TrimPrefix(url, "http://"), ndjson)
	row := applicant + "\n"
	chunk := []byte(fmt.Sprintf("%x\r\n%s\r\n", 500*len(row), strings.Repeat(row, 500)))
	conn.SetWriteDeadline(time.Now().Add(60 * time.Second))
	sent := 0
	for sent < 1<<30 {
		n, err := conn.Write(chunk)
		sent += n
		if err != nil {
			break
		}
	}
	var late net.Error
	if sent >= 1<<30 || errors.As(err, &late) {
		t.Errorf("%d bytes were taken: %v", sent, err)
	}
}

// What ends a stream before its time is its last line, and the answer is not whole.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	log := openLog(t)
	s := newServer(t, serve.Options{Log: switchedLog{log, &broken}, Limits: serve.Limits{Streams: 1}})
	url, stop := running(t, s)
	begin := func() (*io.PipeWriter, *bufio.Reader) {
		to, answer := openStream(t, url)
		fmt.Fprintln(to, applicant)
		resp, err := answer()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		in := bufio.NewReader(resp.Body)
		if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, `"score"`) {
			t.Fatalf("%s %v", line, err)
		}
		return to, in
	}
	to, in := begin()
	if status, body, err := postAs(url+"/v1/score/credit", ndjson, applicant); err != nil || status != 429 || !strings.Contains(body, `"streams"`) {
		t.Errorf("a second stream: %d %s %v", status, body, err)
	}
	broken.Store(true)
	fmt.Fprintln(to, applicant)
	if rest, err := io.ReadAll(in); err == nil || !strings.Contains(string(rest), `{"error":{"code":"log"`) {
		t.Errorf("without a log: %s %v", rest, err)
	}
	to.Close()
	if status, body, err := postAs(url+"/v1/score/credit", ndjson, applicant); err != nil || status != 503 || !strings.Contains(body, `"log"`) {
		t.Errorf("from the beginning without a log: %d %s %v", status, body, err)
	}
	broken.Store(false)
	_, in = begin()
	if err := stop(); err != nil {
		t.Errorf("stopped: %v", err)
	}
	if rest, err := io.ReadAll(in); err == nil || !strings.Contains(string(rest), `{"error":{"code":"stopping"`) {
		t.Errorf("stopped: %s %v", rest, err)
	}
}

// switchedLog is a log that can break.
type switchedLog struct {
	serve.Log
	broken *atomic.Bool
}

func (l switchedLog) Append(ctx context.Context, ds ...decisions.Decision) error {
	if l.broken.Load() {
		return errors.New("no space left on device")
	}
	return l.Log.Append(ctx, ds...)
}

func postAs(url, kind, body string) (int, string, error) {
	resp, err := http.Post(url, kind, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// arrowRows are the rows of rowsOf as record batches of at most size rows.
func arrowRows(t testing.TB, n, size int) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "Job", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}},
		{Name: "Income", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "Records", Type: arrow.BinaryTypes.String}}, nil)
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema), ipc.WithDictionaryDeltas(false))
	for from := 0; from < n; from += size {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := from; i < min(from+size, n); i++ {
			b.Field(0).(*array.BinaryDictionaryBuilder).AppendString([]string{"fixed", "freelance", "astronaut"}[i%3])
			b.Field(1).(*array.Int64Builder).Append(int64(i % 300))
			b.Field(2).(*array.StringBuilder).Append([]string{"no", "yes"}[i/3%2])
		}
		if err := w.Write(b.NewRecordBatch()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Record batches get the answers that JSON gets, bit for bit, and are logged as
// rows that replay.
func TestArrow(t *testing.T) {
	t.Parallel()
	for _, logged := range []bool{true, false} {
		opt := serve.Options{Now: func() time.Time { return noon }}
		if logged {
			opt.Log = openLog(t)
		}
		s := serve.New(opt)
		s.Swap(serve.Model{Project: "credit", Version: "3", Bundle: lender(t, 0)})
		h := s.Handler()
		want := score(t, h, rowsOf(1300)...)
		a := ask(t, h, "POST", "/v1/score/credit?reasons=true", string(arrowRows(t, 1300, 700)), "Content-Type", arrowStream)
		if a.status != 200 || a.header.Get("Content-Type") != arrowStream {
			t.Fatalf("%d %s", a.status, a.body)
		}
		r, err := ipc.NewReader(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		if m := r.Schema().Metadata(); m.Len() != 2 || m.Values()[0] != want.Bundle || m.Values()[1] != "3" {
			t.Errorf("about the model: %v", m)
		}
		n := 0
		for r.Next() {
			b := r.RecordBatch()
			ids, scores, says, why := b.Column(0).(*array.String), b.Column(1).(*array.Float64), b.Column(2).(*array.String), b.Column(3).(*array.List)
			for i := range int(b.NumRows()) {
				w := want.Results[n]
				from, to := why.ValueOffsets(i)
				if math.Float64bits(scores.Value(i)) != math.Float64bits(w.Score) || says.Value(i) != w.Decision || int(to-from) != len(w.Reasons) {
					t.Fatalf("row %d: %v %s, want %+v", n, scores.Value(i), says.Value(i), w)
				}
				if logged && n%100 == 0 {
					again := read[struct {
						Replay struct{ Equal bool }
						Inputs map[string]any
					}](t, ask(t, h, "GET", "/v1/decisions/"+ids.Value(i)+"?replay=true", ""), 200)
					if !again.Replay.Equal || again.Inputs["Income"] != float64(n%300) {
						t.Errorf("row %d is logged as %+v", n, again)
					}
				}
				n++
			}
		}
		if n != 1300 || r.Err() != nil {
			t.Fatalf("%d rows, %v", n, r.Err())
		}
		if got := linesOf(t, ask(t, h, "POST", "/v1/score/credit", string(arrowRows(t, 10, 4)), "Content-Type", arrowStream, "Accept", ndjson).body); len(got) != 10 || got[9].Score != want.Results[9].Score {
			t.Errorf("as lines: %+v", got)
		}
		if a := ask(t, h, "POST", "/v1/score/credit", applicant, "Content-Type", ndjson, "Accept", arrowStream); a.status != 200 || !strings.HasPrefix(a.body, "\xff\xff\xff\xff") {
			t.Errorf("lines as Arrow: %d %q", a.status, a.body)
		}
	}
}

func TestArrowRefuses(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{Limits: serve.Limits{Body: 8000}}).Handler()
	schema := func(name string) []byte {
		var out bytes.Buffer
		w := ipc.NewWriter(&out, ipc.WithSchema(arrow.NewSchema([]arrow.Field{{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true}}, nil)))
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true}}, nil))
		b.Field(0).(*array.Float64Builder).AppendValues([]float64{1, 2000}, nil)
		if err := w.Write(b.NewRecordBatch()); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return out.Bytes()
	}
	for _, c := range []struct {
		name   string
		body   []byte
		status int
		want   string
	}{
		{"no stream", []byte(`{"rows":[{}]}`), 400, "not an Arrow stream"},
		{"no such column", schema("Incme"), 400, `field \"Incme\" is not a field of this model`},
		{"large", arrowRows(t, 1000, 1000), 413, "write smaller ones"},
		{"cut", arrowRows(t, 10, 10)[:600], 400, "middle of a message"},
	} {
		a := ask(t, h, "POST", "/v1/score/credit", string(c.body), "Content-Type", arrowStream)
		if a.status != c.status || !strings.Contains(a.body, c.want) {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	a := ask(t, h, "POST", "/v1/score/credit", string(schema("Income")), "Content-Type", arrowStream, "Accept", ndjson)
	if got := linesOf(t, a.body); len(got) != 2 || got[0].Error == nil || !strings.Contains(got[0].Error.Message, `"Records" is required`) || !strings.Contains(got[1].Error.Message, "at most 1000") {
		t.Errorf("bad rows: %s", a.body)
	}
}

// A row of an Arrow stream becomes JSON for those alone who read it.
func TestStreamKeepsInputs(t *testing.T) {
	t.Parallel()
	champion := serve.Model{Project: "credit", Version: "1", Bundle: lender(t, 0)}
	next := serve.Model{Project: "credit", Version: "2", Bundle: lender(t, 1)}
	for name, c := range map[string]struct {
		opt    serve.Options
		lineup serve.Lineup
		want   bool
	}{
		"nobody":   {serve.Options{}, serve.Lineup{Champion: champion}, false},
		"the log":  {serve.Options{Log: openLog(t)}, serve.Lineup{Champion: champion}, true},
		"a watch":  {serve.Options{Decided: func(serve.Model, []decisions.Decision, bundle.Rows) {}}, serve.Lineup{Champion: champion}, true},
		"a canary": {serve.Options{}, serve.Lineup{Champion: champion, Canary: &next, Percent: 10}, true},
		"a shadow": {serve.Options{}, serve.Lineup{Champion: champion, Shadow: &next}, true},
	} {
		s := serve.New(c.opt)
		if err := s.Put(c.lineup); err != nil {
			t.Fatal(err)
		}
		if got := s.KeepsInputs("credit"); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
