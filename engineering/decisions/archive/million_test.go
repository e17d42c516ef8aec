package archive_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/decisions/archive"
)

// BenchmarkMillion takes a million decisions of a small real bundle through the
// log: append, verify, open, replay, select and roll into Parquet, once. The
// numbers in docs/decision-log.md are its:
//
//	go test -run ^$ -bench Million -benchtime 1x ./engineering/decisions/archive
func BenchmarkMillion(b *testing.B) {
	const n, block = 1_000_000, 1000
	model, err := bundle.Open("../../../bundle/testdata/v1.tandem") // trees and a line, from ten columns
	if err != nil {
		b.Fatal(err)
	}
	jobs := []string{"fixed", "freelance", "others"}
	for range b.N {
		dir := b.TempDir()
		log, err := decisions.Open(dir, decisions.Options{})
		if err != nil {
			b.Fatal(err)
		}
		row := make([]float64, model.Layout().Cols())
		stage := func(name string, f func() error) {
			b.Helper()
			begin := time.Now()
			if err := f(); err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			b.ReportMetric(n/time.Since(begin).Seconds(), name+"/s")
		}
		stage("appended", func() error {
			ds := make([]decisions.Decision, block)
			for at := 0; at < n; at += block {
				for i := range ds {
					k := at + i
					now := start.Add(time.Duration(k) * 100 * time.Millisecond)
					ds[i] = decisions.Decision{ID: log.NewID(now), Time: now, Project: "credit", Bundle: model.ID(), Model: "1", Key: fmt.Sprint(k),
						Inputs: json.RawMessage(fmt.Sprintf(`{"application":%d,"Income":%d,"Job":%q,"Age":%d,"Records":"%d","Owner":%t,"Ratio":%g,"notes":"as told on the telephone"}`,
							k, k%1000, jobs[k%3], 18+k%60, k%7%3, k%2 == 0, float64(k%977)/16))}
					if _, err := model.Layout().DecodeJSON(row, ds[i].Inputs, true); err != nil {
						return err
					}
					a := model.Answer(row)
					ds[i].Margin, ds[i].Score, ds[i].Decision = a.Margin, a.Score, a.Decision
				}
				if err := log.Append(b.Context(), ds...); err != nil {
					return err
				}
			}
			return log.Close()
		})
		stage("verified", func() error {
			r, err := decisions.Verify(dir)
			if err == nil && (!r.OK() || r.Decisions != n) {
				err = fmt.Errorf("report %+v", r)
			}
			return err
		})
		stage("opened", func() (err error) { log, err = decisions.OpenReadOnly(dir); return err })
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		stage("replayed", func() error {
			r, err := log.ReplayAll(b.Context(), func(string) (*bundle.Bundle, error) { return model, nil }, nil)
			if err == nil && (r.Equal != n || r.Failed != 0) {
				err = fmt.Errorf("report %+v", r)
			}
			return err
		})
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapSys>>20), "heap-MB")
		for name, where := range map[string]string{"by-score": "score>=0.5", "by-time": "time>=2026-03-02", "by-input": "Income<100"} {
			c, err := decisions.ParseCondition(where)
			if err != nil {
				b.Fatal(err)
			}
			found := 0
			stage(name, func() error {
				return log.Select(b.Context(), []decisions.Condition{c}, func(decisions.Entry) error { found++; return nil })
			})
			if found == 0 || found == n {
				b.Errorf("%s holds for %d of %d", where, found, n)
			}
		}
		stage("rolled", func() error {
			r, err := archive.Roll(b.Context(), log, b.TempDir(), archive.Options{Open: true})
			if err == nil && r.Rows != n {
				err = fmt.Errorf("%+v", r)
			}
			return err
		})
	}
}
