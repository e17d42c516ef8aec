package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/engineering/observe"
	"github.com/tandem-ml/tandem/engineering/serve"
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
	accessFlags(c, &opt.Access)
	streamFlags(c, &opt.Streams)
	observeFlags(c, &observed)
	return c
}

func (s *shared) serveCommand() *cobra.Command {
	alone := serve.Alone{Called: true}
	var streams workflow.Streams
	var observed observe.Settings
	c := &cobra.Command{
		Use: "serve [BUNDLE...]", GroupID: "engineering",
		Short: "Serve bundles alone, without a project",
		Long: `Serve answers with the given bundles, files or folders of them, each under its
file's name without .tandem: POST /v1/score/NAME, the Open Inference Protocol
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
			seen, err := observed.Open(c.Context(), s.stderr)
			if err != nil {
				return &workflow.UsageError{Err: err}
			}
			defer seen.Close()
			alone.Bundles, alone.Logger, alone.Say = args, seen.Logger, talk.Line
			alone.Tracer, alone.AccessLog, alone.AccessShare = seen.Tracer, seen.Access, observed.Access
			err = workflow.ServeAlone(c.Context(), alone, streams)
			if errors.Is(err, serve.ErrNoBundle) || errors.Is(err, serve.ErrBeside) {
				return &workflow.UsageError{Err: err}
			}
			return listening(err)
		},
	}
	c.Flags().StringVar(&alone.Address, "address", "", "host:port to listen on (default 127.0.0.1:8080)")
	c.Flags().StringVar(&alone.GRPC, "grpc-address", "", "host:port of the Open Inference Protocol over gRPC (default: none)")
	c.Flags().StringVar(&alone.Shadow, "shadow", "", "a bundle that scores what the only one answers, and is not answered")
	c.Flags().StringVar(&alone.Canary, "canary", "", "FILE=PERCENT: a bundle that answers a share of the requests in place of the only one")
	accessFlags(c, &alone.Access)
	streamFlags(c, &streams)
	observeFlags(c, &observed)
	return c
}

func observeFlags(c *cobra.Command, s *observe.Settings) {
	c.Flags().StringVar(&s.Format, observe.FlagFormat.Name, "text", observe.FlagFormat.Help)
	c.Flags().StringVar(&s.Level, observe.FlagLevel.Name, "warn", observe.FlagLevel.Help)
	c.Flags().Float64Var(&s.Access, observe.FlagAccess.Name, 0, observe.FlagAccess.Help)
	c.Flags().StringVar(&s.Endpoint, observe.FlagEndpoint.Name, "", observe.FlagEndpoint.Help)
	c.Flags().Float64Var(&s.Share, observe.FlagShare.Name, 0, observe.FlagShare.Help)
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
