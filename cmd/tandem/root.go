package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/workflow"
)

// shared holds what every command has: where to write and how to talk.
type shared struct {
	stdout, stderr io.Writer
	quiet          bool
	json           bool
}

const exitCodes = `Exit codes: 0 done; 1 bad input or failure; 2 wrong usage; 3 a gate or check did
not hold, or a row was refused; 70 a bug of tandem; 130 interrupted.`

func rootCommand(stdout, stderr io.Writer) *cobra.Command {
	s := &shared{stdout: stdout, stderr: stderr}
	root := &cobra.Command{
		Use:   "tandem",
		Short: "From a raw file to a model in production that keeps itself right",
		Long: `Tandem carries machine learning over both of its halves: from a raw file to an
honestly evaluated, explained model, and on to a model that answers in production.

` + exitCodes,
		Version:       tandem.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          known,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().BoolVarP(&s.quiet, "quiet", "q", false, "say nothing but errors on stderr")
	root.PersistentFlags().BoolVar(&s.json, "json", false, "print the result as JSON on stdout")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &workflow.UsageError{Err: err} })
	root.AddGroup(&cobra.Group{ID: "science", Title: "From data to model:"},
		&cobra.Group{ID: "engineering", Title: "From model to production:"})
	root.AddCommand(
		s.initCommand(), s.exploreCommand(), s.prepareCommand(), s.contractCommand(), s.testCommand(), s.runCommand(), s.trainCommand(), s.evaluateCommand(),
		s.explainCommand(), s.reportCommand(), s.predictCommand(), s.verifyCommand(), s.upCommand(), s.serveCommand(),
		s.retrainCommand(), s.statusCommand(), s.modelsCommand(), s.decisionsCommand(), s.keysCommand(), s.demoCommand(), s.importCommand(), s.exportCommand(), s.benchCommand())
	for _, c := range root.Commands() {
		c.Args = usage(c.Args)
	}
	return root
}

// known refuses an unknown command and names the nearest.
func known(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := workflow.Usagef("there is no command %q", args[0])
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	if near := data.Nearest(args[0], names); near != "" {
		return data.WithHint(err, "did you mean %q?", near)
	}
	return data.WithHint(err, "tandem --help lists them")
}

// usage makes a wrong number of arguments a usage error.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if check == nil {
			return nil
		}
		if err := check(c, args); err != nil {
			return &workflow.UsageError{Err: fmt.Errorf("%w; usage: %s", err, c.UseLine())}
		}
		return nil
	}
}

// talk returns the voice of a command.
func (s *shared) talk() *workflow.Talk {
	if s.quiet {
		return nil
	}
	return &workflow.Talk{W: s.stderr, Terminal: isTerminal(s.stderr)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// print writes v as indented JSON to stdout.
func (s *shared) print(v any) error {
	enc := json.NewEncoder(s.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// say writes a line to stdout.
func (s *shared) say(format string, args ...any) {
	fmt.Fprintf(s.stdout, format+"\n", args...)
}

// both returns the first error, keeping a failed check visible behind it.
func both(errs ...error) error { return errors.Join(errs...) }
