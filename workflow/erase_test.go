package workflow

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/data/ingest"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/registry"
)

// erasedNow returns the "erased" events of a project, and fails if one of the
// texts is in the trail or in what is left of the state's requests.
func erasedNow(t *testing.T, dir string, secrets ...string) []registry.Event {
	t.Helper()
	m, err := OpenModels(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	events, err := m.registry.Events(t.Context(), "loans", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		for _, s := range secrets {
			if strings.Contains(string(e.Facts), s) {
				t.Errorf("the audit trail names %s: %s", s, e.Facts)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(erasuresDir(dir), "*")); err != nil || len(left) > 0 {
		t.Errorf("requests are left: %v, %v", left, err)
	}
	return slices.DeleteFunc(events, func(e registry.Event) bool { return e.Kind != "erased" })
}

// The decisions of a subject are erased beside a running server, by it when it is
// asked, and without one; what an end of the process interrupted is done by the
// next.
func TestErase(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	apps := after(historyRows, 8)
	cmd, url := serving(t, dir)
	ids := make([][]string, len(apps))
	for i, a := range apps {
		for range 2 { // each is decided about twice
			ids[i] = append(ids[i], score(t, url, a).Results[0].ID)
		}
	}
	status := func(id string) int {
		t.Helper()
		resp, err := http.Get(url + "/v1/decisions/" + id)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	r, err := Erase(t.Context(), dir, Subject{Key: apps[0].ID}, "they asked")
	if err != nil || r.Decisions != 2 || status(ids[0][0]) != http.StatusGone || status(ids[0][1]) != http.StatusGone || status(ids[1][0]) != http.StatusOK {
		t.Fatalf("beside a server: %+v, %v", r, err)
	}
	if r, err := Erase(t.Context(), dir, Subject{Key: apps[0].ID}, ""); err != nil || r.Decisions != 0 {
		t.Errorf("again: %+v, %v", r, err)
	}
	var answer struct{ Erased int }
	for _, c := range []struct {
		body   map[string]any
		status int
		erased int
	}{
		{map[string]any{"id": apps[1].ID, "reason": "they asked"}, http.StatusOK, 2},
		{map[string]any{"decisions": []string{ids[2][1]}}, http.StatusOK, 1},
		{map[string]any{"decisions": []string{ids[2][1]}}, http.StatusOK, 0},
		{map[string]any{"id": "nobody"}, http.StatusOK, 0},
		{map[string]any{"decisions": []string{"0192f0c1-7a3e-7c55-8f6b-2d9a4e1b7c30"}}, http.StatusNotFound, 0},
		{map[string]any{"decisions": []string{}}, http.StatusBadRequest, 0},
		{map[string]any{"id": "1", "decisions": []string{"2"}}, http.StatusBadRequest, 0},
		{map[string]any{"id": true}, http.StatusBadRequest, 0},
		{map[string]any{"id": ""}, http.StatusBadRequest, 0},
		{map[string]any{}, http.StatusBadRequest, 0},
		{map[string]any{"id": "1", "reason": 5}, http.StatusBadRequest, 0},
		{map[string]any{"key": "1"}, http.StatusBadRequest, 0},
	} {
		answer.Erased = 0
		got, err := post(url+"/v1/erasures/loans", c.body, &answer)
		if got != c.status || answer.Erased != c.erased || (err == nil) != (c.status == http.StatusOK) {
			t.Errorf("%v: status %d (%v), %d erased", c.body, got, err, answer.Erased)
		}
	}
	if got := []int{status(ids[1][0]), status(ids[2][0]), status(ids[2][1])}; !slices.Equal(got, []int{410, 200, 410}) {
		t.Errorf("after the requests: %v", got)
	}

	// Killed with an erasure that was asked for and not begun.
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if _, err := ask(dir, erasure{Decisions: ids[3], By: "key", Asked: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(erasuresDir(dir), "x.json.tmp"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, url = serving(t, dir)
	within(t, 20*time.Second, "the next server does what was asked for", func() bool { return status(ids[3][1]) == http.StatusGone })
	os.Remove(filepath.Join(erasuresDir(dir), "x.json.tmp"))
	within(t, 20*time.Second, "and says so", func() bool { return len(erasedQuietly(dir)) == 0 })
	mustVerify(t, dir)
	if events := erasedNow(t, dir, apps[0].ID, apps[1].ID); len(events) < 4 {
		t.Errorf("%d events", len(events))
	}
	d, err := OpenDecisions(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if r, err := d.Replay(t.Context(), nil); err != nil || r.Equal != 9 || r.Erased != 7 {
		t.Errorf("replay: %+v, %v", r, err)
	}
	for _, s := range []Subject{{}, {Key: "1", IDs: []string{"2"}}} {
		if _, err := Erase(t.Context(), dir, s, ""); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}

func erasedQuietly(dir string) []string {
	left, _ := filepath.Glob(filepath.Join(erasuresDir(dir), "*.json"))
	return left
}

// Retention and Parquet files as tandem.yaml asks for them, the Parquet files as
// this program reads them, and an erasure without a server that reaches both.
func TestTend(t *testing.T) {
	t.Parallel()
	dir := lived(t)
	export := filepath.Join(t.TempDir(), "export")
	wrote, err := ExportDecisions(t.Context(), dir, export)
	if err != nil || wrote.Rows != livedRows {
		t.Fatalf("export: %+v, %v", wrote, err)
	}
	read, err := ingest.Read(t.Context(), filepath.Join(export, "*.parquet"), ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if read.Table.Rows() != livedRows || read.Table.Column("score") == nil || read.Table.Column("inputs") == nil || read.Table.Column("outcome") == nil {
		t.Errorf("%d rows of %d are read", read.Table.Rows(), livedRows)
	}

	err = inService(dir, func(s *service) error {
		s.project.Decisions.KeepInputs, s.project.Decisions.Parquet = time.Minute, true
		before := s.log.Counts("loans").Decisions
		if err := s.tend(t.Context()); err != nil {
			return err
		}
		now := time.Now()
		young := decisions.Decision{ID: s.log.NewID(now), Time: now, Project: "loans", Bundle: s.champion.Bundle, Key: "young", Inputs: after(historyRows, 1)[0].JSON()}
		if err := s.log.Append(t.Context(), young); err != nil {
			return err
		}
		if err := s.tend(t.Context()); err != nil {
			return err
		}
		if n := s.log.Counts("loans").Decisions; n != before+1 {
			t.Errorf("what the watch has not read was let go: %d of %d are left", n, before+1)
		}
		if err := s.watch.catchUp(t.Context()); err != nil {
			return err
		}
		if err := s.tend(t.Context()); err != nil {
			return err
		}
		if n := s.log.Counts("loans").Decisions; n != 1 || s.log.Erased() != before {
			t.Errorf("%d of %d are left, %d erased", n, before+1, s.log.Erased())
		}
		files, err := filepath.Glob(filepath.Join(ArchiveDir(dir), "*.parquet"))
		if len(files) != 1 {
			t.Errorf("Parquet files %v", files)
		}
		s.project.Decisions.Keep = time.Minute
		if err := s.tend(t.Context()); err != nil {
			return err
		}
		if files, _ := filepath.Glob(filepath.Join(ArchiveDir(dir), "*.parquet")); len(files) != 0 {
			t.Errorf("Parquet files of what is removed: %v", files)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := VerifyProject(t.Context(), dir)
	if err != nil || report.Removed == nil || report.Decisions != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	where, err := decisions.ParseCondition("key=young")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Erase(t.Context(), dir, Subject{Where: []decisions.Condition{where}}, "they asked"); err != nil || r.Decisions != 1 {
		t.Errorf("without a server: %+v, %v", r, err)
	}
	if _, err := Erase(t.Context(), dir, Subject{IDs: []string{"nobody's"}}, ""); err == nil {
		t.Error("an unknown id")
	}
	if events := erasedNow(t, dir, "young"); len(events) != 1 {
		t.Errorf("%d events", len(events))
	}
	mustVerify(t, dir)
	if wrote, err = ExportDecisions(t.Context(), dir, export); err != nil || wrote.Removed != 1 || wrote.Files != 1 {
		t.Errorf("export again: %+v, %v", wrote, err)
	}
	read, err = ingest.Read(t.Context(), filepath.Join(export, "*.parquet"), ingest.Options{})
	if err != nil || read.Table.Rows() != 1 {
		t.Errorf("%v", err)
	}
}
