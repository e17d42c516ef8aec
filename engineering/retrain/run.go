package retrain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// Version is a registered bundle.
type Version struct {
	Number int    `json:"version"`
	Bundle string `json:"bundle"` // id
}

// Registry is what a retraining needs of the model registry.
type Registry interface {
	// Champion returns the version that decides now.
	Champion(ctx context.Context, project string) (Version, error)

	// Add keeps a bundle for good and returns its version. The id in it is that
	// of the bytes that were kept.
	Add(ctx context.Context, project string, b *bundle.Bundle, note string) (Version, error)

	// Audit writes facts to the audit trail; when it returns they are durable.
	Audit(ctx context.Context, project, kind string, facts any) error

	// Promote makes to the champion and writes reason and evidence to the audit
	// trail, both or neither. It fails if the champion is not from.
	Promote(ctx context.Context, project string, from, to Version, reason string, evidence Evidence) error
}

// Step is a point of a retraining; each is passed once, in this order.
type Step string

// The steps. After StepPromoted the challenger is the champion; at every one
// before, nothing has changed for production.
const (
	StepSelected   Step = "selected"   // the decisions are divided
	StepTrained    Step = "trained"    // the challenger exists, in memory
	StepRegistered Step = "registered" // it is kept, without an alias
	StepJudged     Step = "judged"     // the verdict is known
	StepRecorded   Step = "recorded"   // the evidence is in the audit trail
	StepPromoted   Step = "promoted"
)

// Plan is one retraining.
type Plan struct {
	Project string

	// Entries are the project's decisions; those without an outcome are passed
	// over. See [decisions.Log.Settled].
	Entries []decisions.Entry

	// Champion is the bundle that decides now, as the registry says.
	Champion *bundle.Bundle

	// Now and Maturity say which outcomes count; see [Holdback].
	Now      time.Time
	Maturity time.Duration

	// Train makes a challenger from the decisions that it may learn from, and
	// whatever else it was trained on before. It must not look at any other
	// decision.
	Train func(ctx context.Context, train []decisions.Entry) (*bundle.Bundle, error)

	// Check says what the project demands of any champion, whoever it replaces:
	// its error is the reason why a challenger that is good enough otherwise
	// does not pass. It may be nil.
	Check func(challenger *bundle.Bundle) error

	Registry Registry
	Gate     Gate

	// DryRun stops before the champion changes.
	DryRun bool

	// AtStep is called when a step is done, for progress and for tests; an error
	// of it ends the run there, after StepPromoted excepted. It may be nil.
	AtStep func(Step) error
}

// The outcomes of a retraining.
const (
	Promoted  = "promoted"   // the challenger is the champion
	Kept      = "kept"       // the challenger did not pass; the champion stays
	TooFew    = "too few"    // there are too few outcomes to judge by, so nothing was trained
	WouldPass = "would pass" // a dry run whose challenger passed
)

// Result is how a retraining ended.
type Result struct {
	Outcome    string   `json:"outcome"`
	Reason     string   `json:"reason"` // one plain sentence
	Evidence   Evidence `json:"evidence"`
	Challenger Version  `json:"challenger"` // zero if none was trained
}

// Evidence is what a promotion, or a refusal, rests on.
type Evidence struct {
	Champion   Version   `json:"champion"`
	Challenger Version   `json:"challenger"`
	Train      int       `json:"train"`             // decisions the challenger was given to learn from
	Judge      int       `json:"judge"`             // decisions both were compared on
	Young      int       `json:"young"`             // left out: not mature
	Other      int       `json:"other"`             // left out: made by another bundle than the champion
	Refused    int       `json:"refused"`           // judging rows that the challenger's contract does not accept
	From       time.Time `json:"from,omitzero"`     // the oldest judging decision
	To         time.Time `json:"to,omitzero"`       // the newest
	Maturity   string    `json:"maturity"`          // as a duration: "720h0m0s"
	Verdict    *Verdict  `json:"verdict,omitempty"` // nil if nothing was compared
}

// The kinds of audit events that Run writes.
const (
	EventStarted = "retrain.started"
	EventJudged  = "retrain.judged"
	EventEnded   = "retrain.ended"
	EventFailed  = "retrain.failed"
)

