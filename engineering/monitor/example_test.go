package monitor_test

import (
	"fmt"
	"math"
	"time"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/engineering/monitor"
	"github.com/tandem-ml/tandem/project"
)

func Example() {
	// A model trained on incomes around 100, watched while incomes of 150 come.
	rng := seed.Stream(1, "example", 0)
	b := trained([]column{number("Income", normal(100, 20))}, 2000, rng)
	m, err := monitor.New(b, monitor.Options{Window: project.Window{Decisions: 300}})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for i := range 300 {
		row := []float64{math.Round(150 + 20*rng.NormFloat64())}
		if report := m.Observe(now.Add(time.Duration(i)*time.Minute), row, rng.Float64()); report != nil {
			fmt.Println(report.Alarms[0].Kind)
			for _, s := range report.Sentences {
				fmt.Println(s)
			}
		}
	}
	// Output:
	// covariate drift
	// The inputs are not those of the training data: Income drifted.
	// Income drifted: median 147 against 100.1, mean 147.8 against 99.91 in the baseline (normed Wasserstein distance 2.40, corrected p < 0.001).
}
