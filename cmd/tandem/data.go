package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/workflow"
)

// strictFlag is what every command that reads rows has.
func strictFlag(c *cobra.Command, strict *bool) {
	c.Flags().BoolVar(strict, "strict", false, "take every guess, repair or row left out in reading the data for an error")
}

func (s *shared) exploreCommand() *cobra.Command {
	var target, positive, out, notebook, against string
	var strict bool
	c := &cobra.Command{
		Use: "explore DATA|DIR", GroupID: "science", Args: cobra.ExactArgs(1),
		Short: "Write a page about a table: what it holds, what says the target, leakage, drift, personal data, and what to do",
		Long: `Write one self-contained page about a table: alerts with the settings that answer
them, distributions, relation to the target, leakage, what goes together, what
changes over time, which rows repeat, personal data, and what reading the file
guessed, repaired and rejected. Personal values are masked. Of a project's folder
its data are explored.
With --against, what DATA changed since another table: columns, kinds, values, ranges, distributions.
docs/explore-json.md describes what --json prints.`,
		Example: `  tandem explore loans.csv --target status
  tandem explore loans.csv --target status --notebook loans.ipynb --json
  tandem explore june.csv --against may.csv -o june-may.html`,
		RunE: func(c *cobra.Command, args []string) error {
			// The table is most of the memory, and lives to the end: a heap that may
			// grow to twice of it would only hold dead buffers.
			defer debug.SetGCPercent(debug.SetGCPercent(20))
			for _, path := range []string{out, notebook} {
				for _, source := range []string{args[0], against} {
					if source == "" {
						continue
					}
					if err := notOver(path, source); err != nil {
						return err
					}
				}
			}
			if against != "" {
				if target != "" || positive != "" || notebook != "" {
					return workflow.Usagef("--against compares two tables; it takes no --target, --positive or --notebook")
				}
				return s.against(c.Context(), args[0], against, out, workflow.Options{Talk: s.talk(), Strict: strict})
			}
			page, err := workflow.ExploreFile(c.Context(), args[0], target, positive, workflow.Options{Talk: s.talk(), Strict: strict})
			if err != nil {
				return err
			}
			if notebook != "" {
				if err := workflow.WritePage(notebook, func(w io.Writer) error { return page.Notebook(w, args[0]) }); err != nil {
					return err
				}
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
			if err := page.Text(s.stdout); err != nil {
				return err
			}
			if notebook != "" {
				s.say("wrote %s", notebook)
			}
			s.say("wrote %s", out)
			return nil
		},
	}
	strictFlag(c, &strict)
	c.Flags().StringVar(&target, "target", "", "the column to relate the others to")
	c.Flags().StringVar(&positive, "positive", "", "the target's value that is the event of interest")
	c.Flags().StringVarP(&out, "output", "o", "", "the page to write (default: DATA's name with .explore.html, in the current folder)")
	c.Flags().StringVar(&notebook, "notebook", "", "also write a Jupyter notebook (.ipynb) to go on from")
	c.Flags().StringVar(&against, "against", "", "an earlier table: say what changed since")
	return c
}

// against compares two tables.
func (s *shared) against(ctx context.Context, now, before, out string, opt workflow.Options) error {
	d, err := workflow.CompareFiles(ctx, now, before, opt)
	if err != nil {
		return err
	}
	if out != "" || !s.json {
		if out == "" {
			out = stem(now) + ".against.html"
		}
		if err := workflow.WritePage(out, d.HTML); err != nil {
			return err
		}
	}
	if s.json {
		return d.JSON(s.stdout)
	}
	if err := d.Text(s.stdout); err != nil {
		return err
	}
	s.say("wrote %s", out)
	return nil
}

func (s *shared) testCommand() *cobra.Command {
	var compare, between, question, correction string
	var associate []string
	var strict bool
	c := &cobra.Command{
		Use: "test DATA|DIR [QUESTION...]", GroupID: "science", Args: cobra.MinimumNArgs(1),
		Short: "Test hypotheses and say in plain words what the data show",
		Long: `Tests questions about a table, or those in a project's tandem.yaml. The test is
chosen by what the columns are like; the answer says why, how large the effect
is, and what would change it. P-values are corrected for the number of questions.

A QUESTION is one of

  ` + strings.Join(workflow.QuestionForms(), "\n  ") + `

Names of several words stand in quotes within it.`,
		Example: `  tandem test examples/credit
  tandem test loans.csv "compare Income by Status" "trend Income over applied_at"
  tandem test loans.csv "correlate Income, 'Monthly debt' given Age" --correction BH
  tandem test shop.csv "ab revenue by variant pre revenue_before"
  tandem test loans.csv --compare Income --between Status
  tandem test loans.csv --associate Records,Status`,
		RunE: func(c *cobra.Command, args []string) error {
			opt := workflow.Options{Talk: s.talk(), Strict: strict}
			flags := compare != "" || between != "" || len(associate) > 0
			given := flags || len(args) > 1
			info, err := os.Stat(args[0])
			isDir := err == nil && info.IsDir()
			switch {
			case isDir && given:
				return workflow.Usagef("a project's hypotheses are in its tandem.yaml; questions on the command line are for a file")
			case !isDir && !given:
				return workflow.Usagef("say what to test, as in \"compare NUMBER by GROUPS\" or \"associate A, B\"; tandem test --help shows all questions")
			case flags && len(associate) > 0 && (compare != "" || between != ""):
				return workflow.Usagef("either --compare with --between, or --associate")
			case flags && len(associate) == 0 && (compare == "" || between == ""):
				return workflow.Usagef("--compare and --between go together")
			case len(associate) != 0 && len(associate) != 2:
				return workflow.Usagef("--associate takes two columns, separated by a comma")
			}
			var asked []workflow.Question
			if flags {
				asked = append(asked, workflow.Question{Compare: compare, Between: between, Associate: associate})
			}
			for _, line := range args[1:] {
				q, err := workflow.ParseQuestion(line)
				if err != nil {
					return workflow.Usagef("%w", err)
				}
				asked = append(asked, q)
			}
			if question != "" {
				if len(asked) != 1 {
					return workflow.Usagef("--question puts one question in words; %d are asked", len(asked))
				}
				asked[0].Question = question
			}
			found, err := workflow.TestHypotheses(c.Context(), args[0], asked, correction, opt)
			if err != nil {
				return err
			}
			if s.json {
				return s.print(found)
			}
			for i, h := range found {
				if i > 0 {
					s.say("")
				}
				s.tell(h)
			}
			return nil
		},
	}
	strictFlag(c, &strict)
	c.Flags().StringVar(&question, "question", "", "the question in words")
	c.Flags().StringVar(&compare, "compare", "", "the number column to compare")
	c.Flags().StringVar(&between, "between", "", "the column whose values are the groups")
	c.Flags().StringSliceVar(&associate, "associate", nil, "two columns: is one linked to the other?")
	c.Flags().StringVar(&correction, "correction", "Holm", "for the number of questions: Bonferroni, Sidak, Holm, Holm-Sidak, Hochberg, Hommel, BH or BY")
	return c
}

// tell says what was found, the sentence first.
func (s *shared) tell(h bundle.Hypothesis) {
	if h.Question != "" {
		s.say("%s", h.Question)
	}
	s.say("  %s\n  %s: %s", h.Sentence, h.Test, h.Why)
	for _, c := range h.Checks {
		mark := "holds"
		if !c.Holds {
			mark = "does not hold"
		}
		s.say("  checked: %s: %s (%s)", c.Name, c.Found, mark)
	}
	for _, e := range h.Estimates {
		s.say("  %s: %s (95%% interval %s to %s)", e.Name, chart.Short(e.Value), chart.Short(e.Low), chart.Short(e.High))
	}
	for _, n := range h.NotTaken {
		s.say("  not %s: %s", n.Test, n.Why)
	}
	for _, text := range h.Changes {
		s.say("  %s", text)
	}
}

// stem returns a file's base name without its known endings.
func stem(path string) string {
	name := filepath.Base(path)
	for _, end := range []string{".gz", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".tandem"} {
		name = strings.TrimSuffix(name, end)
	}
	return name
}
