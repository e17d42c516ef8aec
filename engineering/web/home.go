package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/monitor"
	"github.com/tandem-ml/tandem/engineering/retrain"
)

// homeView is the home page.
type homeView struct {
	Projects []health
	Sole     bool // there is one project
}

// health is how one project stands.
type health struct {
	Name, Level, Word string // Level is "good", "warn" or "bad"; Word says it
	Sentences         []string
	Figures           []figure
	Strip             []stripped
	Performance       template.HTML
	Events            []event
	Banner            *banner
	Try               string // the command that makes a first decision; "" once there is one
}

// figure is one headline number.
type figure struct {
	Name, Text, Beside, Link string
	Level                    string // "good", "warn" or "bad" colours the text; "" does not
}

// homeEvents is how many changes the home page shows of a project.
const homeEvents = 6

func (s *site) home(r *request) (any, error) {
	r.head.Title = "Models in production"
	var v homeView
	for _, name := range s.src.Projects() {
		h, err := s.health(r, name)
		if err != nil {
			return nil, err
		}
		v.Projects = append(v.Projects, h)
	}
	if r.head.Sole && len(v.Projects) == 1 {
		// The navigation and the heading are those of the one project there is.
		r.head.Project, v.Sole = v.Projects[0].Name, true
		r.head.Title = v.Projects[0].Name + ": " + v.Projects[0].Word
	}
	return v, nil
}

func (s *site) health(r *request, name string) (health, error) {
	h := health{Name: name}
	p, err := s.load(r, name)
	if err != nil {
		return h, err
	}
	events, err := s.src.Registry.Events(r.Context(), name, homeEvents)
	if err != nil {
		return h, err
	}
	for _, e := range events {
		h.Events = append(h.Events, describe(e, s.opt.Now()))
	}
	b, err := s.champion(p)
	if err != nil {
		return h, err
	}
	seen := s.seen(p)
	w := seen.champion
	h.Banner = s.refusal(p)
	h.Level, h.Word, h.Sentences = state(p, w, h.Banner != nil)
	h.Strip = strip(name, seen.windows, 40)
	if len(seen.outcomes) > 1 { // one point is no course
		h.Performance = performanceChart(seen.outcomes)
	}
	if h.Figures, err = s.figures(r, p, b, w); err != nil {
		return h, err
	}
	if b != nil && s.src.Log.Counts(name).Decisions == 0 {
		h.Try = curl(r, name, b)
	}
	return h, nil
}

// state says how a project stands, worst first.
func state(p *project, w Watched, refused bool) (level, word string, sentences []string) {
	if p.Champion == nil {
		return "bad", "no model", []string{"No version is the champion, so no request is answered."}
	}
	level, word = "good", "healthy"
	worse := func(alarm, hint bool, texts []string) {
		switch {
		case alarm:
			level, word = "bad", "alarm"
		case hint && level == "good":
			level, word = "warn", "look"
		}
		if alarm || hint {
			sentences = append(sentences, texts...)
		}
	}
	perf, window := last(w.Outcomes), last(w.Windows)
	if perf != nil {
		worse(perf.Alarm, perf.Worse, perf.Sentences)
	}
	if window != nil {
		texts := window.Sentences
		if len(texts) > 3 {
			texts = texts[:3]
		}
		worse(window.Alarm, drifted(window) > 0, texts)
	}
	worse(false, refused, nil)
	if len(sentences) > 0 {
		return level, word, sentences
	}
	switch {
	case window != nil:
		sentences = append(sentences, window.Sentences...)
	case w.Of > 0:
		sentences = append(sentences, fmt.Sprintf("The inputs are compared with the training data once %s decisions have come in; %s have.",
			chart.Count(int64(w.Of)), chart.Count(int64(w.Seen))))
	default:
		sentences = append(sentences, "The inputs are compared with the training data when the first window of time has ended.")
	}
	if perf != nil {
		sentences = append(sentences, perf.Sentences...)
	}
	return level, word, sentences
}

func last[T any](list []T) *T {
	if len(list) == 0 {
		return nil
	}
	return &list[len(list)-1]
}

// drifted counts the columns, the score among them, that drifted in a window.
func drifted(r *monitor.Report) int {
	n := 0
	for _, c := range r.Columns {
		if c.Drifted {
			n++
		}
	}
	if r.Score != nil && r.Score.Drifted {
		n++
	}
	return n
}

