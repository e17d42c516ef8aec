// Command tandem-scorer serves bundles and does nothing else: one small static
// file for an image in production, with every scoring door of tandem serve.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/follow"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/engineering/settings"
)

const usage = `tandem-scorer serves bundles over HTTP, and does nothing else.

  tandem-scorer --bundle PLACE [--bundle PLACE...] [FLAGS]
  tandem-scorer --config FILE [FLAGS]
  tandem-scorer --print-config [FLAGS]

A bundle is a file NAME.tandem, served as the model NAME, a folder of such files,
https://HOST/NAME.tandem, s3://BUCKET/KEY or gs://BUCKET/KEY, with a slash at the
end all below it. What changes there is served within --poll; what is damaged is
refused, and the old goes on.

What flags do not say, environment variables do (TANDEM_BUNDLE, places separated by
spaces, TANDEM_GRPC_ADDRESS and so on), then the file --config or TANDEM_CONFIG
(bundle: ..., grpc_address: ...). --print-config shows what is in force.

The log goes to stderr; --access-log 0.01 adds a line for one request in a
hundred. --otlp-endpoint, or the variables of OpenTelemetry such as
OTEL_EXPORTER_OTLP_ENDPOINT, name a collector that traces are sent to.

In a container of Vertex AI, SageMaker or Azure Machine Learning, known by
their environment variables or by the argument serve and a folder
/opt/ml/model, it listens on all interfaces at the port that the platform has
chosen, and takes the bundles and the routes from there.

`

const usageEnd = `  --config FILE
      settings, as YAML (default none)
  --print-config
      print the settings that are in force, and where they come from; secrets are left out
  --version
      print the version

docs/scorer.md says more, docs/http-api.md the routes. Exit codes: 0 stopped, 1 failed, 2 wrong usage.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	target := settings.New()
	alone := target.Alone
	flags := flag.NewFlagSet("tandem-scorer", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	given := map[string][]string{}
	for _, s := range settings.All {
		if !s.Secret {
			flags.Func(s.Name, s.Doc, func(v string) error {
				if !s.Many {
					given[s.Name] = nil // the last one counts
				}
				given[s.Name] = append(given[s.Name], v)
				return nil
			})
		}
	}
	config := flags.String("config", os.Getenv("TANDEM_CONFIG"), "file of settings")
	show := flags.Bool("print-config", false, "print the settings in force")
	version := flags.Bool("version", false, "print the version")
	if len(args) > 0 && args[0] == "serve" { // how SageMaker calls an image
		alone.Called, args = true, args[1:]
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage, settings.Help(), usageEnd)
		return 0
	case err == nil && flags.NArg() > 0:
		return fail(stderr, data.WithHint(fmt.Errorf("unexpected argument %q", flags.Arg(0)), "bundles are named with --bundle; tandem-scorer --help says more"), 2)
	case err != nil:
		return fail(stderr, data.WithHint(err, "tandem-scorer --help says more"), 2)
	case *version:
		fmt.Fprintln(stdout, "tandem-scorer", tandem.Version)
		return 0
	}
	said, err := settings.Read(target, *config, os.Getenv, given)
	if err == nil {
		err = target.Access.Check()
	}
	if err != nil {
		return fail(stderr, err, 2)
	}
	if *show {
		stdout.Write(settings.Print(said))
		return 0
	}
	seen, err := target.Observe.Open(ctx, stderr)
	if err != nil {
		return fail(stderr, err, 2)
	}
	defer seen.Close()
	alone.Logger, alone.Tracer, alone.AccessLog, alone.AccessShare = seen.Logger, seen.Tracer, seen.Access, target.Observe.Access
	alone.Say = func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
	target.Follow.Fetch.Getenv, target.Follow.Say = os.Getenv, alone.Say
	follow.Attach(alone, *target.Follow)
	err = alone.Run(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, serve.ErrNoBundle), errors.Is(err, serve.ErrBeside), errors.Is(err, serve.ErrNotLoopback):
		return fail(stderr, err, 2)
	}
	return fail(stderr, err, 1)
}

// fail prints an error with its cure.
func fail(stderr io.Writer, err error, code int) int {
	fmt.Fprintf(stderr, "tandem-scorer: %v\n", err)
	var hint *data.Hinted
	if errors.As(err, &hint) {
		fmt.Fprintf(stderr, "  %s\n", hint.Hint)
	}
	return code
}
