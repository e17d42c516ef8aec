package workflow

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/rollout"
)

// variant is a bundle like another, but for what change does to its parts.
func variant(t *testing.T, b *bundle.Bundle, change func(*bundle.Model)) *bundle.Bundle {
	t.Helper()
	parts := bundle.Model{Contract: b.Contract, Members: b.Members, Calibration: b.Calibration, Decision: b.Decision}
	parts.Contract.Fields = append([]data.Field(nil), b.Contract.Fields...)
	change(&parts)
	m, err := bundle.NewModel(parts)
	if err != nil {
		t.Fatal(err)
	}
	rows := bundle.Rows{Cols: m.Layout().Cols()}
	for _, row := range b.Tests {
		rows.N, rows.Data = rows.N+1, append(rows.Data, row.Row...)
	}
	out, err := bundle.New(bundle.Bundle{Manifest: b.Manifest, Model: *m, Profile: b.Profile, Scores: b.Scores, Card: b.Card, Tests: m.TestRows(rows)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// several is a project whose versions 2 and 3 answer otherwise than 1, its
// champion, and whose version 4 wants a column by another name.
func several(t *testing.T) (dir string, m *Models, bundles map[string]*bundle.Bundle) {
	t.Helper()
	dir = trained(t)
	m, err := OpenModels(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	_, first, err := m.Show(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	bundles = map[string]*bundle.Bundle{"1": first}
	for i, change := range []func(*bundle.Model){
		func(p *bundle.Model) { p.Decision.Threshold /= 2 },
		func(p *bundle.Model) { p.Decision.Threshold = (1 + p.Decision.Threshold) / 2 },
		func(p *bundle.Model) {
			for j := range p.Contract.Fields {
				if f := &p.Contract.Fields[j]; f.Role == data.Feature && f.Required {
					f.Name += " a year"
					return
				}
			}
		},
	} {
		b := variant(t, first, change)
		content, err := bundle.Encode(b)
		if err != nil {
			t.Fatal(err)
		}
		v, err := m.registry.AddVersion(t.Context(), "loans", b.ID(), content, "variant")
		if err != nil || v.Number != i+2 {
			t.Fatalf("version %d: %v", v.Number, err)
		}
		bundles[strconv.Itoa(v.Number)] = b
	}
	return dir, m, bundles
}

// standing is who stands where, as a running server says.
func standing(t *testing.T, url string) (s struct {
	Champion, Canary, Shadow struct {
		Version  string
		Percent  float64
		Compared rollout.Comparison
	}
}) {
	t.Helper()
	if err := get(url+"/v1/rollout/loans", &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// do makes a change that must succeed.
func do(t *testing.T, m *Models, c rollout.Change) {
	t.Helper()
	c.Reason = "a test"
	if _, err := m.Change(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// A running server follows every step of a rollout, and the decisions of a
// shadow count as nobody's.
func TestRollout(t *testing.T) {
	t.Parallel()
	dir, m, bundles := several(t)
	url, stop := up(t, dir, nil)
	apps := after(historyRows, 40)
	made := int64(0)
	ask := func() (versions []string) {
		t.Helper()
		for _, app := range apps {
			a := score(t, url, app)
			made++
			b := bundles[a.Model]
			if b == nil || b.ID() != a.Bundle || scoreOf(b, app) != a.Results[0].Score {
				t.Fatalf("version %s answers %v with %s", a.Model, a.Results[0].Score, a.Bundle)
			}
			versions = append(versions, a.Model)
		}
		return versions
	}
	until := func(what string, f func() bool) {
		t.Helper()
		within(t, 10*time.Second, what+" was not followed", f)
	}
	do(t, m, rollout.Change{Kind: rollout.Shadow, Version: 2})
	until("the shadow", func() bool { return standing(t, url).Shadow.Version == "2" })
	for _, v := range ask() {
		if v != "1" {
			t.Fatalf("version %s answers", v)
		}
	}
	until("the shadow's scoring", func() bool { c := standing(t, url).Shadow.Compared; return c.Rows+c.Dropped == int64(len(apps)) })

	do(t, m, rollout.Change{Kind: rollout.Canary, Version: 2, Percent: 50}) // from the shade into the light
	until("the canary", func() bool { s := standing(t, url); return s.Canary.Version == "2" && s.Shadow.Version == "" })
	some := false
	for i, v := range ask() {
		want := "1"
		if rollout.Takes("loans", bundles["2"].ID(), apps[i].ID, 50) {
			want, some = "2", true
		}
		if v != want {
			t.Errorf("application %s is answered by %s, want %s", apps[i].ID, v, want)
		}
	}
	if !some {
		t.Error("the canary answered nobody")
	}
	do(t, m, rollout.Change{Kind: rollout.Canary, Version: 2, Percent: 100})
	until("the percentage", func() bool { return standing(t, url).Canary.Percent == 100 })
	do(t, m, rollout.Change{Kind: rollout.Shadow, Version: 3})
	do(t, m, rollout.Change{Kind: rollout.Promote, Version: 2})
	until("the promotion", func() bool { s := standing(t, url); return s.Champion.Version == "2" && s.Canary.Version == "" })
	if ask()[0] != "2" {
		t.Error("the champion does not answer")
	}
	do(t, m, rollout.Change{Kind: rollout.Rollback})
	until("the rollback", func() bool { return standing(t, url).Champion.Version == "1" })
	st, err := StatusOf(t.Context(), dir)
	if err != nil || st.Champion != 1 || st.Canary != 0 || st.Shadow != 3 || st.Decisions.Decisions != made || !strings.Contains(st.Text(), "version 3 is the shadow") {
		t.Errorf("status %+v, %v; %d decisions were made", st, err, made)
	}

	// Over HTTP it is so when the answer comes.
	var s struct{ Champion, Canary, Shadow struct{ Version string } }
	for _, body := range []map[string]any{
		{"canary": map[string]any{"version": 2, "percent": 10}, "reason": "again"},
		{"stop": "shadow", "reason": "seen enough"},
		{"champion": 3, "reason": "why not"},
	} {
		if status, err := post(url+"/v1/rollout/loans", body, &s); err != nil {
			t.Fatalf("%v: %d %v", body, status, err)
		}
	}
	if s.Champion.Version != "3" || s.Canary.Version != "2" {
		t.Errorf("%+v", s)
	}
	if v := score(t, url, apps[0]).Model; v != "3" && v != "2" {
		t.Errorf("version %s answers", v)
	}
	if status, _ := post(url+"/v1/rollout/loans", map[string]any{"champion": 9, "reason": "a typing error"}, nil); status != 404 {
		t.Errorf("an unknown version: %d", status)
	}
	if status, _ := post(url+"/v1/rollout/loans", map[string]any{"champion": 4, "reason": "in a hurry"}, nil); status != 409 {
		t.Errorf("a version that breaks callers: %d", status)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, dir)

	// What shadows decided is in the log, each beside what was answered.
	l, err := decisions.OpenReadOnly(decisionsDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	beside, err := l.Recent(rollout.LoggedAs("loans"), 1000)
	if err != nil || len(beside) == 0 {
		t.Fatalf("no shadow decisions: %v", err)
	}
	look, err := OpenDecisions(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer look.Close()
	asked, err := decisions.ParseCondition("project=loans/shadow")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		where []decisions.Condition
		most  int
		want  int64
	}{
		{nil, 0, l.Counts("loans").Decisions},
		{nil, 1 << 20, l.Counts("loans").Decisions},
		{[]decisions.Condition{asked}, 0, int64(len(beside))},
	} {
		n := int64(0)
		if err := look.Select(t.Context(), tt.where, tt.most, func(decisions.Entry) error { n++; return nil }); err != nil || n != tt.want {
			t.Errorf("%d decisions are shown, want %d: %v", n, tt.want, err)
		}
	}
	for _, d := range beside {
		if answered, _, err := l.Get(d.RequestID); err != nil || answered.Key != d.Key || answered.Project != "loans" {
			t.Fatalf("%+v stands beside %+v: %v", d, answered, err)
		}
	}
	url, _ = up(t, dir, nil) // all is as it was left
	if s := standing(t, url); s.Champion.Version != "3" || s.Canary.Version != "2" || s.Canary.Percent != 10 {
		t.Errorf("after a restart: %+v", s)
	}
}

// What would break callers, or cannot be, changes nothing.
func TestChangesRefused(t *testing.T) {
	t.Parallel()
	dir, m, _ := several(t)
	for _, tt := range []struct {
		c       rollout.Change
		missing bool
		want    string
	}{
		{rollout.Change{Kind: rollout.Promote, Version: 4}, false, "the required column"},
		{rollout.Change{Kind: rollout.Canary, Version: 4, Percent: 1}, false, "is required and was not"},
		{rollout.Change{Kind: rollout.Promote, Version: 9}, true, "its versions are 1 to 4"},
		{rollout.Change{Kind: rollout.Shadow, Version: 1}, false, "version 1 is the champion"},
		{rollout.Change{Kind: rollout.Canary, Version: 1, Percent: 5}, false, "version 1 is the champion"},
		{rollout.Change{Kind: rollout.Canary, Version: 2, Percent: 200}, false, "percentage"},
		{rollout.Change{Kind: rollout.Rollback}, true, "replaced no other"},
	} {
		tt.c.Reason = "a test"
		_, err := m.Change(t.Context(), tt.c)
		var r *rollout.Refusal
		if !errors.As(err, &r) || r.Missing != tt.missing || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %s", tt.c, err, tt.want)
		}
	}
	if _, err := m.Change(t.Context(), rollout.Change{Kind: rollout.Promote, Version: 2}); err == nil {
		t.Error("a change without a reason")
	}
	if p, err := placesOf(t.Context(), m.registry, "loans"); err != nil || p != (places{champion: 1}) {
		t.Errorf("%+v %v", p, err)
	}
	do(t, m, rollout.Change{Kind: rollout.Promote, Version: 4, Force: true})
	events, err := m.registry.Events(t.Context(), "loans", 1)
	if err != nil || !strings.Contains(string(events[0].Facts), `"overruled":"callers would break`) {
		t.Errorf("the trail says %s, %v", events[0].Facts, err)
	}
	do(t, m, rollout.Change{Kind: rollout.Rollback}) // needs no force, although it breaks those who have followed
	if champion(t, dir) != 1 {
		t.Error("the rollback led elsewhere")
	}
}

// A bundle that was damaged, cut off or exchanged on the disk is not put into
// service, whatever the registry says: the one before goes on, and the trail
// tells it once.
func TestDamagedBundlesAreNotServed(t *testing.T) {
	t.Parallel()
	dir, m, bundles := several(t)
	path := func(version string) string {
		return filepath.Join(stateDir(dir), "bundles", bundles[version].ID()+".tandem")
	}
	good, err := os.ReadFile(path("2"))
	if err != nil {
		t.Fatal(err)
	}
	alien, err := os.ReadFile(path("3"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)/2] ^= 1
	for name, content := range map[string][]byte{"flipped": flipped, "truncated": good[:len(good)/3], "empty": nil, "alien": alien, "text": []byte("not a bundle")} {
		if err := os.WriteFile(path("2"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{rollout.Promote, rollout.Shadow, rollout.Canary} {
			if _, err := m.Change(t.Context(), rollout.Change{Kind: kind, Version: 2, Percent: 10, Reason: name}); err == nil {
				t.Errorf("%s as %s was not refused", name, kind)
			}
		}
	}
	if err := os.WriteFile(path("2"), flipped, 0o600); err != nil {
		t.Fatal(err)
	}
	told := func() (n int) {
		events, err := m.registry.Events(t.Context(), "loans", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Kind == registry.EventNotServed {
				n++
			}
		}
		return n
	}
	err = inService(dir, func(s *service) error {
		ctx := context.Background()
		if err := m.registry.SetAlias(ctx, "loans", registry.Champion, 2, "past the checks"); err != nil {
			return err
		}
		for range 3 {
			if err := s.follow(ctx); err == nil || !strings.Contains(err.Error(), "champion version 2 is not put into service") {
				t.Errorf("follow: %v", err)
			}
		}
		if now := s.server.Models(); len(now) != 1 || now[0].Version != "1" || told() != 1 {
			t.Errorf("in service: %+v, told %d times", now, told())
		}
		// Beside a champion that is in order it is left out.
		if err := m.registry.SetAlias(ctx, "loans", registry.Champion, 3, "another"); err != nil {
			return err
		}
		if err := m.registry.SetAlias(ctx, "loans", registry.Shadow, 2, "past the checks"); err != nil {
			return err
		}
		if err := s.follow(ctx); err != nil {
			t.Errorf("a damaged shadow: %v", err)
		}
		if ids := s.server.Loaded("loans"); len(ids) != 1 || ids[0] != bundles["3"].ID() || told() != 2 {
			t.Errorf("in service: %v, told %d times", ids, told())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// However many versions come and go, those in service and a few more are held.
func TestBundlesAreLetGo(t *testing.T) {
	t.Parallel()
	dir, m, bundles := several(t)
	err := inService(dir, func(s *service) error {
		for i := range 11 {
			b := variant(t, bundles["1"], func(p *bundle.Model) { p.Decision.Threshold = float64(i+1) / 64 })
			content, err := bundle.Encode(b)
			if err != nil {
				return err
			}
			v, err := m.registry.AddVersion(t.Context(), "loans", b.ID(), content, "")
			if err != nil {
				return err
			}
			do(t, m, rollout.Change{Kind: rollout.Promote, Version: v.Number})
			if err := s.follow(t.Context()); err != nil {
				return err
			}
			if n := len(s.bundles); n > mostOpen+1 {
				t.Fatalf("%d bundles are open after %d versions", n, v.Number)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
