package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/limit"
	"github.com/tandem-ml/tandem/engineering/oidc"
	"github.com/tandem-ml/tandem/engineering/rollout"
	"github.com/tandem-ml/tandem/engineering/trace"
)

// Alone is a server of bundles without a project: nothing is kept, watched or
// renewed.
type Alone struct {
	Bundles []string      // files and folders, as [Load] takes them; none: the platform's
	Shadow  string        // a bundle's file: it scores what the only model answers; "": none
	Canary  string        // FILE=PERCENT: it answers a share in the place of the only model; "": none
	Address string        // host:port; "": the platform's, or 127.0.0.1:8080
	GRPC    string        // host:port of the gRPC door; "": none
	Called  bool          // the program was called as a serving container is, see [DetectPlatform]
	Access  Access        // who may ask, and how
	Notice  time.Duration // as in [Limits]; 0: two seconds on a platform, else none
	Drain   time.Duration // as in [Limits]; 0: 20 seconds on a platform, else 15
	Logger  *slog.Logger  // this and the next three as in [Options]

	Tracer      trace.Tracer
	AccessLog   *slog.Logger
	AccessShare float64

	Say   func(format string, args ...any) // told what is served, and where
	Ready func(url string)                 // called once the server answers; may be nil

	// Open reads the bundles. Nil: [Load].
	Open func(ctx context.Context, paths []string) ([]Model, error)

	// Append keeps decisions elsewhere before they are answered; what it returns
	// refuses the request. Nil: they are forgotten.
	Append func(ctx context.Context, ds ...decisions.Decision) error

	// Beside is given the server before it answers, and returns what runs beside
	// it until ctx ends: its error stops the server. May be nil, and may return nil.
	Beside func(s *Server) (func(ctx context.Context) error, error)
}

// ErrNoBundle says that nothing was named to be served.
var ErrNoBundle = errors.New("no bundle to serve")

// ErrBeside says that a shadow or a canary was asked for that cannot be.
var ErrBeside = errors.New("no shadow or canary")

// notice is how long the probes of a platform are told that a server is about
// to stop before it stops.
const notice = 2 * time.Second

// Run serves until ctx ends. Without keys or a platform it binds to loopback
// only, as [Listen] does.
func (a Alone) Run(ctx context.Context) error {
	platform, err := DetectPlatform(os.Getenv, a.Called && len(a.Bundles) == 0)
	if err != nil {
		return err
	}
	opt := Options{Logger: a.Logger, Tracer: a.Tracer, AccessLog: a.AccessLog, AccessShare: a.AccessShare, Log: noLog{a.Append}}
	opt.Limits.Notice, opt.Limits.Drain = a.Notice, a.Drain
	if err := a.Access.Apply(&opt); err != nil {
		return err
	}
	address, paths, listen := a.Address, a.Bundles, a.Access.Listen
	if platform != nil {
		opt.Health, opt.Predict = platform.Health, platform.Predict
		opt.Limits.Notice, opt.Limits.Drain = cmp.Or(a.Notice, notice), cmp.Or(a.Drain, 20*time.Second)
		// The platform's word is the last: it calls the port that it has named.
		address, listen = platform.Address, ListenAnywhere
		if len(paths) == 0 {
			paths = []string{platform.Folder}
		}
	}
	switch {
	case len(paths) == 0:
		return data.WithHint(ErrNoBundle, "name one or more: bundles are files named *.tandem")
	case address == "":
		address = "127.0.0.1:8080"
	}
	open := a.Open
	if open == nil {
		open = func(_ context.Context, paths []string) ([]Model, error) { return Load(paths...) }
	}
	models, err := open(ctx, paths)
	if err != nil {
		return err
	}
	lineups, err := a.lineups(models)
	if err != nil {
		return err
	}
	l, err := listen(address)
	if err != nil {
		return err
	}
	defer l.Close() // harmless after serving has closed it
	server := New(opt)
	for _, l := range lineups {
		if err := server.Put(l); err != nil {
			return err
		}
	}
	var beside func(context.Context) error
	if a.Beside != nil {
		if beside, err = a.Beside(server); err != nil {
			return err
		}
	}
	if platform != nil {
		a.Say("%s: listening on all interfaces, as its containers do", platform.Name)
	}
	url := server.URL(l.Addr())
	var g net.Listener
	if a.GRPC != "" {
		if g, err = listen(a.GRPC); err != nil {
			return err
		}
		a.Say("gRPC on %s", g.Addr())
	}
	kept := "answered and not kept"
	if a.Append != nil {
		kept = "sent before they are answered, and not kept here"
	}
	a.Say("serving %d models on %s; decisions are %s   (Ctrl-C stops)", len(models), url, kept)
	if a.Ready != nil {
		a.Ready(url)
	}
	if beside == nil {
		return server.ServeBoth(ctx, l, g)
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return server.ServeBoth(ctx, l, g) })
	both.Go(func() error { return beside(ctx) })
	return both.Wait()
}

