package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/rollout"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// put makes a lineup answer.
func put(t testing.TB, s *serve.Server, l serve.Lineup) {
	t.Helper()
	if err := s.Put(l); err != nil {
		t.Fatal(err)
	}
}

func credit(version string, b *bundle.Bundle) serve.Model {
	return serve.Model{Project: "credit", Version: version, Bundle: b}
}

// scoreOf is what a bundle says of a row.
func scoreOf(t testing.TB, b *bundle.Bundle, row string) float64 {
	t.Helper()
	x := make([]float64, b.Layout().Cols())
	if _, err := b.Layout().DecodeJSON(x, []byte(row), true); err != nil {
		t.Fatal(err)
	}
	return b.Answer(x).Score
}

// divided is an answer whose results may name another model than the whole.
type divided struct {
	Results []struct {
		ID, Model, Bundle, Decision string
		Score                       float64
	}
	Model, Bundle string
}

func keyed(id int) string {
	return fmt.Sprintf(`{"application":%d,"Income":%d,"Records":"no"}`, id, id%300)
}

// A canary answers its share of the keys, the same ones each time and through
// every door, and the answer says who answered.
func TestCanary(t *testing.T) {
	t.Parallel()
	champion, canary := credit("3", lender(t, 0)), credit("4", lender(t, 1))
	log := openLog(t)
	s := newServer(t, serve.Options{Log: log})
	h := s.Handler()
	byVersion := map[string]serve.Model{"3": champion, "4": canary}
	const n = 300
	side := make([]string, n) // the version that answered an application
	for _, percent := range []float64{10, 10, 60} {
		put(t, s, serve.Lineup{Champion: champion, Canary: &canary, Percent: percent})
		rows := make([]string, n)
		for id := range n {
			rows[id] = keyed(id)
			got := read[divided](t, ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+rows[id]+`]}`), 200)
			want := "3"
			if rollout.Takes("credit", canary.Bundle.ID(), strconv.Itoa(id), percent) {
				want = "4"
			}
			if got.Model != want || got.Bundle != byVersion[want].Bundle.ID() || got.Results[0].Model != "" || got.Results[0].Score != scoreOf(t, byVersion[want].Bundle, rows[id]) {
				t.Fatalf("application %d at %v%%: %+v, want version %s", id, percent, got, want)
			}
			if side[id] == "4" && want != "4" {
				t.Fatalf("application %d went back", id)
			}
			side[id] = want
			if d, _, err := log.Get(got.Results[0].ID); err != nil || d.Model != want || d.Bundle != got.Bundle || d.Project != "credit" {
				t.Fatalf("logged: %+v %v", d, err)
			}
		}
		// All at once: each row has its own side.
		all := read[divided](t, ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+strings.Join(rows, ",")+`]}`), 200)
		if all.Model != "3" || all.Bundle != champion.Bundle.ID() {
			t.Errorf("the answer as a whole is of %s", all.Model)
		}
		for id, r := range all.Results {
			version := all.Model
			if r.Model != "" {
				version = r.Model
			}
			if version != side[id] || r.Score != scoreOf(t, byVersion[side[id]].Bundle, rows[id]) {
				t.Fatalf("row %d is answered by %s with %v, want %s", id, version, r.Score, side[id])
			}
			if d, _, err := log.Get(r.ID); err != nil || d.Model != side[id] || d.Key != strconv.Itoa(id) {
				t.Fatalf("row %d is logged as %+v %v", id, d, err)
			}
		}
		mlflow := read[struct{ Predictions []float64 }](t, ask(t, h, "POST", "/invocations", `{"dataframe_records":[`+strings.Join(rows, ",")+`]}`), 200)
		for id, score := range mlflow.Predictions {
			if score != scoreOf(t, byVersion[side[id]].Bundle, rows[id]) {
				t.Fatalf("MLflow's row %d scores %v", id, score)
			}
		}
	}
	taken := 0
	for _, v := range side {
		if v == "4" {
			taken++
		}
	}
	m := ask(t, h, "GET", "/metrics", "").body
	for _, want := range []string{
		`tandem_version_percent{project="credit",role="canary",version="4"} 60`,
		`tandem_version_percent{project="credit",role="champion",version="3"} 40`,
		`tandem_canary_passed_rows_total{project="credit",version="4"} 0`,
		`tandem_rows_total{project="credit"} ` + strconv.Itoa(9*n),
	} {
		if !strings.Contains(m, want) {
			t.Errorf("no %s in\n%s", want, m)
		}
	}
	st := read[map[string]struct{ Rows int }](t, answer{200, strings.Replace(ask(t, h, "GET", "/v1/rollout/credit", "").body, `"project":"credit",`, "", 1), nil}, 200)
	if st["champion"].Rows+st["canary"].Rows != 9*n || st["canary"].Rows < 3*taken {
		t.Errorf("rows by version: %v", st)
	}
	// Without an id the request's id is the key; without both it is a draw a request.
	put(t, s, serve.Lineup{Champion: champion, Canary: &canary, Percent: 50})
	for i := range 50 {
		id := fmt.Sprintf("web-%d", i)
		got := read[divided](t, ask(t, h, "POST", "/v1/score/credit", `{"rows":[{"Income":80,"Records":"no"},{"Income":80,"Records":"no"}],"request_id":"`+id+`"}`), 200)
		if want := rollout.Takes("credit", canary.Bundle.ID(), id, 50); (got.Model == "4") != want || got.Results[1].Model != "" {
			t.Errorf("request %s: %+v", id, got)
		}
	}
	seen := map[string]bool{}
	for range 64 { // all on one side once in 2^63
		got := read[divided](t, ask(t, h, "POST", "/v1/score/credit", `{"rows":[{"Income":80,"Records":"no"},{"Income":80,"Records":"no"}]}`), 200)
		if seen[got.Model] = true; got.Results[0].Model+got.Results[1].Model != "" {
			t.Errorf("one draw for a request: %+v", got)
		}
	}
	if len(seen) != 2 {
		t.Errorf("drawn: %v", seen)
	}
	// The whole is the canary's where it answers all.
	put(t, s, serve.Lineup{Champion: champion, Canary: &canary, Percent: 100})
	infer := read[struct {
		Version string `json:"model_version"`
	}](t, ask(t, h, "POST", "/v2/models/credit/infer", `{"inputs":[{"name":"Income","shape":[1],"datatype":"FP64","data":[1]},{"name":"Records","shape":[1],"datatype":"BYTES","data":["no"]}]}`), 200)
	if infer.Version != "4" {
		t.Errorf("infer is answered by %q", infer.Version)
	}
}

