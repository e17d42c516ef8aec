package tune_test

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

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/tune"
)

// realTable is one of the tables in TANDEM_DATA.
type realTable struct {
	file     string
	target   string
	positive string // "" for regression
	drop     string // columns to leave out, separated by commas
	log      bool   // regression on the logarithm of the target
}

// load reads a table from TANDEM_DATA into a configuration with five
// stratified folds; it skips the test if the variable is not set. A column is
// a number if all its values are. It is not package ingest, whose guesses are
// not what is tested here.
func (r realTable) load(t testing.TB) tune.Config {
	t.Helper()
	dir := os.Getenv("TANDEM_DATA")
	if dir == "" {
		t.Skip("TANDEM_DATA is not set: real tables are not tried")
	}
	f, err := os.Open(filepath.Join(dir, r.file))
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(r.file, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	records, err := csv.NewReader(in).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	header, records := records[0], records[1:]
	c := tune.Config{Contract: &data.Contract{}, Task: bundle.Binary, Rows: bundle.Rows{N: len(records)}}
	if r.positive == "" {
		c.Task = bundle.Regression
	}
	var columns [][]float64
	for j, name := range header {
		values := make([]string, len(records))
		for i, rec := range records {
			values[i] = strings.TrimSpace(rec[j])
		}
		numbers, isNumber := parse(values)
		switch {
		case name == r.target && r.positive != "":
			for _, v := range values {
				c.Y = append(c.Y, 0)
				if v == r.positive {
					c.Y[len(c.Y)-1] = 1
				}
			}
		case name == r.target:
			for _, v := range numbers {
				if r.log {
					v = math.Log(v)
				}
				c.Y = append(c.Y, v)
			}
		case slices.Contains(strings.Split(r.drop, ","), name):
		case isNumber:
			c.Contract.Fields = append(c.Contract.Fields, data.Field{Name: name, Kind: data.Number, Role: data.Feature})
			columns = append(columns, numbers)
		default:
			levels, codes := encode(values)
			c.Contract.Fields = append(c.Contract.Fields, data.Field{Name: name, Kind: data.Category, Role: data.Feature, Categories: levels})
			columns = append(columns, codes)
		}
	}
	c.Rows.Cols = len(columns)
	for i := range records {
		for _, col := range columns {
			c.Rows.Data = append(c.Rows.Data, col[i])
		}
	}
	divide(&c, 5)
	return c
}

func missing(s string) bool { return s == "" || s == "NA" || s == "?" || s == "nan" }

func parse(values []string) ([]float64, bool) {
	out := make([]float64, len(values))
	for i, s := range values {
		if missing(s) {
			out[i] = math.NaN()
			continue
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

func encode(values []string) (levels []string, codes []float64) {
	for _, s := range values {
		if !missing(s) {
			levels = append(levels, s)
		}
	}
	slices.Sort(levels)
	levels = slices.Compact(levels)
	for _, s := range values {
		code := math.NaN()
		if i, ok := slices.BinarySearch(levels, s); ok {
			code = float64(i)
		}
		codes = append(codes, code)
	}
	return levels, codes
}

// divide makes all rows training rows, in k folds that each have their share
// of both classes (of the order of Y, in regression).
func divide(c *tune.Config, k int) {
	order := seed.Stream(1, "tune-test", c.Rows.N).Perm(c.Rows.N)
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case c.Y[a] < c.Y[b]:
			return -1
		case c.Y[a] > c.Y[b]:
			return 1
		}
		return 0
	})
	c.Folds = make([][]int, k)
	for i, r := range order {
		c.Folds[i%k] = append(c.Folds[i%k], r)
	}
	c.Train = nil
	for i := range c.Rows.N {
		c.Train = append(c.Train, i)
	}
	for _, fold := range c.Folds {
		slices.Sort(fold)
	}
}
