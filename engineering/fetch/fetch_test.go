package fetch_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/fetch"
)

func open(t *testing.T, address string, env map[string]string) fetch.Source {
	t.Helper()
	s, err := fetch.Open(address, fetch.Options{Token: "t0ken", Timeout: 20 * time.Second, Getenv: func(name string) string { return env[name] }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// all reads all that has changed, by name, and returns the tags.
func all(t *testing.T, s fetch.Source, known map[string]string) (content, tags map[string]string) {
	t.Helper()
	found, err := s.Look(t.Context(), known)
	if err != nil {
		t.Fatal(err)
	}
	content, tags = map[string]string{}, map[string]string{}
	for _, f := range found {
		tags[f.Name] = f.Tag
		if f.Read == nil {
			continue
		}
		b, err := f.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		content[f.Name] = string(b)
	}
	return content, tags
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("ab", 32)
	for _, good := range []string{"a.tandem", "/models", "https://h/a.tandem", "http://127.0.0.1:1/v1/bundles/loans", "http://localhost/a",
		"https://h/a.tandem#bundle=" + id, "https://h/a#sha256=" + id + "&name=credit", "s3://b/k.tandem", "s3://b/p/", "s3://b",
		"s3://b/k?endpoint=https://s.example.com&region=x", "gs://b/k", "gs://b/p/", "https://h/a%20b.tandem?X-Amz-Signature=secret"} {
		if _, err := fetch.Open(good, fetch.Options{}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, says := range map[string]string{
		"http://example.com/a":                     "in the clear",
		"http://127.0.0.1.example.com/a":           "in the clear",
		"https://user:pass@h/a":                    "user or password",
		"ftp://h/a":                                "not known",
		"file:///etc/passwd":                       "no host",
		"https://h/":                               "folder",
		"https://h":                                "folder",
		"https:///a":                               "no host",
		"https://h/..":                             "no name",
		"https://h/.tandem":                        "no name",
		"https://h/a%2F..%2Fb":                     "",
		"https://h/a%00b":                          "no name",
		"https://h/a#sha256=12":                    "64 hexadecimal",
		"https://h/a#bundel=" + id:                 "not known",
		"https://h/a#name=../b":                    "not known",
		"https://h/a#name=a&name=b":                "twice",
		"s3://b/p/#sha256=" + id:                   "of one",
		"s3://b/k?endpoint=http://example.com":     "https://",
		"s3://b/k?endpoint=https://u:p@h":          "https://",
		"s3://b/k?acl=1":                           "not known",
		"gs://b/k?x=1":                             "query",
		"https://h/\x7f":                           "not a URL",
		"https://h:port/a?X-Amz-Signature=s3cret7": "not a URL",
	} {
		_, err := fetch.Open(bad, fetch.Options{})
		if says == "" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret7") || strings.Contains(err.Error(), "pass@") || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if got := fetch.Redact("https://u:p@h/a?X-Amz-Signature=s3cret7#name=b"); got != "https://h/a#name=b" {
		t.Error(got)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string, old time.Duration) {
		t.Helper()
		path := filepath.Join(dir, name)
		when := time.Now().Add(-old)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644), os.Chtimes(path, when, when)); err != nil {
			t.Fatal(err)
		}
	}
	put("a.tandem", "1", time.Hour)
	put("deep/b.tandem", "2", time.Hour)
	put("notes.txt", "-", 0)
	put(".b.tandem.123", "half", 0)
	put("..2026_01/a.tandem", "what a mounted volume keeps", 0)
	s := open(t, dir, nil)
	content, tags := all(t, s, nil)
	if fmt.Sprint(content) != "map[a:1 b:2]" {
		t.Fatal(content)
	}
	if content, _ = all(t, s, tags); len(content) != 0 {
		t.Errorf("nothing has changed, and %v was read", content)
	}
	put("a.tandem", "9", time.Minute) // of the same length
	if err := os.Remove(filepath.Join(dir, "deep/b.tandem")); err != nil {
		t.Fatal(err)
	}
	content, tags = all(t, s, tags)
	if fmt.Sprint(content) != "map[a:9]" || len(tags) != 1 {
		t.Errorf("%v, %v", content, tags)
	}
	// What was changed a moment ago may change again within one tick of the file
	// system's clock: it is read again once it has settled.
	put("a.tandem", "3", 0)
	_, fresh := all(t, s, tags)
	put("a.tandem", "4", 10*time.Second)
	if content, _ = all(t, s, fresh); content["a"] != "4" {
		t.Errorf("%v", content)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Look(t.Context(), tags); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a folder that has gone: %v", err)
	}
}

func TestWeb(t *testing.T) {
	t.Parallel()
	body, etag, status, asked, conditional := "one", `"1"`, 200, 0, 0
	var cut bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("Authorization") != "Bearer t0ken" {
			w.WriteHeader(401)
			return
		}
		if etag != "" {
			w.Header().Set("ETag", etag)
			if r.Header.Get("If-None-Match") == etag {
				conditional++
				w.WriteHeader(304)
				return
			}
		}
		w.Header().Set("Tandem-Version", "7")
		if cut {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)+1))
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	defer server.Close()
	s := open(t, server.URL+"/v1/bundles/loans", nil)
	found, err := s.Look(t.Context(), nil)
	if err != nil || len(found) != 1 || found[0].Name != "loans" || found[0].Version != "7" {
		t.Fatalf("%+v, %v", found, err)
	}
	known := map[string]string{"loans": found[0].Tag}
	if content, _ := all(t, s, known); len(content) != 0 || conditional != 1 {
		t.Errorf("%v, %d conditional", content, conditional)
	}
	body, etag = "two", `"2"`
	content, known := all(t, s, known)
	if content["loans"] != "two" {
		t.Error(content)
	}
	etag = "" // a server without: the content tells
	if content, _ = all(t, s, known); len(content) != 0 {
		t.Error(content)
	}
	cut = true
	if _, err := s.Look(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "to its end") {
		t.Errorf("half a body: %v", err)
	}
	cut, status = false, 500
	if _, err := s.Look(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("a broken server: %v", err)
	}
	status = 200
	if _, err := fetchOne(open(t, server.URL+"/a?sig=s3cret7#sha256="+strings.Repeat("0", 64), nil)); err == nil || !strings.Contains(err.Error(), "pinned") || strings.Contains(err.Error(), "s3cret7") {
		t.Errorf("another content than pinned: %v", err)
	}
	if b, err := fetchOne(open(t, fmt.Sprintf("%s/a#sha256=%x", server.URL, sha256.Sum256([]byte(body))), nil)); err != nil || b != body {
		t.Errorf("%q, %v", b, err)
	}
	anonymous, err := fetch.Open(server.URL+"/a", fetch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var hint *data.Hinted
	if _, err = anonymous.Look(t.Context(), nil); !errors.As(err, &hint) || !strings.Contains(hint.Hint, "TANDEM_FETCH_TOKEN") {
		t.Errorf("without a token: %v", err)
	}
}

func fetchOne(s fetch.Source) (string, error) {
	found, err := s.Look(context.Background(), nil)
	if err != nil {
		return "", err
	}
	b, err := found[0].Read(context.Background())
	return string(b), err
}

// A redirect leads neither to another scheme nor, with the token, to another host,
// nor in circles.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var seen []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		io.WriteString(w, "elsewhere")
	}))
	defer other.Close()
	to := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }))
	defer server.Close()
	for target, says := range map[string]string{
		"http://192.0.2.1/a": "refused", "file:///etc/passwd": "refused", "gopher://127.0.0.1/": "refused", "/again": "five",
	} {
		to = target
		if _, err := fetchOne(open(t, server.URL+"/a", nil)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("to %s: %v", target, err)
		}
	}
	to = strings.Replace(other.URL, "127.0.0.1", "localhost", 1) + "/b"
	if b, err := fetchOne(open(t, server.URL+"/a", nil)); err != nil || b != "elsewhere" {
		t.Errorf("%q, %v", b, err)
	}
	if slices.Contains(seen, "Bearer t0ken") {
		t.Error("another host was told the token")
	}
}

