package applications_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/workflow/applications"
)

func ExampleNew() {
	s := applications.New(1, -1)
	a := s.Next()
	fmt.Println(a.ID, a.At.Format("2006-01-02 15:04"), a.Label())
	// Output: A00000001 2026-01-05 08:00 no
}

func TestSameSeedSameStream(t *testing.T) {
	var a, b, c bytes.Buffer
	for seed, w := range map[*bytes.Buffer]uint64{&a: 7, &b: 7, &c: 8} {
		if err := applications.WriteCSV(seed, applications.New(w, 50), 100); err != nil {
			t.Fatal(err)
		}
	}
	if a.String() != b.String() {
		t.Error("the same seed gave two streams")
	}
	if a.String() == c.String() {
		t.Error("two seeds gave the same stream")
	}
	if lines := strings.Count(a.String(), "\n"); lines != 101 {
		t.Errorf("%d lines, want a header and 100 rows", lines)
	}
}

// The inputs of a drifted stream are those of the stream without drift: only
// who defaults changes, and only from the drift on.
func TestDriftChangesTheConceptAlone(t *testing.T) {
	const at, n = 2000, 4000
	with, without := applications.New(3, at), applications.New(3, -1)
	before, after := 0.0, 0.0
	for i := range n {
		a, b := with.Next(), without.Next()
		if !bytes.Equal(a.JSON(), b.JSON()) {
			t.Fatalf("application %d looks different under drift:\n%s\n%s", i, a.JSON(), b.JSON())
		}
		if d := math.Abs(a.DefaultProbability - b.DefaultProbability); i < at {
			before += d
		} else {
			after += d
		}
	}
	if before != 0 {
		t.Errorf("probabilities differ before the drift by %g", before)
	}
	if mean := after / (n - at); mean < 0.05 {
		t.Errorf("probabilities differ by %g on average after the drift, want a drift worth finding", mean)
	}
}

// The truth is worth learning: deciding by the known probability is right far
// more often than the majority class, and the probabilities are calibrated.
func TestTruth(t *testing.T) {
	s := applications.New(5, -1)
	const n = 20000
	right, defaults, sum := 0, 0, 0.0
	for range n {
		a := s.Next()
		if (a.DefaultProbability >= .5) == a.Defaulted {
			right++
		}
		if a.Defaulted {
			defaults++
		}
		sum += a.DefaultProbability
	}
	rate := float64(defaults) / n
	if math.Abs(rate-sum/n) > 0.01 {
		t.Errorf("default rate %.4f, mean probability %.4f", rate, sum/n)
	}
	if rate < 0.1 || rate > 0.35 {
		t.Errorf("default rate %.3f, want a lender's 0.1 to 0.35", rate)
	}
	if acc := float64(right) / n; acc < 0.88 {
		t.Errorf("best possible accuracy %.3f, want at least 0.88", acc)
	} else {
		t.Logf("default rate %.3f, best possible accuracy %.3f", rate, acc)
	}
}
