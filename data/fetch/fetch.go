// Package fetch answers: how do rows that are elsewhere come here? It copies
// what an address names (a file by https, an object of an S3 store, the result
// of a query at a PostgreSQL server) into a file of its own, which data/ingest
// then reads like any other, twice if it must.
//
// It is the only package that links a client of S3 or of PostgreSQL.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/data"
)

// The bounds of a copy.
const (
	MaxBytes = 16 << 30         // of a file
	Timeout  = 30 * time.Minute // for all of it
)

// File is what was copied.
type File struct {
	Name string // the last part of the address, which tells the format: "loans.csv.gz"
	Path string // of the copy, which the caller removes
}

// Is reports whether a source is an address rather than a file.
func Is(source string) bool {
	return strings.Contains(source, "://") || strings.HasPrefix(source, "env:")
}

// Resolve returns the address that a source stands for: env:NAME is what the
// environment variable NAME holds.
func Resolve(source string) (string, error) {
	name, ok := strings.CutPrefix(source, "env:")
	if !ok {
		return source, nil
	}
	address := os.Getenv(name)
	if address == "" {
		return "", data.WithHint(fmt.Errorf("source %s: the environment variable is not set", source), "set it to an address such as postgres://user:password@host/database")
	}
	return address, nil
}

// Redacted is an address without the password and the query in it, for messages
// and records.
func Redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		scheme, _, _ := strings.Cut(address, "://")
		return scheme + "://..."
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// Get copies what address names. query is the SELECT of a PostgreSQL source, ""
// for others. It returns ctx's error when cancelled; its messages hold no
// passwords.
func Get(ctx context.Context, address, query string) (File, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	scheme, _, _ := strings.Cut(address, "://")
	if isServer := scheme == "postgres" || scheme == "postgresql"; query != "" && !isServer {
		return File{}, data.WithHint(fmt.Errorf("source %s: a query needs a PostgreSQL server or tables", Redacted(address)), "name tables in data.files")
	}
	switch scheme {
	case "https", "http":
		return overHTTP(ctx, address)
	case "s3":
		return fromS3(ctx, address)
	case "postgres", "postgresql":
		return fromPostgres(ctx, address, query)
	}
	return File{}, data.WithHint(fmt.Errorf("source %q: reading from %s is not supported", Redacted(address), scheme), "use https, s3 or postgres, or bring the data to a file and name that")
}

// keep makes the file of a copy and fills it.
func keep(name string, fill func(w io.Writer) error) (_ File, err error) {
	f, err := os.CreateTemp("", "tandem-*-"+strings.Map(plain, name))
	if err != nil {
		return File{}, fmt.Errorf("keep %s: %w", name, err)
	}
	err = fill(&bounded{w: f})
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return File{}, err
	}
	return File{Name: name, Path: f.Name()}, nil
}

func plain(c rune) rune {
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' {
		return c
	}
	return '_'
}

// bounded writes up to MaxBytes.
type bounded struct {
	w io.Writer
	n int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.n += int64(len(p)); b.n > MaxBytes {
		return 0, fmt.Errorf("it is larger than %d GB", MaxBytes>>30)
	}
	return b.w.Write(p)
}

// nameOf is the last part of a path.
func nameOf(p string) string {
	if base := path.Base(p); base != "." && base != "/" {
		return base
	}
	return "data"
}

// transport is how files come by HTTP; tests give it another root of trust.
var transport = http.DefaultTransport

const mostRedirects = 5

// overHTTP gets a file. Plain http is for this machine alone, and no address
// elsewhere may lead back to it.
func overHTTP(ctx context.Context, address string) (File, error) {
	shown := Redacted(address)
	start, err := url.Parse(address)
	if err != nil || start.Host == "" {
		return File{}, fmt.Errorf("source %s is no address", shown)
	}
	local := isLoopback(start.Hostname())
	if start.Scheme == "http" && !local {
		return File{}, data.WithHint(fmt.Errorf("source %s: what comes by plain http may have been changed on its way", shown), "use https")
	}
	client := &http.Client{Transport: guarded(transport, start.Hostname()), CheckRedirect: func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) > mostRedirects:
			return fmt.Errorf("more than %d redirections", mostRedirects)
		case req.URL.Scheme != "https" && !(local && req.URL.Scheme == "http" && isLoopback(req.URL.Hostname())):
			return fmt.Errorf("a redirection to %s is not followed", Redacted(req.URL.String()))
		case !local && isLoopback(req.URL.Hostname()):
			return errors.New("a redirection to this machine is not followed")
		}
		return nil
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return File{}, fmt.Errorf("source %s is no address", shown)
	}
	answer, err := client.Do(req)
	if err != nil {
		var cause *url.Error
		if errors.As(err, &cause) {
			err = cause.Err // without the address, which may hold a password
		}
		var hinted *data.Hinted
		if errors.As(err, &hinted) {
			return File{}, data.WithHint(fmt.Errorf("get %s: %w", shown, hinted.Unwrap()), "%s", hinted.Hint)
		}
		return File{}, data.WithHint(fmt.Errorf("get %s: %w", shown, err), "check the address and the network")
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return File{}, data.WithHint(fmt.Errorf("get %s: the server answers %s", shown, answer.Status), "check the address, and whether it asks for a password")
	}
	return keep(nameOf(start.Path), func(w io.Writer) error {
		n, err := io.Copy(w, answer.Body)
		if err == nil && answer.ContentLength >= 0 && n != answer.ContentLength {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("get %s: %w", shown, err)
		}
		return nil
	})
}

// PrivateVariable is the environment variable that, set to anything, lets names
// of hosts lead to private addresses.
const PrivateVariable = "TANDEM_FETCH_PRIVATE"

// guarded is a transport that reaches no private address by a name: who controls
// a name could otherwise have this machine ask its neighbours. An address in
// digits says what it is, and is as asked for if the source has it; a proxy is
// the choice of whoever runs this machine.
func guarded(t http.RoundTripper, asked string) http.RoundTripper {
	base, ok := t.(*http.Transport)
	if !ok || os.Getenv(PrivateVariable) != "" {
		return t
	}
	own := base.Clone()
	var proxies sync.Map // host:port
	if proxy := own.Proxy; proxy != nil {
		own.Proxy = func(r *http.Request) (*url.URL, error) {
			u, err := proxy(r)
			if u != nil {
				proxies.Store(u.Hostname(), true)
			}
			return u, err
		}
	}
	own.DisableKeepAlives = true // the transport lives for one copy
	own.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{Timeout: 30 * time.Second}
		_, viaProxy := proxies.Load(host)
		if !viaProxy && !(host == asked && (net.ParseIP(host) != nil || isLoopback(host))) {
			d.Control = func(_, address string, _ syscall.RawConn) error { return public(host, address) }
		}
		return d.DialContext(ctx, network, address)
	}
	return own
}

// public returns an error if the address that a host is reached at is one of
// this machine or of a private network.
func public(host, address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap()
	if ip.IsGlobalUnicast() && !ip.IsPrivate() && !shared.Contains(ip) {
		return nil
	}
	return data.WithHint(fmt.Errorf("%s is the private address %s", host, ip), "if that is right, set the environment variable %s to yes", PrivateVariable)
}

// shared are the addresses between customers and their carrier (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast())
}