func (s *site) figures(r *request, p *project, b *bundle.Bundle, w Watched) ([]figure, error) {
	now := s.opt.Now()
	answering := figure{"Answering", "nothing", "no version is the champion", to("models", p.Name), ""}
	if p.Champion != nil {
		answering.Text = fmt.Sprintf("version %d", p.Champion.Number)
		answering.Beside = "since " + p.Champion.Since().Format("2 Jan 15:04") + " UTC"
	}
	if beside := p.beside(); beside != "" {
		answering.Beside += "; " + beside
	}
	counts := s.src.Log.Counts(p.Name)
	made := figure{"Decisions", chart.Count(counts.Decisions), "none yet", to("decisions", p.Name), ""}
	newest, err := s.src.Log.Recent(p.Name, 1)
	if err != nil {
		return nil, err
	}
	if len(newest) > 0 {
		made.Beside = "the newest " + ago(newest[0].Time, now) + "; " + chart.Count(counts.Outcomes) + " with an outcome"
	}
	out := []figure{answering, made, windowFigure(p, w, now)}
	if b != nil {
		out = append(out, performanceFigure(p, b, w))
	}
	challenger, err := s.challengerFigure(r, p)
	return append(out, challenger), err
}

func windowFigure(p *project, w Watched, now time.Time) figure {
	f := figure{"Last window", "–", "none has ended yet", to("drift", p.Name), ""}
	if w.Of > 0 {
		f.Beside = chart.Count(int64(w.Seen)) + " of " + chart.Count(int64(w.Of)) + " decisions so far"
	}
	window := last(w.Windows)
	if window == nil {
		return f
	}
	v := verdictOf(window)
	f.Text, f.Level = v.Word, v.Level
	f.Beside = chart.Count(int64(window.Decisions)) + " decisions, ended " + ago(window.To, now)
	return f
}

func performanceFigure(p *project, b *bundle.Bundle, w Watched) figure {
	key := "auc"
	switch b.Manifest.Task {
	case bundle.Regression:
		key = "rmse"
	case bundle.Multiclass:
		key = "accuracy"
	}
	f := figure{"Realised " + metricOf(key).name, "–", "", to("drift", p.Name) + "#performance", ""}
	if m, known := b.Card.Holdout[key]; known {
		f.Beside = "no window of outcomes is full yet; holdout " + measured(key, m)
	}
	if perf := last(w.Outcomes); perf != nil {
		f.Beside = "too few of one class in the last window to judge"
		if perf.Judged {
			f.Text, f.Level = metricOf(key).text(perf.Realised.Value), performed(perf).Level
			f.Beside = interval(key, perf.Realised) + "; holdout " + metricOf(key).text(perf.Holdout.Value)
		}
	}
	return f
}

// challengerFigure tells of the newest model that wanted to be champion after
// the first.
func (s *site) challengerFigure(r *request, p *project) (figure, error) {
	f := figure{"Last challenger", "none yet", "made by: tandem retrain", to("audit", p.Name), ""}
	runs, err := s.src.Registry.Runs(r.Context(), p.Name, 50)
	if err != nil {
		return f, err
	}
	for _, run := range runs {
		word, _, _ := strings.Cut(run.Outcome, ": ")
		switch {
		case run.Kind != "retrain" && run.Outcome == "done":
			continue
		case run.Kind != "retrain", word == retrain.Kept:
			word = "refused"
		}
		f.Text, f.Beside = word, ago(run.End, s.opt.Now())
		if v := p.ofBundle(run.Bundle); v != nil {
			f.Beside = fmt.Sprintf("version %d, %s", v.Number, f.Beside)
		}
		return f, nil
	}
	return f, nil
}

// curl is a command that makes a decision about a typical applicant: the
// median of each number, the most frequent of each category.
func curl(r *request, project string, b *bundle.Bundle) string {
	row := make([]byte, 0, 512)
	for _, f := range b.Layout().Fields() {
		var v any
		switch c := b.Profile.Column(f.Name); {
		case c == nil || c.Count == 0:
			continue
		case f.Kind == data.Number && c.Finite() > 0:
			v = json.RawMessage(data.FormatNumber(c.Sketch.Quantile(0.5)))
		case f.Kind == data.Category && len(c.Top) > 0:
			v = c.Top[0].Value
		case f.Kind == data.Time && c.Finite() > 0:
			v = data.FormatTime(int64(c.Sketch.Quantile(0.5)))
		default:
			continue
		}
		if len(row) > 0 {
			row = append(row, ", "...)
		}
		row = append(append(append(row, encoded(f.Name)...), ": "...), encoded(v)...)
	}
	body := `{"rows": [{` + string(row) + `}]}`
	return "curl -s http://" + r.Host + "/v1/score/" + project + " -H 'Content-Type: application/json' -d '" +
		strings.ReplaceAll(body, "'", `'\''`) + "'"
}

// encoded is v as JSON without the escapes that only HTML needs, but with those
// that keep a terminal safe: characters that Clean would replace.
func encoded(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte("null") // not finite
	}
	var safe []byte
	for _, r := range strings.TrimSpace(out.String()) {
		if s := string(r); chart.Clean(s, 2) != s {
			safe = fmt.Appendf(safe, `\u%04x`, r) // all of them lie in the basic plane
		} else {
			safe = append(safe, s...)
		}
	}
	return safe
}
