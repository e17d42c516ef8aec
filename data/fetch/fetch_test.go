package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tandem-ml/tandem/data"
)

// content is more than one read of any buffer on the way.
var content = bytes.Repeat([]byte("x,y\n1,2\r\n\x00\xff"), 60_000)

func copied(t *testing.T, f File) []byte {
	t.Helper()
	defer os.Remove(f.Path)
	b, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHTTP(t *testing.T) {
	far := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/d/loans.csv.gz":
			w.Write(content) //nolint:errcheck
		case "/moved":
			http.Redirect(w, r, "/d/loans.csv.gz", http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/away":
			http.Redirect(w, r, far, http.StatusFound)
		case "/short":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("x\n")) //nolint:errcheck
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	far = "http://example.invalid/x.csv"
	for _, path := range []string{"/d/loans.csv.gz", "/moved"} {
		f, err := Get(context.Background(), server.URL+path+"?token=s3cret", "")
		if err != nil {
			t.Fatal(err)
		}
		if f.Name != nameOf(path) || sha256.Sum256(copied(t, f)) != sha256.Sum256(content) {
			t.Errorf("%s came as %s, with other bytes", path, f.Name)
		}
	}
	for path, want := range map[string]string{"/none": "404 Not Found", "/file": "not followed", "/round": "more than 5 redirections", "/away": "not followed", "/short": "unexpected EOF"} {
		_, err := Get(context.Background(), server.URL+path+"?token=s3cret", "")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Get(ctx, server.URL+"/d/loans.csv.gz", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Over https no redirection leads to this machine.
func TestHTTPSStaysAway(t *testing.T) {
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("this machine was asked") }))
	defer secret.Close()
	before := transport
	defer func() { transport = before }()
	transport = answer(func(r *http.Request) *http.Response {
		return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {strings.Replace(secret.URL, "http:", "https:", 1)}}, Body: http.NoBody, Request: r}
	})
	if _, err := Get(context.Background(), "https://example.com/a.csv", ""); err == nil || !strings.Contains(err.Error(), "to this machine is not followed") {
		t.Errorf("error %v", err)
	}
}

type answer func(r *http.Request) *http.Response

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

