package gbdt_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
)

// BenchmarkFit trains 100 trees of 31 leaves on 200,000 rows of 28 features
// with skew, repeated values and missing ones. rows/s counts each row once per
// fit, binning included:
//
//	go test -run - -bench Fit -benchtime 3x ./science/learn/gbdt
func BenchmarkFit(b *testing.B) {
	const rows, cols = 200_000, 28
	rng := seed.Stream(1, "gbdt bench", 0)
	in := learn.Train{Task: bundle.Binary, Data: learn.Data{
		X: learn.Matrix{Rows: rows, Cols: cols, Data: make([]float64, rows*cols)}, Y: make([]float64, rows)}}
	for i := range rows {
		x := in.X.Row(i)
		for j := range x {
			switch v := rng.NormFloat64(); {
			case j%7 == 0 && rng.IntN(10) == 0:
				x[j] = nan
			case j%4 == 0:
				x[j] = float64(int(v * 10))
			case j%4 == 1:
				x[j] = v * v * v
			default:
				x[j] = v
			}
		}
		if x[2]+x[3]*x[6]+x[10]*0.5+rng.NormFloat64()*1.5 > 0 {
			in.Y[i] = 1
		}
	}
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			in.Workers = workers
			for b.Loop() {
				if _, err := (gbdt.Learner{}).Fit(context.Background(), in, learn.Params{"trees": 100, "leaves": 31}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
