package workflow

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// A log that was damaged while nobody served is never served as if it were
// whole: the start is refused and changes nothing, or it says how many decisions
// are missing.
func TestDamagedLogIsTold(t *testing.T) {
	t.Parallel()
	file := func(dir string) string { return filepath.Join(decisionsDir(dir), "00000001.seg") }
	damaged := func(change func([]byte) []byte) (dir string, content []byte) {
		dir = lived(t)
		content, err := os.ReadFile(file(dir))
		if err != nil {
			t.Fatal(err)
		}
		content = change(content)
		if err := os.WriteFile(file(dir), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := VerifyProject(t.Context(), dir); err == nil {
			t.Error("a damaged log verifies")
		}
		return dir, content
	}

	dir, content := damaged(func(b []byte) []byte { b[len(b)/3] ^= 4; return b })
	err := Up(t.Context(), dir, UpOptions{Address: "127.0.0.1:0", Ready: func(string) { t.Error("it is served") }})
	if err == nil || !strings.Contains(err.Error(), filepath.Base(file(dir))) {
		t.Errorf("a log with a turned bit is met with %v, want the file's name", err)
	}
	if now, err := os.ReadFile(file(dir)); err != nil || !bytes.Equal(now, content) {
		t.Errorf("a refused start has changed the log (%v)", err)
	}

	// The log has livedRows decisions, then as many outcomes.
	dir, _ = damaged(func(b []byte) []byte { return b[:len(b)/3] })
	var heard said
	url, stop := up(t, dir, &Talk{W: &heard})
	score(t, url, after(historyRows, 1)...)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	log, err := decisions.OpenReadOnly(decisionsDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	left := log.Counts("loans")
	if left.Decisions <= 1 || left.Decisions > livedRows || left.Outcomes != 0 {
		t.Fatalf("of a third of the log there are %+v", left)
	}
	missing := 2*livedRows - (left.Decisions - 1)
	if want := fmt.Sprintf("%d acknowledged records are missing", missing); !strings.Contains(heard.String(), want) {
		t.Errorf("the start says %q, want %q in it", heard.String(), want)
	}
	mustVerify(t, dir)
}
