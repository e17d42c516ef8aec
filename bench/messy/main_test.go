package main

import (
	"os"
	"path/filepath"
	"testing"
)

func messy(t *testing.T) string {
	dir := os.Getenv("TANDEM_DATA")
	if dir == "" {
		t.Skip("TANDEM_DATA is not set: the developers' dirty tables are not read")
	}
	return dir
}

func TestPollock(t *testing.T) {
	score, err := pollock(filepath.Join(messy(t), "messy", "pollock_polluted"))
	if err != nil || score < 9.5 {
		t.Errorf("the simple score is %.3f, want at least 9.5; %v", score, err)
	}
}

func TestTwin(t *testing.T) {
	dir := messy(t)
	differing, err := twin(filepath.Join(dir, "messy", "walmart_currency_raw.csv.gz"), filepath.Join(dir, "forecast", "walmart_weekly_sales.csv.gz"))
	if err != nil || differing > 0 {
		t.Errorf("%d cells differ from the clean twin; %v", differing, err)
	}
}
