package decisions_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// FuzzSegment reads any bytes as the first segment of a log: no panic, no
// memory beyond the file's size, and a log that opens can be read, continued
// and verified.
func FuzzSegment(f *testing.F) {
	whole, _ := small(f)
	one := whole["00000001.seg"]
	f.Add(one)
	f.Add(one[:64])
	f.Add(one[:len(one)-10])
	f.Add(append(one[:300:300], make([]byte, 900)...))
	f.Add([]byte("TANDEMDL"))
	var now time.Time
	dir := f.TempDir()
	log, _ := years(f, dir, 40, &now)
	if done, err := log.Retain(f.Context(), decisions.Retention{Content: 8 * day, Records: 25 * day}); err != nil || done.Removed == 0 {
		f.Fatalf("%+v, %v", done, err)
	}
	log.Close()
	for _, b := range files(f, dir) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, segment []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "00000001.seg"), segment, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := decisions.Verify(dir); err != nil {
			t.Fatal(err)
		}
		log, err := decisions.Open(dir, decisions.Options{})
		if err != nil {
			if damage := (*decisions.DamageError)(nil); !errors.As(err, &damage) {
				t.Fatalf("%v is not a DamageError", err)
			}
			return
		}
		defer log.Close()
		if _, err := log.Scan(t.Context(), decisions.Position{}, func(r decisions.Record) error {
			if r.Decision != nil {
				_, _, err := log.Get(r.ID)
				return err
			}
			return nil
		}); err != nil {
			t.Logf("scan: %v", err) // a payload that no log of ours would hold
		}
		d := application(log, 1)
		if err := log.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if _, _, err := log.Get(d.ID); err != nil {
			t.Fatal(err)
		}
	})
}
