package keys_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/limit"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func create(t *testing.T, dir string, lifetime time.Duration, scopes ...keys.Scope) (string, keys.Key) {
	t.Helper()
	text, k, err := keys.Create(dir, "web", scopes, lifetime, noon)
	if err != nil {
		t.Fatal(err)
	}
	return text, k
}

func TestKeys(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	text, k := create(t, dir, time.Hour, keys.Score, keys.Read)
	other, _ := create(t, dir, 0, keys.Operate)
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ring.Check(text, noon)
	if err != nil || got.ID != k.ID || got.Name != "web" || !got.Has(keys.Score) || got.Has(keys.Operate) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ring.Check(other, noon.AddDate(50, 0, 0)); err != nil || !got.Has(keys.Operate) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ring.Check(text, noon.Add(time.Hour)); !errors.Is(err, keys.ErrExpired) {
		t.Errorf("after an hour: %v", err)
	}
	for _, forged := range []string{
		"", "tandem_", "tandem__", text[:len(text)-1], text + "0", strings.ToUpper(text), "tandem_" + k.ID + "_", "tandem_" + k.ID + "_" + k.Hash,
		strings.TrimPrefix(text, "tandem_"), text + strings.Repeat("0", 1000), "tandem_" + k.ID + other[strings.LastIndex(other, "_"):], "tandem_../../x_" + k.Hash,
	} {
		if _, err := ring.Check(forged, noon); !errors.Is(err, keys.ErrUnknown) {
			t.Errorf("%q: %v", forged, err)
		}
	}
	// No file holds the secret, and only its owner can read the files.
	secret := text[strings.LastIndex(text, "_")+1:]
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || strings.Contains(string(b), secret) {
			t.Errorf("%s holds the secret, or %v", file, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	listed, err := keys.List(dir)
	if err != nil || len(listed) != 2 {
		t.Errorf("%v, %v", listed, err)
	}
}

// A ring follows its folder: a revoked key is refused, a new one taken.
func TestRingFollows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, k := create(t, dir, 0, keys.Score)
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Check(text, noon); err != nil {
		t.Fatal(err)
	}
	if err := keys.Revoke(dir, k.ID); err != nil {
		t.Fatal(err)
	}
	next, _ := create(t, dir, 0, keys.Score)
	if err := os.WriteFile(filepath.Join(dir, "0123456789abcdef.json"), []byte("{"), 0o600); err != nil { // no key
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, gone := ring.Check(text, noon)
		_, there := ring.Check(next, noon)
		if errors.Is(gone, keys.ErrUnknown) && there == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the revoked key: %v; the new one: %v", gone, there)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := keys.Revoke(dir, k.ID); !errors.Is(err, keys.ErrUnknown) {
		t.Errorf("revoked twice: %v", err)
	}
	if err := keys.Revoke(dir, "../x"); !errors.Is(err, keys.ErrUnknown) {
		t.Errorf("a path: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tt := range []struct {
		name     string
		scopes   []keys.Scope
		lifetime time.Duration
		says     string
	}{
		{"", []keys.Scope{keys.Score}, 0, "1 to 100 printable"},
		{"a\nb", []keys.Scope{keys.Score}, 0, "1 to 100 printable"},
		{strings.Repeat("x", 101), []keys.Scope{keys.Score}, 0, "1 to 100 printable"},
		{"web", nil, 0, "needs a scope"},
		{"web", []keys.Scope{"admin"}, 0, `no scope "admin"`},
		{"web", []keys.Scope{keys.Score}, -time.Hour, "expired"},
	} {
		if _, _, err := keys.Create(dir, tt.name, tt.scopes, tt.lifetime, noon); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v", tt.name, err)
		}
	}
	if _, err := keys.Open(dir); err == nil || !strings.Contains(err.Error(), "no key in") {
		t.Errorf("no key: %v", err)
	}
	if _, err := keys.Open(filepath.Join(dir, "absent")); err == nil {
		t.Error("no folder: no error")
	}
	if err := os.WriteFile(filepath.Join(dir, "0123456789abcdef.json"), []byte(`{"id":"other"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(dir); err == nil || !strings.Contains(err.Error(), "is not a key") {
		t.Errorf("a file that is no key: %v", err)
	}
}

func TestRateOfAKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rate := limit.Rate{PerSecond: 100, Burst: 200}
	text, k, err := keys.CreateLimited(dir, "web", []keys.Scope{keys.Score}, 0, rate, noon)
	if err != nil || k.Rate != rate {
		t.Fatalf("%+v, %v", k, err)
	}
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ring.Check(text, noon); err != nil || got.Rate != rate {
		t.Errorf("%+v, %v", got, err)
	}
	if _, _, err := keys.CreateLimited(dir, "web", []keys.Scope{keys.Score}, 0, limit.Rate{PerSecond: -1}, noon); err == nil {
		t.Error("a negative rate")
	}
	// A file whose rate was made nonsense of is no key, rather than one without a limit.
	path := filepath.Join(dir, k.ID+".json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), `"per_second": 100`, `"per_second": -100`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(dir); err == nil || !strings.Contains(err.Error(), "rate") {
		t.Errorf("%v", err)
	}
}