// ErrChampionMoved is returned when the champion is not, or no longer, the
// bundle that the challenger was compared with.
var ErrChampionMoved = errors.New("the champion has changed meanwhile")

// refusedShare is the share of judging rows that a challenger's contract may
// refuse: more, and it would refuse real applicants.
const refusedShare = 0.01

// Run trains a challenger, compares it with the champion and promotes it if it
// passes. The result says how it ended; an error means that it could not be
// carried to its end, and then the champion is what it was before. (If
// Registry.Promote itself cannot tell whether it came through, only the
// registry can.)
//
// What is promoted is exactly what was compared: the challenger is kept first, and the
// kept bundle's id must be that of the bundle that was scored. The evidence is in the
// audit trail before the champion changes. If the champion changed while the
// challenger was trained, nothing is promoted (ErrChampionMoved).
func Run(ctx context.Context, plan Plan) (Result, error) {
	r := &run{Plan: plan}
	result, err := r.run(ctx)
	if err == nil {
		return result, nil
	}
	if r.step != "" {
		// The step is enough: what an error says may quote a person's data.
		ctx := context.WithoutCancel(ctx)
		err = errors.Join(err, r.Registry.Audit(ctx, r.Project, EventFailed, map[string]any{"after": r.step, "evidence": r.evidence}))
	}
	return Result{}, fmt.Errorf("retrain %s: %w", plan.Project, err)
}

type run struct {
	Plan
	evidence Evidence
	step     Step // the newest that is done
}

func (r *run) run(ctx context.Context) (Result, error) {
	if err := r.Gate.check(); err != nil {
		return Result{}, err
	}
	champion, err := r.Registry.Champion(ctx, r.Project)
	if err != nil {
		return Result{}, err
	}
	if champion.Bundle != r.Champion.ID() {
		return Result{}, fmt.Errorf("%w: version %d is bundle %s, not %s", ErrChampionMoved, champion.Number, short(champion.Bundle), short(r.Champion.ID()))
	}
	parts := Holdback(r.Entries, champion.Bundle, r.Now, r.Maturity)
	r.evidence = Evidence{
		Champion: champion, Train: len(parts.Train), Judge: len(parts.Judge),
		Young: parts.Young, Other: parts.Other, Maturity: r.Maturity.String(),
	}
	if n := len(parts.Judge); n > 0 {
		r.evidence.From, r.evidence.To = parts.Judge[0].Time, parts.Judge[n-1].Time
	}
	if err := r.Registry.Audit(ctx, r.Project, EventStarted, r.evidence); err != nil {
		return Result{}, err
	}
	if err := r.at(ctx, StepSelected); err != nil {
		return Result{}, err
	}
	if n := len(parts.Judge); n < r.Gate.MinRows {
		return r.end(ctx, TooFew, fmt.Sprintf("%d mature decisions of the champion have an outcome; a challenger is judged by at least %d", n, r.Gate.MinRows))
	}

	challenger, err := r.Train(ctx, parts.Train)
	if err != nil {
		return Result{}, fmt.Errorf("train the challenger: %w", err)
	}
	if err := comparable(r.Champion, challenger); err != nil {
		return Result{}, err
	}
	if err := r.at(ctx, StepTrained); err != nil {
		return Result{}, err
	}
	r.evidence.Challenger, err = r.Registry.Add(ctx, r.Project, challenger, "challenger of version "+strconv.Itoa(champion.Number))
	if err != nil {
		return Result{}, fmt.Errorf("keep the challenger: %w", err)
	}
	if kept := r.evidence.Challenger; kept.Bundle != challenger.ID() {
		return Result{}, fmt.Errorf("the registry kept bundle %s where %s was trained", short(kept.Bundle), short(challenger.ID()))
	}
	if err := r.at(ctx, StepRegistered); err != nil {
		return Result{}, err
	}
	if r.evidence.Challenger.Bundle == champion.Bundle {
		return r.end(ctx, Kept, "the challenger is the champion, bit for bit")
	}

	verdict, err := r.compare(challenger, parts.Judge)
	if err != nil {
		return Result{}, err
	}
	if r.Check != nil {
		if err := r.Check(challenger); err != nil {
			verdict.refuse("%v", err)
		}
	}
	r.evidence.Verdict = &verdict
	if err := r.at(ctx, StepJudged); err != nil {
		return Result{}, err
	}
	if err := r.Registry.Audit(ctx, r.Project, EventJudged, r.evidence); err != nil {
		return Result{}, err
	}
	if err := r.at(ctx, StepRecorded); err != nil {
		return Result{}, err
	}
	reason := strings.Join(verdict.Reasons, "; ")
	switch {
	case !verdict.Promote:
		return r.end(ctx, Kept, reason)
	case r.DryRun:
		return r.end(ctx, WouldPass, reason)
	}
	if err := r.Registry.Promote(ctx, r.Project, champion, r.evidence.Challenger, reason, r.evidence); err != nil {
		return Result{}, fmt.Errorf("promote version %d: %w", r.evidence.Challenger.Number, err)
	}
	if r.AtStep != nil {
		_ = r.AtStep(StepPromoted) // too late to stop
	}
	return r.result(Promoted, reason), nil
}

