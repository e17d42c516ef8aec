package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/retrain"
	"github.com/tandem-ml/tandem/engineering/rollout"
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
	var dir string
	root := &cobra.Command{
		Use: "models", GroupID: "engineering", Args: cobra.NoArgs,
		Short: "List a project's versions, show one, promote one, roll back, try one as shadow or canary",
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
				if l.Percent > 0 {
					l.Aliases = append(l.Aliases, data.FormatNumber(l.Percent)+"%")
				}
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
	change := func(c *cobra.Command, asked rollout.Change) error {
		if strings.TrimSpace(asked.Reason) == "" {
			return workflow.Usagef("%s needs --reason: the audit trail keeps it", c.Name())
		}
		if err := asked.Check(); err != nil {
			return &workflow.UsageError{Err: err}
		}
		m, err := workflow.OpenModels(c.Context(), dir)
		if err != nil {
			return err
		}
		defer m.Close()
		said, err := m.Change(c.Context(), asked)
		if err != nil {
			return err
		}
		s.say("%s", said)
		return nil
	}
	var asked rollout.Change
	// command adds one that changes who answers. With stop, it takes a version or --stop.
	command := func(use, kind, stop, short string) *cobra.Command {
		var stopping bool
		c := &cobra.Command{Use: use, Short: short, Args: usage(cobra.MaximumNArgs(1)),
			RunE: func(c *cobra.Command, args []string) (err error) {
				asked.Kind = kind
				switch {
				case kind == rollout.Rollback && len(args) > 0:
					return workflow.Usagef("rollback takes no version: it leads to the one before; to another leads promote")
				case kind == rollout.Rollback:
				case stopping && (len(args) > 0 || c.Flags().Changed("percent")):
					return workflow.Usagef("--stop stands alone")
				case stopping:
					asked.Kind = stop
				case len(args) == 0:
					return workflow.Usagef("%s needs a version", c.Name())
				default:
					if asked.Version, err = version(args[0]); err != nil {
						return err
					}
				}
				return change(c, asked)
			}}
		why := ""
		if kind == rollout.Rollback {
			why = "by hand"
		}
		c.Flags().StringVar(&asked.Reason, "reason", why, "why; kept in the audit trail")
		if stop != "" {
			c.Flags().BoolVar(&stopping, "stop", false, "there is to be none any more")
		}
		if kind == rollout.Promote || kind == rollout.Canary {
			c.Flags().BoolVar(&asked.Force, "force", false, "although callers would break: a column is gone, of another type, or required now")
		}
		return c
	}
	promote := command("promote VERSION --reason TEXT", rollout.Promote, "", "Make a version the champion")
	rollback := command("rollback", rollout.Rollback, "", "Make the champion before this one the champion again")
	shadow := command("shadow VERSION --reason TEXT", rollout.Shadow, rollout.StopShadow, "Let a version score what is answered, without being answered")
	canary := command("canary VERSION --percent P --reason TEXT", rollout.Canary, rollout.StopCanary, "Let a version answer a share of the requests")
	canary.Flags().Float64Var(&asked.Percent, "percent", 0, "the share of the keys that it answers, above 0 and at most 100")
	root.AddCommand(list, show, promote, rollback, shadow, canary)
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
