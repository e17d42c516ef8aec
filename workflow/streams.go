package workflow

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/follow"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/engineering/stream"
)

// Streams are the topics that a server writes to and reads from, as
// [stream.ParseAddress] takes them. "": none.
type Streams struct {
	Sink    string // decisions go there
	Consume string // rows come from there,
	Produce string // and their scores go there
}

// addresses are those of Streams that were given, nil otherwise.
type addresses struct{ sink, from, to *stream.Address }

// parse checks what can be checked without a broker. Its errors are of usage.
func (s Streams) parse() (a addresses, err error) {
	if (s.Consume == "") != (s.Produce == "") {
		return a, Usagef("--consume and --produce go together")
	}
	for _, one := range []struct {
		text string
		role stream.Role
		to   **stream.Address
	}{{s.Sink, stream.Out, &a.sink}, {s.Consume, stream.Consume, &a.from}, {s.Produce, stream.Produce, &a.to}} {
		if one.text == "" {
			continue
		}
		address, err := stream.ParseAddress(one.text, one.role)
		if err != nil {
			return a, &UsageError{Err: err}
		}
		*one.to = &address
	}
	return a, nil
}

// sinksDir is where the positions of a project's sinks lie.
func sinksDir(dir string) string { return filepath.Join(stateDir(dir), "sinks") }

// scorer returns what scores the topic with a server's models, nil if there is none.
func (a addresses) scorer(server *serve.Server, project string, tell func(string)) (*stream.Scorer, error) {
	if a.from == nil {
		return nil, nil
	}
	if a.from.Project != "" {
		project = a.from.Project
	}
	var names []string
	known := false
	for _, m := range server.Models() {
		names = append(names, m.Project)
		known = known || m.Project == project
	}
	switch {
	case project == "" && len(names) == 1:
		project = names[0]
	case !known:
		return nil, &UsageError{Err: data.WithHint(fmt.Errorf("--consume does not say which model scores, or one that is not served: %q", project),
			"add project= with one of: %s", strings.Join(names, ", "))}
	}
	s, err := stream.NewScorer(*a.from, *a.to, func(ctx context.Context, messages []stream.Message) ([]stream.Reply, error) {
		in := make([]serve.Message, len(messages))
		for i, m := range messages {
			in[i] = serve.Message(m)
		}
		replies, err := server.Block(ctx, project, in, !a.to.Silent)
		out := make([]stream.Reply, len(replies))
		for i, r := range replies {
			out[i] = stream.Reply(r)
		}
		return out, err
	}, stream.Options{Tell: tell})
	if err != nil {
		return nil, &UsageError{Err: err}
	}
	return s, show(server, s.Measures())
}

// show puts measures of a stream under the server's /metrics.
func show(server *serve.Server, measures []stream.Measure) error {
	for _, m := range measures {
		if err := server.Measure(m.Name, m.Help, m.Counter, m.Value); err != nil {
			return err
		}
	}
	return nil
}

// ServeAlone is [serve.Alone.Run] with places that are followed and with streams:
// decisions are kept in the sink's topic, since there is no log, and rows of the other topic are scored.
func ServeAlone(ctx context.Context, alone serve.Alone, places follow.Options, streams Streams) (err error) {
	a, err := streams.parse()
	if err != nil {
		return err
	}
	tell := func(text string) { alone.Say("%s  %s", clock(), text) }
	var topic *stream.Topic
	if a.sink != nil {
		if topic, err = stream.OpenTopic(*a.sink, stream.Options{Tell: tell}); err != nil {
			return &UsageError{Err: err}
		}
		defer topic.Close()
		alone.Append = topic.Append
	}
	alone.Beside = func(server *serve.Server) (func(context.Context) error, error) {
		if topic != nil {
			if err := show(server, topic.Measures()); err != nil {
				return nil, err
			}
		}
		scorer, err := a.scorer(server, "", tell)
		if scorer == nil || err != nil {
			return nil, err
		}
		alone.Say("scoring %s into %s", a.from.Topic, a.to.Topic)
		return scorer.Run, nil
	}
	places.Say = func(format string, args ...any) { tell(fmt.Sprintf(format, args...)) }
	follow.Attach(&alone, places)
	return alone.Run(ctx)
}

// streaming is what runs beside the server of a project.
type streaming struct {
	sink   *stream.Sink
	scorer *stream.Scorer
}

// stream opens a project's streams. It does not wait for brokers.
func (s *service) stream(a addresses) (out streaming, err error) {
	tell := func(text string) { s.talk.Line("%s  %s", clock(), text) }
	if a.sink != nil {
		if out.sink, err = stream.OpenSink(s.log, sinksDir(s.project.Dir), *a.sink, stream.Options{Tell: tell}); err != nil {
			return out, err
		}
		if err := show(s.server, out.sink.Measures()); err != nil {
			out.close()
			return out, err
		}
		s.talk.Line("  sending   decisions and outcomes to %s", a.sink.Topic)
	}
	if out.scorer, err = a.scorer(s.server, s.project.Name, tell); err != nil {
		out.close()
		return out, err
	}
	if out.scorer != nil {
		s.talk.Line("  scoring   %s into %s", a.from.Topic, a.to.Topic)
	}
	return out, nil
}

func (s streaming) close() {
	if s.sink != nil {
		s.sink.Close()
	}
}

// Unsent returns the position from which on a sink of the project in dir still needs
// its decision log; ok is false if it has no sinks. See [stream.Unsent].
func Unsent(dir string) (first decisions.Position, ok bool, err error) {
	return stream.Unsent(sinksDir(dir))
}