// lineups puts what was asked for beside the models. Canary and shadow are known
// by these words as their versions, also in paths.
func (a Alone) lineups(models []Model) ([]Lineup, error) {
	var out []Lineup
	for _, m := range models {
		out = append(out, Lineup{Champion: m})
	}
	if a.Shadow == "" && a.Canary == "" {
		return out, nil
	}
	if len(models) != 1 {
		return nil, data.WithHint(fmt.Errorf("%w: there are %d models, and a shadow or a canary stands beside one", ErrBeside, len(models)), "serve one bundle, or a project: tandem up")
	}
	only := &out[0]
	beside := func(role, file string) (*Model, error) {
		b, err := bundle.Open(file)
		if err == nil {
			err = rollout.Warm(b)
		}
		if err == nil {
			err = rollout.Compatible(only.Champion.Bundle, b)
		}
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", role, file, err)
		}
		return &Model{Project: only.Champion.Project, Version: role, Bundle: b}, nil
	}
	var err error
	if a.Canary != "" {
		file, percent, _ := cutLast(a.Canary, "=")
		if only.Percent, err = strconv.ParseFloat(strings.TrimSuffix(percent, "%"), 64); err != nil || !(only.Percent > 0 && only.Percent <= 100) {
			return nil, data.WithHint(fmt.Errorf("%w: %q is not FILE=PERCENT", ErrBeside, a.Canary), "the percentage is above 0 and at most 100: new.tandem=10")
		}
		if only.Canary, err = beside("canary", file); err != nil {
			return nil, err
		}
	}
	if a.Shadow != "" {
		if only.Shadow, err = beside("shadow", a.Shadow); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Access says who may ask a server, and how. Its zero value is for loopback
// addresses.
type Access struct {
	Keys    string       // the folder of keys; "": none
	Tokens  oidc.Options // whose tokens are taken; without an issuer none are. With neither keys nor tokens everybody may ask
	TLSCert string       // PEM files; "": no TLS
	TLSKey  string

	Running, Waiting int    // as in [Limits]; 0: the default
	Rate             string // of one caller, as [limit.ParseRate] reads it
	Burst            int
}

// Check returns what is wrong with settings that go together, or with one alone.
func (a Access) Check() error {
	_, err := limit.ParseRate(a.Rate, a.Burst)
	switch {
	case (a.TLSCert == "") != (a.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key go together")
	case err != nil:
		return fmt.Errorf("--rate and --burst: %w", err)
	case a.Running < 0 || a.Running > 1_000_000:
		return errors.New("--max-concurrent is a number of requests; 0: 16 for each processor")
	case a.Waiting < -1 || a.Waiting > 1_000_000:
		return errors.New("--max-queue is a number of requests; 0: 512 for each processor, -1: none")
	case a.Tokens.Issuer == "" && (a.Tokens.Audience != "" || a.Tokens.Roles != ""):
		return errors.New("--oidc-audience and --oidc-roles-claim need --oidc-issuer")
	case a.Tokens.Issuer != "":
		_, err := oidc.New(a.Tokens)
		return err
	}
	return nil
}

// Listen is the function Listen, or with keys or tokens [ListenAnywhere].
func (a Access) Listen(address string) (net.Listener, error) {
	if a.Keys == "" && a.Tokens.Issuer == "" {
		return Listen(address)
	}
	return ListenAnywhere(address)
}

// Apply sets the options. An issuer that does not answer yet is asked again when
// its first token comes; the logger, if there is one, is told.
func (a Access) Apply(opt *Options) error {
	rate, err := limit.ParseRate(a.Rate, a.Burst)
	if err != nil {
		return err
	}
	opt.Limits.Running, opt.Limits.Waiting, opt.Limits.Rate = a.Running, a.Waiting, rate
	var ring *keys.Ring
	if a.Keys != "" {
		if ring, err = keys.Open(a.Keys); err != nil {
			return err
		}
		opt.Keys = ring
	}
	if a.Tokens.Issuer != "" {
		v, err := oidc.New(a.Tokens)
		if err != nil {
			return err
		}
		if err := v.Load(context.Background()); err != nil && opt.Logger != nil {
			opt.Logger.Warn("tokens cannot be checked yet", "cause", err)
		}
		opt.Keys = oidc.Keys{Ring: ring, Tokens: v}
	}
	if a.TLSCert == "" && a.TLSKey == "" {
		return nil
	}
	c, err := LoadCertificate(a.TLSCert, a.TLSKey)
	if err != nil {
		return err
	}
	opt.Certificate = c
	return nil
}

// URL returns where this machine reaches the server that listens at an address.
func (s *Server) URL(a net.Addr) string {
	scheme, host := "http://", a.String()
	if s.opt.Certificate != nil {
		scheme = "https://"
	}
	if t, ok := a.(*net.TCPAddr); ok && t.IP.IsUnspecified() {
		host = net.JoinHostPort("127.0.0.1", strconv.Itoa(t.Port))
	}
	return scheme + host
}
