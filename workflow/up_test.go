package workflow

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/workflow/applications"
)

// The same applicant gets the same bits whichever way the score is asked for.
func TestOneScoreThroughEveryDoor(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	url, _ := up(t, dir, nil)
	apps := after(historyRows, 200)

	b, err := bundle.Open(filepath.Join(dir, "out", "loans.tandem"))
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float64, len(apps))
	row := make([]float64, b.Layout().Cols())
	for i, a := range apps {
		if _, err := b.Layout().DecodeJSON(row, a.JSON(), true); err != nil {
			t.Fatal(err)
		}
		_, want[i] = b.Score(row)
	}
	same := func(door string, i int, got float64) {
		t.Helper()
		if math.Float64bits(got) != math.Float64bits(want[i]) {
			t.Errorf("%s: application %d scores %v, the bundle says %v", door, i, got, want[i])
		}
	}

	source := filepath.Join(t.TempDir(), "new.csv")
	if err := writeCSV(source, historyRows, len(apps)); err != nil {
		t.Fatal(err)
	}
	var predicted bytes.Buffer
	if _, failed, err := Predict(t.Context(), b, source, &predicted, Batch{}, Options{}); err != nil || failed > 0 {
		t.Fatalf("predict: %d failed, %v", failed, err)
	}
	lines, err := csv.NewReader(&predicted).ReadAll()
	if err != nil || len(lines) != len(apps)+1 {
		t.Fatalf("predict wrote %d lines, want a header and %d (%v)", len(lines), len(apps), err)
	}
	for i, line := range lines[1:] {
		got, err := strconv.ParseFloat(line[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		same("predict", i, got)
	}

	answered := score(t, url, apps...)
	for i, r := range answered.Results {
		same("/v1/score", i, r.Score)
	}
	one := score(t, url, apps[7])
	same("/v1/score, one row", 7, one.Results[0].Score)

	var mlflow struct {
		Predictions []float64 `json:"predictions"`
	}
	records := map[string]any{"dataframe_records": rowsOf(apps)["rows"]}
	if _, err := post(url+"/invocations", records, &mlflow); err != nil {
		t.Fatal(err)
	}
	if len(mlflow.Predictions) != len(apps) {
		t.Fatalf("/invocations: %d predictions of %d rows", len(mlflow.Predictions), len(apps))
	}
	for i, p := range mlflow.Predictions {
		same("/invocations", i, p)
	}

	var replayed struct {
		Replay struct {
			Score float64 `json:"score"`
			Equal bool    `json:"equal"`
		} `json:"replay"`
	}
	if err := get(url+"/v1/decisions/"+answered.Results[3].ID+"?replay=true", &replayed); err != nil {
		t.Fatal(err)
	}
	if same("replay", 3, replayed.Replay.Score); !replayed.Replay.Equal {
		t.Error("the replay is not equal to what was logged")
	}
}

func TestGatesHold(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	var talk said
	url, stop := up(t, dir, &Talk{W: &talk})
	if a := score(t, url, after(historyRows, 1)...); a.Model != "1" {
		t.Errorf("version %s answers, want 1", a.Model)
	}
	if err := stop(); err != nil {
		t.Fatalf("up ended with %v", err)
	}
	for _, want := range []string{"serving   loans version 1 on " + url, "train     unchanged"} {
		if !strings.Contains(talk.String(), want) {
			t.Errorf("up did not say %q but\n%s", want, talk.String())
		}
	}
	mustVerify(t, dir)
}

func TestGatesFailBesideAChampion(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	rewrite(t, dir, ">= 0.8", ">= 0.9999")
	for range 2 { // the second time nothing is new, and it is told again
		var talk said
		url, stop := up(t, dir, &Talk{W: &talk})
		if a := score(t, url, after(historyRows, 1)...); a.Model != "1" {
			t.Errorf("version %s answers, want the old champion", a.Model)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(talk.String(), "refused   version 2: gate auc >= 0.9999 did not hold") {
			t.Errorf("the refusal was not told but\n%s", talk.String())
		}
	}
	if events := eventKinds(t, dir); strings.Count(events, "refused") != 1 {
		t.Errorf("the audit trail has %s, want one refusal", events)
	}
	mustVerify(t, dir)
}

func TestGatesFailWithoutAChampion(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	rewrite(t, dir, ">= 0.8", ">= 0.9999")
	removeAll(t, stateDir(dir)) // as if it was never up
	for range 2 {
		err := Up(t.Context(), dir, UpOptions{Address: "127.0.0.1:0", Ready: func(string) { t.Error("it is served") }})
		if !errors.Is(err, ErrNotHeld) {
			t.Fatalf("up: %v, want ErrNotHeld", err)
		}
		if !strings.Contains(err.Error(), "nothing is served") || !strings.Contains(err.Error(), "gate auc >= 0.9999") {
			t.Errorf("up said %q", err)
		}
	}
	// The gate is mended: the same model, with another card, is the champion.
	rewrite(t, dir, ">= 0.9999", ">= 0.8")
	url, _ := up(t, dir, nil)
	if a := score(t, url, after(historyRows, 1)...); a.Model != "2" {
		t.Errorf("version %s answers, want 2", a.Model)
	}
}

// Data that cannot be read any more do not end a service that has a champion.
func TestRunFailsBesideAChampion(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	if err := os.Remove(filepath.Join(dir, "applications.csv")); err != nil {
		t.Fatal(err)
	}
	var talk said
	url, stop := up(t, dir, &Talk{W: &talk})
	if a := score(t, url, after(historyRows, 1)...); a.Model != "1" {
		t.Errorf("version %s answers, want 1", a.Model)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"failed    the run: ", "applications.csv", "version 1 goes on answering"} {
		if !strings.Contains(talk.String(), want) {
			t.Errorf("up did not say %q but\n%s", want, talk.String())
		}
	}
	removeAll(t, stateDir(dir))
	err := Up(t.Context(), dir, UpOptions{Address: "127.0.0.1:0", Ready: never(t)})
	if err == nil || !strings.Contains(err.Error(), "applications.csv") {
		t.Errorf("without a champion: %v, want the run's error", err)
	}
}

// What was put to the gates once does not come back by running it again.
func TestUpAgainKeepsTheChampion(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	rewrite(t, dir, ">= 0.8", ">= 0.79")
	_, stop := up(t, dir, nil) // version 2: another card, hence another bundle
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if v := champion(t, dir); v != 2 {
		t.Fatalf("version %d is the champion, want 2", v)
	}
	m, err := OpenModels(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if v, err := m.Rollback(t.Context(), "complaints"); err != nil || v.Number != 1 {
		t.Fatalf("rollback: version %d, %v", v.Number, err)
	}
	url, _ := up(t, dir, nil)
	if a := score(t, url, after(historyRows, 1)...); a.Model != "1" {
		t.Errorf("version %s answers after the restart, want 1", a.Model)
	}
}

// A process that died after the bundle was registered and before it was
// promoted is made up for by the next.
func TestUpAfterDeathBeforePromotion(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	rewrite(t, dir, ">= 0.8", ">= 0.79")
	run, err := RunProject(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := OpenModels(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	content, err := bundle.Encode(run.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.registry.AddVersion(t.Context(), "loans", run.Bundle.ID(), content, "run")
	if err != nil || v.Number != 2 {
		t.Fatalf("version %d, %v", v.Number, err)
	}
	m.Close()
	url, _ := up(t, dir, nil)
	if a := score(t, url, after(historyRows, 1)...); a.Model != "2" {
		t.Errorf("version %s answers, want 2", a.Model)
	}
}

func eventKinds(t *testing.T, dir string) string {
	t.Helper()
	m, err := OpenModels(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	events, err := m.registry.Events(context.Background(), m.Project.Name, 0)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	b, _ := json.Marshal(kinds)
	return string(b)
}

func writeCSV(path string, skip, n int) error {
	s := smallStream()
	for range skip {
		s.Next()
	}
	var b bytes.Buffer
	if err := applications.WriteCSV(&b, s, n); err != nil {
		return err
	}
	return writeBytes(path, b.Bytes())
}