// What the canary cannot score, the champion answers.
func TestCanaryThatCannot(t *testing.T) {
	t.Parallel()
	c := lender(t, 0).Contract
	c.Fields = append(c.Fields[:0:0], c.Fields...)
	c.Fields[2].Required = true // Job
	demanding, err := newBundle(bundle.Binary, c, lender(t, 2).Members...)
	if err != nil {
		t.Fatal(err)
	}
	champion, canary := credit("3", lender(t, 0)), credit("4", demanding)
	s := newServer(t, serve.Options{})
	put(t, s, serve.Lineup{Champion: champion, Canary: &canary, Percent: 100})
	h := s.Handler()
	with, without := `{"Income":80,"Job":"fixed","Records":"no"}`, `{"Income":80,"Records":"no"}`
	got := read[divided](t, ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+without+`,`+with+`]}`), 200)
	if got.Model != "3" || got.Results[0].Model != "" || got.Results[1].Model != "4" ||
		got.Results[0].Score != scoreOf(t, champion.Bundle, without) || got.Results[1].Score != scoreOf(t, demanding, with) {
		t.Errorf("%+v", got)
	}
	// One that panics: no bundle that was opened does, but whoever tries something new should not bet on it.
	broken := credit("5", &bundle.Bundle{Manifest: demanding.Manifest, Model: bundle.Model{Contract: demanding.Contract, Decision: demanding.Decision}})
	put(t, s, serve.Lineup{Champion: champion, Canary: &broken, Percent: 100})
	if got := read[divided](t, ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+with+`]}`), 200); got.Model != "3" {
		t.Errorf("%+v", got)
	}
	if m := ask(t, h, "GET", "/metrics", "").body; !strings.Contains(m, `tandem_canary_passed_rows_total{project="credit",version="5"} 1`) || strings.Contains(m, `version="4"`) {
		t.Errorf("metrics:\n%s", m)
	}
}

