// Package fetch reads bundles from where they lie: a file, a folder, a web server
// or a registry (https://), a bucket (s3://, gs://).
//
// A [Source] is looked at again and again and says each time what there is; what
// has changed is read. What comes over a network is bounded in size and time and
// compared with the checksums that the other side gives and with what the address
// pins. Nothing is decoded here, and nothing kept.
//
// The client of S3 is minio-go; no other package knows it.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// Source is one place that bundles come from. It is used by one goroutine.
type Source interface {
	// Look returns what there is now, ordered by path, for known, the tags of what
	// was read before, by name. An error says that nothing is known of what there is, not
	// that nothing is there.
	Look(ctx context.Context, known map[string]string) ([]Found, error)

	// String names the source in messages, without secrets.
	String() string
}

// Found is one bundle of a source.
type Found struct {
	Name    string // of the model: the file's, without .tandem
	Tag     string // another one when the content is another; the known one if it is the same
	Version string // as a registry counts it, or ""
	Pin     string // the bundle id that it must have, or ""

	// Read returns the content. Nil if Tag is the known one.
	Read func(ctx context.Context) ([]byte, error)
}

// Options bound a source and say who asks.
type Options struct {
	Token   string              // a bearer token for https://; sent to the named host only
	Timeout time.Duration       // of one look or one reading over a network; 0: a minute
	Getenv  func(string) string // for AWS_* and the like; nil: there are none
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	return o
}

// most is how large a bundle can be, in bytes.
const most = bundle.MaxFileSize

// mostListed bounds how many bundles one prefix of a bucket can have.
const mostListed = 1000

// place is an address of a network, taken apart.
type place struct {
	url    *url.URL // without fragment
	name   string   // of the only bundle; "" for a prefix
	sha256 string   // of the content, hex; "" for none
	pin    string   // the bundle's id; "" for none
}

// IsRemote reports whether an address is one of a network.
func IsRemote(address string) bool { return strings.Contains(address, "://") }

// Open returns the source at an address: a path of a file or a folder, or
//
//	https://HOST/PATH    http:// for this machine only
//	s3://BUCKET/KEY      s3://BUCKET/PREFIX/ for all below it
//	gs://BUCKET/KEY      and likewise
//
// An address of a network may end in #bundle=ID, the id that the bundle must have,
// #sha256=HEX, that of the file, and #name=NAME, the model's name; several are joined by &.
// An s3:// address takes ?endpoint=URL and ?region=NAME. The network is not asked yet.
func Open(address string, opt Options) (Source, error) {
	if !IsRemote(address) {
		return &files{path: address, now: time.Now}, nil
	}
	opt = opt.withDefaults()
	p, err := parse(address)
	if err != nil {
		return nil, err
	}
	switch p.url.Scheme {
	case "http", "https":
		return newWeb(p, opt), nil
	case "s3":
		return newS3(p, opt)
	}
	return newGS(p, opt)
}

// isHex64 and isName are no regular expressions, which would be compiled at each
// start of a program that should be there at once.
func isHex64(s string) bool {
	return len(s) == 64 && !strings.ContainsFunc(s, func(r rune) bool { return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f') })
}

// isName reports whether a text can name a model.
func isName(s string) bool {
	letter := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
	first, _ := utf8.DecodeRuneInString(s)
	return len(s) <= 128 && utf8.ValidString(s) && letter(first) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !letter(r) && !strings.ContainsRune(" ._-", r) })
}

func parse(address string) (place, error) {
	u, err := url.Parse(address)
	if err != nil { // its text holds the address, with what may be a secret
		var why *url.Error
		if errors.As(err, &why) {
			err = why.Err
		}
		return place{}, fmt.Errorf("an address of a bundle is not a URL: %w", err)
	}
	p := place{url: u}
	wrong := func(hint, format string, args ...any) (place, error) {
		return place{}, data.WithHint(fmt.Errorf("address %s %s", p, fmt.Sprintf(format, args...)), "%s", hint)
	}
	pins, err := url.ParseQuery(u.EscapedFragment())
	u.Fragment, u.RawFragment = "", ""
	if err != nil {
		return wrong("write it as #bundle=ID, #sha256=HEX or #name=NAME, joined by &", "has a part after # that cannot be read")
	}
	folder := u.Path == "" || strings.HasSuffix(u.Path, "/")
	if !folder {
		p.name = strings.TrimSuffix(path.Base(u.Path), ".tandem")
	}
	switch {
	case u.User != nil:
		u.User = nil
		return wrong("give a token by TANDEM_FETCH_TOKEN or --fetch-token-file", "holds a user or password")
	case u.Host == "":
		return wrong("", "names no host or bucket")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return wrong("use https://", "would bring a bundle in the clear; http:// is for this machine only")
	case (u.Scheme == "http" || u.Scheme == "https") && folder:
		return wrong("name a bundle, such as https://models.example.com/credit.tandem", "is that of a folder, which the web does not list")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "s3" && u.Scheme != "gs":
		return wrong("bundles come from files, folders, https://, s3:// and gs://", "has a scheme that is not known")
	}
	for key, values := range pins {
		value := values[len(values)-1]
		switch {
		case folder:
			return wrong("pin single bundles", "is that of several bundles, and #%s is of one", key)
		case len(values) > 1:
			return wrong("", "has #%s twice", key)
		case key == "sha256" && isHex64(value):
			p.sha256 = value
		case key == "bundle" && isHex64(value):
			p.pin = value
		case key == "name" && isName(value):
			p.name = value
		case key == "sha256" || key == "bundle":
			return wrong("", "has #%s=%s, which is not 64 hexadecimal digits", key, value)
		default:
			return wrong("write it as #bundle=ID, #sha256=HEX or #name=NAME, joined by &", "has #%s=%s, which is not known", key, value)
		}
	}
	if !folder && !isName(p.name) {
		return wrong("add #name=NAME, of letters, digits, blanks and ._-", "has no name for a model")
	}
	return p, nil
}

// String leaves out queries, which may be signatures, but what says where a bucket is.
func (p place) String() string {
	u := url.URL{Scheme: p.url.Scheme, Host: p.url.Host, Path: p.url.Path}
	if e := p.url.Query().Get("endpoint"); e != "" && p.url.Scheme == "s3" && !strings.Contains(e, "@") {
		u.RawQuery = "endpoint=" + e
	}
	return u.String()
}

// Redact returns an address as it may be shown.
func Redact(address string) string {
	if !IsRemote(address) {
		return address
	}
	u, err := url.Parse(address)
	if err != nil {
		scheme, _, _ := strings.Cut(address, "://")
		return scheme + "://..."
	}
	text := place{url: u}.String()
	if u.Fragment != "" {
		text += "#" + u.Fragment
	}
	return text
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
