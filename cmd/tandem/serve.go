package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/engineering/observe"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/engineering/settings"
	"github.com/tandem-ml/tandem/workflow"
)

func (s *shared) upCommand() *cobra.Command {
	var opt workflow.UpOptions
	var observed observe.Settings
	c := &cobra.Command{
		Use: "up [DIR]", GroupID: "engineering", Args: cobra.MaximumNArgs(1),
		Short: "Run what is stale, then serve the project's champion, watched, with its pages",
		RunE: func(c *cobra.Command, args []string) error {
			seen, err := observed.Open(c.Context(), s.stderr)
			if err != nil {
				return &workflow.UsageError{Err: err}
			}
			defer seen.Close()
			opt.Talk, opt.Logger, opt.Tracer, opt.AccessLog, opt.AccessShare = s.talk(), seen.Logger, seen.Tracer, seen.Access, observed.Access
			return listening(workflow.Up(c.Context(), folder(args), opt))
		},
	}
	c.Flags().StringVar(&opt.Address, "address", "", "host:port to listen on (default: serve.address of tandem.yaml)")
	c.Flags().IntVar(&opt.Workers, "workers", 0, "how many processors to train with (0: all)")
	c.Flags().StringVar(&opt.Durability, "durability", "", "when a decision counts as logged: os, disk or async (default: decisions.durability of tandem.yaml)")
	c.Flags().StringVar(&opt.GRPC, "grpc-address", "", "host:port of the Open Inference Protocol over gRPC (default: none)")
	accessFlags(c, &opt.Access, &observed)
	streamFlags(c, &opt.Streams)
	return c
}

func (s *shared) serveCommand() *cobra.Command {
	set := settings.New()
	set.Alone.Called = true
	var streams workflow.Streams
	c := &cobra.Command{
		Use: "serve [BUNDLE...]", GroupID: "engineering",
		Short: "Serve bundles alone, without a project",
		Long: `Serve answers with the given bundles, files, folders of them, https://, s3:// or
gs:// addresses, followed as they change (docs/scorer.md), each under its file's
name without .tandem: POST /v1/score/NAME, the Open Inference Protocol
under /v2, KServe's under /v1/models, and POST /invocations if there is one
bundle. Nothing is kept or watched; a project's decisions are, by tandem up. With
--sink, a decision is answered when Kafka has it.

With --consume and --produce it also scores the rows of a topic into another,
each exactly once: docs/streaming.md.

In a container of Vertex AI, SageMaker or Azure Machine Learning, known by
their environment variables or by a folder /opt/ml/model, it takes the bundles,
the port and the routes that the platform has chosen.`,
		RunE: func(c *cobra.Command, args []string) error {
			talk := s.talk()
			seen, err := set.Observe.Open(c.Context(), s.stderr)
			if err != nil {
				return &workflow.UsageError{Err: err}
			}
			defer seen.Close()
			set.Alone.Bundles, set.Alone.Logger, set.Alone.Say = args, seen.Logger, talk.Line
			set.Alone.Tracer, set.Alone.AccessLog, set.Alone.AccessShare = seen.Tracer, seen.Access, set.Observe.Access
			settings.Secrets(set, os.Getenv)
			if err := set.Token(); err != nil {
				return &workflow.UsageError{Err: err}
			}
			set.Follow.Fetch.Getenv = os.Getenv
			err = workflow.ServeAlone(c.Context(), *set.Alone, *set.Follow, streams)
			if errors.Is(err, serve.ErrNoBundle) || errors.Is(err, serve.ErrBeside) {
				return &workflow.UsageError{Err: err}
			}
			return listening(err)
		},
	}
	settingFlags(c, set, settings.Serving)
	accessFlags(c, &set.Alone.Access, set.Observe)
	streamFlags(c, &streams)
	return c
}

func streamFlags(c *cobra.Command, s *workflow.Streams) {
	c.Flags().StringVar(&s.Sink, "sink", "", "kafka://HOST:PORT/TOPIC that decisions go to (default: none)")
	c.Flags().StringVar(&s.Consume, "consume", "", "kafka://HOST:PORT/TOPIC?group=NAME whose rows are scored (default: none)")
	c.Flags().StringVar(&s.Produce, "produce", "", "kafka:///TOPIC that their scores go to")
}

// listening makes an address that other machines could reach a usage error.
func listening(err error) error {
	if errors.Is(err, serve.ErrNotLoopback) {
		return &workflow.UsageError{Err: err}
	}
	return err
}

func folder(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return "."
}
