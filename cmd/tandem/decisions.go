package main

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/workflow"
)

func (s *shared) decisionsCommand() *cobra.Command {
	var conditions []string
	limit := 20
	var replay bool
	c := &cobra.Command{
		Use: "decisions [DIR]", GroupID: "engineering", Args: cobra.MaximumNArgs(1),
		Short: "Look into a project's decision log, or compute its decisions again",
		Long: `Decisions prints the newest logged decisions that meet all conditions, the newest
last; with --json each as one line of JSON with inputs, reasons and outcome.

A condition is FIELD OPERATOR VALUE with an operator of = != < <= > >=. Fields are
id, time, model, bundle, key, request_id, score, margin, decision and outcome; any
other name is a column of the inputs, and inputs.NAME one that is named as a field.

  tandem decisions --where decision=bad --where 'score>=0.8' --where 'Income<100'
  tandem decisions --where 'time>=2026-03-01' --where 'time<2026-04' --limit 0 --json

With --replay they are computed again, with the bundles that made them. If one
does not come out to the last bit as it was logged the exit code is 3.`,
		RunE: func(c *cobra.Command, args []string) error {
			where, err := parseConditions(conditions)
			if err != nil {
				return err
			}
			if limit < 0 {
				return workflow.Usagef("--limit must not be negative")
			}
			d, err := workflow.OpenDecisions(c.Context(), folder(args))
			if err != nil {
				return err
			}
			defer d.Close()
			if replay {
				return s.replayed(c, d, where)
			}
			to := json.NewEncoder(s.stdout)
			to.SetEscapeHTML(false)
			return d.Select(c.Context(), where, limit, func(e decisions.Entry) error {
				if e.Outcome == nil {
					if e.Outcome, err = d.Outcome(e.ID); err != nil {
						return err
					}
				}
				if s.json {
					return to.Encode(e)
				}
				outcome := "-"
				if e.Outcome != nil {
					outcome = e.Outcome.Value
				}
				s.say("%s  %s  %-12s %-10.6g %-10s %-10s version %s", e.Time.Local().Format("2006-01-02 15:04:05"), e.ID, e.Key,
					e.Score, e.Decision.Decision, outcome, e.Model)
				return nil
			})
		},
	}
	c.Flags().StringArrayVar(&conditions, "where", nil, "a condition that must hold; may be repeated")
	c.Flags().IntVar(&limit, "limit", limit, "how many at most, the newest; 0: all")
	c.Flags().BoolVar(&replay, "replay", false, "compute them again (all of them, whatever --limit), and compare")
	for _, sub := range []*cobra.Command{s.eraseCommand(), s.exportDecisionsCommand()} {
		sub.Args = usage(sub.Args)
		c.AddCommand(sub)
	}
	return c
}

func parseConditions(texts []string) ([]decisions.Condition, error) {
	var out []decisions.Condition
	for _, text := range texts {
		c, err := decisions.ParseCondition(text)
		if err != nil {
			return nil, &workflow.UsageError{Err: err}
		}
		out = append(out, c)
	}
	return out, nil
}

func (s *shared) eraseCommand() *cobra.Command {
	var subject workflow.Subject
	var conditions []string
	var reason string
	c := &cobra.Command{
		Use: "erase [DIR] (--key VALUE | --id ID... | --where CONDITION...) [--reason TEXT]", Args: cobra.MaximumNArgs(1),
		Short: "Erase the content of somebody's decisions for good",
		Long: `Erase overwrites the inputs, scores, reasons and outcomes of all decisions about
one key (the value of the project's id column), of some ids, or that meet all
conditions, in the log and in its Parquet files. That they were erased, and when,
stays, and the chain of the log holds. It cannot be undone.

A server that runs does it within a second; otherwise the command does it itself.
The audit trail keeps the number of decisions and the reason: name nobody in it.

  tandem decisions erase --key 4711 --reason 'request of 3 March'`,
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if subject.Where, err = parseConditions(conditions); err != nil {
				return err
			}
			done, err := workflow.Erase(c.Context(), folder(args), subject, reason)
			if err != nil {
				return err
			}
			if s.json {
				return s.print(done)
			}
			s.say("%d decisions erased", done.Decisions)
			return nil
		},
	}
	c.Flags().StringVar(&subject.Key, "key", "", "erase all decisions about this value of the id column")
	c.Flags().StringArrayVar(&subject.IDs, "id", nil, "erase this decision; may be repeated")
	c.Flags().StringArrayVar(&conditions, "where", nil, "erase decisions for which this holds; may be repeated")
	c.Flags().StringVar(&reason, "reason", "", "why; kept in the audit trail")
	return c
}

func (s *shared) exportDecisionsCommand() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use: "export [DIR] --parquet FOLDER", Args: cobra.MaximumNArgs(1),
		Short: "Write the decision log as Parquet files, one row a decision",
		Long: `Export makes FOLDER mirror the log: one Parquet file for each of its segments.
Given again it writes only what has changed since by new decisions, outcomes and
erasures, and removes what the log has removed. What was erased after the last
export is still in FOLDER until then.`,
		RunE: func(c *cobra.Command, args []string) error {
			if to == "" {
				return workflow.Usagef("say where to: --parquet FOLDER")
			}
			r, err := workflow.ExportDecisions(c.Context(), folder(args), to)
			if err != nil {
				return err
			}
			if s.json {
				return s.print(r)
			}
			s.say("%s: %d files, of which %d were written with %d decisions; %d removed", to, r.Files, r.Written, r.Rows, r.Removed)
			return nil
		},
	}
	c.Flags().StringVar(&to, "parquet", "", "the folder; made if there is none")
	return c
}

// replayed computes decisions again and says how they came out.
func (s *shared) replayed(c *cobra.Command, d *workflow.Decisions, where []decisions.Condition) error {
	start := time.Now()
	r, err := d.Replay(c.Context(), where)
	if c.Context().Err() != nil {
		return err
	}
	if s.json {
		return both(s.print(r), err)
	}
	s.say("%d decisions computed again in %.1f s: %d equal to the last bit, %d not; %d erased", r.Decisions, time.Since(start).Seconds(), r.Equal, r.Failed, r.Erased)
	for _, id := range r.Different {
		s.say("  %s", id)
	}
	return err
}
