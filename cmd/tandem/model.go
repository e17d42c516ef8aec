package main

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
	"github.com/tandem-ml/tandem/project"
	"github.com/tandem-ml/tandem/workflow"
)

func (s *shared) trainCommand() *cobra.Command {
	p := project.Default()
	var test, out string
	var workers int
	var strict bool
	c := &cobra.Command{
		Use: "train DATA --target COLUMN", GroupID: "science", Args: cobra.ExactArgs(1),
		Short: "Find the best model for a file, without a project",
		Long: `Train reads DATA, holds rows back for calibration and for the final evaluation,
chooses between learners by five-fold out-of-fold score within the budget, and
measures the winner on rows it has never seen. It writes nothing but -o.`,
		Example: `  tandem train loans.csv --target Status --positive bad --budget 30s -o loans.tandem`,
		RunE: func(c *cobra.Command, args []string) error {
			if p.Data.Target == "" {
				return workflow.Usagef("train needs --target COLUMN")
			}
			if err := checkTrain(p, workers); err != nil {
				return err
			}
			if out != "" {
				if err := notOver(out, args[0], test); err != nil {
					return err
				}
				if err := workflow.Writable(out); err != nil {
					return err
				}
			}
			p.Name, p.Data.Source = stem(args[0]), args[0]
			tr, err := workflow.Train(c.Context(), p, test, workflow.Options{Workers: workers, Talk: s.talk(), Strict: strict})
			if err != nil {
				return err
			}
			if out != "" {
				if err := workflow.WriteBundle(out, tr.Bundle); err != nil {
					return err
				}
			}
			if s.json {
				return s.print(tr.JSON())
			}
			s.say("%s", tr.Text())
			if out != "" {
				s.say("wrote %s", out)
			}
			return nil
		},
	}
	strictFlag(c, &strict)
	f := c.Flags()
	f.StringVar(&p.Data.Target, "target", "", "the column to predict")
	f.StringVar(&p.Data.Positive, "positive", "", "the target's value that is the event of interest")
	f.StringVar(&p.Data.Time, "time", "", "the column of times: evaluation is then on the newest rows")
	f.StringVar(&p.Data.Group, "group", "", "the column of groups that must not be split")
	f.StringVar(&p.Data.ID, "id", "", "the column that names a row")
	f.StringSliceVar(&p.Data.Exclude, "exclude", nil, "columns to leave out")
	f.StringSliceVar(&p.Data.Protected, "protected", nil, "columns that must not be used")
	f.StringVar(&p.Model.Task, "task", p.Model.Task, "auto, binary or regression")
	f.StringVar(&p.Model.Metric, "metric", p.Model.Metric, "auto, auc, log_loss or rmse")
	f.Float64Var(&p.Decision.Cost.FalsePositive, "cost-false-positive", p.Decision.Cost.FalsePositive, "what a false alarm costs")
	f.Float64Var(&p.Decision.Cost.FalseNegative, "cost-false-negative", p.Decision.Cost.FalseNegative, "what a miss costs")
	f.BoolVar(&p.Model.Interpretable, "interpretable", false, "additive models only")
	f.BoolVar(&p.Model.TargetStatistics, "target-statistics", p.Model.TargetStatistics, "trees see columns of many categories as means of the target")
	f.Var((*duration)(&p.Model.Budget), "budget", "wall time for all of it, such as 30s or 5m")
	f.Uint64Var(&p.Seed, "seed", p.Seed, "the seed of everything random")
	f.StringVar(&test, "test", "", "a file with the rows to evaluate on, instead of holding rows back")
	f.StringVarP(&out, "output", "o", "", "the bundle to write")
	f.IntVar(&workers, "workers", 0, "how many processors to use (0: all); the result does not depend on it")
	return c
}

// checkTrain refuses settings that no training can have.
func checkTrain(p *project.Project, workers int) error {
	cost := p.Decision.Cost
	isCost := func(x float64) bool { return x >= 0 && !math.IsInf(x, 1) }
	switch {
	case p.Model.Budget <= 0:
		return workflow.Usagef("--budget must be above 0, such as 30s or 5m")
	case workers < 0:
		return workflow.Usagef("--workers must be a number of processors, or 0 for all")
	case !isCost(cost.FalsePositive) || !isCost(cost.FalseNegative):
		return workflow.Usagef("a cost must be a number from 0")
	case cost.FalsePositive == 0 && cost.FalseNegative == 0:
		return workflow.Usagef("both costs are 0, so every decision would be as good as any other; give at least one")
	}
	return nil
}

