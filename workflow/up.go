package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/engineering/trace"
	"github.com/tandem-ml/tandem/project"
)

// UpOptions are the settings of [Up].
type UpOptions struct {
	Options
	Address string // host:port; "": the project's
	GRPC    string // host:port of the gRPC door; "": none

	Durability string // of the decision log; "": the project's

	Access  serve.Access // who may ask; without a folder of keys the project's own counts, if it has any
	Streams Streams      // topics that it writes to and reads from
	Logger  *slog.Logger // the server's own log; nil: silent

	Tracer      trace.Tracer // this and the next two as in [serve.Options]
	AccessLog   *slog.Logger
	AccessShare float64

	Ready func(url string) // called once the server answers; may be nil
}

// Up runs what is stale, registers the bundle, and serves the project's
// champion until ctx ends. A new bundle becomes champion if the project's
// gates hold. If they do not, or the run itself fails, the champion that was
// there goes on answering, and the reason is told; without one the error is
// ErrNotHeld, or the run's. A bundle is put to the gates once: a champion that
// a retraining or a person has set since is not displaced by running again what
// was run before.
func Up(ctx context.Context, dir string, opt UpOptions) (err error) {
	p, err := project.Load(dir)
	if err != nil {
		return err
	}
	switch opt.Durability {
	case "":
	case string(decisions.OS), string(decisions.Disk), string(decisions.Async):
		p.Decisions.Durability = opt.Durability
	default:
		return Usagef("durability %q is none of os, disk, async", opt.Durability)
	}
	streams, err := opt.Streams.parse()
	if err != nil {
		return err
	}
	address := opt.Address
	if address == "" {
		address = p.Serve.Address
	}
	if opt.Access.Keys == "" && hasKeys(KeysDir(dir)) {
		opt.Access.Keys = KeysDir(dir)
	}
	access := serve.Options{Logger: opt.Logger, Tracer: opt.Tracer, AccessLog: opt.AccessLog, AccessShare: opt.AccessShare}
	if err := opt.Access.Apply(&access); err != nil {
		return err
	}
	// The port and the lock first: neither failure should follow a training. If
	// both are taken it is by a server of this project, which the lock names.
	listener, taken := opt.Access.Listen(address)
	if errors.Is(taken, serve.ErrNotLoopback) {
		return taken
	}
	if taken == nil {
		defer listener.Close() // harmless after serving has closed it
	}
	var door net.Listener
	if opt.GRPC != "" {
		if door, err = opt.Access.Listen(opt.GRPC); err != nil {
			return err
		}
		defer door.Close()
	}
	s, err := openService(ctx, p, opt.Talk, access, opt.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if taken != nil {
		return taken
	}
	s.watch.alarm = func(id, text string) { s.talk.Line("%s  bundle %s: %s", clock(), short(id), text) }
	run, err := RunProject(ctx, dir, opt.Options)
	if err == nil {
		err = s.enter(ctx, run)
	} else {
		err = s.goOn(ctx, err)
	}
	if err != nil {
		return err
	}
	s.streams = streams
	return s.serve(ctx, listener, door, opt.Ready)
}

// goOn puts the champion into service that is there although a run has failed;
// if there is none it returns the run's error.
func (s *service) goOn(ctx context.Context, failed error) error {
	champion, has, err := s.registry.Alias(ctx, s.project.Name, registry.Champion)
	if ctx.Err() != nil || err != nil || !has {
		return failed
	}
	s.talk.Line("  failed    the run: %v", failed)
	var hint *data.Hinted
	if errors.As(failed, &hint) {
		s.talk.Line("            %s", hint.Hint)
	}
	s.talk.Line("            version %d goes on answering", champion.Number)
	s.refuse("it ended with an error, which stands on the server's stderr")
	return s.follow(ctx)
}

// refuse notes for the pages why the newest run's bundle does not answer.
func (s *service) refuse(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = reason
}

// enter registers a run's bundle and decides whether it is the champion.
func (s *service) enter(ctx context.Context, run *Run) error {
	name := s.project.Name
	content, err := os.ReadFile(run.Path)
	if err != nil {
		return err
	}
	v, err := s.registry.AddVersion(ctx, name, run.Bundle.ID(), content, "run")
	if err != nil {
		return err
	}
	judged, err := s.judged(ctx, v.Bundle)
	if err != nil {
		return err
	}
	champion, has, err := s.registry.Alias(ctx, name, registry.Champion)
	if err != nil {
		return err
	}
	held := GatesHeld(run.Bundle.Card)
	if held == nil && (!judged || !has) {
		err = s.registry.Promote(ctx, registry.Promotion{Project: name, Alias: registry.Champion, Version: v.Number,
			Reason: "the gates of the project held", Evidence: run.Bundle.Card.Gates})
		if err != nil {
			return err
		}
	}
	// Last, so that a process that died on the way here judges again.
	if !judged {
		if err := s.record(ctx, run, held); err != nil {
			return err
		}
	}
	switch {
	case held != nil && !has:
		return data.WithHint(fmt.Errorf("nothing is served: %w", held), "mend the data or the gates of tandem.yaml; the report is in %s", run.Out)
	case held != nil && champion.Bundle != v.Bundle:
		s.refuse(held.Error())
		s.talk.Line("  refused   version %d: %v; version %d goes on answering", v.Number, held, champion.Number)
	}
	return s.follow(ctx)
}

// judged reports whether a bundle was put to the project's gates before. A
// version alone does not say so: the process may have died in between.
func (s *service) judged(ctx context.Context, id string) (bool, error) {
	runs, err := s.registry.Runs(ctx, s.project.Name, 0)
	return slices.ContainsFunc(runs, func(r registry.Run) bool { return r.Kind == "run" && r.Bundle == id }), err
}

// record writes a run into the registry, with the refusal if there was one.
func (s *service) record(ctx context.Context, run *Run, held error) error {
	outcome := "done"
	if held != nil {
		outcome = held.Error()
		if err := s.registry.Audit(ctx, s.project.Name, "refused", map[string]any{
			"bundle": run.Bundle.ID(), "reason": outcome, "gates": run.Bundle.Card.Gates}); err != nil {
			return err
		}
	}
	measures, err := json.Marshal(run.Bundle.Card.Holdout)
	if err != nil {
		return err
	}
	end := time.Now()
	_, err = s.registry.AddRun(ctx, registry.Run{Project: s.project.Name, Kind: "run", Outcome: outcome, Metrics: measures,
		Bundle: run.Bundle.ID(), Start: end.Add(-time.Duration(run.Seconds * float64(time.Second))), End: end})
	return err
}

// serve answers on l, and over gRPC on g unless it is nil, until ctx ends, follows the registry, watches the log and moves what streams.
func (s *service) serve(ctx context.Context, l, g net.Listener, ready func(string)) error {
	streaming, err := s.stream(s.streams)
	if err != nil {
		return err
	}
	defer streaming.close()
	url := s.server.URL(l.Addr())
	s.talk.Line("  serving   %s version %d on %s   (Ctrl-C stops)", s.project.Name, s.champion.Number, url)
	beside, stop := context.WithCancel(ctx)
	// The sink is the last to stop: it sends what is decided until then.
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	var workers, sender sync.WaitGroup
	workers.Go(func() { s.followRegistry(beside) })
	workers.Go(func() { s.watchLog(beside) })
	workers.Go(func() { s.eraseLog(beside) })
	workers.Go(func() { s.tendLog(beside) })
	if streaming.sink != nil {
		sender.Go(func() { streaming.sink.Run(sending) })
	}
	defer sender.Wait()
	defer stopSending()
	defer workers.Wait()
	defer stop()
	if ready != nil {
		ready(url)
	}
	if streaming.scorer == nil {
		return s.server.ServeBoth(ctx, l, g)
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return s.server.ServeBoth(ctx, l, g) })
	both.Go(func() error { return streaming.scorer.Run(ctx) })
	return both.Wait()
}
