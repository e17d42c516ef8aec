package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/ingest"
	"github.com/tandem-ml/tandem/engineering/pipeline"
	"github.com/tandem-ml/tandem/project"
	"github.com/tandem-ml/tandem/science/evaluate"
	"github.com/tandem-ml/tandem/science/explore"
	"github.com/tandem-ml/tandem/science/hypothesis"
	"github.com/tandem-ml/tandem/science/report"
)

// The stages' own versions: raised when a stage would make other output from
// the same input, so that what an older program left in the cache is not used.
const (
	ingestVersion     = 2
	exploreVersion    = 1
	hypothesisVersion = 2
	trainVersion      = 3
	evaluateVersion   = 1
	explainVersion    = 2
	reportVersion     = 2
	bundleVersion     = 2
)

// Run is a project after all its stages.
type Run struct {
	Project *project.Project
	Bundle  *bundle.Bundle
	Path    string   // the bundle's file
	Out     string   // the folder with everything a person reads
	Stages  []string // names in order
	Ran     []string // those that were not found in the cache
	Trained *TrainFacts
	Seconds float64
}

// TrainFacts is what is kept of a training beside its bundle.
type TrainFacts struct {
	Split       evaluate.Split    `json:"split"`
	Leaderboard []LeaderboardLine `json:"leaderboard"`
	Chosen      string            `json:"chosen"`
	Metric      string            `json:"metric"`
	Complete    bool              `json:"complete"`
	Seconds     float64           `json:"seconds"`
}

// RunProject runs the stages of the project in dir. A stage whose inputs,
// parameters and version are unchanged is not run again. What a person reads
// is then in dir/out: the exploration page, the report, the model card and the
// bundle.
func RunProject(ctx context.Context, dir string, opt Options) (*Run, error) {
	start := time.Now()
	p, err := project.Load(dir)
	if err != nil {
		return nil, err
	}
	cache, err := pipeline.Open(filepath.Join(dir, ".tandem", "cache"), pipeline.Options{
		Notify: func(message string) { opt.Talk.Line("            %s", message) }})
	if err != nil {
		return nil, err
	}
	s := &session{project: p, cache: cache, opt: opt, out: make(map[string]pipeline.Output)}
	run := &Run{Project: p, Out: filepath.Join(dir, "out")}
	opt.Talk.Line("run %s", p.Name)
	for _, st := range s.stages() {
		ran, err := s.do(ctx, st)
		if err != nil {
			return nil, err
		}
		run.Stages = append(run.Stages, st.name)
		if ran {
			run.Ran = append(run.Ran, st.name)
		}
	}
	if err := run.load(s); err != nil {
		return nil, err
	}
	run.Seconds = time.Since(start).Seconds()
	return run, nil
}

// session is one execution of a project's stages.
type session struct {
	project *project.Project
	cache   *pipeline.Cache
	opt     Options
	out     map[string]pipeline.Output
	in      *Ingested // nil until a stage needs the table
}

// stage is one step of the way from the source to the bundle.
type stage struct {
	name    string
	version int
	after   []string // stages whose outputs it reads
	inputs  func(ctx context.Context) (map[string]string, error)
	params  any
	make    func(ctx context.Context, dir string) error
}

// stages lists the way from raw file to bundle.
func (s *session) stages() []stage {
	p := s.project
	type search struct {
		Model project.Model
		Cost  project.Cost
		Seed  uint64
	}
	// What is said to people changes no model, so it is added after training.
	type words struct {
		Name    string
		Reasons int
		Texts   map[string]string
	}
	said := words{p.Name, p.Decision.Reasons, p.Decision.ReasonTexts}
	return []stage{
		{name: "ingest", version: ingestVersion, inputs: s.source, make: s.ingest,
			params: strictly(s.opt, s.ingestParams()...)},
		{name: "explore", version: exploreVersion, after: []string{"ingest"}, make: s.explore, params: p.Name},
		{name: "test", version: hypothesisVersion, after: []string{"ingest"}, make: s.test, params: p.Hypotheses},
		{name: "train", version: trainVersion, after: []string{"ingest"}, make: s.train,
			params: search{p.Model, p.Decision.Cost, p.Seed}},
		{name: "evaluate", version: evaluateVersion, after: []string{"ingest", "train"}, make: s.evaluate, params: p.Seed},
		{name: "explain", version: explainVersion, after: []string{"ingest", "train"}, make: s.explain, params: p.Seed},
		{name: "report", version: reportVersion, after: []string{"ingest", "explore", "test", "train", "evaluate", "explain"}, make: s.report,
			params: []any{said, p.Gates}},
		{name: "bundle", version: bundleVersion, after: []string{"train", "evaluate", "report"}, make: s.bundle, params: said},
	}
}

