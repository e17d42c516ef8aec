package workflow

import (
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// A server that is killed twenty times under load, or with TANDEM_LONG fifty
// times, has every answered decision in its log, with the score that was answered.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	apps := after(historyRows, 64)
	rng := rand.New(rand.NewPCG(3, 4))
	answered := make(map[string]float64) // id -> score
	rounds := 20
	if os.Getenv("TANDEM_LONG") != "" {
		rounds = 50
	}
	for round := range rounds {
		cmd, url := serving(t, dir)
		var mu sync.Mutex
		kill := 30 + rng.IntN(100) // answers until the end
		var clients sync.WaitGroup
		for c := range 4 {
			clients.Go(func() {
				for n := c; ; n++ {
					var a answer
					if _, err := post(url+"/v1/score/loans", rowsOf(apps[n%60:n%60+1+n%3]), &a); err != nil {
						return // it is dead
					}
					mu.Lock()
					if a.Model != "1" {
						t.Errorf("round %d: version %s answers", round, a.Model)
					}
					for _, r := range a.Results {
						answered[r.ID] = r.Score
					}
					if kill--; kill == 0 {
						if err := cmd.Process.Kill(); err != nil {
							t.Error(err)
						}
					}
					mu.Unlock()
				}
			})
		}
		clients.Wait()
		if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Fatalf("round %d: the server ended with %v", round, err)
		}
		mustVerify(t, dir)
	}
	if len(answered) < 600 {
		t.Fatalf("only %d decisions were answered", len(answered))
	}
	log, err := decisions.OpenReadOnly(decisionsDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for id, score := range answered {
		d, _, err := log.Get(id)
		if err != nil {
			t.Errorf("answered decision: %v", err)
		} else if math.Float64bits(d.Score) != math.Float64bits(score) {
			t.Errorf("decision %s was answered with %v and logged with %v", id, score, d.Score)
		}
	}
}
