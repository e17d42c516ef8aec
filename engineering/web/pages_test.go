package web_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/web"
)

var paths = []string{"/", "/models/credit", "/models/credit?version=1", "/leaderboard/credit", "/decisions/credit", "/decisions/credit?live=true",
	"/drift/credit", "/audit/credit", "/audit/credit?all=true"}

func TestPagesTellTheFacts(t *testing.T) {
	t.Parallel()
	w := lived(t)
	h := w.pages()
	for _, c := range []struct {
		path string
		want []string
	}{
		{"/", []string{
			"version 2", "Decisions 1,090", "545 with an outcome", "The newest challenger was refused", "The champion goes on answering",
			"Version 2 was compared with version 1: AUC 0.746 against 0.702 on 868 decisions", "Last challenger refused version 3", "alarm",
		}},
		{"/models/credit", []string{
			"credit version 2 champion", "Predicts the probability that Status is bad", "AUC 0.839 95% interval 0.811 to 0.867; guessing: 0.500",
			"Accuracy 75.4% 95% interval 72.6% to 78.3%; always the larger class: 71.8%", ">= 0.8 0.839 held", "<= 0.02 0.031 not held",
			"211 caught", "40 missed", "179 false alarms", "84.1% (79.0% to 88.1%), 211 of 251", "891 rows of the holdout", "Age (protected)", "version 1",
		}},
		{"/models/credit?version=3", []string{"credit version 3", "not answering Requests are answered by version 2"}},
		{"/leaderboard/credit", []string{"1 gbdt/", "2 logistic chosen 0.827 -0.017 0.009 0.448", "5-fold cross-validation", "leaves 8"}},
		{"/decisions/credit", []string{"The newest 100 of credit", "Decided bad", "threshold 0.250", "Income in relation", "not as decided"}},
		{"/decision/" + w.newest, []string{
			"Recomputed now equal margin and score, to the last bit", "credit version 2", "not known yet", "Income in relation", "Age 41 (protected)",
			"bad from a score of 0.250", "part in the margin",
		}},
		{"/drift/credit", []string{
			"Drift alarm", "Income drifted", "corrected p", "KS", "chi-squared", "The present window holds 10 of 200 decisions", "5 of 5 windows",
			"version 2", "the score", "promised by the holdout",
		}},
		{"/audit/credit", []string{
			"Audit trail chain holds", "All 9 events were recomputed just now", "Version 2 became champion in place of version 1: better",
			"challenger 0.746, champion 0.702, on 868 decisions", "0.044, at least 0.031 and at most 0.056, each with 95.0% confidence; a loss of 0.005 is allowed",
			"1,934 to learn from, 868 held back to judge by", "12 too young", "The champion stays: worse on the same decisions", "calibration error",
		}},
	} {
		status, page := get(t, h, c.path)
		text := words(page)
		if status != http.StatusOK {
			t.Errorf("%s: status %d: %s", c.path, status, text)
		}
		for _, want := range c.want {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(want))) {
				t.Errorf("%s does not say %q:\n%s", c.path, want, text)
			}
		}
	}
}