// do runs one stage or finds it in the cache; it reports whether it ran.
func (s *session) do(ctx context.Context, st stage) (bool, error) {
	inputs := make(map[string]string)
	if st.inputs != nil {
		var err error
		if inputs, err = st.inputs(ctx); err != nil {
			return false, err
		}
	}
	for _, name := range st.after {
		inputs[name] = s.out[name].Hash()
	}
	out, err := s.cache.Do(ctx, pipeline.Stage{Name: st.name, Version: st.version}, inputs, st.params, st.make)
	if err != nil {
		return false, err
	}
	s.out[st.name] = out
	if out.Cached {
		s.opt.Talk.Line("  %-9s unchanged", st.name)
	} else {
		s.opt.Talk.Line("  %-9s done in %.1f s", st.name, out.Seconds)
	}
	return !out.Cached, nil
}

// strictly are the parameters of a stage that reads: what was read with guesses
// is not what a strict run asks for.
func strictly(opt Options, params ...any) []any {
	if opt.Strict {
		params = append(params, "strict")
	}
	return params
}

// ingestParams are what the table and its contract depend on beside the source.
func (s *session) ingestParams() []any {
	p := s.project
	out := []any{p.Data, p.Contract, p.Model.Task, p.Model.Metric}
	if len(p.Clean) > 0 {
		out = append(out, p.Clean)
	}
	if p.Data.Contract != "" {
		if file, err := p.ContractFile(); err == nil { // if not, reading the data tells
			out = append(out, file)
		}
	}
	return out
}

func (s *session) source(ctx context.Context) (map[string]string, error) {
	h, err := ingest.HashOf(ctx, s.project.Data.Source, reading(s.project))
	if err != nil {
		return nil, err
	}
	return map[string]string{"source": h}, nil
}

// table reads the source, once.
func (s *session) table(ctx context.Context) (*Ingested, error) {
	if s.in == nil {
		in, err := read(ctx, s.project, s.opt)
		if err != nil {
			return nil, err
		}
		s.in = in
	}
	return s.in, nil
}

func (s *session) ingest(ctx context.Context, dir string) error {
	in, err := s.table(ctx)
	if err != nil {
		return err
	}
	in.talkAbout(s.opt.Talk)
	if err := ingest.WriteRejects(filepath.Join(dir, "rejects.csv"), in.Rejects); err != nil {
		return err
	}
	return errors.Join(
		writeJSON(filepath.Join(dir, "snapshot.json"), in.Snapshot),
		writeJSON(filepath.Join(dir, "contract.json"), in.Contract),
		writeJSON(filepath.Join(dir, "profile.json"), in.Profile),
		writeJSON(filepath.Join(dir, "target.json"), in.Target))
}

func (s *session) explore(ctx context.Context, dir string) error {
	in, err := s.table(ctx)
	if err != nil {
		return err
	}
	page, err := explorePage(in, s.project.Name)
	if err != nil {
		return err
	}
	return errors.Join(
		writeFile(filepath.Join(dir, "explore.html"), page.HTML),
		writeFile(filepath.Join(dir, "explore.json"), page.JSON),
		writeJSON(filepath.Join(dir, "alerts.json"), alerts(page)))
}

func (s *session) test(ctx context.Context, dir string) error {
	found := []bundle.Hypothesis{}
	if len(s.project.Hypotheses) > 0 {
		in, err := s.table(ctx)
		if err != nil {
			return err
		}
		if found, err = hypothesis.Test(in.Table, questions(s.project)); err != nil {
			return err
		}
	}
	for _, h := range found {
		s.opt.Talk.Line("            %s", h.Sentence)
	}
	return writeJSON(filepath.Join(dir, "hypotheses.json"), found)
}

func questions(p *project.Project) []hypothesis.Question {
	out := make([]hypothesis.Question, len(p.Hypotheses))
	for i, h := range p.Hypotheses {
		out[i] = hypothesis.Question(h)
	}
	return out
}

func (s *session) train(ctx context.Context, dir string) error {
	in, err := s.table(ctx)
	if err != nil {
		return err
	}
	silent := *s.project
	silent.Name, silent.Decision.Reasons, silent.Decision.ReasonTexts = "", 0, nil
	tr, err := train(ctx, in, &silent, s.opt)
	if err != nil {
		return err
	}
	if err := bundle.WriteFile(filepath.Join(dir, "model.tandem"), tr.Bundle); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "train.json"), tr.facts())
}

func (t *Trained) facts() TrainFacts {
	return TrainFacts{t.Split, t.Leaderboard, t.Chosen, t.Metric, t.Complete, t.Seconds}
}

// trained loads the train stage's output and adds the project's words to it.
func (s *session) trained() (*Trained, error) {
	var f TrainFacts
	if err := readJSON(filepath.Join(s.out["train"].Dir, "train.json"), &f); err != nil {
		return nil, err
	}
	b, err := bundle.Open(filepath.Join(s.out["train"].Dir, "model.tandem"))
	if err != nil {
		return nil, err
	}
	m := &b.Manifest
	m.Name, m.Reasons, m.Texts = s.project.Name, s.project.Decision.Reasons, s.project.Decision.ReasonTexts
	return &Trained{Bundle: b, Split: f.Split, Leaderboard: f.Leaderboard, Chosen: f.Chosen, Metric: f.Metric,
		Complete: f.Complete, Seconds: f.Seconds}, nil
}

