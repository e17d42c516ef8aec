package explore_test

import (
	"compress/gzip"
	"encoding/csv"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/explore"
)

// readCSV reads a clean CSV file: a column of numbers only is a number column,
// all others are categories; empty and NA are missing.
func readCSV(t testing.TB, path string) *data.Table {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := csv.NewReader(in).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var cols []*data.Column
	for j, name := range rows[0] {
		c := number(name)
		dict := map[string]int32{}
		for _, r := range rows[1:] {
			v, err := strconv.ParseFloat(r[j], 64)
			switch {
			case r[j] == "" || r[j] == "NA":
				v = math.NaN()
			case err != nil:
				c.Kind = data.Category
			}
			c.Numbers = append(c.Numbers, v)
			if !math.IsNaN(v) {
				dict[r[j]] = 0
			}
		}
		if c.Kind == data.Category {
			c.Numbers = nil
			for v := range dict {
				c.Dict = append(c.Dict, v)
			}
			slices.Sort(c.Dict)
			for i, v := range c.Dict {
				dict[v] = int32(i)
			}
			for _, r := range rows[1:] {
				code, ok := dict[r[j]]
				if !ok {
					code = -1
				}
				c.Codes = append(c.Codes, code)
			}
		}
		cols = append(cols, c)
	}
	return table(t, cols...)
}

// What is known of public tables must be found, and little else.
func TestRealTables(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("TANDEM_DATA")
	if dir == "" {
		t.Skip("TANDEM_DATA is not set: alerts on public tables are not checked")
	}
	for _, c := range []struct {
		file, target string
		want         string // all alerts above "low"
	}{
		// The charges are the minutes times a price.
		{"churn/mlc_churn.csv.gz", "churn", "near_copy total_day_charge, near_copy total_eve_charge, near_copy total_night_charge, near_copy total_intl_charge"},
		{"churn/telco_churn.csv.gz", "Churn", "identifier customerID"},
		// Families travelled on one ticket, and survived or not together.
		{"general/titanic.csv", "Survived", "group_leakage Ticket, missing_predicts_target Cabin, identifier PassengerId, identifier Name, mostly_missing Cabin"},
		// The area of a circle and its radius; the tumour's size nearly tells.
		{"general/breast_cancer_wdbc.csv.gz", "target", "very_strong mean_concave_points, very_strong worst_radius, very_strong worst_perimeter, very_strong worst_area, " +
			"very_strong worst_concave_points, near_copy mean_perimeter, near_copy mean_area, near_copy worst_area, drift target"},
		// The species stand in the order of the guide that they were taken from.
		{"general/mushroom.csv.gz", "type", "value_tells gill_color, row_order , very_strong odor, drift type"},
		// cnt is casual + registered.
		{"general/bike_hour.csv.gz", "cnt", "parts registered, identifier_tells instant, row_order , very_strong registered, identifier instant, drift cnt"},
		{"credit/lending_club.csv.gz", "Class", "judged_before int_rate, judged_before sub_grade"},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			p := build(t, readCSV(t, filepath.Join(dir, c.file)), explore.Options{Target: c.target})
			var got []string
			for _, a := range p.Alerts {
				if a.Severity != "low" {
					got = append(got, a.Kind+" "+a.Column)
				}
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("alerts\n%s\nwant\n%s", s, c.want)
			}
		})
	}
}
