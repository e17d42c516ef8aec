package decisions_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// small makes a log of three segments with decisions, outcomes and an erased
// decision, closed, and returns its files and the decisions.
func small(t testing.TB) (map[string][]byte, []decisions.Decision) {
	t.Helper()
	dir := t.TempDir()
	log := open(t, dir, decisions.Options{SegmentSize: 4096})
	var ds []decisions.Decision
	for i := range 36 {
		d := application(log, i)
		d.Bundle = "b1"
		ds = append(ds, d)
		if err := log.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: d.ID, Value: "good", At: start}); err != nil {
				t.Fatal(err)
			}
		}
		if i == 14 {
			if err := log.Erase(t.Context(), ds[3].ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if r := mustVerify(t, dir); r.Segments < 3 || r.Erased != 1 {
		t.Fatalf("the log to damage is not what it should be: %+v", r)
	}
	return files(t, dir), ds
}

func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]byte)
	for _, f := range names {
		if f.Name() == "lock" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name()] = b
	}
	return out
}

// lay writes files to a folder, a nil one not at all.
func lay(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for name, b := range files {
		path := filepath.Join(dir, name)
		os.Remove(path)
		if b != nil {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// records returns where the records of a segment start, and its end, as
// docs/decision-log.md says they can be found.
func records(segment []byte) []int {
	at := []int{64}
	for off := 64; off < len(segment); {
		off += 128 + int(binary.LittleEndian.Uint32(segment[off:]))
		at = append(at, off)
	}
	return at
}

func TestVerifyFindsEveryChangedByte(t *testing.T) {
	t.Parallel()
	whole, _ := small(t)
	everyChangedByte(t, whole, 1)
}

// Likewise in what is left of a log of which the oldest part was removed and
// the next one emptied.
func TestVerifyFindsEveryChangedByteAfterRetention(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var now time.Time
	log, _ := years(t, dir, 40, &now)
	if done, err := log.Retain(t.Context(), decisions.Retention{Content: 8 * day, Records: 25 * day}); err != nil || done.Removed == 0 || done.Erased == 0 {
		t.Fatalf("the log to damage is not what it should be: %+v, %v", done, err)
	}
	log.Close()
	everyChangedByte(t, files(t, dir), 5)
}

// everyChangedByte changes every byte, or one in so many, each for itself.
func everyChangedByte(t *testing.T, whole map[string][]byte, step int) {
	t.Helper()
	dir := t.TempDir()
	lay(t, dir, whole)
	rng := rand.New(rand.NewPCG(1, 2))
	for name, b := range whole {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i := 0; i < len(b); i += step {
			for _, c := range []byte{b[i] ^ 1<<rng.IntN(8), b[i]} { // damaged, then mended
				if _, err := f.WriteAt([]byte{c}, int64(i)); err != nil {
					t.Fatal(err)
				}
				if c != b[i] && verify(t, dir).OK() {
					t.Fatalf("%s: a changed byte at %d of %d is not found", name, i, len(b))
				}
			}
		}
	}
	mustVerify(t, dir)
}

func TestOpenRefusesDamageAndChangesNothing(t *testing.T) {
	t.Parallel()
	whole, ds := small(t)
	rng := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for range 150 {
		name := fmt.Sprintf("%08d.seg", 1+rng.IntN(3))
		b := bytes.Clone(whole[name])
		at := rng.IntN(len(b))
		b[at] ^= 1 << rng.IntN(8)
		dir := t.TempDir()
		lay(t, dir, whole)
		lay(t, dir, map[string][]byte{name: b})
		log, err := decisions.Open(dir, decisions.Options{})
		var damage *decisions.DamageError
		switch {
		case errors.As(err, &damage):
			refused++
			now := files(t, dir)
			if filepath.Base(damage.File) != name && damage.Err != "the segment does not follow the one before" {
				t.Errorf("byte %d of %s: the error names %s", at, name, damage.File)
			}
			if damage.Offset > int64(at) {
				t.Errorf("byte %d of %s: the error names byte %d", at, name, damage.Offset)
			}
			if !bytes.Equal(now[name], b) || !bytes.Equal(now["head"], whole["head"]) {
				t.Errorf("byte %d of %s: a refused log was changed", at, name)
			}
		case err == nil:
			// Bytes of the erased decision: opening overwrites them again.
			if _, _, err := log.Get(ds[3].ID); !errors.Is(err, decisions.ErrErased) {
				t.Errorf("byte %d of %s: %v", at, name, err)
			}
			log.Close()
			mustVerify(t, dir)
		default:
			t.Errorf("byte %d of %s: %v is not a DamageError", at, name, err)
		}
	}
	if refused < 120 {
		t.Errorf("only %d of 150 damaged logs were refused", refused)
	}
}

func TestACutEndIsNoticedAndStaysInTheChain(t *testing.T) {
	t.Parallel()
	whole, _ := small(t)
	const last = "00000003.seg"
	starts := records(whole[last])
	before := len(records(whole["00000001.seg"])) + len(records(whole["00000002.seg"])) - 2
	for cut := 64; cut < len(whole[last]); cut += 23 {
		dir := t.TempDir()
		lay(t, dir, whole)
		lay(t, dir, map[string][]byte{last: whole[last][:cut]})
		if r := verify(t, dir); r.OK() {
			t.Fatalf("cut at %d: not found", cut)
		}
		kept := 0
		for _, s := range starts[1:] {
			if s <= cut {
				kept++
			}
		}
		lost := uint64(len(starts) - 1 - kept)
		log, err := decisions.Open(dir, decisions.Options{})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if r := log.Recovered(); r.Lost != lost || r.Torn != int64(cut-starts[kept]) || r.NoHead {
			t.Errorf("cut at %d: recovered %+v, want %d lost and %d torn", cut, r, lost, cut-starts[kept])
		}
		fill(t, log, 2)
		log.Close()
		r := mustVerify(t, dir)
		if len(r.Losses) != 1 || r.Losses[0].Lost != lost || r.Losses[0].Number != uint64(before+kept+1) {
			t.Errorf("cut at %d: losses %+v, want %d lost before record %d", cut, r.Losses, lost, before+kept+1)
		}
	}
}

func TestATornEndIsCutOffSilently(t *testing.T) {
	t.Parallel()
	whole, _ := small(t)
	const last = "00000003.seg"
	extra := whole[last][64:records(whole[last])[1]] // a whole record, but in the wrong place
	for name, tail := range map[string][]byte{
		"a byte":        {7},
		"half a record": extra[:len(extra)/2],
		"zeros":         make([]byte, 5000),
		"garbage":       bytes.Repeat([]byte("garbage."), 100),
	} {
		dir := t.TempDir()
		lay(t, dir, whole)
		lay(t, dir, map[string][]byte{last: append(bytes.Clone(whole[last]), tail...)})
		if r := mustVerify(t, dir); r.Torn != int64(len(tail)) {
			t.Errorf("%s: %d torn bytes reported, want %d", name, r.Torn, len(tail))
		}
		log := open(t, dir, decisions.Options{})
		if r := log.Recovered(); r.Torn != int64(len(tail)) || r.Lost != 0 {
			t.Errorf("%s: recovered %+v", name, r)
		}
		fill(t, log, 1)
		log.Close()
		if r := mustVerify(t, dir); r.Torn != 0 || len(r.Losses) != 0 {
			t.Errorf("%s: after going on %+v", name, r)
		}
	}
}

func TestMovedRecordsAndFiles(t *testing.T) {
	t.Parallel()
	whole, _ := small(t)
	one, two, three := whole["00000001.seg"], whole["00000002.seg"], whole["00000003.seg"]
	at := records(two)
	without := append(bytes.Clone(two[:at[2]]), two[at[3]:]...)
	swapped := bytes.Join([][]byte{two[:at[2]], two[at[3]:at[4]], two[at[2]:at[3]], two[at[4]:]}, nil)
	doubled := bytes.Join([][]byte{two[:at[3]], two[at[2]:]}, nil)
	other, _ := small(t)
	for name, change := range map[string]map[string][]byte{
		"record removed":     {"00000002.seg": without},
		"records swapped":    {"00000002.seg": swapped},
		"record doubled":     {"00000002.seg": doubled},
		"last record gone":   {"00000002.seg": two[:at[len(at)-2]]},
		"first segment gone": {"00000001.seg": nil},
		"segment gone":       {"00000002.seg": nil},
		"last segment gone":  {"00000003.seg": nil},
		"two segments gone":  {"00000002.seg": nil, "00000003.seg": nil},
		"all segments gone":  {"00000001.seg": nil, "00000002.seg": nil, "00000003.seg": nil},
		"segments swapped":   {"00000002.seg": three, "00000003.seg": two},
		"segment doubled":    {"00000003.seg": two, "00000004.seg": three},
		"another log's":      {"00000002.seg": other["00000002.seg"]},
		"all another log's":  {"00000001.seg": other["00000001.seg"], "00000002.seg": other["00000002.seg"], "00000003.seg": other["00000003.seg"]},
		"empty segment":      {"00000002.seg": {}},
		"not a segment":      {"00000002.seg": bytes.Repeat([]byte("hello"), 100)},
	} {
		dir := t.TempDir()
		lay(t, dir, map[string][]byte{"00000001.seg": one})
		lay(t, dir, whole)
		lay(t, dir, change)
		r, err := decisions.Verify(dir)
		if err != nil || r.OK() {
			t.Errorf("%s: Verify found nothing (%v)", name, err)
		}
		var damage *decisions.DamageError
		if _, err := decisions.Open(dir, decisions.Options{}); !errors.As(err, &damage) {
			t.Errorf("%s: Open gave %v, want a DamageError", name, err)
		}
		if _, err := decisions.OpenReadOnly(dir); !errors.As(err, &damage) {
			t.Errorf("%s: OpenReadOnly gave %v, want a DamageError", name, err)
		}
	}
}

func TestWithoutHeadFile(t *testing.T) {
	t.Parallel()
	whole, _ := small(t)
	for name, head := range map[string][]byte{"missing": nil, "empty": {}, "long": append(bytes.Clone(whole["head"]), 1)} {
		dir := t.TempDir()
		lay(t, dir, whole)
		lay(t, dir, map[string][]byte{"head": head})
		if r := verify(t, dir); len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Err, "head") {
			t.Errorf("%s: problems %v, want one about the head", name, r.Problems)
		}
		log := open(t, dir, decisions.Options{})
		if !log.Recovered().NoHead {
			t.Errorf("%s: Open does not say that the head was %s", name, name)
		}
		log.Close()
		mustVerify(t, dir)
	}
	if _, err := decisions.Verify(t.TempDir()); err == nil {
		t.Error("an empty folder verifies")
	}
}

func TestErase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	erasedAt := start.AddDate(1, 0, 0)
	log := open(t, dir, decisions.Options{SegmentSize: 4096, Now: func() time.Time { return erasedAt }})
	var ds []decisions.Decision
	for i := range 30 {
		d := application(log, i)
		d.Key = fmt.Sprintf("person-%d", i%2)
		if i == 4 {
			d.Inputs = []byte(`{"Name":"Rosalind Unforgettable"}`)
		}
		ds = append(ds, d)
		if err := log.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	for _, value := range []string{"in default", "in default after all"} {
		if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: ds[4].ID, Value: value, At: start}); err != nil {
			t.Fatal(err)
		}
	}
	unknown := log.NewID(start)
	if err := log.Erase(t.Context(), ds[5].ID, unknown); !errors.Is(err, decisions.ErrUnknown) || !strings.Contains(err.Error(), unknown) {
		t.Errorf("erase of an unknown decision: %v", err)
	}
	if _, _, err := log.Get(ds[5].ID); err != nil {
		t.Errorf("a refused call erased something: %v", err)
	}
	head := log.Head()
	for range 2 { // the second time does nothing
		if err := log.Erase(t.Context(), ds[4].ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := log.Head().Records - head.Records; got != 1 {
		t.Errorf("%d records written for one erasure", got)
	}
	for name, b := range files(t, dir) {
		for _, secret := range []string{"Unforgettable", "in default"} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%q is still in %s", secret, name)
			}
		}
	}
	check := func(log *decisions.Log) {
		t.Helper()
		if _, _, err := log.Get(ds[4].ID); !errors.Is(err, decisions.ErrErased) {
			t.Errorf("Get: %v", err)
		}
		if es, err := log.ByKey("credit", "person-0"); err != nil || len(es) != 14 {
			t.Errorf("ByKey: %d, %v; want the 14 that are left", len(es), err)
		}
		if es, err := log.Recent("credit", 100); err != nil || len(es) != 29 {
			t.Errorf("Recent: %d, %v; want the 29 that are left", len(es), err)
		}
		if c := log.Counts("credit"); c != (decisions.Counts{Decisions: 29}) || log.Erased() != 1 {
			t.Errorf("counts %+v, %d erased", c, log.Erased())
		}
		erased, marked := 0, 0
		if _, err := log.Scan(t.Context(), decisions.Position{}, func(r decisions.Record) error {
			if r.Erased && r.ID == ds[4].ID {
				erased++
			}
			if !r.Erased && r.Decision == nil && r.Outcome == nil && r.Time.Equal(erasedAt) && r.ID == ds[4].ID {
				marked++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if erased != 3 || marked != 1 {
			t.Errorf("scan shows %d erased and %d erasures, want 3 and 1", erased, marked)
		}
	}
	check(log)
	if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: ds[4].ID, Value: "x", At: start}); !errors.Is(err, decisions.ErrErased) {
		t.Errorf("an outcome for an erased decision: %v", err)
	}
	if err := log.Append(t.Context(), ds[4]); !errors.Is(err, decisions.ErrExists) {
		t.Errorf("the id of an erased decision again: %v", err)
	}
	if r := mustVerify(t, dir); r.Erased != 1 || r.Decisions != 30 {
		t.Errorf("report %+v", r)
	}
	log.Close()
	check(open(t, dir, decisions.Options{}))
}

// TestErasureCutShort puts an erased body back, wholly or in part, as if the
// process had died before or while it overwrote it.
func TestErasureCutShort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := open(t, dir, decisions.Options{})
	ds := fill(t, log, 3)
	before := files(t, dir)["00000001.seg"]
	if err := log.Erase(t.Context(), ds[1].ID); err != nil {
		t.Fatal(err)
	}
	log.Close()
	after := files(t, dir)["00000001.seg"]
	at := records(after)
	for _, done := range []int{0, 1, 20, 100} {
		cut := bytes.Clone(after)
		copy(cut[at[1]+108+done:at[2]], before[at[1]+108+done:at[2]])
		lay(t, dir, map[string][]byte{"00000001.seg": cut})
		if r := verify(t, dir); r.OK() {
			t.Errorf("%d bytes overwritten: Verify does not see it", done)
		}
		reader, err := decisions.OpenReadOnly(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := reader.Get(ds[1].ID); !errors.Is(err, decisions.ErrErased) {
			t.Errorf("%d bytes overwritten: a reader shows it: %v", done, err)
		}
		open(t, dir, decisions.Options{}).Close()
		if got := files(t, dir)["00000001.seg"]; !bytes.Equal(got, after) {
			t.Errorf("%d bytes overwritten: opening did not finish the erasure", done)
		}
		mustVerify(t, dir)
	}
}

// TestContentReplacedWithRightChecksum forges a body and its checksum: only
// the commitment tells.
func TestContentReplacedWithRightChecksum(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := open(t, dir, decisions.Options{})
	a, b := application(log, 1), application(log, 2)
	if err := log.Append(t.Context(), a, b); err != nil {
		t.Fatal(err)
	}
	log.Close()
	seg := files(t, dir)["00000001.seg"]
	at := records(seg)
	if at[1]-at[0] != at[2]-at[1] {
		t.Fatal("the two records should be equally long")
	}
	copy(seg[at[0]+108:at[1]], bytes.Clone(seg[at[1]+108:at[2]]))
	lay(t, dir, map[string][]byte{"00000001.seg": seg})
	r := verify(t, dir)
	if len(r.Problems) != 1 || r.Problems[0].Offset != 64 || !strings.Contains(r.Problems[0].Err, "replaced") {
		t.Errorf("problems %v, want the replaced content at byte 64", r.Problems)
	}
}
