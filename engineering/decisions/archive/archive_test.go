package archive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/decisions/archive"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC)

// applications fills a log of small segments with n decisions.
func applications(t *testing.T, dir string, n int) (*decisions.Log, []decisions.Decision) {
	t.Helper()
	log, err := decisions.Open(dir, decisions.Options{SegmentSize: 4096, Now: func() time.Time { return start.AddDate(1, 0, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	ds := make([]decisions.Decision, n)
	for i := range ds {
		at := start.Add(time.Duration(i) * 24 * time.Hour)
		ds[i] = decisions.Decision{ID: log.NewID(at), Time: at, Project: "credit", Bundle: strings.Repeat("ab", 32), Model: "1",
			RequestID: fmt.Sprint("r", i), Key: fmt.Sprint(4000 + i), Inputs: json.RawMessage(fmt.Sprintf(`{"Income":%d,"Job":"ä \"x\", y"}`, i)),
			Margin: math.Sin(float64(i)), Score: 1 / (2 + float64(i)), Decision: "bad",
			Reasons: []bundle.Reason{{Column: "Income", Value: float64(i), Contribution: 0.25, Text: "Income: 100"}}}
		if err := log.Append(t.Context(), ds[i]); err != nil {
			t.Fatal(err)
		}
	}
	return log, ds
}

// table reads all files of a folder, and returns their rows as column -> text.
func table(t *testing.T, dir string) []map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, name := range names {
		r, err := file.OpenParquetFile(name, false)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		in, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := in.ReadTable(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		batches := array.NewTableReader(rows, 0)
		for batches.Next() {
			b := batches.RecordBatch()
			for i := range int(b.NumRows()) {
				row := make(map[string]string)
				for j, c := range b.Columns() {
					if !c.IsNull(i) {
						row[b.ColumnName(j)] = c.ValueStr(i)
					}
				}
				out = append(out, row)
			}
		}
	}
	return out
}

func roll(t *testing.T, log *decisions.Log, dir string, opt archive.Options) archive.Result {
	t.Helper()
	r, err := archive.Roll(t.Context(), log, dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRoll(t *testing.T) {
	t.Parallel()
	log, ds := applications(t, t.TempDir(), 40)
	dir := filepath.Join(t.TempDir(), "parquet")
	closed := len(log.Segments()) - 1
	r := roll(t, log, dir, archive.Options{})
	if closed < 3 || r.Files != closed || r.Written != closed || r.Rows >= 40 {
		t.Fatalf("%+v of %d closed segments", r, closed)
	}
	if r = roll(t, log, dir, archive.Options{}); r.Written != 0 || r.Files != closed {
		t.Errorf("nothing has changed: %+v", r)
	}
	if r = roll(t, log, dir, archive.Options{Open: true}); r.Written != 1 || r.Files != closed+1 {
		t.Errorf("with the open segment: %+v", r)
	}
	rows := table(t, dir)
	if len(rows) != len(ds) {
		t.Fatalf("%d rows, want %d", len(rows), len(ds))
	}
	for i, row := range rows {
		d := ds[i]
		reasons, _ := json.Marshal(d.Reasons)
		want := map[string]string{"record": fmt.Sprint(i + 1), "id": d.ID, "erased": "false", "project": "credit", "model": "1", "bundle": d.Bundle,
			"request_id": d.RequestID, "key": d.Key, "decision": "bad", "inputs": string(d.Inputs), "reasons": string(reasons),
			"time": row["time"], "score": row["score"], "margin": row["margin"]}
		if !maps.Equal(row, want) {
			t.Errorf("row %d is %v, want %v", i, row, want)
		}
		if at, err := time.Parse(time.RFC3339Nano, row["time"]); err != nil || !at.Equal(d.Time) {
			t.Errorf("row %d has the time %s (%v), want %s", i, row["time"], err, d.Time)
		}
		var score, margin float64
		fmt.Sscan(row["score"], &score)
		fmt.Sscan(row["margin"], &margin)
		if score != d.Score || margin != d.Margin {
			t.Errorf("row %d: score %s and margin %s, want %v and %v", i, row["score"], row["margin"], d.Score, d.Margin)
		}
	}

	// An outcome, its correction and an erasure reach the files of their segments,
	// and no other file is written.
	for _, value := range []string{"good", "bad"} {
		if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: ds[2].ID, Value: value, At: start}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Erase(t.Context(), ds[20].ID); err != nil {
		t.Fatal(err)
	}
	roll(t, log, dir, archive.Options{Open: true}) // which may have got a new segment
	rows = table(t, dir)
	if rows[2]["outcome"] != "bad" || !strings.HasPrefix(rows[2]["outcome_at"], "2026-03-01") {
		t.Errorf("with an outcome: %v", rows[2])
	}
	if want := map[string]string{"record": "21", "id": ds[20].ID, "time": rows[20]["time"], "erased": "true"}; !maps.Equal(rows[20], want) {
		t.Errorf("erased: %v, want %v", rows[20], want)
	}
	for name := range contents(t, dir) {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if r := roll(t, log, dir, archive.Options{Open: true}); r.Written != 0 {
		t.Errorf("nothing has changed: %+v", r)
	}
	if err := log.Erase(t.Context(), ds[39].ID); err != nil { // in the open segment, which nobody asks for now
		t.Fatal(err)
	}
	if r := roll(t, log, dir, archive.Options{}); r.Written == 0 || table(t, dir)[39]["erased"] != "true" {
		t.Errorf("what was erased is told: %+v", r)
	}
}

func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]byte)
	for _, f := range names {
		if out[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// What the log removes or empties by age is removed or emptied in the folder.
func TestRollFollowsRetention(t *testing.T) {
	t.Parallel()
	log, ds := applications(t, t.TempDir(), 60)
	dir := t.TempDir()
	roll(t, log, dir, archive.Options{Open: true})
	done, err := log.Retain(t.Context(), decisions.Retention{Content: 335 * 24 * time.Hour, Records: 350 * 24 * time.Hour})
	if err != nil || done.Removed == 0 || done.Erased == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	r := roll(t, log, dir, archive.Options{Open: true})
	if r.Removed != done.Removed || r.Written < done.Erased {
		t.Errorf("%+v after %+v", r, done)
	}
	rows := table(t, dir)
	if rows[0]["erased"] != "true" || rows[0]["inputs"] != "" || rows[0]["id"] == ds[0].ID || rows[len(rows)-1]["id"] != ds[59].ID {
		t.Errorf("rows %v ... %v", rows[0], rows[len(rows)-1])
	}
}

// A process that ends while it rolls leaves nothing that is half a file; what is
// damaged is made again; the same log makes the same bytes; another log is
// refused.
func TestRollAgain(t *testing.T) {
	t.Parallel()
	logDir := t.TempDir()
	log, _ := applications(t, logDir, 40)
	dir := t.TempDir()
	roll(t, log, dir, archive.Options{Open: true})
	whole := contents(t, dir)
	names := slices.Sorted(maps.Keys(whole))

	half := filepath.Join(dir, names[1])
	if err := os.WriteFile(half, whole[names[1]][:200], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, names[2])); err != nil {
		t.Fatal(err)
	}
	tmp := filepath.Join(dir, names[2]+".123.tmp")
	if err := os.WriteFile(tmp, []byte("PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(tmp, start, start); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "mine.parquet")
	if err := os.WriteFile(own, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := decisions.OpenReadOnly(logDir)
	if err != nil {
		t.Fatal(err)
	}
	if r := roll(t, reader, dir, archive.Options{Open: true}); r.Written != 2 {
		t.Errorf("%+v, want two files written", r)
	}
	if err := os.Remove(own); err != nil {
		t.Errorf("a file of somebody else: %v", err)
	}
	if again := contents(t, dir); !maps.EqualFunc(whole, again, bytes.Equal) {
		t.Errorf("there are %v, want %v as they were", slices.Sorted(maps.Keys(again)), names)
	}

	other, _ := applications(t, t.TempDir(), 40)
	if _, err := archive.Roll(t.Context(), other, dir, archive.Options{}); err == nil || !strings.Contains(err.Error(), "another decision log") {
		t.Errorf("another log: %v", err)
	}
	if again := contents(t, dir); !maps.EqualFunc(whole, again, bytes.Equal) {
		t.Error("a refused log has changed the folder")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	empty := t.TempDir()
	if _, err := archive.Roll(ended, log, empty, archive.Options{}); !errors.Is(err, context.Canceled) || len(contents(t, empty)) > 0 {
		t.Errorf("after the end: %v, %d files", err, len(contents(t, empty)))
	}
}
