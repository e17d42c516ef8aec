// Package settings says how a server of bundles is configured: one table, from
// which flags, environment variables, the keys of a file, the help and
// docs/scorer.md are made.
//
// A flag counts before a variable, that before the file, and that before the default.
package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/fetch"
	"github.com/tandem-ml/tandem/engineering/follow"
	"github.com/tandem-ml/tandem/engineering/observe"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/project"
)

// Target is what the settings set.
type Target struct {
	Alone     *serve.Alone
	Access    *serve.Access
	Follow    *follow.Options
	Observe   *observe.Settings
	TokenFile string // holds the token of Follow.Fetch
}

// New returns a target with its defaults.
func New() *Target {
	a := &serve.Alone{}
	return &Target{Alone: a, Access: &a.Access, Observe: &observe.Settings{}, Follow: &follow.Options{Poll: 5 * time.Second, Fetch: fetch.Options{Timeout: time.Minute}}}
}

// Group says which programs have a setting.
type Group int

const (
	Scorer  Group = iota // tandem-scorer only
	Serving              // tandem serve too
	Access               // all that serve, tandem up too
)

// Setting is one thing that can be said.
type Setting struct {
	Name    string // of the flag
	Value   string // what it takes, in a word
	Default string // in words
	Doc     string // one line
	Group   Group
	Many    bool // the flag may be repeated, and a file may have a list
	Secret  bool // has no flag, which other users of the machine could read, and is not shown

	set func(t *Target, value string) error
	get func(t *Target) []string
}

// Key is its name in a file.
func (s *Setting) Key() string { return strings.ReplaceAll(s.Name, "-", "_") }

// Env is the name of its variable.
func (s *Setting) Env() string { return "TANDEM_" + strings.ToUpper(s.Key()) }

func text(at func(*Target) *string) (func(*Target, string) error, func(*Target) []string) {
	return func(t *Target, v string) error { *at(t) = v; return nil },
		func(t *Target) []string { return filled(*at(t)) }
}

func whole(at func(*Target) *int) (func(*Target, string) error, func(*Target) []string) {
	return func(t *Target, v string) (err error) {
			if *at(t), err = strconv.Atoi(v); err != nil {
				err = fmt.Errorf("%q is not a whole number", v)
			}
			return err
		}, func(t *Target) []string {
			if *at(t) == 0 {
				return nil
			}
			return []string{strconv.Itoa(*at(t))}
		}
}

func span(at func(*Target) *time.Duration) (func(*Target, string) error, func(*Target) []string) {
	return func(t *Target, v string) (err error) { *at(t), err = project.ParseDuration(v); return err },
		func(t *Target) []string {
			if *at(t) == 0 && *at(New()) == 0 { // the default is elsewhere
				return nil
			}
			return []string{project.FormatDuration(*at(t))}
		}
}

func filled(v string) []string {
	if v == "" {
		return nil
	}
	return []string{v}
}

func with(s Setting, set func(*Target, string) error, get func(*Target) []string) *Setting {
	s.set, s.get = set, get
	return &s
}

func textual(s Setting, at func(*Target) *string) *Setting {
	set, get := text(at)
	return with(s, set, get)
}

func counted(s Setting, at func(*Target) *int) *Setting {
	set, get := whole(at)
	return with(s, set, get)
}

func timed(s Setting, at func(*Target) *time.Duration) *Setting {
	set, get := span(at)
	return with(s, set, get)
}

func shared(s Setting, at func(*Target) *float64) *Setting {
	return with(s, func(t *Target, v string) (err error) {
		if *at(t), err = strconv.ParseFloat(v, 64); err != nil || !(*at(t) >= 0 && *at(t) <= 1) {
			err = fmt.Errorf("%q is not a number from 0 to 1", v)
		}
		return err
	}, func(t *Target) []string {
		if *at(t) == 0 {
			return nil
		}
		return []string{strconv.FormatFloat(*at(t), 'g', -1, 64)}
	})
}

