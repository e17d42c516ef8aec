// Command tandem-scorer serves bundles and does nothing else: one small static
// file for an image in production, with every scoring door of tandem serve.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/observe"
	"github.com/tandem-ml/tandem/engineering/serve"
)

const usage = `tandem-scorer serves bundles over HTTP, and does nothing else.

  tandem-scorer --bundle FILE [--bundle FILE...] [--address HOST:PORT]
                [--grpc-address HOST:PORT] [--shadow FILE] [--canary FILE=PERCENT]
                [--keys FOLDER] [--tls-cert FILE --tls-key FILE]
                [--oidc-issuer URL --oidc-audience NAME [--oidc-roles-claim NAME]]
                [--max-concurrent N] [--max-queue N] [--rate 100/s [--burst N]]
                [--log-format text|json] [--log-level LEVEL] [--access-log SHARE]
                [--otlp-endpoint URL] [--trace-share SHARE]

A bundle is a file NAME.tandem, or a folder of such files, each served as the
model NAME. The address is 127.0.0.1:8080 if nothing else is said. Other
machines can reach it with --keys, a folder of API keys made by tandem keys
create, or with --oidc-issuer, whose bearer tokens it takes, only; --tls-cert and
--tls-key are PEM files that are read again when they change. What flags do not
say, the environment variables TANDEM_BUNDLE (files and folders, separated by
spaces), TANDEM_ADDRESS, TANDEM_GRPC_ADDRESS, TANDEM_SHADOW, TANDEM_CANARY, TANDEM_KEYS,
TANDEM_TLS_CERT and so on do. Beside a single bundle, another one may score what is
answered without being answered itself (--shadow), or answer a share of the
requests (--canary).

--max-concurrent requests are scored at once (16 for each processor) and
--max-queue wait (512 for each, -1: none); --rate is how often one caller may ask:
a key without a rate of its own, or without keys an address. Who is refused is
told when to come again.

The log goes to stderr; --access-log 0.01 adds a line for one request in a
hundred. --otlp-endpoint, or the variables of OpenTelemetry such as
OTEL_EXPORTER_OTLP_ENDPOINT, name a collector that traces are sent to.

In a container of Vertex AI, SageMaker or Azure Machine Learning, known by
their environment variables or by the argument serve and a folder
/opt/ml/model, it listens on all interfaces at the port that the platform has
chosen, and takes the bundles and the routes from there.

Routes are in docs/http-api.md. Exit codes: 0 stopped, 1 failed, 2 wrong usage.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var alone serve.Alone
	flags := flag.NewFlagSet("tandem-scorer", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Func("bundle", "a bundle, or a folder of them; may be repeated", func(path string) error {
		alone.Bundles = append(alone.Bundles, path)
		return nil
	})
	flags.StringVar(&alone.Address, "address", os.Getenv("TANDEM_ADDRESS"), "host:port to listen on")
	flags.StringVar(&alone.GRPC, "grpc-address", os.Getenv("TANDEM_GRPC_ADDRESS"), "host:port of the gRPC door")
	flags.StringVar(&alone.Shadow, "shadow", os.Getenv("TANDEM_SHADOW"), "a bundle that scores what is answered")
	flags.StringVar(&alone.Canary, "canary", os.Getenv("TANDEM_CANARY"), "FILE=PERCENT: a bundle that answers a share")
	flags.StringVar(&alone.Access.Keys, "keys", os.Getenv("TANDEM_KEYS"), "folder of API keys")
	flags.StringVar(&alone.Access.TLSCert, "tls-cert", os.Getenv("TANDEM_TLS_CERT"), "PEM file of the TLS certificate")
	flags.StringVar(&alone.Access.TLSKey, "tls-key", os.Getenv("TANDEM_TLS_KEY"), "PEM file of its private key")
	flags.IntVar(&alone.Access.Running, "max-concurrent", number(os.Getenv("TANDEM_MAX_CONCURRENT")), "requests scored at once")
	flags.IntVar(&alone.Access.Waiting, "max-queue", number(os.Getenv("TANDEM_MAX_QUEUE")), "requests that wait for it")
	flags.StringVar(&alone.Access.Rate, "rate", os.Getenv("TANDEM_RATE"), "how often a caller may ask")
	flags.IntVar(&alone.Access.Burst, "burst", number(os.Getenv("TANDEM_BURST")), "how many at once")
	flags.StringVar(&alone.Access.Tokens.Issuer, "oidc-issuer", os.Getenv("TANDEM_OIDC_ISSUER"), "issuer of tokens")
	flags.StringVar(&alone.Access.Tokens.Audience, "oidc-audience", os.Getenv("TANDEM_OIDC_AUDIENCE"), "audience of tokens")
	flags.StringVar(&alone.Access.Tokens.Roles, "oidc-roles-claim", os.Getenv("TANDEM_OIDC_ROLES_CLAIM"), "claim with the roles")
	var observed observe.Settings
	observed.Flags(flags, os.Getenv)
	version := flags.Bool("version", false, "print the version")
	if len(args) > 0 && args[0] == "serve" { // how SageMaker calls an image
		alone.Called, args = true, args[1:]
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case err == nil && flags.NArg() > 0:
		return fail(stderr, data.WithHint(fmt.Errorf("unexpected argument %q", flags.Arg(0)), "bundles are named with --bundle; tandem-scorer --help says more"), 2)
	case err != nil:
		return fail(stderr, data.WithHint(err, "tandem-scorer --help says more"), 2)
	case *version:
		fmt.Fprintln(stdout, "tandem-scorer", tandem.Version)
		return 0
	}
	if err := alone.Access.Check(); err != nil {
		return fail(stderr, err, 2)
	}
	if len(alone.Bundles) == 0 {
		alone.Bundles = strings.Fields(os.Getenv("TANDEM_BUNDLE"))
	}
	seen, err := observed.Open(ctx, stderr)
	if err != nil {
		return fail(stderr, err, 2)
	}
	defer seen.Close()
	alone.Logger, alone.Tracer, alone.AccessLog, alone.AccessShare = seen.Logger, seen.Tracer, seen.Access, observed.Access
	alone.Say = func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
	err = alone.Run(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, serve.ErrNoBundle), errors.Is(err, serve.ErrBeside), errors.Is(err, serve.ErrNotLoopback):
		return fail(stderr, err, 2)
	}
	return fail(stderr, err, 1)
}

// number reads a number from the environment. What is none is as wrong as can be,
// so that it is not taken for a default.
func number(text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return math.MinInt
	}
	return n
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
