package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/workflow"
)

func (s *shared) prepareCommand() *cobra.Command {
	var out string
	var dry, accept, strict bool
	c := &cobra.Command{
		Use: "prepare DATA|DIR", GroupID: "science", Args: cobra.ExactArgs(1),
		Short: "Clean a table in steps that can be looked at first, and write it; the raw file stays as it is",
		Long: `Clean a table in steps. Of a project's folder, those of the clean section of its
tandem.yaml are taken. Of a file, steps are proposed, as lines for tandem.yaml; those
that only read words as the numbers, times or booleans that they are, are taken, the
others with --accept. Each step tells its reason, how many cells it changes, and
examples; personal values are masked. docs/preparing.md describes the steps.`,
		Example: `  tandem prepare beers.csv --dry-run
  tandem prepare beers.csv --accept -o beers.parquet
  tandem prepare examples/credit -o credit.csv`,
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" && !dry {
				return workflow.Usagef("name the file to write with -o, or look first with --dry-run")
			}
			if out != "" && dry {
				return workflow.Usagef("--dry-run writes nothing; leave out -o")
			}
			if out != "" {
				if err := notOver(out, args[0]); err != nil {
					return err
				}
				if !strings.HasSuffix(out, ".csv") && !strings.HasSuffix(out, ".parquet") && !strings.HasSuffix(out, ".arrow") {
					return workflow.Usagef("%s: a table is written as %s", out, strings.Join(workflow.PreparedFormats(), ", "))
				}
			}
			p, err := workflow.Prepare(c.Context(), args[0], accept, workflow.Options{Talk: s.talk(), Strict: strict})
			if err != nil {
				return err
			}
			if !dry {
				if err := p.Write(c.Context(), out); err != nil {
					return err
				}
			}
			if s.json {
				return s.print(p)
			}
			if err := p.Text(s.stdout, dry); err != nil {
				return err
			}
			if !dry {
				s.say("wrote %s", out)
			}
			return nil
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "the file to write: .csv, .parquet or .arrow")
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be done, and write nothing")
	c.Flags().BoolVar(&accept, "accept", false, "take the proposed steps that need a person's word as well")
	c.Flags().BoolVar(&strict, "strict", false, "take every guess, repair or row left out in reading the data for an error")
	return c
}