// notOver refuses to write over a file that is read.
func notOver(out string, inputs ...string) error {
	o, err := os.Stat(out)
	if err != nil {
		return nil // nothing there to be lost
	}
	for _, in := range inputs {
		if i, err := os.Stat(in); err == nil && os.SameFile(o, i) {
			return workflow.Usagef("-o %s would replace the file that is read; name another", out)
		}
	}
	return nil
}

// duration is a flag's value in the units of the project file: 30s, 5m, 1h, 2d.
type duration time.Duration

func (d *duration) String() string { return project.FormatDuration(time.Duration(*d)) }

func (d *duration) Set(s string) (err error) {
	parsed, err := project.ParseDuration(s)
	*d = duration(parsed)
	return err
}

func (d *duration) Type() string { return "duration" }

// open opens a bundle, with a cure if there is none.
func open(path string) (*bundle.Bundle, error) {
	b, err := bundle.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = data.WithHint(err, "name a .tandem file; tandem train -o and tandem run make one")
	}
	return b, err
}

func (s *shared) evaluateCommand() *cobra.Command {
	var strict bool
	c := &cobra.Command{
		Use: "evaluate BUNDLE DATA", GroupID: "science", Args: cobra.ExactArgs(2),
		Short: "Measure a bundle on rows with known outcomes, with 95% intervals",
		RunE: func(c *cobra.Command, args []string) error {
			b, err := open(args[0])
			if err != nil {
				return err
			}
			ev, err := workflow.EvaluateFile(c.Context(), b, args[1], workflow.Options{Talk: s.talk(), Strict: strict})
			if err != nil {
				return err
			}
			if s.json {
				return s.print(workflow.EvaluationJSON(b, ev))
			}
			s.say("%s", workflow.EvaluationText(b, ev))
			return nil
		},
	}
	strictFlag(c, &strict)
	return c
}

func (s *shared) explainCommand() *cobra.Command {
	var rows bool
	var how workflow.Reasons
	c := &cobra.Command{
		Use: "explain BUNDLE DATA", GroupID: "science", Args: cobra.ExactArgs(2),
		Short: "Say what the scores of a table rest on",
		Long: `Explain prints, for each input column, its mean absolute contribution to the
margin over the rows of DATA. With --rows it prints one JSON object a row:
{"margin", "base", "contributions": {column: value}}, exact: base plus the
contributions is the margin.

Contributions compare a row with the training data as a whole. With --background
they compare it with the rows of another file, at most ` + strconv.Itoa(bundle.MaxBackground) + `: base is then their
mean margin. Also exact.

With --interactions explain prints the pairs of columns that do most together,
beyond what each does by itself: the mean absolute value of each pair, in JSON
[{"columns": [a, b], "mean_abs"}]; and with --rows {"margin", "base", "alone":
{column: value}, "pairs": [{"columns": [a, b], "value"}], "rest"}, where rest is
the sum of the pairs that are not shown: base plus all the others is the margin.`,
		Example: `  tandem explain credit.tandem loans.csv
  tandem explain credit.tandem loans.csv --rows --background accepted.csv
  tandem explain credit.tandem loans.csv --interactions --pairs 5`,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case how.Interactions && how.Background != "":
				return workflow.Usagef("either --interactions or --background: interactions compare with the training data")
			case c.Flags().Changed("pairs") && !how.Interactions:
				return workflow.Usagef("--pairs goes with --interactions")
			case c.Flags().Changed("background") && how.Background == "":
				return workflow.Usagef("--background needs a file with rows to compare with")
			case how.Pairs < 0:
				return workflow.Usagef("--pairs %d is not a number of pairs; 0 means all", how.Pairs)
			}
			b, err := open(args[0])
			if err != nil {
				return err
			}
			opt := workflow.Options{Talk: s.talk()}
			switch {
			case rows:
				n, failed, err := workflow.ExplainRows(c.Context(), b, args[1], s.stdout, how, opt)
				if err != nil {
					return err
				}
				return refused(n, failed)
			case how.Interactions:
				pairs, err := workflow.ExplainPairs(c.Context(), b, args[1], how.Pairs, opt)
				if err != nil {
					return err
				}
				if s.json {
					return s.print(pairs)
				}
				for _, p := range pairs {
					s.say("%-36s %.4f", p.Columns[0]+" with "+p.Columns[1], p.MeanAbs)
				}
				return nil
			}
			g, err := workflow.ExplainGlobal(c.Context(), b, args[1], how.Background, opt)
			if err != nil {
				return err
			}
			if s.json {
				return s.print(g)
			}
			for _, x := range g {
				s.say("%-24s %.4f", x.Column, x.MeanAbs)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&rows, "rows", false, "one JSON object a row")
	c.Flags().StringVar(&how.Background, "background", "", "compare with the rows of this file, not with the training data")
	c.Flags().BoolVar(&how.Interactions, "interactions", false, "what pairs of columns do together")
	c.Flags().IntVar(&how.Pairs, "pairs", 10, "with --interactions: how many pairs, the strongest; 0 means all")
	return c
}

