package serve_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// blockResult is an answer without the ids that differ from one to the next.
type blockResult struct {
	Results []struct {
		Score    float64
		Decision string
		Reasons  []bundle.Reason
	}
	Model, Bundle string
}

func readResult(t testing.TB, body []byte) (out blockResult) {
	t.Helper()
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return out
}

// Messages of a block get what they would get over HTTP one by one, and those that
// are refused keep no other from its answer.
func TestBlockAnswersAsHTTP(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newServer(t, serve.Options{Log: log})
	h := s.Handler()
	messages := []struct{ body, http, code string }{
		{body: applicant},
		{body: ` {"Income":80,"Records":"yes"}` + "\n"},
		{body: `{"Income":"80","Records":"no"}`, code: "contract"},
		{body: `{"Income":80,"Records":"no","notes":[1]}`},
		{body: `{"rows":[{"Income":80,"Records":"no"},{"Income":200,"Records":"no"}],"request_id":"mine"}`, http: " "},
		{body: `{"rows":[{"Income":80,"Records":"no"}],"reasons":false}`, http: " "},
		{body: `{"rows":[{"Income":80,"Records":"no"},{"Income":-1,"Records":"no"}]}`, http: " ", code: "contract"},
		{body: `{"rows":[]}`, http: " ", code: "no_rows"},
		{body: `{"rows":[{"Income":80,"Records":"no"}],"row":1}`, http: " ", code: "json"},
		{body: ``, code: "json"}, {body: `{`, code: "json"}, {body: "\xff", code: "json"}, {body: `[]`, code: "contract"}, {body: `{"Income":1}{}`, code: "json"},
		{body: `{"Income":200,"Records":"no"}`},
	}
	var block []serve.Message
	for i, m := range messages {
		block = append(block, serve.Message{Body: []byte(m.body), Source: fmt.Sprint("rows/0/", i)})
	}
	replies, err := s.Block(t.Context(), "credit", block, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range messages {
		r := replies[i]
		if r.Code != m.code {
			t.Errorf("message %d: code %q %s, want %q", i, r.Code, r.Body, m.code)
		}
		if m.code != "" {
			var e struct {
				Error struct{ Code, Message string }
			}
			if err := json.Unmarshal(r.Body, &e); err != nil || e.Error.Code != r.Code || e.Error.Message != r.Message {
				t.Errorf("message %d is refused with %s", i, r.Body)
			}
			continue
		}
		body := m.body
		if m.http == "" {
			body = `{"rows":[` + body + `]}`
		}
		want := ask(t, h, "POST", "/v1/score/credit", body)
		if got, want := readResult(t, r.Body), readResult(t, []byte(want.body)); !reflect.DeepEqual(got, want) {
			t.Errorf("message %d: %+v, over HTTP %+v", i, got, want)
		}
	}
	// The decisions know where they came from.
	first := log.Counts("credit").Decisions
	var ids []string
	if _, err := log.Scan(t.Context(), decisions.Position{}, func(r decisions.Record) error {
		ids = append(ids, r.Decision.RequestID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"rows/0/0", "rows/0/1", "rows/0/3", "mine", "mine", "rows/0/5", "rows/0/14"}; len(ids) < len(want) || fmt.Sprint(ids[:4]) != fmt.Sprint(want[:4]) || first != 14 {
		t.Errorf("%d decisions of %v", first, ids)
	}
	silent, err := s.Block(t.Context(), "credit", block[:1], false)
	if err != nil || readResult(t, silent[0].Body).Results[0].Reasons != nil {
		t.Errorf("without reasons: %s %v", silent[0].Body, err)
	}
}

// A row without a finite score is refused alone.
func TestBlockRefusesOneRow(t *testing.T) {
	t.Parallel()
	s := serve.New(serve.Options{Log: openLog(t)})
	s.Swap(serve.Model{Project: "loss", Bundle: losses(t)})
	var block []serve.Message
	for _, body := range []string{`{"x":1}`, `{"z":1e300}`, `{"x":-1}`} {
		block = append(block, serve.Message{Body: []byte(body)})
	}
	replies, err := s.Block(t.Context(), "loss", block, true)
	if err != nil || replies[0].Code != "" || replies[1].Code != "not_finite" || replies[2].Code != "" {
		t.Fatalf("%+v %v", replies, err)
	}
	if a, b := readResult(t, replies[0].Body).Results[0].Score, readResult(t, replies[2].Body).Results[0].Score; a == b {
		t.Errorf("scores %v and %v", a, b)
	}
}

// What no message is to blame for is an error, and nothing is answered.
func TestBlockFails(t *testing.T) {
	t.Parallel()
	block := []serve.Message{{Body: []byte(applicant)}, {Body: []byte(`{`)}}
	s := serve.New(serve.Options{Log: brokenLog{openLog(t)}})
	s.Swap(serve.Model{Project: "credit", Bundle: lender(t, 0)})
	if r, err := s.Block(t.Context(), "credit", block, true); err == nil || r != nil {
		t.Errorf("with a full disk: %v %v", r, err)
	}
	if r, err := s.Block(t.Context(), "nobody", block, true); err == nil || r != nil {
		t.Errorf("without a model: %v %v", r, err)
	}
}

// FuzzBlock sends anything as a message between two that are in order: it gets an
// answer or a refusal, JSON both, and the others get theirs.
func FuzzBlock(f *testing.F) {
	for _, body := range []string{applicant, `{"rows":[` + applicant + `]}`, `{"rows":1}`, `{"Income":1e999,"Records":"no"}`, `[[[`, "\xff", ``, `{"Income":1,"Records":"no","rows":[]}`} {
		f.Add([]byte(body))
	}
	s := serve.New(serve.Options{})
	s.Swap(serve.Model{Project: "credit", Bundle: lender(f, 0)})
	good := serve.Message{Body: []byte(applicant)}
	f.Fuzz(func(t *testing.T, body []byte) {
		replies, err := s.Block(t.Context(), "credit", []serve.Message{good, {Body: body}, good}, true)
		if err != nil || replies[0].Code != "" || replies[2].Code != "" || !json.Valid(replies[1].Body) {
			t.Fatalf("%q: %+v %v", body, replies, err)
		}
		if a, b := readResult(t, replies[0].Body), readResult(t, replies[2].Body); !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v and %+v", a, b)
		}
		alone, err := s.Block(t.Context(), "credit", []serve.Message{{Body: body}}, true)
		if err != nil || alone[0].Code != replies[1].Code || alone[0].Code == "" && !reflect.DeepEqual(readResult(t, alone[0].Body), readResult(t, replies[1].Body)) {
			t.Fatalf("%q alone: %s %v, among others: %s", body, alone[0].Body, err, replies[1].Body)
		}
	})
}
