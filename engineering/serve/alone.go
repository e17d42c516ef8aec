package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/limit"
	"github.com/tandem-ml/tandem/engineering/oidc"
)

// Alone is a server of bundles without a project: nothing is kept, watched or
// renewed.
type Alone struct {
	Bundles []string                         // files and folders, as [Load] takes them; none: the platform's
	Address string                           // host:port; "": the platform's, or 127.0.0.1:8080
	GRPC    string                           // host:port of the gRPC door; "": none
	Called  bool                             // the program was called as a serving container is, see [DetectPlatform]
	Access  Access                           // who may ask, and how
	Logger  *slog.Logger                     // as in [Options]
	Say     func(format string, args ...any) // told what is served, and where
	Ready   func(url string)                 // called once the server answers; may be nil
}

// ErrNoBundle says that nothing was named to be served.
var ErrNoBundle = errors.New("no bundle to serve")

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
	opt := Options{Logger: a.Logger}
	if err := a.Access.Apply(&opt); err != nil {
		return err
	}
	address, paths, listen := a.Address, a.Bundles, a.Access.Listen
	if platform != nil {
		opt.Health, opt.Predict, opt.Limits.Notice, opt.Limits.Drain = platform.Health, platform.Predict, notice, 20*time.Second
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
	models, err := Load(paths...)
	if err != nil {
		return err
	}
	l, err := listen(address)
	if err != nil {
		return err
	}
	defer l.Close() // harmless after serving has closed it
	server := New(opt)
	for _, m := range models {
		server.Swap(m)
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
	a.Say("serving %d models on %s; decisions are answered and not kept   (Ctrl-C stops)", len(models), url)
	if a.Ready != nil {
		a.Ready(url)
	}
	return server.ServeBoth(ctx, l, g)
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