// bucketServer answers as S3 does, of objects by key. get may change what a GET sends.
func bucketServer(t *testing.T, objects map[string]string, get func(body string, h http.Header) string) (*httptest.Server, *[]string) {
	var signed []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed = append(signed, r.Header.Get("Authorization"))
		key := strings.TrimPrefix(r.URL.Path, "/models/")
		if key == "" {
			fmt.Fprintf(w, `<?xml version="1.0"?><ListBucketResult><Name>models</Name><IsTruncated>false</IsTruncated>`)
			for k, body := range objects {
				if strings.HasPrefix(k, r.URL.Query().Get("prefix")) {
					fmt.Fprintf(w, `<Contents><Key>%s</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;%x&quot;</ETag><Size>%d</Size></Contents>`, k, md5.Sum([]byte(body)), len(body))
				}
			}
			fmt.Fprint(w, `</ListBucketResult>`)
			return
		}
		body, has := objects[key]
		if !has {
			w.WriteHeader(404)
			if r.Method == http.MethodGet {
				fmt.Fprint(w, `<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`)
			}
			return
		}
		h := w.Header()
		h.Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum([]byte(body))))
		h.Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		if r.Method == http.MethodGet && get != nil {
			body = get(body, h)
		}
		h.Set("Content-Length", fmt.Sprint(len(body)))
		if r.Method == http.MethodGet {
			io.WriteString(w, body)
		}
	}))
	t.Cleanup(server.Close)
	return server, &signed
}