// A shadow scores what was answered and logs it as its own; nobody is answered
// by it, and nothing that asks for the project's decisions sees it.
func TestShadow(t *testing.T) {
	t.Parallel()
	champion, shadow := credit("3", lender(t, 0)), credit("4", lender(t, 1))
	log := openLog(t)
	s := newServer(t, serve.Options{Log: log})
	put(t, s, serve.Lineup{Champion: champion, Shadow: &shadow})
	h := s.Handler()
	var sum float64
	agreed := 0
	ids := map[string]int{}
	for i := range 100 {
		id := 3 * i
		got := read[divided](t, ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+keyed(id)+`]}`), 200)
		if got.Model != "3" || got.Results[0].Score != scoreOf(t, champion.Bundle, keyed(id)) {
			t.Fatalf("%+v", got)
		}
		ids[got.Results[0].ID] = id
		would := scoreOf(t, shadow.Bundle, keyed(id))
		sum += math.Abs(got.Results[0].Score - would)
		if (would >= 0.5) == (got.Results[0].Decision == "bad") {
			agreed++
		}
	}
	s.Settle()
	if n := log.Counts("credit").Decisions; n != 100 {
		t.Errorf("the project has %d decisions", n)
	}
	beside, err := log.Recent(rollout.LoggedAs("credit"), 1000)
	if err != nil || len(beside) != 100 {
		t.Fatalf("%d shadow decisions are logged: %v", len(beside), err)
	}
	for _, d := range beside {
		id, known := ids[d.RequestID] // of the decision that was answered
		if r, err := d.Replay(shadow.Bundle); !known || err != nil || !r.Equal || d.Model != "4" || d.Bundle != shadow.Bundle.ID() || d.Key != strconv.Itoa(id) {
			t.Fatalf("%+v: %+v %v", d, r, err)
		}
	}
	if a := ask(t, h, "POST", "/v1/outcomes/credit", `{"outcomes":[{"decision":"`+beside[0].ID+`","value":"bad"}]}`); a.status != 404 {
		t.Errorf("an outcome for a shadow: %d %s", a.status, a.body)
	}
	if a := ask(t, h, "POST", "/v1/outcomes/credit", `{"outcomes":[{"id":9,"value":"bad"}]}`); a.status != 200 {
		t.Errorf("an outcome for an application: %d %s", a.status, a.body)
	}
	if log.Counts("credit").Outcomes != 1 || log.Counts(rollout.LoggedAs("credit")).Outcomes != 0 {
		t.Error("the outcome went to the shadow")
	}
	type state struct {
		Shadow struct {
			Version  string
			Rows     int
			Compared struct {
				Rows, Agreed, Differed, Failed, Dropped int
				Agreement, MeanDifference               float64
			}
		}
	}
	body := strings.ReplaceAll(ask(t, h, "GET", "/v1/rollout/credit", "").body, "mean_difference", "MeanDifference")
	c := read[state](t, answer{200, body, nil}, 200).Shadow
	if x := c.Compared; c.Version != "4" || c.Rows != 0 || x.Rows != 100 || x.Agreed != agreed || x.Differed != 100-agreed || x.Failed+x.Dropped != 0 ||
		x.Agreement != float64(agreed)/100 || math.Abs(x.MeanDifference-sum/100) > 1e-12 || agreed == 0 || agreed == 100 {
		t.Errorf("%+v, want %d agreed and a difference of %v", c, agreed, sum/100)
	}
	m := ask(t, h, "GET", "/metrics", "").body
	for _, want := range []string{
		`tandem_rows_total{project="credit"} 100`,
		`tandem_shadow_rows_total{project="credit",result="scored",version="4"} 100`,
		`tandem_shadow_rows_total{project="credit",result="dropped",version="4"} 0`,
		fmt.Sprintf(`tandem_shadow_agreement_ratio{project="credit",version="4"} 0.%02d`, agreed),
		`tandem_shadow_score_difference_mean{project="credit",version="4"} 0.`,
	} {
		if !strings.Contains(m, strings.TrimSuffix(want, "0")) {
			t.Errorf("no %s in\n%s", want, m)
		}
	}
	// A shadow that panics at every row.
	broken := credit("5", &bundle.Bundle{Manifest: shadow.Bundle.Manifest, Model: bundle.Model{Contract: shadow.Bundle.Contract, Decision: shadow.Bundle.Decision}})
	put(t, s, serve.Lineup{Champion: champion, Shadow: &broken})
	score(t, h, keyed(1), keyed(2))
	s.Settle()
	if m := ask(t, h, "GET", "/metrics", "").body; !strings.Contains(m, `tandem_shadow_rows_total{project="credit",result="failed",version="5"} 2`) ||
		strings.Contains(m, `version="4"`) {
		t.Errorf("metrics:\n%s", m)
	}
}

