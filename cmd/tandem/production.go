package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/retrain"
	"github.com/tandem-ml/tandem/workflow"
)

func (s *shared) retrainCommand() *cobra.Command {
	var opt workflow.RetrainOptions
	c := &cobra.Command{
		Use: "retrain [DIR]", GroupID: "engineering", Args: cobra.MaximumNArgs(1),
		Short: "Train a challenger on what is known by now, and promote it if the gate holds",
		Long: `Retrain trains a challenger on the project's data and on logged decisions whose
outcomes are known, and compares it with the champion on the newest of these
decisions, from which neither has learned. It becomes champion if it is not worse
by the gate's margin; a running server follows within a second. Otherwise the
champion stays and the exit code is 3.`,
		RunE: func(c *cobra.Command, args []string) error {
			opt.Talk = s.talk()
			r, err := workflow.Retrain(c.Context(), folder(args), opt)
			if err != nil {
				return err
			}
			if s.json {
				if err := s.print(r); err != nil {
					return err
				}
			} else {
				s.say("%s: %s", r.Outcome, r.Reason)
			}
			if r.Outcome == retrain.Promoted || r.Outcome == retrain.WouldPass {
				return nil
			}
			return workflow.NotHeld("the champion stays: %s", r.Reason)
		},
	}
	c.Flags().BoolVar(&opt.DryRun, "dry-run", false, "stop before the champion changes")
	c.Flags().IntVar(&opt.Workers, "workers", 0, "how many processors to use (0: all)")
	return c
}

func (s *shared) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status [DIR]", GroupID: "engineering", Args: cobra.MaximumNArgs(1),
		Short: "Say how a project in production is: champion, decisions, drift, performance",
		RunE: func(c *cobra.Command, args []string) error {
			st, err := workflow.StatusOf(c.Context(), folder(args))
			if err != nil {
				return err
			}
			if s.json {
				return s.print(st)
			}
			s.say("%s", st.Text())
			return nil
		},
	}
}

func (s *shared) modelsCommand() *cobra.Command {
	var dir, reason string
	root := &cobra.Command{
		Use: "models", GroupID: "engineering", Args: cobra.NoArgs,
		Short: "List a project's versions, show one, promote one, roll back",
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringVar(&dir, "dir", ".", "the project's folder")
	list := &cobra.Command{Use: "list", Args: usage(cobra.NoArgs), Short: "List the versions, newest first",
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := workflow.OpenModels(c.Context(), dir)
			if err != nil {
				return err
			}
			defer m.Close()
			lines, err := m.List(c.Context())
			if err != nil {
				return err
			}
			if s.json {
				return s.print(lines)
			}
			for _, l := range lines {
				s.say("%4d  %.12s  %s  %-20s %-10s %s", l.Number, l.Bundle, l.Added.Local().Format("2006-01-02 15:04"), l.Learner,
					strings.Join(l.Aliases, ","), l.Note)
			}
			return nil
		}}
	show := &cobra.Command{Use: "show VERSION", Args: usage(cobra.ExactArgs(1)), Short: "Show a version's card",
		RunE: func(c *cobra.Command, args []string) error {
			n, err := version(args[0])
			if err != nil {
				return err
			}
			m, err := workflow.OpenModels(c.Context(), dir)
			if err != nil {
				return err
			}
			defer m.Close()
			v, b, err := m.Show(c.Context(), n)
			if err != nil {
				return err
			}
			if s.json {
				return s.print(struct {
					Version  any             `json:"version"`
					Manifest bundle.Manifest `json:"manifest"`
					Card     bundle.Card     `json:"card"`
				}{v, b.Manifest, b.Card})
			}
			return workflow.CardMarkdown(b, s.stdout)
		}}
	promote := &cobra.Command{Use: "promote VERSION --reason TEXT", Args: usage(cobra.ExactArgs(1)), Short: "Make a version the champion",
		RunE: func(c *cobra.Command, args []string) error {
			n, err := version(args[0])
			if err != nil {
				return err
			}
			if strings.TrimSpace(reason) == "" {
				return workflow.Usagef("promote needs --reason: the audit trail keeps it")
			}
			m, err := workflow.OpenModels(c.Context(), dir)
			if err != nil {
				return err
			}
			defer m.Close()
			if err := m.Promote(c.Context(), n, reason); err != nil {
				return err
			}
			s.say("version %d is the champion", n)
			return nil
		}}
	promote.Flags().StringVar(&reason, "reason", "", "why; kept in the audit trail")
	rollback := &cobra.Command{Use: "rollback", Args: usage(cobra.NoArgs), Short: "Make the champion before this one the champion again",
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := workflow.OpenModels(c.Context(), dir)
			if err != nil {
				return err
			}
			defer m.Close()
			v, err := m.Rollback(c.Context(), reason)
			if err != nil {
				return err
			}
			s.say("version %d is the champion again", v.Number)
			return nil
		}}
	rollback.Flags().StringVar(&reason, "reason", "by hand", "why; kept in the audit trail")
	root.AddCommand(list, show, promote, rollback)
	return root
}

func version(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, workflow.Usagef("%q is not a version; versions are numbers from 1", s)
	}
	return n, nil
}

func (s *shared) demoCommand() *cobra.Command {
	opt := workflow.DemoOptions{}
	c := &cobra.Command{
		Use: "demo", GroupID: "engineering", Args: cobra.NoArgs,
		Short: "A lender's year in about a minute: train, serve, drift, alarm, challenger, gate, promotion, audit",
		RunE: func(c *cobra.Command, _ []string) error {
			if !s.json {
				opt.Event = func(at time.Duration, what string) { s.say("%5.1f s  %s", at.Seconds(), what) }
			}
			if opt.Dir != "" {
				if err := os.MkdirAll(opt.Dir, 0o755); err != nil {
					return err
				}
				if _, err := os.Lstat(opt.Dir + "/tandem.yaml"); err == nil {
					return fmt.Errorf("%s holds a project already; name an empty folder", opt.Dir)
				}
			}
			r, err := workflow.Demo(c.Context(), opt)
			if err != nil {
				return listening(err)
			}
			if s.json {
				return s.print(r)
			}
			return nil
		},
	}
	c.Flags().StringVar(&opt.Address, "address", "127.0.0.1:8080", "host:port of the demo's server and pages")
	c.Flags().StringVar(&opt.Dir, "dir", "", "the folder to play in (default: a temporary one, removed at the end)")
	c.Flags().Uint64Var(&opt.Seed, "seed", 1, "the seed of applicants and training")
	c.Flags().BoolVar(&opt.Stay, "stay", false, "go on serving the pages until Ctrl-C")
	return c
}