// All is the table.
var All = []*Setting{
	with(Setting{Name: "bundle", Value: "PLACE", Default: "the platform's", Many: true, Doc: "a bundle, or a folder of them: a path, https://, s3:// or gs://; may be repeated"},
		func(t *Target, v string) error {
			if v == "" {
				return errors.New("it names nothing")
			}
			t.Alone.Bundles = append(t.Alone.Bundles, v)
			return nil
		}, func(t *Target) []string { return t.Alone.Bundles }),
	textual(Setting{Name: "address", Value: "HOST:PORT", Default: "127.0.0.1:8080", Group: Serving, Doc: "where it listens; beyond this machine only with keys or tokens"},
		func(t *Target) *string { return &t.Alone.Address }),
	textual(Setting{Name: "grpc-address", Value: "HOST:PORT", Default: "none", Group: Serving, Doc: "where it speaks the Open Inference Protocol over gRPC"},
		func(t *Target) *string { return &t.Alone.GRPC }),
	textual(Setting{Name: "shadow", Value: "FILE", Default: "none", Group: Serving, Doc: "a bundle that scores what the only one answers, and is not answered"},
		func(t *Target) *string { return &t.Alone.Shadow }),
	textual(Setting{Name: "canary", Value: "FILE=PERCENT", Default: "none", Group: Serving, Doc: "a bundle that answers a share of the requests in place of the only one"},
		func(t *Target) *string { return &t.Alone.Canary }),
	timed(Setting{Name: "poll", Value: "DURATION", Default: "5s", Group: Serving, Doc: "how often it looks whether bundles have changed where they come from; 0: never"},
		func(t *Target) *time.Duration { return &t.Follow.Poll }),
	textual(Setting{Name: "cache", Value: "FOLDER", Default: "none", Group: Serving, Doc: "keeps what came over a network, so that a start without the network serves it"},
		func(t *Target) *string { return &t.Follow.Cache }),
	timed(Setting{Name: "fetch-timeout", Value: "DURATION", Default: "60s", Group: Serving, Doc: "how long one reading over a network may take"},
		func(t *Target) *time.Duration { return &t.Follow.Fetch.Timeout }),
	textual(Setting{Name: "fetch-token", Value: "TOKEN", Default: "none", Secret: true, Group: Serving, Doc: "the bearer token that https:// places are asked with"},
		func(t *Target) *string { return &t.Follow.Fetch.Token }),
	textual(Setting{Name: "fetch-token-file", Value: "FILE", Default: "none", Group: Serving, Doc: "holds that token"},
		func(t *Target) *string { return &t.TokenFile }),
	timed(Setting{Name: "notice", Value: "DURATION", Default: "2s on a platform, else 0s", Group: Serving, Doc: "after SIGTERM: how long probes are told 503 while requests are still taken"},
		func(t *Target) *time.Duration { return &t.Alone.Notice }),
	timed(Setting{Name: "drain", Value: "DURATION", Default: "20s on a platform, else 15s", Group: Serving, Doc: "how long requests under way have then to finish"},
		func(t *Target) *time.Duration { return &t.Alone.Drain }),
	textual(Setting{Name: "keys", Value: "FOLDER", Default: "none", Group: Access, Doc: "API keys, made by tandem keys create; with keys, addresses beyond this machine are allowed"},
		func(t *Target) *string { return &t.Access.Keys }),
	textual(Setting{Name: "tls-cert", Value: "FILE", Default: "none", Group: Access, Doc: "PEM file of the TLS certificate; read again when it changes"},
		func(t *Target) *string { return &t.Access.TLSCert }),
	textual(Setting{Name: "tls-key", Value: "FILE", Default: "none", Group: Access, Doc: "PEM file of its private key"},
		func(t *Target) *string { return &t.Access.TLSKey }),
	counted(Setting{Name: "max-concurrent", Value: "NUMBER", Default: "16 for each processor", Group: Access, Doc: "how many requests are scored at once"},
		func(t *Target) *int { return &t.Access.Running }),
	counted(Setting{Name: "max-queue", Value: "NUMBER", Default: "512 for each processor", Group: Access, Doc: "how many more may wait for it (-1: none); others are told when to come again"},
		func(t *Target) *int { return &t.Access.Waiting }),
	textual(Setting{Name: "rate", Value: "RATE", Default: "no limit", Group: Access, Doc: "how often a caller may ask, such as 100/s or 600/m: a key without a rate of its own, or without keys an address"},
		func(t *Target) *string { return &t.Access.Rate }),
	counted(Setting{Name: "burst", Value: "NUMBER", Default: "a second's worth", Group: Access, Doc: "how many of them at once"},
		func(t *Target) *int { return &t.Access.Burst }),
	textual(Setting{Name: "oidc-issuer", Value: "URL", Default: "none", Group: Access, Doc: "the OpenID Connect issuer whose bearer tokens are taken, beside keys"},
		func(t *Target) *string { return &t.Access.Tokens.Issuer }),
	textual(Setting{Name: "oidc-audience", Value: "NAME", Default: "none", Group: Access, Doc: "the audience that tokens must be for"},
		func(t *Target) *string { return &t.Access.Tokens.Audience }),
	textual(Setting{Name: "oidc-roles-claim", Value: "CLAIM", Default: "roles", Group: Access, Doc: "the claim with a token's roles, such as realm_access.roles"},
		func(t *Target) *string { return &t.Access.Tokens.Roles }),
	textual(Setting{Name: "log-format", Value: "FORMAT", Default: "text", Group: Access, Doc: "how the server's own log is written on stderr: text or json"},
		func(t *Target) *string { return &t.Observe.Format }),
	textual(Setting{Name: "log-level", Value: "LEVEL", Default: "warn", Group: Access, Doc: "from which level on: debug, info, warn or error"},
		func(t *Target) *string { return &t.Observe.Level }),
	shared(Setting{Name: "access-log", Value: "SHARE", Default: "0", Group: Access, Doc: "share of the requests that have a line in the log, from 0 (none) to 1 (all)"},
		func(t *Target) *float64 { return &t.Observe.Access }),
	textual(Setting{Name: "otlp-endpoint", Value: "URL", Default: "OTEL_EXPORTER_OTLP_ENDPOINT, or none", Group: Access, Doc: "http(s)://HOST:PORT of a collector that traces are sent to by OTLP over HTTP"},
		func(t *Target) *string { return &t.Observe.Endpoint }),
	shared(Setting{Name: "trace-share", Value: "SHARE", Default: "OTEL_TRACES_SAMPLER, or all", Group: Access, Doc: "share of the requests that are traced where the caller does not say, above 0 and at most 1"},
		func(t *Target) *float64 { return &t.Observe.Share }),
}