// shadowLog does not take a shadow's decisions before it is let go.
type shadowLog struct {
	serve.Log
	leave chan struct{}
}

func (l shadowLog) Append(ctx context.Context, ds ...decisions.Decision) error {
	if ds[0].Project == rollout.LoggedAs("credit") {
		<-l.leave
		return errors.New("no space left on device")
	}
	return l.Log.Append(ctx, ds...)
}

// A shadow that does not come to an end delays no answer and holds no more
// than the queue; what it could not do is counted, row by row.
func TestShadowThatHangs(t *testing.T) {
	t.Parallel()
	champion, shadow := credit("3", lender(t, 0)), credit("4", lender(t, 1))
	log := shadowLog{openLog(t), make(chan struct{})}
	s := newServer(t, serve.Options{Log: log})
	put(t, s, serve.Lineup{Champion: champion, Shadow: &shadow})
	h := s.Handler()
	const n = 1100 // the queue holds 1024 requests
	for range n {
		score(t, h, keyed(1))
	}
	close(log.leave)
	s.Settle()
	c := read[struct {
		Shadow struct{ Compared rollout.Comparison }
	}](t, ask(t, h, "GET", "/v1/rollout/credit", ""), 200).Shadow.Compared
	if c.Rows != 0 || c.Failed+c.Dropped != n || c.Dropped < n-1024-1 || c.Dropped > n-1024 {
		t.Errorf("%+v", c)
	}
}

