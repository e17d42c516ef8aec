package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/data"
)

// web is a bundle on a web server. The server's ETag or Last-Modified says
// whether it has changed; one that gives neither sends it at each look.
type web struct {
	place
	opt    Options
	client *http.Client

	etag, modified string // of what was read last,
	tag            string // which is this, the SHA-256 of the content
}

func newWeb(p place, opt Options) *web {
	return &web{place: p, opt: opt, client: client(opt.Timeout)}
}

// client returns an HTTP client that goes where it is sent only over TLS, or on this machine.
func client(timeout time.Duration) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true // bundles do not get smaller by much, and what unpacks is not bounded by its length
	t.MaxIdleConnsPerHost = 1
	return &http.Client{Transport: t, Timeout: timeout, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= 5:
			return errors.New("more than five redirects")
		case r.URL.Scheme == "https", r.URL.Scheme == "http" && loopback(r.URL.Hostname()) && via[0].URL.Scheme == "http":
			return nil
		}
		return fmt.Errorf("a redirect to %s://%s is refused: it is not https://", r.URL.Scheme, r.URL.Host)
	}}
}

func (w *web) Look(ctx context.Context, known map[string]string) ([]Found, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w, err)
	}
	if w.opt.Token != "" {
		r.Header.Set("Authorization", "Bearer "+w.opt.Token)
	}
	r.Header.Set("User-Agent", "tandem/"+tandem.Version)
	if w.tag != "" && known[w.name] == w.tag {
		if w.etag != "" {
			r.Header.Set("If-None-Match", w.etag)
		} else if w.modified != "" {
			r.Header.Set("If-Modified-Since", w.modified)
		}
	}
	resp, err := w.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w, without(err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotModified:
		if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" {
			return []Found{{Name: w.name, Tag: w.tag, Pin: w.pin}}, nil
		}
	case http.StatusOK:
		content, err := whole(resp.Body, resp.ContentLength)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w, err)
		}
		if err := w.check(content); err != nil {
			return nil, err
		}
		w.tag, w.etag, w.modified = sum(content), resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
		one := Found{Name: w.name, Tag: w.tag, Pin: w.pin, Version: version(resp.Header.Get("Tandem-Version"))}
		if known[w.name] != w.tag {
			one.Read = func(context.Context) ([]byte, error) { return content, nil }
		}
		return []Found{one}, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, data.WithHint(fmt.Errorf("%s answers %s", w, resp.Status), "the bearer token is TANDEM_FETCH_TOKEN, or stands in the file --fetch-token-file")
	}
	return nil, fmt.Errorf("%s answers %s", w, resp.Status)
}

// Admits checks kept content as what comes over the network is, and returns the
// bundle id that it must have, or "".
func (p place) Admits(content []byte) (pin string, err error) { return p.pin, p.check(content) }

// check compares content with the SHA-256 that the address pins.
func (p place) check(content []byte) error {
	if got := sum(content); p.sha256 != "" && got != p.sha256 {
		return fmt.Errorf("%s has the SHA-256 %s and is pinned to %s", p, got, p.sha256)
	}
	return nil
}

// version returns a registry's version if it can stand in a path.
func version(text string) string {
	if len(text) > 18 {
		return ""
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return ""
		}
	}
	return text
}

// without returns an error of the HTTP client without the URL, whose query may
// be a signature.
func without(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// whole reads a body to its end, which must be length bytes if that is not
// negative.
func whole(r io.Reader, length int64) ([]byte, error) {
	tooLarge := fmt.Errorf("it has more than %d bytes, which is the limit", int64(most))
	if length > most {
		return nil, tooLarge
	}
	b, err := readAll(r, length)
	switch {
	case err != nil:
		return nil, fmt.Errorf("it could not be read to its end: %w", without(err))
	case int64(len(b)) > most:
		return nil, tooLarge
	case length >= 0 && int64(len(b)) != length:
		return nil, fmt.Errorf("it came with %d bytes of %d", len(b), length)
	}
	return b, nil
}

// readAll reads up to one byte more than a bundle can have. Memory for the length
// that is expected is taken at once, as far as it can be believed.
func readAll(r io.Reader, length int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(max(0, min(length, 64<<20))) + bytes.MinRead)
	_, err := b.ReadFrom(io.LimitReader(r, most+1))
	return b.Bytes(), err
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
