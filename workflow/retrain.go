package workflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/retrain"
	"github.com/tandem-ml/tandem/engineering/rollout"
	"github.com/tandem-ml/tandem/metrics"
	"github.com/tandem-ml/tandem/project"
)

// RetrainOptions are the settings of [Retrain].
type RetrainOptions struct {
	Options
	DryRun bool
	Now    func() time.Time         // nil: time.Now
	AtStep func(retrain.Step) error // for tests that stop a retraining half-way; may be nil
	spoil  func([]decisions.Entry)  // changes what the challenger learns from; for the demo's planted failure
}

// Retrain trains a challenger on the project's data and on the logged
// decisions whose outcomes are known, compares it with the champion on the
// newest of these decisions, which neither has learned from, and promotes it
// if the gate holds. A server that runs beside it follows within a second.
func Retrain(ctx context.Context, dir string, opt RetrainOptions) (retrain.Result, error) {
	p, err := project.Load(dir)
	if err != nil {
		return retrain.Result{}, err
	}
	log, err := decisions.OpenReadOnly(decisionsDir(p.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return retrain.Result{}, data.WithHint(fmt.Errorf("project %q has no decisions yet", p.Name), "they are logged by: tandem up %s", dir)
	}
	if err != nil {
		return retrain.Result{}, err
	}
	defer log.Close()
	reg, err := registry.Open(ctx, stateDir(p.Dir))
	if err != nil {
		return retrain.Result{}, err
	}
	defer reg.Close()
	return renew(ctx, p, reg, log, opt)
}

// renew is Retrain on what is already open.
func renew(ctx context.Context, p *project.Project, reg *registry.Registry, log *decisions.Log, opt RetrainOptions) (retrain.Result, error) {
	start := time.Now()
	if opt.Now == nil {
		opt.Now = time.Now
	}
	v, set, err := reg.Alias(ctx, p.Name, registry.Champion)
	if err != nil {
		return retrain.Result{}, err
	}
	if !set {
		return retrain.Result{}, data.WithHint(fmt.Errorf("project %q has no champion to renew", p.Name), "make one with: tandem up %s", p.Dir)
	}
	champion, err := openBundle(reg, make(map[string]*bundle.Bundle), v.Bundle)
	if err != nil {
		return retrain.Result{}, err
	}
	entries, err := log.Settled(p.Name)
	if err != nil {
		return retrain.Result{}, err
	}
	opt.Talk.Line("retrain %s: %d decisions have an outcome", p.Name, len(entries))
	gate := retrain.DefaultGate()
	gate.NonInferior, gate.Confidence, gate.Seed = p.Retrain.Gate.NonInferior, p.Retrain.Gate.Confidence, p.Seed
	result, err := retrain.Run(ctx, retrain.Plan{
		Project: p.Name, Entries: entries, Champion: champion, Now: opt.Now(), Maturity: p.Monitor.Maturity, Gate: gate,
		Registry: shelf{reg}, DryRun: opt.DryRun,
		Check: func(b *bundle.Bundle) error {
			if err := GatesHeld(b.Card); err != nil {
				return err
			}
			return rollout.Compatible(champion, b)
		},
		Train: func(ctx context.Context, train []decisions.Entry) (*bundle.Bundle, error) {
			if opt.spoil != nil {
				train = slices.Clone(train)
				opt.spoil(train)
			}
			return challenger(ctx, p, train, opt.Options)
		},
		AtStep: func(s retrain.Step) error {
			opt.Talk.Line("  %s", s)
			if opt.AtStep != nil {
				return opt.AtStep(s)
			}
			return nil
		},
	})
	if err != nil {
		return result, err
	}
	evidence, err := json.Marshal(result.Evidence)
	if err != nil {
		return result, err
	}
	_, err = reg.AddRun(ctx, registry.Run{Project: p.Name, Kind: "retrain", Start: start, End: time.Now(),
		Outcome: result.Outcome + ": " + result.Reason, Metrics: evidence, Bundle: result.Challenger.Bundle})
	return result, err
}

// shelf is the registry as a retraining sees it.
type shelf struct{ *registry.Registry }

func (s shelf) Champion(ctx context.Context, project string) (retrain.Version, error) {
	v, set, err := s.Alias(ctx, project, registry.Champion)
	if err == nil && !set {
		err = fmt.Errorf("project %q has no champion", project)
	}
	return retrain.Version{Number: v.Number, Bundle: v.Bundle}, err
}

func (s shelf) Add(ctx context.Context, project string, b *bundle.Bundle, note string) (retrain.Version, error) {
	content, err := bundle.Encode(b)
	if err != nil {
		return retrain.Version{}, err
	}
	v, err := s.AddVersion(ctx, project, b.ID(), content, note)
	return retrain.Version{Number: v.Number, Bundle: v.Bundle}, err
}

func (s shelf) Promote(ctx context.Context, project string, from, to retrain.Version, reason string, evidence retrain.Evidence) error {
	err := s.Registry.Promote(ctx, registry.Promotion{Project: project, Alias: registry.Champion, Version: to.Number,
		Expect: from.Number, Reason: reason, Evidence: evidence})
	if errors.Is(err, registry.ErrMoved) {
		return fmt.Errorf("%w: %w", retrain.ErrChampionMoved, err)
	}
	return err
}

const (
	// validationShare is the newest part of what a challenger may learn from
	// that chooses between its candidates and measures the chosen one.
	validationShare = 0.2
	// leastHistory is the least number of rows a candidate is trained on.
	leastHistory = 1000
	// candidates is how many stretches of history are tried at most.
	candidates = 4
)

// challenger trains on the project's table followed by logged decisions.
//
// When the world has changed, old rows teach what is no longer true; when it
// has not, every row helps. Which it is, the data say: candidates learn from
// the whole history, from its newest half, quarter and eighth, and the one
// that does best on the newest fifth of the decisions, which none learned
// from, is the challenger. Its card is measured on that fifth.
func challenger(ctx context.Context, p *project.Project, train []decisions.Entry, opt Options) (*bundle.Bundle, error) {
	in, err := read(ctx, p, opt)
	if err != nil {
		return nil, err
	}
	logged, err := tableOf(train, in.Table, &in.Contract, p.Data.Target)
	if err != nil {
		return nil, err
	}
	all, err := data.Concat(in.Table, logged)
	if err != nil {
		return nil, err
	}
	known := in.Snapshot
	newest := int(validationShare * float64(len(train)))
	history := all.Rows() - newest
	validation := all.Gather(span(history, all.Rows()))

	lengths := []int{history}
	for n := history / 2; n >= leastHistory && len(lengths) < candidates && newest > 0; n /= 2 {
		lengths = append(lengths, n)
	}
	part := *p
	part.Model.Budget = p.Model.Budget / time.Duration(len(lengths))
	opt.NoHoldout = newest > 0
	var best *bundle.Bundle
	bestScore := 0.0
	for _, n := range lengths {
		candidate := &Ingested{Snapshot: combined(known, train, n)}
		if err := candidate.learn(all.Gather(span(history-n, history)), &part); err != nil {
			opt.Talk.Line("    the newest %d rows alone cannot be learned from: %v", n, err)
			continue
		}
		b, score, err := attempt(ctx, candidate, &part, validation, opt)
		if err != nil {
			if ctx.Err() != nil || n == history {
				return nil, err
			}
			opt.Talk.Line("    the newest %d rows alone cannot be learned from: %v", n, err)
			continue
		}
		opt.Talk.Line("    from the newest %d rows: %s %.4f on the %d after them", n, b.Card.Metric, score, b.Card.Split.Holdout)
		if best == nil || better(b.Manifest.Task, score, bestScore) {
			best, bestScore = b, score
		}
	}
	if best == nil {
		return nil, errors.New("no stretch of the history can be learned from")
	}
	return best, nil
}

// better compares AUC, of which more is better, or RMSE.
func better(task bundle.Task, a, b float64) bool {
	if task == bundle.Regression {
		return a < b
	}
	return a > b
}

// attempt trains on one stretch of history and measures on what came after it.
func attempt(ctx context.Context, in *Ingested, p *project.Project, validation *data.Table, opt Options) (*bundle.Bundle, float64, error) {
	tr, err := train(ctx, in, p, opt)
	if err != nil {
		return nil, 0, err
	}
	all, err := prepare(in.Table, &in.Contract, in.Target)
	if err != nil {
		return nil, 0, err
	}
	holdout := take(all, tr.Split.Holdout)
	if validation.Rows() > 0 {
		// The contract was learned from the stretch: rows after it that it
		// refuses would be refused in production as well.
		if holdout, err = accepted(validation, &in.Contract, in.Target); err != nil {
			return nil, 0, err
		}
		tr.Split.Method = "out-of-time"
	}
	ev, err := assess(tr.Bundle, holdout, take(all, tr.Split.Train).y, p.Seed)
	if err != nil {
		return nil, 0, err
	}
	imp, err := importance(ctx, tr.Bundle, holdout, p.Seed)
	if err != nil {
		return nil, 0, err
	}
	tr.Bundle.Card = card(in, p, tr, ev, imp, nil, nil)
	tr.Bundle.Scores = ev.Scores
	if tr.Bundle, err = bundle.New(*tr.Bundle); err != nil {
		return nil, 0, err
	}
	score := scores(tr.Bundle, holdout.rows)
	if in.Target.Task == bundle.Regression {
		rmse, err := metrics.RMSE(holdout.y, score)
		return tr.Bundle, rmse, err
	}
	label := make([]bool, len(holdout.y))
	for i, y := range holdout.y {
		label[i] = y == 1
	}
	auc, err := metrics.AUC(label, score, nil)
	return tr.Bundle, auc, err
}

// accepted encodes the rows of a table that keep the contract.
func accepted(t *data.Table, c *data.Contract, target Target) (prepared, error) {
	layout, err := bundle.NewLayout(c)
	if err != nil {
		return prepared{}, err
	}
	rows, bad, err := layout.EncodeTable(t)
	if err != nil {
		return prepared{}, err
	}
	y, err := target.labels(t.Column(target.Column))
	if err != nil {
		return prepared{}, err
	}
	keep := make([]int, 0, rows.N)
	for i := range rows.N {
		if bad[i] == nil {
			keep = append(keep, i)
		}
	}
	if len(keep) == 0 {
		return prepared{}, errors.New("no row keeps the contract")
	}
	return take(prepared{rows, y}, keep), nil
}

func span(from, to int) []int {
	out := make([]int, to-from)
	for i := range out {
		out[i] = from + i
	}
	return out
}

// combined identifies a source together with logged decisions, of which the
// newest rows were used.
func combined(source data.Snapshot, train []decisions.Entry, rows int) data.Snapshot {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%d\n", source.SHA256, rows)
	for _, e := range train {
		fmt.Fprintf(h, "%s %s\n", e.ID, e.Outcome.Value)
	}
	source.SHA256 = hex.EncodeToString(h.Sum(nil))
	source.Source = fmt.Sprintf("%s and %d logged decisions", source.Source, len(train))
	source.Rows = rows
	return source
}