// Each loaded version can be asked alone, whatever the canary's share.
func TestVersionsByPath(t *testing.T) {
	t.Parallel()
	models := []serve.Model{credit("3", lender(t, 0)), credit("4", lender(t, 1)), credit("5", lender(t, 2))}
	s := newServer(t, serve.Options{})
	put(t, s, serve.Lineup{Champion: models[0], Canary: &models[1], Percent: 50, Shadow: &models[2]})
	h := s.Handler()
	const tensors = `{"inputs":[{"name":"Income","shape":[1],"datatype":"FP64","data":[80]},{"name":"Records","shape":[1],"datatype":"BYTES","data":["no"]}]}`
	for _, m := range models {
		want := scoreOf(t, m.Bundle, keyed(80))
		for id := range 10 {
			row := strings.Replace(keyed(80), "80", strconv.Itoa(id), 1)
			got := read[divided](t, ask(t, h, "POST", "/v1/score/credit/versions/"+m.Version, `{"rows":[`+row+`]}`), 200)
			if got.Model != m.Version || got.Bundle != m.Bundle.ID() || got.Results[0].Score != want {
				t.Errorf("version %s: %+v", m.Version, got)
			}
		}
		infer := read[struct {
			Version string `json:"model_version"`
			Outputs []struct{ Data []any }
		}](t, ask(t, h, "POST", "/v2/models/credit/versions/"+m.Version+"/infer", tensors), 200)
		if infer.Version != m.Version || infer.Outputs[0].Data[0] != want {
			t.Errorf("version %s: %+v", m.Version, infer)
		}
		if a := ask(t, h, "GET", "/v2/models/credit/versions/"+m.Version+"/ready", ""); a.status != 200 {
			t.Errorf("version %s: %s", m.Version, a.body)
		}
	}
	for _, path := range []string{"/v1/score/credit/versions/6", "/v2/models/credit/versions/6/infer", "/v1/score/credit/versions/..%2f3"} {
		body := tensors
		if strings.HasPrefix(path, "/v1") {
			body = `{"rows":[` + keyed(1) + `]}`
		}
		if a := ask(t, h, "POST", path, body); a.status != 404 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	meta := read[struct{ Versions []string }](t, ask(t, h, "GET", "/v2/models/credit", ""), 200)
	if fmt.Sprint(meta.Versions) != "[3 4 5]" {
		t.Errorf("versions %v", meta.Versions)
	}
}

// A lineup that cannot be is refused, and what was there goes on.
func TestLineupsThatCannotBe(t *testing.T) {
	t.Parallel()
	s := newServer(t, serve.Options{})
	m := func(version string, b *bundle.Bundle) *serve.Model { x := credit(version, b); return &x }
	other := serve.Model{Project: "other", Version: "4", Bundle: lender(t, 0)}
	for want, l := range map[string]serve.Lineup{
		"without a bundle":     {Champion: credit("4", nil)},
		"not a percentage":     {Champion: credit("4", lender(t, 0)), Canary: m("5", lender(t, 1))},
		"are version 4":        {Champion: credit("4", lender(t, 0)), Canary: m("4", lender(t, 1)), Percent: 1},
		"the task was binary":  {Champion: credit("4", lender(t, 0)), Shadow: m("5", losses(t))},
		"cannot stand beside":  {Champion: credit("4", lender(t, 0)), Shadow: &other},
		"a model without a bu": {Champion: credit("4", lender(t, 0)), Shadow: m("5", nil)},
	} {
		if err := s.Put(l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if got := score(t, s.Handler(), keyed(1)); got.Model != "3" {
		t.Errorf("version %s answers", got.Model)
	}
}

// Who may change what, and what is asked for in which words.
func TestChangesOverHTTP(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bearer := map[keys.Scope]string{}
	for _, scope := range keys.Scopes {
		bearer[scope] = "Bearer " + keyFor(t, dir, 0, scope)
	}
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var asked []rollout.Change
	var fail error
	h := newServer(t, serve.Options{Keys: ring, Rollout: func(_ context.Context, project string, c rollout.Change) error {
		if asked = append(asked, c); project != "credit" {
			t.Errorf("project %s", project)
		}
		return fail
	}}).Handler()
	const path = "/v1/rollout/credit"
	for _, tt := range []struct {
		body string
		want rollout.Change
	}{
		{`{"champion":4,"reason":"better"}`, rollout.Change{Kind: rollout.Promote, Version: 4}},
		{`{"champion":4,"reason":"better","force":true}`, rollout.Change{Kind: rollout.Promote, Version: 4, Force: true}},
		{`{"canary":{"version":4,"percent":12.5},"reason":"better"}`, rollout.Change{Kind: rollout.Canary, Version: 4, Percent: 12.5}},
		{`{"shadow":5,"reason":"better"}`, rollout.Change{Kind: rollout.Shadow, Version: 5}},
		{`{"rollback":true,"reason":"better"}`, rollout.Change{Kind: rollout.Rollback}},
		{`{"stop":"canary","reason":"better"}`, rollout.Change{Kind: rollout.StopCanary}},
		{`{"stop":"shadow","reason":"better"}`, rollout.Change{Kind: rollout.StopShadow}},
	} {
		allowed := keys.Operate
		if tt.want.Approved() {
			allowed = keys.Approve
		}
		tt.want.Reason, tt.want.By = "better", "test"
		for _, scope := range keys.Scopes {
			asked = nil
			status := 403
			if scope == allowed {
				status = 200
			}
			if a := ask(t, h, "POST", path, tt.body, "Authorization", bearer[scope]); a.status != status || len(asked) != (map[int]int{200: 1, 403: 0})[status] {
				t.Errorf("%s by %s: %d %s, asked %v", tt.body, scope, a.status, a.body, asked)
			} else if status == 200 && asked[0] != tt.want {
				t.Errorf("%s asks for %+v", tt.body, asked[0])
			}
		}
		if a := ask(t, h, "POST", path, tt.body); a.status != 401 {
			t.Errorf("without a key: %d", a.status)
		}
	}
	if a := ask(t, h, "GET", path, "", "Authorization", bearer[keys.Score]); a.status != 403 {
		t.Errorf("looking without the scope: %d", a.status)
	}
	asked = nil
	for _, body := range []string{`[]`, `{}`, `{"reason":"r"}`, `{"champion":4}`, `{"champion":4,"reason":""}`, `{"champion":0,"reason":"r"}`, `{"champion":"4","reason":"r"}`, `{"champion":1.5,"reason":"r"}`,
		`{"champion":4,"shadow":5,"reason":"r"}`, `{"canary":4,"reason":"r"}`, `{"canary":{"version":4},"reason":"r"}`, `{"canary":{"version":4,"percent":101},"reason":"r"}`,
		`{"canary":{"version":4,"percent":"10"},"reason":"r"}`, `{"rollback":false,"reason":"r"}`, `{"stop":"champion","reason":"r"}`, `{"champion":4,"reason":7}`, `{"champion":4,"reason":"r","force":1}`,
		`{"champion":4,"reason":"a\u0000b"}`, `{"champion":4,"reason":"r","who":"me"}`} {
		if a := ask(t, h, "POST", path, body, "Authorization", bearer[keys.Approve]); a.status != 400 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if len(asked) > 0 {
		t.Errorf("asked: %v", asked)
	}
	const promote = `{"champion":4,"reason":"r"}`
	for _, tt := range []struct {
		err    error
		status int
		text   string
	}{
		{&rollout.Refusal{Missing: true, Err: errors.New("there is no version 4")}, 404, "there is no version 4"},
		{&rollout.Refusal{Err: errors.New("callers would break")}, 409, "nothing has changed: callers would break"},
		{errors.New("/secret/path is gone"), 500, "internal"},
	} {
		fail = tt.err
		if a := ask(t, h, "POST", path, promote, "Authorization", bearer[keys.Approve]); a.status != tt.status || !strings.Contains(a.body, tt.text) || strings.Contains(a.body, "secret") {
			t.Errorf("%v: %d %s", tt.err, a.status, a.body)
		}
	}
	if a := ask(t, h, "POST", "/v1/rollout/other", promote, "Authorization", bearer[keys.Approve]); a.status != 404 {
		t.Errorf("another project: %d %s", a.status, a.body)
	}
	if a := ask(t, newServer(t, serve.Options{}).Handler(), "POST", path, promote); a.status != 409 || !strings.Contains(a.body, "no_registry") {
		t.Errorf("without a registry: %d %s", a.status, a.body)
	}
}

// Two hundred bundles, one after another, as champion, canary and shadow, under
// load: no request fails, every answer has the bits of the bundle that it names,
// the bundles are gone when others are in their place, and so are their series.
func TestSwapsGiveMemoryBack(t *testing.T) { // alone: it looks at the heap
	s := serve.New(serve.Options{})
	h := s.Handler()
	const swaps = 200
	row := keyed(1)
	want := make(map[string]float64, swaps) // by bundle
	var mu sync.Mutex
	var made []weak.Pointer[bundle.Bundle]
	next := func(i int) serve.Model {
		b, err := newLender(float64(i) / 64)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		want[b.ID()] = scoreOf(t, b, row)
		mu.Unlock()
		made = append(made, weak.Make(b))
		return credit(strconv.Itoa(i+1), b)
	}
	lineup := serve.Lineup{Champion: next(0)}
	put(t, s, lineup)
	var done atomic.Bool
	var answered, failed atomic.Int64
	var wait sync.WaitGroup
	var quiet sync.RWMutex // held while the heap is looked at
	for g := range 4 {
		wait.Go(func() {
			for k := 0; !done.Load(); k++ {
				runtime.Gosched() // or the swaps wait for the end of a slice of time
				quiet.RLock()
				body := `{"rows":[` + row + `,` + row + `],"reasons":false,"request_id":"` + strconv.Itoa(g*1000+k%1000) + `"}`
				r := httptest.NewRequest("POST", "/v1/score/credit", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				quiet.RUnlock()
				var got divided
				if w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &got) != nil || len(got.Results) != 2 {
					failed.Add(1)
					t.Errorf("%d %s", w.Code, w.Body)
					return
				}
				mu.Lock()
				score, known := want[got.Bundle]
				mu.Unlock()
				for _, r := range got.Results {
					if !known || math.Float64bits(r.Score) != math.Float64bits(score) {
						t.Errorf("bundle %s says %v, answered was %v", got.Bundle, score, r.Score)
						return
					}
				}
				answered.Add(1)
			}
		})
	}
	heap := func() uint64 {
		quiet.Lock()
		defer quiet.Unlock()
		s.Settle()
		runtime.GC()
		runtime.GC() // what pools held is gone after the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var before uint64
	for i := 1; i < swaps; i++ {
		m := next(i)
		switch i % 3 {
		case 0:
			lineup = serve.Lineup{Champion: m}
		case 1:
			lineup.Canary, lineup.Percent = &m, 30
		case 2:
			lineup.Shadow = &m
		}
		put(t, s, lineup)
		if i == 20 {
			before = heap()
		}
		for seen, deadline := answered.Load(), time.Now().Add(20*time.Second); answered.Load() == seen && !t.Failed(); {
			if time.Now().After(deadline) {
				t.Fatal("no answers")
			}
			runtime.Gosched()
		}
	}
	done.Store(true)
	wait.Wait()
	lineup = serve.Lineup{}
	after := heap()
	alive := 0
	for _, p := range made {
		if p.Value() != nil {
			alive++
		}
	}
	t.Logf("%d answers during %d swaps, %d failed; live heap %.2f MB after 20, %.2f MB after %d; %d bundles alive",
		answered.Load(), swaps, failed.Load(), float64(before)/1e6, float64(after)/1e6, swaps, alive)
	if after > before+1<<20 {
		t.Errorf("the live heap grew from %d to %d bytes", before, after)
	}
	if alive > 3 {
		t.Errorf("%d bundles are held, and at most three are loaded", alive)
	}
	m := ask(t, h, "GET", "/metrics", "").body
	if n := strings.Count(m, "tandem_version_rows_total{"); n != alive {
		t.Errorf("%d series of versions for %d loaded", n, alive)
	}
	if n := strings.Count(m, "tandem_model_info{"); n != 1 {
		t.Errorf("%d series of the model that answers", n)
	}
	runtime.KeepAlive(s)
}