func (s *shared) reportCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "report BUNDLE", GroupID: "science", Args: cobra.ExactArgs(1),
		Short: "Write the stakeholder report and model card of a bundle: HTML, Markdown, JSON",
		RunE: func(c *cobra.Command, args []string) error {
			b, err := open(args[0])
			if err != nil {
				return err
			}
			files, err := workflow.WriteReport(b, out, stem(args[0]))
			if err != nil {
				return err
			}
			if s.json {
				return s.print(map[string]any{"files": files})
			}
			for _, f := range files {
				s.say("wrote %s", f)
			}
			return nil
		},
	}
	c.Flags().StringVarP(&out, "output", "o", ".", "the folder to write to")
	return c
}

func (s *shared) predictCommand() *cobra.Command {
	var out, kernel string
	var how workflow.Batch
	var workers int
	var strict bool
	c := &cobra.Command{
		Use: "predict BUNDLE [DATA]", GroupID: "engineering", Args: cobra.RangeArgs(1, 2),
		Short: "Score every row of a file or of stdin",
		Long: `Predict writes one line per row of DATA, in order: score, decision, the id
column's value if the bundle has one, score_CLASS for each of several classes,
and error. A row that cannot be read or
breaks the contract has an empty score and its reason in error; the exit code is
then 3. --rejects writes these rows to a file of their own as well.

DATA is a file, a pattern of files, or - for stdin; without DATA, --from says
what stdin is. Rows are read, scored and written in blocks, so that memory does
not grow with the input. --to writes CSV, JSON lines (where an empty value is
null), Parquet or an Arrow IPC stream; the ending of -o says it too.

With --resume a run that is interrupted keeps what it has written beside -o, in
.partial and .journal, and the same command goes on from there. Without it,
nothing is left of an interrupted run.`,
		Example: `  tandem predict loans.tandem new.csv -o scores.csv
  tandem predict loans.tandem year-*.parquet -o scores.parquet --rejects bad.csv
  zcat new.csv.gz | tandem predict loans.tandem --from csv --to ndjson
  tandem predict loans.tandem huge.csv -o scores.csv --resume`,
		RunE: func(c *cobra.Command, args []string) error {
			start := time.Now()
			source := "-"
			if len(args) == 2 {
				source = args[1]
			}
			if err := checkBatch(&how, out, source, len(args) == 2, workers); err != nil {
				return err
			}
			if err := notOver(out, args...); err != nil {
				return err
			}
			if notOver(how.Rejects, append(slices.Clip(args), out)...) != nil {
				return workflow.Usagef("--rejects %s would replace a file that is read or written; name another", how.Rejects)
			}
			b, err := open(args[0])
			if err != nil {
				return err
			}
			if b, err = workflow.WithKernel(b, kernel); err != nil {
				return err
			}
			if source == "-" {
				source, how.Input = "stdin", c.InOrStdin()
			}
			opt := workflow.Options{Talk: s.talk(), Workers: workers, Strict: strict}
			var rows, failed int
			if out == "" || out == "-" {
				signal.Ignore(syscall.SIGPIPE) // a reader that goes away is an error to tell, with temporary files removed
				rows, failed, err = workflow.Predict(c.Context(), b, source, s.stdout, how, opt)
				if errors.Is(err, syscall.EPIPE) {
					err = errors.New("stdout was closed before all scores were written")
				}
			} else {
				rows, failed, err = workflow.PredictFile(c.Context(), b, source, out, how, opt)
			}
			if err != nil {
				return err
			}
			took := time.Since(start).Seconds()
			opt.Talk.Line("scored %d of %d rows in %.1f s, %.0f a second", rows-failed, rows, took, float64(rows)/took)
			if s.json && out != "" && out != "-" {
				if err := s.print(map[string]any{"rows": rows, "scored": rows - failed, "refused": failed, "file": out, "bundle": b.ID()}); err != nil {
					return err
				}
			}
			return refused(rows, failed)
		},
	}
	strictFlag(c, &strict)
	f := c.Flags()
	f.StringVarP(&out, "output", "o", "", "the file to write (default: stdout)")
	f.StringVar(&how.From, "from", "", "what DATA or stdin is: "+strings.Join(ingest.Formats(), ", ")+" (default: by name and content)")
	f.StringVar(&how.To, "to", "", "what to write: "+strings.Join(workflow.Outputs(), ", ")+" (default: by the ending of -o, else csv)")
	f.StringVar(&how.Rejects, "rejects", "", "a CSV file to write for the rows that cannot be scored")
	f.BoolVar(&how.Resume, "resume", false, "keep what is written when interrupted, and go on from there")
	f.IntVar(&workers, "workers", 0, "how many blocks are scored at once (0: as many as processors); the result does not depend on it")
	f.StringVar(&kernel, "kernel", "", kernelHelp)
	return c
}