// Var is a setting of a target as package flag and pflag take it.
type Var struct {
	*Setting
	target *Target
}

// Var returns the setting as a flag of a target.
func (s *Setting) Var(t *Target) *Var { return &Var{Setting: s, target: t} }

// Set reads a value.
func (v *Var) Set(value string) error { return v.set(v.target, value) }

// String returns the value. It is the empty text for that of a zero Var, which
// package flag compares with.
func (v *Var) String() string {
	if v.Setting == nil {
		return ""
	}
	return strings.Join(v.get(v.target), " ")
}

// Type is what help calls the value.
func (v *Var) Type() string { return v.Value }

func (s *Setting) clear(t *Target) {
	if s.Many {
		t.Alone.Bundles = nil // the only one
	}
}

// Given is a value and where it was said.
type Given struct {
	Setting *Setting
	Values  []string
	From    string // "flag", "environment", "file" or "default"
}

// Read sets the target by a file, "" for none, by variables and by flags, in this
// order, and returns where each setting has come from. Its errors name the place.
func Read(t *Target, file string, getenv func(string) string, flags map[string][]string) ([]Given, error) {
	from := map[string]string{}
	if file != "" {
		if err := readFile(t, file, from); err != nil {
			return nil, err
		}
	}
	for _, s := range All {
		values := filled(getenv(s.Env()))
		if s.Many && len(values) > 0 {
			values = strings.Fields(values[0])
		}
		if len(values) == 0 {
			continue
		}
		from[s.Name] = "environment"
		s.clear(t)
		for _, v := range values {
			if err := s.set(t, v); err != nil {
				return nil, fmt.Errorf("%s: %w", s.Env(), s.hide(err))
			}
		}
	}
	for _, s := range All {
		values, given := flags[s.Name]
		if !given {
			continue
		}
		from[s.Name] = "flag"
		s.clear(t)
		for _, v := range values {
			if err := s.set(t, v); err != nil {
				return nil, fmt.Errorf("--%s: %w", s.Name, err)
			}
		}
	}
	// The last word on the token is the nearer one's, said by itself or by a file.
	rank := map[string]int{"": 0, "file": 1, "environment": 2, "flag": 3}
	if t.TokenFile != "" && rank[from["fetch-token-file"]] >= rank[from["fetch-token"]] {
		if err := t.Token(); err != nil {
			return nil, err
		}
	}
	var out []Given
	for _, s := range All {
		g := Given{s, s.get(t), from[s.Name]}
		if g.From == "" {
			g.From = "default"
		}
		if s.Secret && len(g.Values) > 0 && g.From == "default" {
			g.From = "its file"
		}
		out = append(out, g)
	}
	return out, nil
}

