package gbdt_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

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

// BenchmarkSparse trains 100 trees of 31 leaves on tables whose columns are
// mostly zero: ten categories of 50 values as 500 indicators in 200,000 rows,
// and 50,000 texts of a dozen words out of 2,000, counted.
//
//	go test -run - -bench Sparse -benchtime 1x ./science/learn/gbdt
func BenchmarkSparse(b *testing.B) {
	for name, make := range map[string]func() learn.Train{"indicators": indicators, "words": words} {
		b.Run(name, func(b *testing.B) {
			in := make()
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
					b.ReportAllocs()
					in.Workers = workers
					var begin, binned time.Time
					bins := time.Duration(0)
					in.Progress = func(done, _ int) {
						if done == 0 {
							binned = time.Now()
						}
					}
					for b.Loop() {
						begin = time.Now()
						if _, err := (gbdt.Learner{}).Fit(context.Background(), in, learn.Params{"trees": 100, "leaves": 31}); err != nil {
							b.Fatal(err)
						}
						bins += binned.Sub(begin)
					}
					b.ReportMetric(bins.Seconds()/float64(b.N), "bin-s/op")
				})
			}
		})
	}
}

// sparse makes an empty table of a binary task.
func sparse(rows, cols int) learn.Train {
	return learn.Train{Task: bundle.Binary, Data: learn.Data{
		X: learn.Matrix{Rows: rows, Cols: cols, Data: make([]float64, rows*cols)}, Y: make([]float64, rows)}}
}

func indicators() learn.Train {
	const rows, categories, values = 200_000, 10, 50
	rng := seed.Stream(1, "gbdt bench indicators", 0)
	in := sparse(rows, categories*values)
	for i := range rows {
		margin := 2 * rng.NormFloat64()
		for c := range categories {
			v := min(rng.IntN(values), rng.IntN(values))
			in.X.Row(i)[c*values+v] = 1
			margin += float64(v*(c+7)%11-5) / 5
		}
		if margin > 0 {
			in.Y[i] = 1
		}
	}
	return in
}

func words() learn.Train {
	const rows, known, length = 50_000, 2000, 12
	rng := seed.Stream(1, "gbdt bench words", 0)
	in := sparse(rows, known)
	for i := range rows {
		margin := 2 * rng.NormFloat64()
		for range length {
			word := int(math.Pow(known+1, rng.Float64())) - 1 // Zipf's law
			in.X.Row(i)[word*7%known]++
			margin += float64(word%11-5) / 5
		}
		if margin > 0 {
			in.Y[i] = 1
		}
	}
	return in
}
