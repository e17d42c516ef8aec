package registry_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/registry"
)

func Example() {
	dir, err := os.MkdirTemp("", "state")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	r, err := registry.Open(ctx, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	for _, model := range []string{"january", "february"} {
		v, err := r.AddVersion(ctx, "credit", idOf(model), []byte(model), "")
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := r.SetAlias(ctx, "credit", registry.Champion, v.Number, "gates held"); err != nil {
			fmt.Println(err)
			return
		}
	}
	champion, _, _ := r.Alias(ctx, "credit", registry.Champion)
	previous, _, _ := r.Previous(ctx, "credit", registry.Champion)
	fmt.Println("champion", champion.Number, "previous", previous.Number)
	fmt.Println("audit trail:", r.VerifyAudit(ctx))
	// Output:
	// champion 2 previous 1
	// audit trail: <nil>
}

// idOf stands for a bundle's id, which the registry does not compute.
func idOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func open(t *testing.T, dir string) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func add(t *testing.T, r *registry.Registry, project, model string) registry.Version {
	t.Helper()
	v, err := r.AddVersion(t.Context(), project, idOf(model), []byte(model), "note of "+model)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func set(t *testing.T, r *registry.Registry, alias string, version int) {
	t.Helper()
	if err := r.SetAlias(t.Context(), "credit", alias, version, "test"); err != nil {
		t.Fatal(err)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a ?#%20folder")
	r := open(t, dir)
	if vs, err := r.Versions(t.Context(), "credit"); err != nil || len(vs) != 0 {
		t.Errorf("empty registry: %v, %v", vs, err)
	}
	a, b, other := add(t, r, "credit", "a"), add(t, r, "credit", "b"), add(t, r, "churn", "a")
	if a.Number != 1 || b.Number != 2 || other.Number != 1 || a.Bundle != idOf("a") || a.Note != "note of a" {
		t.Errorf("got %+v, %+v, %+v", a, b, other)
	}
	again, err := r.AddVersion(t.Context(), "credit", idOf("a"), []byte("a"), "another note")
	if err != nil || again != a {
		t.Errorf("the same bundle again: got %+v, %v; want %+v", again, err, a)
	}
	if vs, err := r.Versions(t.Context(), "credit"); err != nil || !reflect.DeepEqual(vs, []registry.Version{a, b}) {
		t.Errorf("versions: %+v, %v", vs, err)
	}
	path, err := r.BundlePath(idOf("b"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes, err := os.ReadFile(path); err != nil || string(bytes) != "b" {
		t.Errorf("bundle's file: %q, %v", bytes, err)
	}
	if _, err := r.Version(t.Context(), "credit", 3); !errors.Is(err, registry.ErrNotFound) || !strings.Contains(err.Error(), "1 to 2") {
		t.Errorf("unknown version: %v", err)
	}
	if _, err := r.Version(t.Context(), "fraud", 1); !errors.Is(err, registry.ErrNotFound) || !strings.Contains(err.Error(), "no versions") {
		t.Errorf("unknown project: %v", err)
	}
	// Opened again, everything is there.
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, dir)
	if vs, err := r.Versions(t.Context(), "credit"); err != nil || !reflect.DeepEqual(vs, []registry.Version{a, b}) {
		t.Errorf("versions after reopening: %+v, %v", vs, err)
	}
}

func TestIDsAreNotPaths(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	for _, id := range []string{"", "../../etc/passwd", strings.Repeat("a", 63) + "/", strings.Repeat("A", 64), strings.Repeat("a", 65)} {
		if _, err := r.AddVersion(t.Context(), "credit", id, []byte("x"), ""); err == nil {
			t.Errorf("AddVersion(%q): no error", id)
		}
		if _, err := r.BundlePath(id); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("BundlePath(%q): %v", id, err)
		}
	}
	if _, err := r.BundlePath(idOf("nothing")); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown bundle: %v", err)
	}
	if _, err := r.AddVersion(t.Context(), "", idOf("a"), []byte("a"), ""); err == nil {
		t.Error("no project name: no error")
	}
}

func TestOnlyTheOwnerCanRead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	add(t, open(t, dir), "credit", "a")
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDamagedBundleIsMended(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	add(t, r, "credit", "a")
	path, err := r.BundlePath(idOf("a"))
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"changed": func() error { return os.WriteFile(path, []byte("A"), 0o600) },
		"missing": func() error { return os.Remove(path) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.AddVersion(t.Context(), "credit", idOf("a"), []byte("other bytes"), ""); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s, other bytes given: got %v, want an error naming %s", name, err, path)
		}
		add(t, r, "credit", "a")
		if b, err := os.ReadFile(path); err != nil || string(b) != "a" {
			t.Errorf("%s: not mended: %q, %v", name, b, err)
		}
	}
	// The same id with another signature: the first bytes stay.
	if _, err := r.AddVersion(t.Context(), "churn", idOf("a"), []byte("a, signed"), ""); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "a" {
		t.Errorf("the first bytes were replaced: %q, %v", b, err)
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	if _, ok, err := r.Alias(t.Context(), "credit", registry.Champion); ok || err != nil {
		t.Errorf("no alias: %v, %v", ok, err)
	}
	if _, ok, err := r.Previous(t.Context(), "credit", registry.Champion); ok || err != nil {
		t.Errorf("no previous: %v, %v", ok, err)
	}
	for _, m := range []string{"a", "b", "c", "d"} {
		add(t, r, "credit", m)
	}
	add(t, r, "churn", "a")
	// Each line: promote a version (0: take the alias away), then the champion
	// and the version that a rollback leads to.
	revision := int64(0)
	for i, step := range []struct{ promote, champion, previous int }{
		{1, 1, 0},
		{1, 1, 0}, // nothing happens
		{2, 2, 1},
		{3, 3, 2},
		{2, 2, 1}, // rolled back
		{1, 1, 0}, // and once more
		{4, 4, 1},
		{3, 3, 4},
		{1, 1, 0}, // back by more than one step
		{3, 3, 1},
		{0, 0, 3},
		{3, 3, 1},
		{0, 0, 3},
		{2, 2, 3},
	} {
		var err error
		if step.promote == 0 {
			err = r.ClearAlias(t.Context(), "credit", registry.Champion, "test")
		} else {
			err = r.SetAlias(t.Context(), "credit", registry.Champion, step.promote, "test")
		}
		if err != nil {
			t.Fatal(err)
		}
		champion, set, err := r.Alias(t.Context(), "credit", registry.Champion)
		if err != nil || set != (step.champion > 0) || champion.Number != step.champion {
			t.Errorf("step %d: champion %d, %v; want %d", i, champion.Number, err, step.champion)
		}
		previous, set, err := r.Previous(t.Context(), "credit", registry.Champion)
		if err != nil || set != (step.previous > 0) || previous.Number != step.previous {
			t.Errorf("step %d: previous %d, %v; want %d", i, previous.Number, err, step.previous)
		}
		now, err := r.Revision(t.Context())
		if changed := i != 1; err != nil || (now > revision) != changed {
			t.Errorf("step %d: revision went from %d to %d, %v", i, revision, now, err)
		}
		revision = now
	}
	set(t, r, "shadow", 4)
	if err := r.SetAlias(t.Context(), "churn", registry.Champion, 1, ""); err != nil {
		t.Fatal(err)
	}
	as, err := r.Aliases(t.Context(), "credit")
	if err != nil || len(as) != 2 || as[0].Name != "champion" || as[0].Version != 2 || as[1].Name != "shadow" || as[1].Version != 4 {
		t.Errorf("aliases: %+v, %v", as, err)
	}
	if err := r.SetAlias(t.Context(), "credit", registry.Champion, 9, ""); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown version: %v", err)
	}
	for _, bad := range []string{"", "Champion", "a b", "7"} {
		if err := r.SetAlias(t.Context(), "credit", bad, 1, ""); err == nil {
			t.Errorf("alias %q: no error", bad)
		}
	}
	if err := r.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPromotionHoldsOnlyForWhatWasCompared(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	for _, m := range []string{"a", "b", "c"} {
		add(t, r, "credit", m)
	}
	set(t, r, registry.Champion, 2)
	p := registry.Promotion{Project: "credit", Alias: registry.Champion, Version: 3, Reason: "better",
		Evidence: map[string]float64{"difference": 0.01, "auc": 0.8}, Expect: 1}
	err := r.Promote(t.Context(), p)
	if !errors.Is(err, registry.ErrMoved) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("got %v, want ErrMoved naming version 2", err)
	}
	if v, _, _ := r.Alias(t.Context(), "credit", registry.Champion); v.Number != 2 {
		t.Errorf("the champion became %d", v.Number)
	}
	p.Expect = 2
	if err := r.Promote(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	es, err := r.Events(t.Context(), "credit", 1)
	if err != nil || len(es) != 1 {
		t.Fatalf("%v, %v", es, err)
	}
	want := `{"alias":"champion","before":2,"bundle":"` + idOf("c") + `","evidence":{"auc":0.8,"difference":0.01},"reason":"better","version":3}`
	if es[0].Kind != registry.EventAlias || string(es[0].Facts) != want {
		t.Errorf("got %s %s\nwant %s", es[0].Kind, es[0].Facts, want)
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	start := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	for i := range 3 {
		run, err := r.AddRun(t.Context(), registry.Run{Project: "credit", Kind: "run", Start: start, End: start.Add(90 * time.Second),
			Outcome: "done", Metrics: json.RawMessage(`{"auc":0.8}`), Bundle: idOf("a")})
		if err != nil || run.ID != int64(i+1) {
			t.Fatalf("got %+v, %v", run, err)
		}
	}
	runs, err := r.Runs(t.Context(), "credit", 2)
	if err != nil || len(runs) != 2 || runs[0].ID != 3 || runs[1].ID != 2 {
		t.Fatalf("got %+v, %v", runs, err)
	}
	want := registry.Run{ID: 3, Project: "credit", Kind: "run", Start: time.Date(2026, 3, 1, 11, 0, 0, 123456000, time.UTC),
		End: time.Date(2026, 3, 1, 11, 1, 30, 123456000, time.UTC), Seconds: 90, Outcome: "done", Metrics: json.RawMessage(`{"auc":0.8}`), Bundle: idOf("a")}
	if !reflect.DeepEqual(runs[0], want) {
		t.Errorf("got %+v\nwant %+v", runs[0], want)
	}
	if runs, err := r.Runs(t.Context(), "churn", 0); err != nil || len(runs) != 0 {
		t.Errorf("another project: %v, %v", runs, err)
	}
	for name, bad := range map[string]registry.Run{
		"no kind":     {Project: "credit"},
		"no JSON":     {Project: "credit", Kind: "run", Metrics: json.RawMessage("{")},
		"ends before": {Project: "credit", Kind: "run", Start: start, End: start.Add(-time.Second)},
	} {
		if _, err := r.AddRun(t.Context(), bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// trail makes a registry with a few events and returns its folder.
func trail(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	r := open(t, dir)
	add(t, r, "credit", "a")
	add(t, r, "credit", "b")
	set(t, r, registry.Champion, 1)
	for i := range 3 {
		if err := r.Audit(t.Context(), "credit", "gate", map[string]any{"round": i, "held": false}); err != nil {
			t.Fatal(err)
		}
	}
	set(t, r, registry.Champion, 2)
	if err := r.VerifyAudit(t.Context()); err != nil {
		t.Fatalf("untouched: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"facts":                 `UPDATE event SET facts = replace(facts, 'false', 'true') WHERE seq = 5`,
		"time":                  `UPDATE event SET at = at + 1 WHERE seq = 3`,
		"project":               `UPDATE event SET project = 'churn' WHERE seq = 2`,
		"kind":                  `UPDATE event SET kind = 'other' WHERE seq = 4`,
		"hash":                  `UPDATE event SET hash = 'x' || substr(hash, 2) WHERE seq = 4`,
		"first removed":         `DELETE FROM event WHERE seq = 1`,
		"middle removed":        `DELETE FROM event WHERE seq = 4`,
		"removed and closed up": `DELETE FROM event WHERE seq = 4; UPDATE event SET seq = seq - 1 WHERE seq > 4; UPDATE audit_head SET seq = seq - 1`,
		"last removed":          `DELETE FROM event WHERE seq = 7`,
		"all removed":           `DELETE FROM event`,
		"reordered":             `UPDATE event SET seq = 100 WHERE seq = 4; UPDATE event SET seq = 4 WHERE seq = 5; UPDATE event SET seq = 5 WHERE seq = 100`,
		"inserted":              `INSERT INTO event (seq, project, kind, at, facts, hash) VALUES (8, 'credit', 'gate', 0, '{}', '')`,
		"head removed":          `DELETE FROM audit_head`,
		"alias changed":         `UPDATE alias_change SET version = 1 WHERE seq = 2`,
		"alias change removed":  `DELETE FROM alias_change WHERE seq = 2`,
		"percentage changed":    `UPDATE alias_change SET percent = 99 WHERE seq = 2`,
		"alias added":           `INSERT INTO alias_change (seq, project, alias, version, below, reason, at) VALUES (3, 'credit', 'shadow', 1, 0, '', 0)`,
		"bundle exchanged":      `UPDATE bundle SET sha256 = 'x'`,
		"version removed":       `DELETE FROM version WHERE number = 2`,
		"version exchanged":     `UPDATE version SET note = note, project = 'churn' WHERE number = 2`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := trail(t)
			db, err := sql.Open("sqlite", filepath.Join(dir, "registry.db"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(change); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if err := open(t, dir).VerifyAudit(t.Context()); !errors.Is(err, registry.ErrTampered) {
				t.Errorf("got %v, want ErrTampered", err)
			}
		})
	}
}

// A canary has a percentage, and a version one place of three.
func TestPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	for _, model := range []string{"a", "b", "c"} {
		add(t, r, "credit", model)
	}
	promote := func(alias string, version int, percent float64) error {
		return r.Promote(t.Context(), registry.Promotion{Project: "credit", Alias: alias, Version: version, Percent: percent, Reason: "r"})
	}
	is := func(want string) {
		t.Helper()
		aliases, err := r.Aliases(t.Context(), "credit")
		var got []string
		for _, a := range aliases {
			got = append(got, fmt.Sprintf("%s %d %v", a.Name, a.Version, a.Percent))
		}
		if err != nil || strings.Join(got, ", ") != want {
			t.Errorf("got %v, %v, want %s", got, err, want)
		}
	}
	for _, step := range []struct {
		alias   string
		version int
		percent float64
		want    string
	}{
		{registry.Champion, 1, 0, "champion 1 0"},
		{registry.Shadow, 2, 0, "champion 1 0, shadow 2 0"},
		{registry.Canary, 2, 10, "canary 2 10, champion 1 0"},
		{registry.Canary, 2, 25.5, "canary 2 25.5, champion 1 0"},
		{registry.Challenger, 2, 0, "canary 2 25.5, challenger 2 0, champion 1 0"},
		{registry.Canary, 3, 25.5, "canary 3 25.5, challenger 2 0, champion 1 0"},
		{registry.Shadow, 3, 0, "challenger 2 0, champion 1 0, shadow 3 0"},
		{registry.Champion, 3, 0, "challenger 2 0, champion 3 0"},
	} {
		if err := promote(step.alias, step.version, step.percent); err != nil {
			t.Fatal(err)
		}
		is(step.want)
	}
	before, err := r.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		"it is the champion": promote(registry.Shadow, 3, 0),
		"is the champion":    promote(registry.Canary, 3, 10),
		"0 is not its":       promote(registry.Canary, 1, 0),
		"101 is not its":     promote(registry.Canary, 1, 101),
		"5 is not its":       promote(registry.Shadow, 1, 5),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if after, err := r.Revision(t.Context()); err != nil || after != before {
		t.Errorf("a refusal changed something: %d, %d, %v", before, after, err)
	}
	if err := r.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// A registry of the schema before, with its aliases, is brought up to date.
func TestOlderSchema(t *testing.T) {
	t.Parallel()
	dir := trail(t)
	db, err := sql.Open("sqlite", filepath.Join(dir, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`ALTER TABLE alias_change DROP COLUMN percent; DELETE FROM goose_db_version WHERE version_id = 2`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	if err := r.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
	if v, set, err := r.Alias(t.Context(), "credit", registry.Champion); err != nil || !set || v.Number != 2 {
		t.Errorf("champion %+v %v %v", v, set, err)
	}
	if err := r.Promote(t.Context(), registry.Promotion{Project: "credit", Alias: registry.Canary, Version: 1, Percent: 10}); err != nil {
		t.Error(err)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	r := open(t, trail(t))
	if err := r.Audit(t.Context(), "churn", "note", nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Audit(t.Context(), "churn", registry.EventAlias, nil); err == nil {
		t.Error("an alias event from outside: no error")
	}
	if err := r.Audit(t.Context(), "churn", "", nil); err == nil {
		t.Error("no kind: no error")
	}
	if err := r.Audit(t.Context(), "churn", "note", func() {}); err == nil {
		t.Error("facts that are not JSON: no error")
	}
	for _, c := range []struct {
		project string
		limit   int
		want    string
	}{
		{"credit", 0, "[7 6 5 4 3 2 1]"}, {"credit", 2, "[7 6]"}, {"churn", 0, "[8]"}, {"", 3, "[8 7 6]"}, {"fraud", 0, "[]"},
	} {
		es, err := r.Events(t.Context(), c.project, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		seqs := []int64{}
		for _, e := range es {
			seqs = append(seqs, e.Seq)
		}
		if got := fmt.Sprint(seqs); got != c.want {
			t.Errorf("%q, %d: got %s, want %s", c.project, c.limit, got, c.want)
		}
	}
	if err := r.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	newer := t.TempDir()
	open(t, newer).Close()
	db, err := sql.Open("sqlite", filepath.Join(newer, "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	var hint *data.Hinted
	if _, err := registry.Open(t.Context(), newer); !errors.As(err, &hint) || !strings.Contains(hint.Hint, "newer version") {
		t.Errorf("newer schema: %v", err)
	}
	garbage := t.TempDir()
	if err := os.WriteFile(filepath.Join(garbage, "registry.db"), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Open(t.Context(), garbage); err == nil || !strings.Contains(err.Error(), garbage) {
		t.Errorf("garbage: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Open(t.Context(), file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file instead of a folder: %v", err)
	}
}
