package workflow

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/project"
)

// dirtyTable is a table in which every column needs a repair.
func dirtyTable() string {
	var b strings.Builder
	b.WriteString("key,weight,city,age,joined,smoker,income,risk\n")
	state := uint32(5)
	next := func(n int) int {
		state = state*1664525 + 1013904223
		return int((state >> 8) % uint32(n))
	}
	for i := range 300 {
		grams := 400 + next(2000)
		weight := []string{fmt.Sprintf("%d g", grams), fmt.Sprintf("%.3f kg", float64(grams)/1000), fmt.Sprintf("%.2f lb", float64(grams)/453.6), "unknown"}[next(4)]
		city := []string{"York", "york ", "YORK", "Leeds", "Leeds"}[next(5)]
		age := []int{20 + next(60), 20 + next(60), 20 + next(60), -1, 999}[next(5)]
		joined := fmt.Sprintf("%02d/%02d/2024", 1+next(12), 1+next(12))
		smoker := []string{"yes", "Y", "no", "N", "No"}[next(5)]
		income := 20 + next(50)
		if next(20) == 0 {
			income *= 20
		}
		risk := "good"
		if grams+10*next(60)+income > 1700 {
			risk = []string{"bad", "Bad"}[next(2)]
		}
		fmt.Fprintf(&b, "k%d,%s,%s,%d,%s,%s,%d,%s\n", i, weight, city, age, joined, smoker, income, risk)
		if i%50 == 0 {
			fmt.Fprintf(&b, "k%d,%s,%s,%d,%s,%s,%d,%s\n", i, weight, city, age, joined, smoker, income, risk)
		}
	}
	return b.String()
}

const dirtyProject = `data: {source: dirty.csv, target: risk, positive: bad, id: key}
clean:
  - {units: weight, to: kg}
  - {merge: city, into: {York: ["york ", york, YORK]}}
  - {bounds: age, min: 0, max: 120}
  - {time: joined, form: dmy}
  - {boolean: smoker}
  - {flag: income, outliers: iqr}
  - {merge: risk, into: {bad: Bad}}
  - {duplicates: drop, by: [key]}
model: {budget: 10m}
`

// A score in training, from a raw file and from a raw request are the same to
// the last bit.
func TestCleanedRowsScoreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "dirty.csv")
	raw := dirtyTable()
	if err := os.WriteFile(path, []byte(raw), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := project.Parse(filepath.Join(dir, project.FileName), []byte(dirtyProject))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := Train(context.Background(), p, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := tr.Bundle
	for name, kind := range map[string]string{"weight": "number", "city": "category", "age": "number", "joined": "time", "smoker": "category"} {
		if f := b.Contract.Field(name); f.Kind.String() != kind || len(f.Clean) != 1 {
			t.Errorf("%s: kind %s, repairs %v", name, f.Kind, f.Clean)
		}
	}
	flagged := false
	for _, m := range b.Members {
		for _, f := range m.Plan {
			flagged = flagged || f.Op == step.Outside && f.High > f.Low
		}
	}
	if !flagged {
		t.Error("no member reads the flag of income")
	}
	if n := tr.Ingested.Table.Rows(); n != 300 {
		t.Errorf("%d rows were trained on, want 300 without duplicates", n)
	}

	// In training: the cleaned table.
	layout := b.Layout()
	rows, bad, err := layout.EncodeTable(tr.Ingested.Table)
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	want := map[string]float64{}
	for i := range rows.N {
		_, score := b.Score(rows.Row(i))
		want[tr.Ingested.Table.Column("key").Format(i)] = score
	}

	// From the raw file.
	var out bytes.Buffer
	if _, failed, err := Predict(context.Background(), b, path, &out, Batch{}, Options{}); err != nil || failed > 0 {
		t.Fatal(err, failed)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		if got, _ := strconv.ParseFloat(line[0], 64); got != want[line[2]] {
			t.Fatalf("%s from the file scores %v, in training %v", line[2], got, want[line[2]])
		}
	}

	// From raw requests.
	cells, err := csv.NewReader(strings.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float64, layout.Cols())
	for _, line := range cells[1:] {
		body := map[string]any{}
		for k, name := range cells[0] {
			body[name] = line[k]
		}
		income, _ := strconv.Atoi(line[6])
		body["income"] = income
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := layout.DecodeJSON(row, text, true); err != nil {
			t.Fatal(err)
		}
		if _, got := b.Score(row); got != want[line[0]] {
			t.Fatalf("%s from a request scores %v, in training %v", line[0], got, want[line[0]])
		}
	}

	// What a rule refuses is refused in both.
	p.Clean[2].Otherwise = "reject"
	in, err := read(context.Background(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Rejects) == 0 || in.Rejects[0].Column != "age" || !strings.Contains(in.Rejects[0].Reason, "must be at") {
		t.Fatalf("rejects: %+v", in.Rejects)
	}
}
