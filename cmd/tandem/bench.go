package main

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/workflow"
)

func (s *shared) benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "bench train|score|http", GroupID: "engineering", Args: cobra.NoArgs,
		Short: "Measure how fast trees are trained and scored, and how fast a server answers",
		RunE: func(c *cobra.Command, _ []string) error {
			return workflow.Usagef("say what to measure: bench train, bench score or bench http")
		},
	}
	for _, sub := range []*cobra.Command{s.benchTrainCommand(), s.benchScoreCommand(), s.benchHTTPCommand()} {
		sub.Args = usage(sub.Args)
		c.AddCommand(sub)
	}
	return c
}

// kernelHelp explains --kernel.
const kernelHelp = "how trees are scored: avx512, avx2 or portable, with the same bits; the fastest that this processor runs if left out"

func (s *shared) benchTrainCommand() *cobra.Command {
	o := workflow.BenchTrainOptions{Trees: 100, Leaves: 31, Threads: runtime.GOMAXPROCS(0), Every: 30 * time.Second}
	var set []string
	c := &cobra.Command{
		Use: "train --data FILE --target COLUMN", Args: cobra.NoArgs,
		Short: "Train one booster and say how long each part of it took",
		Long: `Train reads FILE, trains one booster (learning rate 0.1, 255 bins, 20 rows in a
leaf at least; or what --defaults and --set say) on its first four fifths, or on
all of it with --test, and measures it on the rest. read_s ends with plain columns
in memory; bin_s is all that looks at values before the first tree; boost_s is
growing.

With --task ranking it learns the order of the rows within each group, such as
the results of one search: the target says how much a row is worth, a whole number
from 0 to 31, and --group names the column that is the same in the rows of a group,
which follow each other. A group is not divided between training and measuring.

With --checkpoint the state of the training is kept in a file, and a training that
was interrupted goes on from there when the same command is given again, to the
same model. The file is removed at the end.`,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case o.Data == "" || o.Target == "":
				return workflow.Usagef("bench train needs --data FILE and --target COLUMN")
			case o.Trees < 1 || o.Leaves < 2:
				return workflow.Usagef("--trees must be 1 or more and --leaves 2 or more")
			case o.Threads < 1:
				return workflow.Usagef("--threads must be 1 or more")
			case (o.Task == "ranking") != (o.Group != ""):
				return workflow.Usagef("--task ranking and --group COLUMN go together")
			case o.Group != "" && o.Group == o.Target:
				return workflow.Usagef("--group and --target are both %q", o.Target)
			case o.Every < 0:
				return workflow.Usagef("--checkpoint-every must not be negative")
			}
			var err error
			if o.Settings, err = boosterSettings(set); err != nil {
				return err
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(o.Threads))
			r, err := workflow.BenchTrain(c.Context(), o)
			if err != nil {
				return err
			}
			if s.json {
				return s.print(r)
			}
			size := fmt.Sprintf("%d trees of %d leaves", o.Trees, o.Leaves)
			if o.Defaults {
				size = "default settings"
			}
			s.say("%d rows x %d columns, %s, %d threads", r.Rows, r.Cols, size, r.Threads)
			if r.Resumed > 0 {
				s.say("went on from %d trees in %s; the times are of the rest", r.Resumed, o.Checkpoint)
			}
			s.say("read %.3f s, bin %.3f s, boost %.3f s, all %.3f s; peak %.0f MB", r.Read, r.Bin, r.Boost, r.Total, r.PeakMB)
			switch {
			case r.NDCG != nil:
				s.say("NDCG of the first ten %.6f on groups not trained on", *r.NDCG)
			case r.RMSE != nil:
				s.say("RMSE %.6g on rows not trained on", *r.RMSE)
			case r.AUC == nil:
				s.say("log loss %.6f, accuracy %.6f on rows not trained on", *r.LogLoss, *r.Right)
			default:
				s.say("AUC %.6f, log loss %.6f on rows not trained on", *r.AUC, *r.LogLoss)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&o.Data, "data", "", "the table to train on")
	f.StringVar(&o.Target, "target", "", "the column to predict")
	f.StringVar(&o.Test, "test", "", "the table to measure on, instead of the last fifth of --data")
	f.StringVar(&o.Task, "task", "auto", "auto, binary, multiclass, ranking or regression; auto takes texts of more than two values for classes")
	f.StringVar(&o.Group, "group", "", "the column that says which rows a ranking puts in order together")
	f.IntVar(&o.Trees, "trees", o.Trees, "how many trees")
	f.IntVar(&o.Leaves, "leaves", o.Leaves, "leaves of a tree at most")
	f.BoolVar(&o.Defaults, "defaults", false, "the booster's own defaults, and not --trees, --leaves, 255 bins and so on")
	f.StringArrayVar(&set, "set", nil, "a setting of the booster as NAME=VALUE, which wins over all others; may be repeated")
	f.IntVar(&o.Threads, "threads", o.Threads, "how many processors to use")
	f.Uint64Var(&o.Seed, "seed", 0, "the seed of everything random")
	f.StringVar(&o.Checkpoint, "checkpoint", "", "keep the state of the training in this file, and go on from it if it is there")
	f.DurationVar(&o.Every, "checkpoint-every", o.Every, "how often the state is written at most")
	return c
}

// boosterSettings reads NAME=VALUE: numbers where they can be read as such, else
// words.
func boosterSettings(list []string) (learn.Params, error) {
	p := learn.Params{}
	for _, item := range list {
		name, value, found := strings.Cut(item, "=")
		if !found || name == "" {
			return nil, workflow.Usagef("--set %s: write NAME=VALUE, such as lambda=1", item)
		}
		p[name] = value
		if x, err := strconv.ParseFloat(value, 64); err == nil {
			p[name] = x
		}
	}
	return p, nil
}

func (s *shared) benchScoreCommand() *cobra.Command {
	var source, kernel string
	threads := runtime.GOMAXPROCS(0)
	c := &cobra.Command{
		Use: "score BUNDLE --data FILE", Args: cobra.ExactArgs(1),
		Short: "Score a table again and again and say how fast: as a whole, row by row, with reasons",
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case source == "":
				return workflow.Usagef("bench score needs --data FILE")
			case threads < 1:
				return workflow.Usagef("--threads must be 1 or more")
			}
			b, err := open(args[0])
			if err != nil {
				return err
			}
			if b, err = workflow.WithKernel(b, kernel); err != nil {
				return err
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
			r, err := workflow.BenchScore(c.Context(), b, source, threads, workflow.Options{Talk: s.talk()})
			if err != nil {
				return err
			}
			if s.json {
				return s.print(r)
			}
			line := func(l workflow.Latency) string { return fmt.Sprintf("p50 %.2f us, p99 %.2f us", l.P50, l.P99) }
			s.say("batch            %.0f rows/s on %d threads", r.Batch.RowsPerSecond, r.Threads)
			s.say("one row          %s\nwith reasons     %s", line(r.Row), line(r.Reasons))
			return nil
		},
	}
	c.Flags().StringVar(&source, "data", "", "the table to score")
	c.Flags().IntVar(&threads, "threads", threads, "how many processors to use")
	c.Flags().StringVar(&kernel, "kernel", "", kernelHelp)
	return c
}
