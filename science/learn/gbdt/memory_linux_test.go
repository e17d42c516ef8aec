package gbdt_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
)

// peakMB returns the most memory that the process has had at any time.
func peakMB(b *testing.B) float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kb float64
		if _, err := fmt.Sscanf(strings.TrimSpace(lines.Text()), "VmHWM: %f kB", &kb); err == nil {
			return kb / 1024
		}
	}
	b.Skip("the system does not tell the peak of memory")
	return 0
}

// BenchmarkMemory trains on 10,000,000 rows of 28 numbers, a table of 2.3 GB,
// and reports what training takes beyond it.
//
//	go test -run - -bench Memory -benchtime 1x ./science/learn/gbdt
func BenchmarkMemory(b *testing.B) {
	const rows, cols = 10_000_000, 28
	rng := seed.Stream(1, "gbdt memory", 0)
	in := learn.Train{Task: bundle.Binary, Workers: 2, Data: learn.Data{
		X: learn.Matrix{Rows: rows, Cols: cols, Data: make([]float64, rows*cols)}, Y: make([]float64, rows)}}
	for i := range in.X.Data {
		in.X.Data[i] = rng.NormFloat64()
	}
	for i := range rows {
		if x := in.X.Row(i); x[0]+x[1]*x[2]+rng.NormFloat64() > 0 {
			in.Y[i] = 1
		}
	}
	runtime.GC()
	table := peakMB(b)
	for b.Loop() {
		if _, err := (gbdt.Learner{}).Fit(context.Background(), in, learn.Params{"trees": 5, "leaves": 255}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(table, "table-MB")
	b.ReportMetric(peakMB(b)-table, "MB-beyond")
}
