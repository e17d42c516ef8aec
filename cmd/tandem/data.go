package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/workflow"
)

func (s *shared) exploreCommand() *cobra.Command {
	var target, positive, out string
	var strict bool
	c := &cobra.Command{
		Use: "explore DATA|DIR", GroupID: "science", Args: cobra.ExactArgs(1),
		Short: "Write a page about a table: columns, missing values, distributions, relation to the target, alerts",
		RunE: func(c *cobra.Command, args []string) error {
			if err := notOver(out, args[0]); err != nil {
				return err
			}
			page, err := workflow.ExploreFile(c.Context(), args[0], target, positive, workflow.Options{Talk: s.talk(), Strict: strict})
			if err != nil {
				return err
			}
			if s.json && out == "" {
				return page.JSON(s.stdout)
			}
			if out == "" {
				out = stem(args[0]) + ".explore.html"
			}
			if err := workflow.WritePage(out, page.HTML); err != nil {
				return err
			}
			if s.json {
				return page.JSON(s.stdout)
			}
			for _, a := range page.Alerts {
				s.say("%s", a.Sentence())
			}
			s.say("wrote %s", out)
			return nil
		},
	}
	c.Flags().BoolVar(&strict, "strict", false, "take every guess, repair or row left out in reading the data for an error")
	c.Flags().StringVar(&target, "target", "", "the column to relate the others to")
	c.Flags().StringVar(&positive, "positive", "", "the target's value that is the event of interest")
	c.Flags().StringVarP(&out, "output", "o", "", "the page to write (default: DATA's name with .explore.html, in the current folder)")
	return c
}

func (s *shared) testCommand() *cobra.Command {
	var compare, between, question string
	var associate []string
	c := &cobra.Command{
		Use: "test DATA|DIR", GroupID: "science", Args: cobra.ExactArgs(1),
		Short: "Test hypotheses and say in plain words what the data show",
		Example: `  tandem test examples/credit
  tandem test loans.csv --compare Income --between Status
  tandem test loans.csv --associate Records,Status`,
		RunE: func(c *cobra.Command, args []string) error {
			opt := workflow.Options{Talk: s.talk()}
			given := compare != "" || between != "" || len(associate) > 0
			info, err := os.Stat(args[0])
			isDir := err == nil && info.IsDir()
			switch {
			case isDir && given:
				return workflow.Usagef("a project's hypotheses are in its tandem.yaml; --compare and --associate are for a file")
			case !isDir && !given:
				return workflow.Usagef("say what to test: --compare COLUMN --between COLUMN, or --associate COLUMN,COLUMN")
			case given && len(associate) > 0 && (compare != "" || between != ""):
				return workflow.Usagef("either --compare with --between, or --associate")
			case given && len(associate) == 0 && (compare == "" || between == ""):
				return workflow.Usagef("--compare and --between go together")
			case len(associate) != 0 && len(associate) != 2:
				return workflow.Usagef("--associate takes two columns, separated by a comma")
			}
			found, err := workflow.TestHypotheses(c.Context(), args[0], workflow.Question{
				Question: question, Compare: compare, Between: between, Associate: associate}, opt)
			if err != nil {
				return err
			}
			if s.json {
				return s.print(found)
			}
			for _, h := range found {
				if h.Question != "" {
					s.say("%s", h.Question)
				}
				s.say("  %s\n  %s: %s", h.Sentence, h.Test, h.Why)
			}
			return nil
		},
	}
	c.Flags().StringVar(&question, "question", "", "the question in words")
	c.Flags().StringVar(&compare, "compare", "", "the number column to compare")
	c.Flags().StringVar(&between, "between", "", "the column whose two values are the groups")
	c.Flags().StringSliceVar(&associate, "associate", nil, "two columns: is one linked to the other?")
	return c
}

// stem returns a file's base name without its known endings.
func stem(path string) string {
	name := filepath.Base(path)
	for _, end := range []string{".gz", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".tandem"} {
		name = strings.TrimSuffix(name, end)
	}
	return name
}