// holdout loads the model and the rows it has never seen.
func (s *session) holdout(ctx context.Context) (tr *Trained, train, holdout prepared, err error) {
	in, err := s.table(ctx)
	if err != nil {
		return nil, prepared{}, prepared{}, err
	}
	if tr, err = s.trained(); err != nil {
		return nil, prepared{}, prepared{}, err
	}
	all, err := prepare(in.Table, &in.Contract, in.Target)
	if err != nil {
		return nil, prepared{}, prepared{}, err
	}
	return tr, take(all, tr.Split.Train), take(all, tr.Split.Holdout), nil
}

func (s *session) evaluate(ctx context.Context, dir string) error {
	tr, train, holdout, err := s.holdout(ctx)
	if err != nil {
		return err
	}
	ev, err := assess(tr.Bundle, holdout, train.y, s.project.Seed)
	if err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "evaluation.json"), ev)
}

func (s *session) explain(ctx context.Context, dir string) error {
	tr, _, holdout, err := s.holdout(ctx)
	if err != nil {
		return err
	}
	imp, err := importance(ctx, tr.Bundle, holdout, s.project.Seed)
	if err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "importance.json"), imp)
}

func (s *session) report(ctx context.Context, dir string) error {
	in, err := s.table(ctx)
	if err != nil {
		return err
	}
	tr, err := s.trained()
	if err != nil {
		return err
	}
	var ev Evaluation
	var imp []bundle.Importance
	var hyp []bundle.Hypothesis
	var warn []string
	if err := errors.Join(
		readJSON(filepath.Join(s.out["evaluate"].Dir, "evaluation.json"), &ev),
		readJSON(filepath.Join(s.out["explain"].Dir, "importance.json"), &imp),
		readJSON(filepath.Join(s.out["test"].Dir, "hypotheses.json"), &hyp),
		readJSON(filepath.Join(s.out["explore"].Dir, "alerts.json"), &warn)); err != nil {
		return err
	}
	c := card(in, s.project, tr, &ev, imp, hyp, warn)
	return errors.Join(writeJSON(filepath.Join(dir, "card.json"), c), writeReport(dir, tr.Bundle.Manifest, c))
}

// writeReport writes the report in its three forms.
func writeReport(dir string, m bundle.Manifest, c bundle.Card) error {
	r := report.New(m, c)
	return errors.Join(
		writeFile(filepath.Join(dir, "report.html"), r.HTML),
		writeFile(filepath.Join(dir, "report.md"), r.Markdown),
		writeFile(filepath.Join(dir, "report.json"), r.JSON))
}

func (s *session) bundle(_ context.Context, dir string) error {
	tr, err := s.trained()
	if err != nil {
		return err
	}
	var ev Evaluation
	if err := errors.Join(
		readJSON(filepath.Join(s.out["report"].Dir, "card.json"), &tr.Bundle.Card),
		readJSON(filepath.Join(s.out["evaluate"].Dir, "evaluation.json"), &ev)); err != nil {
		return err
	}
	tr.Bundle.Scores = ev.Scores
	return bundle.WriteFile(filepath.Join(dir, s.project.Name+".tandem"), tr.Bundle)
}

// published lists what a person gets from which stage.
func (s *session) published() map[string][]string {
	return map[string][]string{
		"ingest":  {"contract.json", "rejects.csv"},
		"explore": {"explore.html", "explore.json"},
		"test":    {"hypotheses.json"},
		"report":  {"report.html", "report.md", "report.json", "card.json"},
		"bundle":  {s.project.Name + ".tandem"},
	}
}

// load fills in the run's results and copies what a person reads to run.Out.
func (run *Run) load(s *session) error {
	if err := os.MkdirAll(run.Out, 0o755); err != nil {
		return fmt.Errorf("make the folder for results: %w", err)
	}
	for name, files := range s.published() {
		for _, f := range files {
			if err := publish(filepath.Join(s.out[name].Dir, f), filepath.Join(run.Out, f)); err != nil {
				return err
			}
		}
	}
	run.Path = filepath.Join(run.Out, s.project.Name+".tandem")
	b, err := bundle.Open(run.Path)
	if err != nil {
		return err
	}
	run.Bundle = b
	run.Trained = new(TrainFacts)
	return readJSON(filepath.Join(s.out["train"].Dir, "train.json"), run.Trained)
}

// publish copies a file unless the copy is there already.
func publish(from, to string) error {
	want, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	have, err := os.ReadFile(to)
	if err == nil && slices.Equal(have, want) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeBytes(to, want)
}

func explorePage(in *Ingested, title string) (*explore.Page, error) {
	return explore.Build(in.Table, in.Profile, &in.Contract, explore.Options{
		Title: title, Target: in.Target.Column, Positive: in.Target.Positive, Ingest: told(in.Findings, in.Rejects)})
}

// alerts returns the sentences of a page's alerts that are more than notes,
// most important first.
func alerts(page *explore.Page) []string {
	out := []string{}
	for _, a := range page.Alerts {
		if a.Severity != "low" {
			out = append(out, a.Sentence())
		}
	}
	return out
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