// What is drawn is well-formed, holds no script and no style of its own, and
// no text from outside becomes a tag.
func TestHostileTextsStayTexts(t *testing.T) {
	t.Parallel()
	w := lived(t)
	w.refused = hostile
	h := w.pages()
	for _, path := range append(paths, "/decision/"+w.newest, "/models/"+url.PathEscape(hostile), "/decision/"+url.PathEscape(hostile), "/models/credit?version="+url.QueryEscape(hostile)) {
		_, page := get(t, h, path)
		if strings.Contains(page, "\u202e") {
			t.Errorf("%s holds a character that turns the text around", path)
		}
		d := xml.NewDecoder(strings.NewReader(page))
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Errorf("%s is not well-formed: %v", path, err)
				break
			}
			e, ok := tok.(xml.StartElement)
			if !ok {
				continue
			}
			if e.Name.Local == "script" {
				t.Errorf("%s holds a script", path)
			}
			for _, a := range e.Attr {
				if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") || strings.HasPrefix(strings.ToLower(a.Value), "javascript:") {
					t.Errorf("%s: <%s %s=%q>", path, e.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
}

var (
	links = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	ids   = regexp.MustCompile(`\bid="([^"]*)"`)
)

// Every link of every page that can be reached from the home page leads to a
// page that is there, and to a place that is there. The scoring server's own
// routes are another package's.
func TestEveryLinkResolves(t *testing.T) {
	t.Parallel()
	h := lived(t).pages()
	pages := map[string]string{}
	todo := []string{"/"}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if _, done := pages[path]; done {
			continue
		}
		status, page := get(t, h, path)
		if pages[path] = page; status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		for _, m := range links.FindAllStringSubmatch(page, -1) {
			to, _, _ := strings.Cut(strings.ReplaceAll(m[1], "&amp;", "&"), "#")
			if strings.HasPrefix(to, "/v1/") || to == "" {
				continue
			}
			todo = append(todo, to)
		}
	}
	for path, page := range pages {
		for _, m := range links.FindAllStringSubmatch(page, -1) {
			to, place, found := strings.Cut(strings.ReplaceAll(m[1], "&amp;", "&"), "#")
			if to == "" {
				to = path
			}
			if found && !strings.Contains(pages[to], `id="`+place+`"`) {
				t.Errorf("%s links to %q, which is not there", path, m[1])
			}
		}
		seen := map[string]bool{}
		for _, m := range ids.FindAllStringSubmatch(page, -1) {
			if seen[m[1]] {
				t.Errorf("%s has the id %q twice", path, m[1])
			}
			seen[m[1]] = true
		}
	}
	if len(pages) < 100 { // a hundred decisions alone
		t.Errorf("only %d pages were reached", len(pages))
	}
}

func TestEmptyStatesSayWhatComes(t *testing.T) {
	t.Parallel()
	none := newWorld(t)
	served := newWorld(t)
	b := lender(t, 1)
	served.promote(served.add(b, "run"), "the gates held", nil)
	for _, c := range []struct {
		name string
		w    *world
		path string
		want string
	}{
		{"no model", none, "/", "credit no model No version is the champion, so no request is answered."},
		{"no model", none, "/models/credit", "tandem up DIR"},
		{"no model", none, "/leaderboard/credit", "every candidate that was tried will stand here"},
		{"no model", none, "/decisions/credit", "No model answers."},
		{"no model", none, "/drift/credit", "nothing is watched"},
		{"no model", none, "/audit/credit", "No event yet."},
		{"no decision", served, "/", "credit healthy The inputs are compared with the training data once 200 decisions have come in; 0 have."},
		{"no decision", served, "/", "curl -s http://127.0.0.1:8080/v1/score/credit -H &#39;Content-Type: application/json&#39; -d &#39;{&#34;rows&#34;: [{&#34;Income&#34;: "},
		{"no decision", served, "/decisions/credit", "Make the first one"},
		{"no decision", served, "/drift/credit", "No window has ended yet."},
		{"no decision", served, "/drift/credit", "/v1/outcomes/credit"},
	} {
		status, page := get(t, c.w.pages(), c.path)
		if text := words(page); status != http.StatusOK || !strings.Contains(text, c.want) {
			t.Errorf("%s: %s: status %d, and it does not say %q:\n%s", c.name, c.path, status, c.want, text)
		}
	}
	empty := web.New(web.Source{Projects: func() []string { return nil }}, web.Options{})
	if status, page := get(t, empty, "/"); status != http.StatusOK || !strings.Contains(page, "tandem init FILE") {
		t.Errorf("no project: status %d: %s", status, words(page))
	}
}

// The banner stands as long as the refusal is news: until the bundle, or a
// newer one, is promoted.
func TestBanner(t *testing.T) {
	t.Parallel()
	w := lived(t)
	const retrained, run = "The newest challenger was refused", "The newest run was refused"
	has := func(want string) bool {
		t.Helper()
		_, page := get(t, w.pages(), "/drift/credit")
		return strings.Contains(page, want)
	}
	if !has(retrained) || has(run) {
		t.Error("a refused challenger has no banner")
	}
	third, err := w.registry.Version(t.Context(), "credit", 3)
	w.must(err)
	w.promote(third, "by hand", nil)
	if has(retrained) {
		t.Error("the banner stays although the refused bundle was promoted")
	}
	later := time.Now().Add(2 * time.Hour)
	_, err = w.registry.AddRun(t.Context(), registry.Run{Project: "credit", Kind: "run", Start: later, End: later, Outcome: "gate auc: 0.71 is not >= 0.80"})
	w.must(err)
	w.refused = "gate auc: 0.71 is not >= 0.80"
	if !has(run) || !has("Gate auc: 0.71 is not &gt;= 0.80.") {
		t.Error("a refused run has no banner with its reason")
	}
}

// Who stands beside the champion is told where it is told who answers.
func TestBeside(t *testing.T) {
	t.Parallel()
	w := lived(t)
	aliases, err := w.registry.Aliases(t.Context(), "credit")
	w.must(err)
	champion := 0
	for _, a := range aliases {
		if a.Name == registry.Champion {
			champion = a.Version
		}
	}
	other := 1 + champion%2
	w.must(w.registry.Promote(t.Context(), registry.Promotion{Project: "credit", Alias: registry.Canary, Version: other, Percent: 10, Reason: "to see"}))
	w.must(w.registry.Promote(t.Context(), registry.Promotion{Project: "credit", Alias: registry.Canary, Version: other, Percent: 25, Reason: "good so far"}))
	w.must(w.registry.SetAlias(t.Context(), "credit", registry.Shadow, 3, "to look on"))
	w.must(w.registry.Audit(t.Context(), "credit", registry.EventNotServed, map[string]any{"alias": "shadow", "version": 3, "reason": "it is cut off"}))
	for path, texts := range map[string][]string{
		"/": {fmt.Sprintf("version %d answers 25%% as the canary", other), "version 3 is the shadow", "Version 3 could not be put into service as shadow: it is cut off."},
		fmt.Sprintf("/models/credit?version=%d", other): {"It answers 25% of the requests"},
		"/models/credit?version=3":                      {"not answering"},
		"/audit/credit":                                 {"became canary for 10% of the requests: to see.", fmt.Sprintf("Version %d is canary for 25%% of the requests: good so far.", other)},
	} {
		_, page := get(t, w.pages(), path)
		for _, text := range texts {
			if !strings.Contains(words(page), text) {
				t.Errorf("%s does not say %q but\n%s", path, text, words(page))
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := lived(t)
	h := w.pages()
	for path, want := range map[string]int{
		"/nothing": 404, "/models/other": 404, "/models/credit?version=9": 404, "/models/credit?version=x": 404, "/decision/4711": 404,
		"/decision/01a2083f-19ca-7031-8a12-f36d5929ea77": 404, "/drift/credit?at=1": 404, "/drift/credit?at=x": 404, "/models/": 404, "/assets/": 404,
	} {
		if status, page := get(t, h, path); status != want || !strings.Contains(page, "To the home page") {
			t.Errorf("%s: status %d, want %d with a page", path, status, want)
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/models/credit", nil))
	if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") == "" {
		t.Errorf("POST: status %d, Allow %q", rec.Code, rec.Header().Get("Allow"))
	}
	w.must(w.log.Erase(t.Context(), w.newest))
	if status, page := get(t, h, "/decision/"+w.newest); status != http.StatusGone || !strings.Contains(page, "This decision was erased.") {
		t.Errorf("an erased decision: status %d", status)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	h := lived(t).pages()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	for key, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if got := rec.Header().Get(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if policy := rec.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
		t.Errorf("the content policy is %q", policy)
	}
	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/assets/tandem.css", nil))
	again := httptest.NewRequest(http.MethodGet, "/assets/tandem.css", nil)
	again.Header.Set("If-None-Match", rec.Header().Get("ETag"))
	second := httptest.NewRecorder()
	h.ServeHTTP(second, again)
	if rec.Code != http.StatusOK || second.Code != http.StatusNotModified {
		t.Errorf("the style sheet: status %d, and %d when it is known", rec.Code, second.Code)
	}
}

// A decision whose logged score is not what the bundle gives must not look
// sound, and one whose bundle is lost is still explained by what was logged.
func TestReplayTellsTheTruth(t *testing.T) {
	t.Parallel()
	w := lived(t)
	b := lender(t, 1)
	d := decisions.Decision{ID: w.log.NewID(w.now), Time: w.now, Project: "credit", Bundle: b.ID(), Inputs: []byte(`{"Income": 120, "Job": "fixed"}`)}
	d.Margin, d.Score = b.Score([]float64{120, 1})
	d.Score += 1e-16 * 8
	d.Decision = "bad"
	w.must(w.log.Append(context.Background(), d))
	_, page := get(t, w.pages(), "/decision/"+d.ID)
	if text := words(page); !strings.Contains(text, "NOT equal") || !strings.Contains(text, "The log and the model disagree") {
		t.Errorf("a score off by its last bits is not told:\n%s", text)
	}
	delete(w.bundles, b.ID())
	status, page := get(t, w.pages(), "/decision/"+d.ID)
	if text := words(page); status != http.StatusOK || !strings.Contains(text, "the bundle is not at hand") || !strings.Contains(text, "120") {
		t.Errorf("a decision without its bundle: status %d\n%s", status, text)
	}
}

// broken is a registry whose trail was tampered with, or that cannot be read.
type broken struct {
	*registry.Registry
	err error
}

func (b broken) VerifyAudit(context.Context) error { return b.err }

func TestBrokenTrail(t *testing.T) {
	t.Parallel()
	w := lived(t)
	src := web.Source{Projects: func() []string { return []string{"credit"} }, Log: w.log, Refused: func(string) string { return "" }}
	src.Registry = broken{w.registry, errors.Join(registry.ErrTampered)}
	if status, page := get(t, web.New(src, web.Options{}), "/audit/credit"); status != http.StatusOK || !strings.Contains(page, "does not hold") || strings.Contains(page, "chain holds") {
		t.Errorf("a tampered trail: status %d: %s", status, words(page))
	}
	src.Registry = broken{w.registry, errors.New("disk on fire")}
	if status, page := get(t, web.New(src, web.Options{}), "/audit/credit"); status != http.StatusInternalServerError || !strings.Contains(page, "Disk on fire.") {
		t.Errorf("a registry that cannot be read: status %d: %s", status, words(page))
	}
}

// A project that predicts a number has no decisions, thresholds or AUC.
func TestRegression(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := prices(t)
	w.promote(w.add(b, "run"), "the gates held", nil)
	d := decisions.Decision{ID: w.log.NewID(w.now), Time: w.now, Project: "credit", Bundle: b.ID(), Inputs: []byte(`{"Area": 80}`)}
	d.Margin, d.Score = b.Score([]float64{80})
	w.must(w.log.Append(context.Background(), d))
	for path, want := range map[string]string{
		"/": "Realised RMSE – no window of outcomes is full yet; holdout 12.5 (11 to 14)", "/models/credit": "RMSE 12.5 95% interval 11 to 14; the mean alone: 40",
		"/leaderboard/credit": "RMSE to the first SD over folds MAE", "/decisions/credit": "160", "/drift/credit": "No window has ended yet.",
		"/decision/" + d.ID: "Score 160", "/audit/credit": "Version 1 became champion",
	} {
		status, page := get(t, w.pages(), path)
		if text := words(page); status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: status %d, and it does not say %q:\n%s", path, status, want, text)
		}
		for _, no := range []string{"AUC", "threshold", "Decided", "NaN"} {
			if text := words(page); strings.Contains(text, no) {
				t.Errorf("%s speaks of %s:\n%s", path, no, text)
			}
		}
	}
}
