package decisions_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// TestOlderLogs opens the logs that earlier versions wrote: what was decided must
// be explainable for years. testdata/format-1 is of the first version: three
// segments, 36 decisions, 12 outcomes, one erasure.
func TestOlderLogs(t *testing.T) {
	t.Parallel()
	old := files(t, filepath.Join("testdata", "format-1"))
	dir := t.TempDir()
	lay(t, dir, old)
	if r := mustVerify(t, dir); r.Segments != 3 || r.Decisions != 36 || r.Outcomes != 12 || r.Erased != 1 || r.Removed != nil {
		t.Errorf("report %+v", r)
	}
	log := open(t, dir, decisions.Options{})
	if log.Recovered() != (decisions.Recovery{}) || log.Counts("credit") != (decisions.Counts{Decisions: 35, Outcomes: 11}) {
		t.Errorf("recovered %+v, counts %+v", log.Recovered(), log.Counts("credit"))
	}
	found, err := log.ByKey("credit", "4030")
	if err != nil || len(found) != 1 || found[0].Outcome == nil || string(found[0].Inputs) != `{"Income":130,"Records":"no"}` {
		t.Errorf("found %+v, %v", found, err)
	}
	fill(t, log, 1)
	log.Close()
	mustVerify(t, dir)
	for name, b := range files(t, dir) {
		if name != "head" && !bytes.HasPrefix(b, old[name]) {
			t.Errorf("%s: what was written was changed", name)
		}
	}
}

// A folder that is reached through a symbolic link is the same log, with the
// same lock.
func TestLinkedFolder(t *testing.T) {
	t.Parallel()
	dir, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip(err)
	}
	log := open(t, link, decisions.Options{})
	d := fill(t, log, 1)[0]
	if _, err := decisions.Open(dir, decisions.Options{}); err == nil || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("a second writer, by the other name: %v", err)
	}
	log.Close()
	if _, _, err := open(t, dir, decisions.Options{}).Get(d.ID); err != nil {
		t.Error(err)
	}
	mustVerify(t, link)
}