// The store is a handler that knows one object.
func TestS3(t *testing.T) {
	asked := ""
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/bucket/d/loans.csv" {
			w.WriteHeader(http.StatusNotFound)
			xml.NewEncoder(w).Encode(struct { //nolint:errcheck
				XMLName xml.Name `xml:"Error"`
				Code    string
			}{Code: "NoSuchKey"})
			return
		}
		asked = r.Header.Get("Authorization")
		w.Header().Set("ETag", `"e"`)
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(content))
	}))
	defer store.Close()
	t.Setenv("AWS_ENDPOINT_URL", store.URL)
	t.Setenv("AWS_REGION", "eu-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "someone")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
	f, err := Get(context.Background(), "s3://bucket/d/loans.csv", "")
	if err != nil {
		t.Fatal(err)
	}
	if f.Name != "loans.csv" || sha256.Sum256(copied(t, f)) != sha256.Sum256(content) || !strings.Contains(asked, "someone/") {
		t.Errorf("came as %s, with other bytes, or asked as %q", f.Name, asked)
	}
	for _, address := range []string{"s3://bucket/none.csv", "s3://bucket", "s3:///x"} {
		var h *data.Hinted
		if _, err := Get(context.Background(), address, ""); !errors.As(err, &h) {
			t.Errorf("%s: %v", address, err)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://store.example.com")
	if _, err := Get(context.Background(), "s3://bucket/d/loans.csv", ""); err == nil || !strings.Contains(err.Error(), "is not the https address") {
		t.Errorf("plain http elsewhere: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"postgres://me:s3cret@host/db?password=s3cret": "postgres://host/db",
		"https://me:s3cret@host/a.csv?sig=s3cret#x":    "https://host/a.csv",
		"postgres://me:s3%zzcret@host/db":              "postgres://...",
	} {
		if got := Redacted(address); got != want {
			t.Errorf("%s is shown as %s, want %s", address, got, want)
		}
	}
	for _, c := range []struct{ address, query, want string }{
		{"ftp://host/a", "", "not supported"}, {"https://host/a.csv", "SELECT 1", "needs a PostgreSQL server"}, {"postgres://host/db", "", "no query"},
		{"postgres://host/db", "COPY t TO PROGRAM 'sh'", "does not begin with SELECT"}, {"postgres://host/db", "-- select\ndelete from t", "does not begin with SELECT"},
		{"postgres://me:s3%zzcret@host/db", "SELECT 1", "is no address"}, {"postgres://me:s3cret@127.0.0.1:1/db", "SELECT 1", "connect to postgres://127.0.0.1:1/db"},
	} {
		_, err := Get(context.Background(), c.address, c.query)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "cret@") {
			t.Errorf("%s: %v, want %s", c.address, err, c.want)
		}
	}
	t.Setenv("TANDEM_TEST_SOURCE", "https://host/a.csv")
	if got, err := Resolve("env:TANDEM_TEST_SOURCE"); err != nil || got != "https://host/a.csv" {
		t.Errorf("%s, %v", got, err)
	}
}

// TANDEM_POSTGRES is the address of a server on which a test may make a table.
func TestPostgres(t *testing.T) {
	address := os.Getenv("TANDEM_POSTGRES")
	if address == "" {
		t.Skip("TANDEM_POSTGRES is not set: no PostgreSQL server to read from")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	table := fmt.Sprintf("tandem_test_%d", time.Now().UnixNano())
	if _, err := conn.Exec(ctx, `CREATE TABLE `+table+` (id bigint, note text, amount numeric, ok boolean, at timestamptz, d date);
		INSERT INTO `+table+` VALUES (1, 'a, "b"'||chr(10)||'c', 1.50, true, '2026-01-31 08:30:00.25+02', '2026-01-31'), (2, NULL, NULL, false, NULL, NULL)`); err != nil {
		t.Fatal(err)
	}
	defer conn.Exec(ctx, "DROP TABLE "+table) //nolint:errcheck
	f, err := Get(ctx, address, "SELECT * FROM "+table+" ORDER BY id;")
	if err != nil {
		t.Fatal(err)
	}
	want := "id,note,amount,ok,at,d\n1,\"a, \"\"b\"\"\nc\",1.50,true,2026-01-31 06:30:00.25+00,2026-01-31\n2,,,false,,\n"
	if got := string(copied(t, f)); got != want {
		t.Errorf("came as\n%swant\n%s", got, want)
	}
	for _, query := range []string{
		"WITH x AS (DELETE FROM " + table + " RETURNING id) SELECT * FROM x", "SELECT 1; DROP TABLE " + table, "SELECT nothing", "SELECT 1/(id-2) FROM " + table + " ORDER BY id",
		"SELECT set_config('transaction_read_only', 'off', false), pg_sleep(0); DELETE FROM " + table,
	} {
		_, err := Get(ctx, address, query)
		var h *data.Hinted
		if !errors.As(err, &h) {
			t.Errorf("%s: %v", query, err)
		}
	}
	var n int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d rows are left, %v", n, err)
	}
}

func TestNothingIsLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	_, err := keep("a.csv", func(w io.Writer) error {
		_, err := w.Write(content)
		return errors.Join(err, io.ErrUnexpectedEOF)
	})
	if left, _ := os.ReadDir(os.TempDir()); err == nil || len(left) > 0 {
		t.Errorf("%d files are left, error %v", len(left), err)
	}
}

// Names lead to no private address, unless that is asked for; an address in
// digits is asked for where the source has it, and nowhere else.
func TestPrivateAddresses(t *testing.T) {
	for address, open := range map[string]bool{"127.0.0.1:443": false, "[::1]:443": false, "10.1.2.3:443": false, "172.16.0.1:443": false, "192.168.0.1:443": false,
		"169.254.169.254:80": false, "[fe80::1]:443": false, "[fd00::1]:443": false, "[::ffff:10.0.0.1]:443": false, "0.0.0.0:443": false, "[::]:443": false,
		"100.64.0.1:443": false, "224.0.0.1:443": false, "93.184.215.14:443": true, "[2606:4700::1]:443": true, "100.128.0.1:443": true} {
		if err := public("host", address); (err == nil) != open {
			t.Errorf("%s: %v", address, err)
		}
	}
	near, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	dial := func(asked string) error {
		c, err := guarded(http.DefaultTransport, asked).(*http.Transport).DialContext(context.Background(), "tcp", near.Addr().String())
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := dial("127.0.0.1"); err != nil {
		t.Errorf("an address that the source has: %v", err)
	}
	var hinted *data.Hinted
	if err := dial("example.com"); !errors.As(err, &hinted) || !strings.Contains(hinted.Error(), "is the private address 127.0.0.1") || !strings.Contains(hinted.Hint, PrivateVariable) {
		t.Errorf("a redirection to a private address: %v", err)
	}
	_, port, _ := net.SplitHostPort(near.Addr().String())
	_, err = guarded(http.DefaultTransport, "example.com").(*http.Transport).DialContext(context.Background(), "tcp", "localhost:"+port)
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Error(), "localhost is the private address") {
		t.Errorf("a name of this machine: %v", err)
	}
	t.Setenv(PrivateVariable, "yes")
	if err := dial("example.com"); err != nil {
		t.Errorf("asked for: %v", err)
	}
}