// at marks a step and looks whether the run should go on.
func (r *run) at(ctx context.Context, s Step) error {
	r.step = s
	if r.AtStep != nil {
		if err := r.AtStep(s); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (r *run) result(outcome, reason string) Result {
	return Result{Outcome: outcome, Reason: reason, Evidence: r.evidence, Challenger: r.evidence.Challenger}
}

// end records that the champion stays, and why.
func (r *run) end(ctx context.Context, outcome, reason string) (Result, error) {
	result := r.result(outcome, reason)
	return result, r.Registry.Audit(ctx, r.Project, EventEnded, result)
}

// comparable returns an error if the two bundles answer different questions.
func comparable(champion, challenger *bundle.Bundle) error {
	a, b := champion.Manifest, challenger.Manifest
	switch {
	case a.Task != b.Task || a.Target != b.Target:
		return fmt.Errorf("the challenger predicts %s %q, the champion %s %q: they cannot be compared", b.Task, b.Target, a.Task, a.Target)
	case champion.Decision.Positive != challenger.Decision.Positive || champion.Decision.Negative != challenger.Decision.Negative:
		return fmt.Errorf("the challenger decides between %q and %q, the champion between %q and %q: they cannot be compared",
			challenger.Decision.Positive, challenger.Decision.Negative, champion.Decision.Positive, champion.Decision.Negative)
	}
	return nil
}

// compare scores the judging rows with the challenger and judges. The
// champion's scores are those it gave when it decided.
func (r *run) compare(challenger *bundle.Bundle, judge []decisions.Entry) (Verdict, error) {
	layout := challenger.Layout()
	row := make([]float64, layout.Cols())
	var a, b, y []float64
	for i := range judge {
		e := &judge[i]
		target, err := outcomeOf(r.Champion, e.Outcome.Value)
		if err != nil {
			return Verdict{}, fmt.Errorf("decision %s: %w", e.ID, err)
		}
		if _, err := layout.DecodeJSON(row, e.Inputs, false); err != nil {
			r.evidence.Refused++
			continue
		}
		_, score := challenger.Score(row)
		a, b, y = append(a, e.Score), append(b, score), append(y, target)
	}
	v, err := Judge(r.Champion.Manifest.Task, a, b, y, r.Gate)
	if err != nil {
		return Verdict{}, err
	}
	if float64(r.evidence.Refused) > refusedShare*float64(len(judge)) {
		v.refuse("its contract refuses %d of %d decisions that the champion made", r.evidence.Refused, len(judge))
	}
	return v, nil
}

// outcomeOf returns the target's value: 1 for the positive class, 0 for the
// other, or the number.
func outcomeOf(b *bundle.Bundle, value string) (float64, error) {
	if b.Manifest.Task == bundle.Regression {
		y, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || math.IsNaN(y) || math.IsInf(y, 0) {
			return 0, errors.New("its outcome is not a number")
		}
		return y, nil
	}
	switch {
	case data.SameValue(value, b.Decision.Positive):
		return 1, nil
	case data.SameValue(value, b.Decision.Negative):
		return 0, nil
	}
	return 0, data.WithHint(fmt.Errorf("its outcome is neither %q nor %q", b.Decision.Positive, b.Decision.Negative),
		"send the right outcome; the newest one counts")
}

// short is an id as people compare it.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
