package main

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/workflow"
)

func (s *shared) upCommand() *cobra.Command {
	var opt workflow.UpOptions
	c := &cobra.Command{
		Use: "up [DIR]", GroupID: "engineering", Args: cobra.MaximumNArgs(1),
		Short: "Run what is stale, then serve the project's champion, watched, with its pages",
		RunE: func(c *cobra.Command, args []string) error {
			opt.Talk, opt.Logger = s.talk(), s.logger()
			return listening(workflow.Up(c.Context(), folder(args), opt))
		},
	}
	c.Flags().StringVar(&opt.Address, "address", "", "host:port to listen on (default: serve.address of tandem.yaml)")
	c.Flags().IntVar(&opt.Workers, "workers", 0, "how many processors to train with (0: all)")
	return c
}

func (s *shared) serveCommand() *cobra.Command {
	opt := workflow.UpOptions{}
	c := &cobra.Command{
		Use: "serve BUNDLE...", GroupID: "engineering", Args: cobra.MinimumNArgs(1),
		Short: "Serve bundles alone, without a project",
		Long: `Serve answers with the given bundles, each under its file's name without .tandem:
POST /v1/score/NAME, and POST /invocations if there is one bundle. Nothing is
kept or watched; a project's decisions are, by tandem up.`,
		RunE: func(c *cobra.Command, args []string) error {
			bundles := make(map[string]*bundle.Bundle)
			for _, path := range args {
				name := strings.TrimSuffix(filepath.Base(path), ".tandem")
				if bundles[name] != nil {
					return workflow.Usagef("two bundles are named %q; rename one of the files", name)
				}
				b, err := bundle.Open(path)
				if err != nil {
					return err
				}
				bundles[name] = b
			}
			opt.Talk, opt.Logger = s.talk(), s.logger()
			return listening(workflow.ServeBundles(c.Context(), bundles, opt))
		},
	}
	c.Flags().StringVar(&opt.Address, "address", "127.0.0.1:8080", "host:port to listen on")
	return c
}

// listening makes an address that other machines could reach a usage error.
func listening(err error) error {
	if errors.Is(err, serve.ErrNotLoopback) {
		return &workflow.UsageError{Err: err}
	}
	return err
}

func (s *shared) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(s.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func folder(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return "."
}
