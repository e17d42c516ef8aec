// Command tandem carries machine learning from a raw file to a model in
// production. It is flags, help and exit codes; the work is in package
// workflow.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/workflow"
)

// The exit codes; the help text of the root command documents them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotHeld     = 3
	exitBug         = 70
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(stderr, "tandem: internal error: %v\n", p)
			fmt.Fprintf(stderr, "  this is a bug in tandem %s; please report it with the command line and what follows\n%s", tandem.Version, debug.Stack())
			code = exitBug
		}
	}()
	root := rootCommand(stdout, stderr)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	return report(ctx, stderr, err)
}

// report prints an error with its cure and returns the exit code it stands for.
func report(ctx context.Context, stderr io.Writer, err error) int {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		var kept *workflow.Interrupted
		if errors.As(err, &kept) {
			fmt.Fprintf(stderr, "tandem: %v\n", kept)
			return exitInterrupted
		}
		fmt.Fprintln(stderr, "tandem: interrupted; nothing half done was kept")
		return exitInterrupted
	}
	for _, e := range each(err) {
		fmt.Fprintf(stderr, "tandem: %v\n", e)
		var hint *data.Hinted
		if errors.As(e, &hint) {
			fmt.Fprintf(stderr, "  %s\n", hint.Hint)
		}
	}
	var usage *workflow.UsageError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, workflow.ErrNotHeld):
		return exitNotHeld
	}
	return exitFailed
}

// each returns the errors that errors.Join put together, so that each is
// printed with its own cure; any other error is returned alone.
func each(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	text := ""
	var all []error
	for i, e := range joined.Unwrap() {
		if i > 0 {
			text += "\n"
		}
		text += e.Error()
		all = append(all, each(e)...)
	}
	if text != err.Error() {
		return []error{err} // several causes of one error, said in its own words
	}
	return all
}