// checkBatch refuses settings that contradict each other, and says what the
// ending of out says.
func checkBatch(how *workflow.Batch, out, source string, named bool, workers int) error {
	if how.To == "" {
		how.To = map[string]string{".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet", ".arrow": "arrow", ".arrows": "arrow"}[strings.ToLower(filepath.Ext(out))]
	}
	switch {
	case !named && how.From == "":
		return data.WithHint(workflow.Usagef("predict needs DATA to score"), "name a file, or - for stdin, or say with --from what stdin is")
	case how.From != "" && !slices.Contains(ingest.Formats(), how.From):
		return workflow.Usagef("--from %s: the formats are %s", how.From, strings.Join(ingest.Formats(), ", "))
	case how.To != "" && !slices.Contains(workflow.Outputs(), how.To):
		return workflow.Usagef("--to %s: the formats are %s", how.To, strings.Join(workflow.Outputs(), ", "))
	case workers < 0:
		return workflow.Usagef("--workers must be a number of processors, or 0 for all")
	case how.Rejects != "" && how.Rejects == out:
		return workflow.Usagef("--rejects and -o name the same file")
	case how.Resume && (out == "" || out == "-"):
		return workflow.Usagef("--resume goes with -o FILE: what went to stdout cannot be gone on with")
	case how.Resume && source == "-":
		return workflow.Usagef("--resume needs a file as DATA: stdin cannot be read again")
	case how.Resume && how.To != "" && how.To != "csv" && how.To != "ndjson":
		return workflow.Usagef("--resume goes with csv and ndjson: a %s file is whole or nothing", how.To)
	}
	return nil
}

// refused returns an error with exit code 3 if any row was refused.
func refused(rows, failed int) error {
	if failed == 0 {
		return nil
	}
	return workflow.NotHeld("%d of %d rows could not be scored; the column error says why", failed, rows)
}

func (s *shared) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "verify BUNDLE|DIR", GroupID: "engineering", Args: cobra.ExactArgs(1),
		Short: "Check a bundle, or all that a project keeps: decision log, audit trail, bundles",
		Long: `Verify checks a bundle's form and parts, and that it scores its own proof rows
bit for bit as it did in training. Of a project's folder it checks every byte of
the decision log, the chain of the audit trail, and the bundle of every version.
What does not hold is named, and the exit code is 3.`,
		RunE: func(c *cobra.Command, args []string) error {
			if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
				return s.verifyProject(c, args[0])
			}
			b, err := open(args[0])
			if err != nil {
				return workflow.Broken(err)
			}
			if s.json {
				return s.print(map[string]any{"bundle": b.ID(), "name": b.Manifest.Name, "format": b.Manifest.Format, "proof_rows": len(b.Tests), "ok": true})
			}
			s.say("%s is whole: %s", args[0], b.ID())
			s.say("  %s for %s, %d members, format %d; %d proof rows score as they did in training",
				b.Manifest.Task, b.Manifest.Target, len(b.Members), b.Manifest.Format, len(b.Tests))
			return nil
		},
	}
}

func (s *shared) verifyProject(c *cobra.Command, dir string) error {
	r, err := workflow.VerifyProject(c.Context(), dir)
	if r != nil && s.json {
		if printed := s.print(map[string]any{"ok": err == nil, "log": r}); printed != nil {
			return printed
		}
	}
	if err != nil {
		return err
	}
	if !s.json {
		s.say("%s is whole: %d decisions and %d outcomes in %d segments, %d erased; the audit trail and every bundle hold",
			dir, r.Decisions, r.Outcomes, r.Segments, r.Erased)
		if r.Removed != nil {
			s.say("  the log is kept from record %d on; what was removed by age ended with %s (%s)", r.Removed.Records+1, r.Removed.Head, r.Removed.At.Format("2006-01-02"))
		}
		for _, l := range r.Losses {
			s.say("  when the log was opened before record %d, %d acknowledged records were missing", l.Number, l.Lost)
		}
	}
	return nil
}
