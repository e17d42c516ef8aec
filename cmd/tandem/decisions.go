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
			var where []decisions.Condition
			for _, text := range conditions {
				cond, err := decisions.ParseCondition(text)
				if err != nil {
					return &workflow.UsageError{Err: err}
				}
				where = append(where, cond)
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