func (s *Setting) hide(err error) error {
	if s.Secret {
		return errors.New("it cannot be read")
	}
	return err
}

// Token reads the token of places from its file, if one is named.
func (t *Target) Token() error {
	if t.TokenFile == "" {
		return nil
	}
	f, err := os.Open(t.TokenFile)
	if err != nil {
		return fmt.Errorf("the token of places: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return fmt.Errorf("the token of places: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return data.WithHint(fmt.Errorf("%s holds no token", t.TokenFile), "a token is one line of letters, digits and signs")
	}
	t.Follow.Fetch.Token = token
	return nil
}

// Secrets sets those settings by variables that have no flags.
func Secrets(t *Target, getenv func(string) string) {
	for _, s := range All {
		if v := getenv(s.Env()); s.Secret && v != "" {
			s.set(t, v) // texts, of which all are taken
		}
	}
}

func readFile(t *Target, file string, from map[string]string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("the file of settings: %w", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, project.MaxSize+1))
	if err != nil {
		return fmt.Errorf("the file of settings: %w", err)
	}
	keys, byKey := []string{}, map[string]*Setting{}
	for _, s := range All {
		keys = append(keys, s.Key())
		byKey[s.Key()] = s
	}
	return project.ParseFlat(file, "file of settings", src, keys, func(p project.Pair) error {
		s := byKey[p.Key]
		if p.List && !s.Many {
			return errors.New("it takes one value, not a list")
		}
		from[s.Name] = "file"
		s.clear(t)
		for _, v := range p.Values {
			if err := s.set(t, v); err != nil {
				return s.hide(err)
			}
		}
		return nil
	})
}

// Print writes what is in force as a file of settings, without secrets.
func Print(given []Given) []byte {
	var b bytes.Buffer
	for _, g := range given {
		var values []string
		for _, v := range g.Values {
			if g.Setting.Secret {
				v = "********"
			} else if g.Setting.Many {
				v = fetch.Redact(v)
			}
			values = append(values, quoted(v))
		}
		switch {
		case len(values) == 0:
			fmt.Fprintf(&b, "# %s: %s\n", g.Setting.Key(), g.Setting.Default)
		case g.Setting.Many:
			fmt.Fprintf(&b, "%s: [%s]  # %s\n", g.Setting.Key(), strings.Join(values, ", "), g.From)
		default:
			fmt.Fprintf(&b, "%s: %s  # %s\n", g.Setting.Key(), values[0], g.From)
		}
	}
	return b.Bytes()
}

// quoted writes a text as YAML takes it.
func quoted(v string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(v) // a string can be encoded
	return strings.TrimSpace(b.String())
}
