package stream_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/engineering/stream"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s    string
		role stream.Role
		want stream.Address
	}{
		{"kafka://one:9093,two,[::1]:9094,10.0.0.1/decided", stream.Out,
			stream.Address{Brokers: []string{"one:9093", "two:9092", "[::1]:9094", "10.0.0.1:9092"}, Topic: "decided", Largest: 1_000_000}},
		{"kafka://one/decided?tls=true&sasl=SCRAM-SHA-512&max_bytes=20000", stream.Out,
			stream.Address{Brokers: []string{"one:9092"}, Topic: "decided", Largest: 20_000, TLS: true, SASL: "scram-sha-512"}},
		{"kafka://::1/a.b_c-1?group=g&instance=i&project=p&dead=d&from=latest", stream.Consume,
			stream.Address{Brokers: []string{"[::1]:9092"}, Topic: "a.b_c-1", Group: "g", Instance: "i", Project: "p", Dead: "d", Latest: true, Largest: 1_000_000}},
		{"kafka:///scores?reasons=false", stream.Produce, stream.Address{Topic: "scores", Silent: true, Largest: 1_000_000}},
	} {
		got, err := stream.ParseAddress(c.s, c.role)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v, want %+v", c.s, got, err, c.want)
		}
	}
	for _, c := range []struct {
		s    string
		role stream.Role
		want string
	}{
		{"kafka://ann:sesame@one/decided", stream.Out, "does not hold a user or a password"},
		{"http://one/decided", stream.Out, "kafka://HOST/TOPIC"},
		{"kafka://one", stream.Out, "kafka://HOST/TOPIC"},
		{"kafka:///decided", stream.Out, "HOST:PORT"},
		{"kafka://one:x/decided", stream.Out, "HOST:PORT"},
		{"kafka://one:70000/decided", stream.Out, "HOST:PORT"},
		{"kafka://one,/decided", stream.Out, "HOST:PORT"},
		{"kafka://one/", stream.Out, "name of a topic"},
		{"kafka://one/..", stream.Out, "name of a topic"},
		{"kafka://one/a/b", stream.Out, "name of a topic"},
		{"kafka://one/decided?group=g", stream.Out, "no setting of this name"},
		{"kafka://one/decided?max_bytes=1", stream.Out, "max_bytes"},
		{"kafka://one/decided?tls=yes", stream.Out, "true or false"},
		{"kafka://one/decided?tls=true&tls=true", stream.Out, "more than once"},
		{"kafka://one/decided?sasl=gssapi", stream.Out, "scram-sha-512"},
		{"kafka://one/decided?%zz", stream.Out, "cannot be read"},
		{"kafka://one/rows", stream.Consume, "group="},
		{"kafka://one/rows?group=g&from=here", stream.Consume, "earliest or latest"},
	} {
		_, err := stream.ParseAddress(c.s, c.role)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.s, err)
		}
		if err != nil && strings.Contains(err.Error(), "sesame") {
			t.Errorf("the password is in %v", err)
		}
	}
}

func TestSecurity(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret, junk := write("password", "sesame\n"), write("junk.pem", "sesame")
	for _, c := range []struct {
		address string
		env     map[string]string
		want    string // of the error; "": none
	}{
		{"kafka://far/t", nil, ""},
		{"kafka://far/t?tls=true", map[string]string{"KAFKA_USERNAME": "ann", "KAFKA_PASSWORD": "sesame"}, ""},
		{"kafka://far/t", map[string]string{"KAFKA_TLS": "true", "KAFKA_USERNAME": "ann", "KAFKA_PASSWORD_FILE": secret}, ""},
		{"kafka://localhost,127.0.0.1,[::1]:1/t", map[string]string{"KAFKA_USERNAME": "ann", "KAFKA_PASSWORD": "sesame"}, ""},
		{"kafka://far/t?sasl=scram-sha-256", map[string]string{"KAFKA_USERNAME": "ann", "KAFKA_PASSWORD": "sesame"}, ""},
		{"kafka://far/t", map[string]string{"KAFKA_USERNAME": "ann", "KAFKA_PASSWORD": "sesame"}, "in the clear"},
		{"kafka://localhost,far/t", map[string]string{"KAFKA_USERNAME": "ann", "KAFKA_PASSWORD": "sesame"}, "in the clear"},
		{"kafka://far/t", map[string]string{"KAFKA_PASSWORD": "sesame"}, "KAFKA_USERNAME"},
		{"kafka://far/t?sasl=plain", nil, "KAFKA_USERNAME"},
		{"kafka://far/t", map[string]string{"KAFKA_USERNAME": "ann"}, "KAFKA_PASSWORD"},
		{"kafka://far/t", map[string]string{"KAFKA_USERNAME": "ann", "KAFKA_PASSWORD": "sesame", "KAFKA_PASSWORD_FILE": secret}, "either"},
		{"kafka://far/t", map[string]string{"KAFKA_USERNAME": "ann", "KAFKA_PASSWORD_FILE": filepath.Join(dir, "none")}, "KAFKA_PASSWORD_FILE"},
		{"kafka://far/t", map[string]string{"KAFKA_USERNAME": "ann", "KAFKA_PASSWORD": "sesame", "KAFKA_SASL_MECHANISM": "gssapi"}, "KAFKA_SASL_MECHANISM"},
		{"kafka://far/t", map[string]string{"KAFKA_TLS_CA": junk}, "no certificate"},
		{"kafka://far/t", map[string]string{"KAFKA_TLS_CA": filepath.Join(dir, "none")}, "KAFKA_TLS_CA"},
		{"kafka://far/t", map[string]string{"KAFKA_TLS_CERT": junk}, "go together"},
		{"kafka://far/t", map[string]string{"KAFKA_TLS_CERT": junk, "KAFKA_TLS_KEY": junk}, "KAFKA_TLS_CERT"},
	} {
		a, err := stream.ParseAddress(c.address, stream.Out)
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Security(func(name string) string { return c.env[name] })
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s with %v: %v", c.address, c.env, err)
		}
		if err != nil && strings.Contains(err.Error(), "sesame") {
			t.Errorf("the password is in %v", err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("kafka://one:9093,two/rows?group=g&from=latest&dead=d")
	f.Add("kafka://[::1]:9092/t?tls=true&sasl=plain")
	f.Add("kafka:///t?reasons=false&max_bytes=20000")
	f.Fuzz(func(t *testing.T, s string) {
		for _, role := range []stream.Role{stream.Out, stream.Consume, stream.Produce} {
			a, err := stream.ParseAddress(s, role)
			if err != nil {
				continue
			}
			if a.Topic == "" || strings.Contains(strings.Join(a.Brokers, ""), "/") || len(a.Brokers) == 0 && role != stream.Produce {
				t.Fatalf("%q is read as %+v", s, a)
			}
			if role == stream.Consume && a.Group == "" {
				t.Fatalf("%q has no group", s)
			}
		}
	})
}