var aws = map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalr", "AWS_REGION": "eu-central-1"}

func TestS3(t *testing.T) {
	t.Parallel()
	objects := map[string]string{"prod/a.tandem": "one", "prod/b.tandem": "two", "prod/readme": "-", "test/c.tandem": "three"}
	server, signed := bucketServer(t, objects, nil)
	s := open(t, "s3://models/prod/?endpoint="+server.URL, aws)
	content, tags := all(t, s, nil)
	if fmt.Sprint(content) != "map[a:one b:two]" {
		t.Fatal(content)
	}
	if content, _ = all(t, s, tags); len(content) != 0 {
		t.Error(content)
	}
	objects["prod/a.tandem"] = "uno"
	delete(objects, "prod/b.tandem")
	if content, tags = all(t, s, tags); fmt.Sprint(content) != "map[a:uno]" || len(tags) != 1 {
		t.Error(content, tags)
	}
	env := map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_SESSION_TOKEN": "session"}
	for k, v := range aws {
		env[k] = v
	}
	if b, err := fetchOne(open(t, "s3://models/test/c.tandem", env)); err != nil || b != "three" {
		t.Errorf("%q, %v", b, err)
	}
	for _, a := range *signed {
		if !strings.HasPrefix(a, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || !strings.Contains(a, "/eu-central-1/s3/aws4_request") {
			t.Errorf("signed as %q", a)
		}
	}
	if _, err := fetchOne(open(t, "s3://models/none.tandem?endpoint="+server.URL, aws)); err == nil || !strings.Contains(err.Error(), "NoSuchKey") {
		t.Errorf("an absent key: %v", err)
	}
}

// A store that gives other bytes than were put is not believed, as some do that keep
// the framing of signed chunks as content.
func TestS3Checksums(t *testing.T) {
	t.Parallel()
	for name, get := range map[string]func(string, http.Header) string{
		"framing": func(b string, _ http.Header) string { return "3;chunk-signature=00\r\n" + b + "\r\n" },
		"a bit":   func(b string, _ http.Header) string { return string(b[0]^1) + b[1:] },
		"its SHA": func(b string, h http.Header) string {
			h.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(make([]byte, 32)))
			return b
		},
		"an old one": func(string, http.Header) string { return "zero" },
	} {
		server, _ := bucketServer(t, map[string]string{"a.tandem": "one"}, get)
		if b, err := fetchOne(open(t, "s3://models/a.tandem?endpoint="+server.URL, aws)); err == nil || !strings.Contains(err.Error(), "not what was put") {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	// An ETag that is no MD5 says nothing.
	server, _ := bucketServer(t, map[string]string{"a.tandem": "one"}, func(b string, h http.Header) string {
		h.Set("X-Amz-Server-Side-Encryption", "aws:kms")
		h.Set("ETag", `"00000000000000000000000000000000"`)
		return b
	})
	if b, err := fetchOne(open(t, "s3://models/a.tandem?endpoint="+server.URL, aws)); err != nil || b != "one" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestGS(t *testing.T) {
	t.Parallel()
	objects, spoil := map[string]string{"prod/a.tandem": "one", "prod/x/b.tandem": "two", "readme": "-"}, false
	describe := func(name, body string) map[string]string {
		sum := md5.Sum([]byte(body))
		return map[string]string{"name": name, "generation": fmt.Sprint(len(body)), "size": fmt.Sprint(len(body)), "md5Hash": base64.StdEncoding.EncodeToString(sum[:])}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/computeMetadata/v1/instance/service-accounts/default/token" && r.Header.Get("Metadata-Flavor") == "Google" {
			fmt.Fprint(w, `{"access_token": "of the machine", "expires_in": 3600}`)
			return
		}
		if r.Header.Get("Authorization") != "Bearer of the machine" {
			w.WriteHeader(403)
			return
		}
		name, one := strings.CutPrefix(r.URL.Path, "/storage/v1/b/models/o/")
		body, has := objects[name]
		switch {
		case one && !has:
			w.WriteHeader(404)
		case one && r.URL.Query().Get("alt") == "media":
			if spoil {
				body = strings.ToUpper(body)
			}
			io.WriteString(w, body)
		case one:
			json.NewEncoder(w).Encode(describe(name, body))
		default: // one a page
			var names []string
			for n := range objects {
				if strings.HasPrefix(n, r.URL.Query().Get("prefix")) && n > r.URL.Query().Get("pageToken") {
					names = append(names, n)
				}
			}
			slices.Sort(names)
			answer := map[string]any{}
			if len(names) > 0 {
				answer["items"] = []any{describe(names[0], objects[names[0]])}
			}
			if len(names) > 1 {
				answer["nextPageToken"] = names[0]
			}
			json.NewEncoder(w).Encode(answer)
		}
	}))
	defer server.Close()
	env := map[string]string{"STORAGE_EMULATOR_HOST": server.URL, "GCE_METADATA_HOST": strings.TrimPrefix(server.URL, "http://")}
	s := open(t, "gs://models/prod/", env)
	content, tags := all(t, s, nil)
	if fmt.Sprint(content) != "map[a:one b:two]" {
		t.Fatal(content)
	}
	if content, _ = all(t, s, tags); len(content) != 0 {
		t.Error(content)
	}
	if b, err := fetchOne(open(t, "gs://models/prod/a.tandem", env)); err != nil || b != "one" {
		t.Errorf("%q, %v", b, err)
	}
	spoil = true
	if b, err := fetchOne(open(t, "gs://models/prod/a.tandem", env)); err == nil || !strings.Contains(err.Error(), "not what was put") {
		t.Errorf("%q, %v", b, err)
	}
	delete(env, "GCE_METADATA_HOST")
	if _, err := fetchOne(open(t, "gs://models/prod/a.tandem", env)); err == nil || !strings.Contains(err.Error(), "403") {
		t.Error(err)
	}
}
