package fetch

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/data"
)

// cloud is an object of Google's store, or all below a prefix, over its JSON
// interface. Who asks is the service account of the machine, whose metadata
// server gives tokens; without one the bucket must be public.
type cloud struct {
	place
	opt      Options
	client   *http.Client
	meta     *http.Client
	store    string // base of the interface
	metadata string // and of the metadata server

	token   string
	expires time.Time
}

func newGS(p place, opt Options) (*cloud, error) {
	if p.url.RawQuery != "" {
		return nil, fmt.Errorf("address %s has a query, and gs:// takes none", p)
	}
	c := &cloud{place: p, opt: opt, client: client(opt.Timeout), meta: client(2 * time.Second), store: "https://storage.googleapis.com", metadata: "http://metadata.google.internal"}
	if host := opt.Getenv("STORAGE_EMULATOR_HOST"); host != "" {
		if !strings.Contains(host, "://") {
			host = "http://" + host
		}
		c.store, c.metadata = strings.TrimSuffix(host, "/"), ""
	}
	if host := opt.Getenv("GCE_METADATA_HOST"); host != "" {
		c.metadata = "http://" + host
	}
	return c, nil
}

// object is what the store says of one.
type object struct {
	Name       string `json:"name"`
	Generation string `json:"generation"`
	Size       string `json:"size"`
	MD5        string `json:"md5Hash"` // "" of what was composed
}

func (c *cloud) Look(ctx context.Context, known map[string]string) ([]Found, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	key := strings.TrimPrefix(c.url.Path, "/")
	objects := c.store + "/storage/v1/b/" + url.PathEscape(c.url.Host) + "/o"
	if c.name != "" {
		var o object
		if err := c.ask(ctx, objects+"/"+url.PathEscape(key), &o); err != nil {
			return nil, err
		}
		return []Found{c.found(c.name, o, objects, known)}, nil
	}
	var out []Found
	for page := ""; ; {
		var l struct {
			Items []object `json:"items"`
			Next  string   `json:"nextPageToken"`
		}
		if err := c.ask(ctx, objects+"?"+url.Values{"prefix": {key}, "pageToken": {page}}.Encode(), &l); err != nil {
			return nil, err
		}
		for _, o := range l.Items {
			if path.Ext(o.Name) == ".tandem" {
				out = append(out, c.found(strings.TrimSuffix(path.Base(o.Name), ".tandem"), o, objects, known))
			}
		}
		if len(out) > mostListed {
			return nil, fmt.Errorf("%s has more than %d bundles", c, mostListed)
		}
		if page = l.Next; page == "" {
			return out, nil
		}
	}
}

func (c *cloud) found(name string, o object, objects string, known map[string]string) Found {
	one := Found{Name: name, Tag: o.Generation + " " + o.MD5, Pin: c.pin}
	if known[name] != one.Tag {
		one.Read = func(ctx context.Context) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
			defer cancel()
			resp, err := c.get(ctx, objects+"/"+url.PathEscape(o.Name)+"?"+url.Values{"alt": {"media"}, "generation": {o.Generation}}.Encode())
			if err != nil {
				return nil, err
			}
			defer resp.Body.Close()
			content, err := whole(resp.Body, resp.ContentLength)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", c, o.Name, err)
			}
			if err := c.check(content); err != nil {
				return nil, err
			}
			got := md5.Sum(content)
			if raw, err := base64.StdEncoding.DecodeString(o.MD5); o.MD5 != "" && (err != nil || string(raw) != string(got[:])) {
				return nil, fmt.Errorf("%s: %s: its MD5 is %x and the store says %x: what came is not what was put", c, o.Name, got, raw)
			}
			if o.Size != fmt.Sprint(len(content)) {
				return nil, fmt.Errorf("%s: %s: it came with %d bytes of %s", c, o.Name, len(content), o.Size)
			}
			return content, nil
		}
	}
	return one
}

// ask reads an answer in JSON.
func (c *cloud) ask(ctx context.Context, address string, answer any) error {
	resp, err := c.get(ctx, address)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(answer); err != nil {
		return fmt.Errorf("%s: the store's answer cannot be read: %w", c, err)
	}
	return nil
}

// get asks the store. The caller closes the body.
func (c *cloud) get(ctx context.Context, address string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	if token := c.account(ctx); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c, without(err))
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	resp.Body.Close()
	err = fmt.Errorf("%s answers %s", c, resp.Status)
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		err = data.WithHint(err, "let the service account of this machine read the bucket (Storage Object Viewer)")
	}
	return nil, err
}

// account returns a token of the machine's service account, "" if it has none.
func (c *cloud) account(ctx context.Context) string {
	if c.metadata == "" || time.Now().Before(c.expires) {
		return c.token
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.metadata+"/computeMetadata/v1/instance/service-accounts/default/token", nil)
	if err != nil {
		return ""
	}
	r.Header.Set("Metadata-Flavor", "Google")
	c.token, c.expires = "", time.Now().Add(time.Minute) // if there is none, ask again in a while
	resp, err := c.meta.Do(r)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var t struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
	}
	if resp.StatusCode == http.StatusOK && json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&t) == nil {
		c.token, c.expires = t.Token, time.Now().Add(time.Duration(t.Expires)*time.Second*4/5)
	}
	return c.token
}
