package hypothesis

import (
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// mostLevels is the largest number of values of an associated column. A table
// of counts beyond it has hardly a row in most cells.
const mostLevels = 100

// mostNumbers is the same for a number column, whose values are levels only if
// they are few.
const mostNumbers = 20

// associate tests whether two categories are linked.
func associate(t *data.Table, first, second string) (finding, error) {
	var cols [2]levels
	for i, name := range [2]string{first, second} {
		c, err := column(t, name)
		if err != nil {
			return finding{}, err
		}
		most := mostLevels
		if c.Kind == data.Number {
			most = mostNumbers
		}
		if cols[i], err = levelsOf(c, most); err != nil {
			return finding{}, err
		}
	}
	if first == second {
		return finding{}, data.WithHint(fmt.Errorf("column %q is associated with itself", first), "name two columns")
	}
	a, b := cols[0], cols[1]
	left := leaveOut(&a, &b)
	for _, l := range [2]levels{a, b} {
		if len(l.values) < 2 {
			return finding{}, data.WithHint(fmt.Errorf("column %q has %d distinct values in the %d rows without a missing value", l.name, len(l.values), len(l.of)),
				"associate needs columns with two values or more")
		}
	}
	table := make([][]float64, len(a.values))
	for i := range table {
		table[i] = make([]float64, len(b.values))
	}
	for i, level := range a.of {
		table[level][b.of[i]]++
	}
	r, err := stats.ChiSquared(table)
	if err != nil {
		return finding{}, fmt.Errorf("columns %q and %q: %w", first, second, err)
	}
	small, cells, err := smallCells(table)
	if err != nil {
		return finding{}, fmt.Errorf("columns %q and %q: %w", first, second, err)
	}
	f := finding{Hypothesis: fromResult(r)}
	f.check("cells where independence expects fewer than 5 rows", fmt.Sprintf("%d of %d", small, cells), small == 0)
	f.Why = fmt.Sprintf("Both are categories: the counts of their %d combinations are compared with those of independence.", cells)
	twoByTwo := len(a.values) == 2 && len(b.values) == 2
	switch {
	case twoByTwo && small > 0:
		exact, err := stats.Fisher(table, stats.Ask{})
		if err != nil {
			return finding{}, fmt.Errorf("columns %q and %q: %w", first, second, err)
		}
		f.Test, f.P, f.Statistic = "Fisher's exact test", exact.P, table[0][0]
		f.Why += fmt.Sprintf(" Independence expects fewer than 5 rows in %d of them, so the p-value is counted from all tables with these sums.", small)
		f.try("expected counts are too small for its limit", r, nil)
	case small > 0:
		f.Why += fmt.Sprintf(" Independence expects fewer than 5 rows in %d of them, so the p-value is approximate.", small)
		f.notes = append(f.notes, "Merging rare values would make the p-value reliable.")
		g, err := stats.GTest(table)
		f.try("with small counts it is no better", g, err)
	default:
		g, err := stats.GTest(table)
		f.try("it says the same in large tables; chi-squared is nearer to its limit in small ones", g, err)
	}
	if twoByTwo {
		if small == 0 {
			f.reject("Fisher's exact test", "no expected count is below 5")
		}
		if r, err := stats.OddsRiskRatio(table, 0); err == nil {
			f.estimate("odds ratio", r.OddsRatio, r.OddsLow, r.OddsHigh)
		}
	}
	df := r.DF
	scale := math.Sqrt(float64(min(len(a.values), len(b.values)) - 1)) // w of V
	f.power = upToOne(func(v, rows float64) float64 {
		w, n := v*scale, float64(r.N)*rows
		if w*w*n > 1000+10*df { // the sums behind it are long where it is 1 anyway
			return 1
		}
		return stats.PowerChiSquared(w, n, df, alpha)
	})
	f.Why += leftOut(left, first, second)
	f.say = func(significant bool, evidence string) string {
		if !significant {
			return fmt.Sprintf("No link found between %s and %s%s %s.%s", first, second, shares(a, b, table, true), evidence, doubt(f.Hypothesis, "link"))
		}
		return fmt.Sprintf("%s and %s are linked%s %s.%s", first, second, shares(a, b, table, false), evidence, caution(f.Hypothesis, "link"))
	}
	return f, nil
}

// leaveOut drops the rows where either is missing, then the values that no
// longer occur, and returns how many rows it dropped.
func leaveOut(a, b *levels) (left int) {
	var ofA, ofB []int
	for i := range a.of {
		if a.of[i] < 0 || b.of[i] < 0 {
			left++
			continue
		}
		ofA, ofB = append(ofA, a.of[i]), append(ofB, b.of[i])
	}
	a.of, b.of = ofA, ofB
	for _, l := range [2]*levels{a, b} {
		level := make([]int, len(l.values))
		for _, v := range l.of {
			level[v] = 1
		}
		var values []string
		for i, occurs := range level {
			if occurs == 1 {
				level[i] = len(values)
				values = append(values, l.values[i])
			}
		}
		for i, v := range l.of {
			l.of[i] = level[v]
		}
		l.values = values
	}
	return left
}

// smallCells counts the cells in which independence expects fewer than five
// rows: the usual limit of the chi-squared approximation (Cochran, Biometrics
// 10, 1954).
func smallCells(table [][]float64) (small, cells int, err error) {
	expected, err := stats.Expected(table)
	if err != nil {
		return 0, 0, err
	}
	for _, row := range expected {
		for _, e := range row {
			cells++
			if e < 5 {
				small++
			}
		}
	}
	return small, cells, nil
}

// shares says, if one of the columns has two values, how often its rarer value
// occurs where it is most and least frequent. For two columns of two values it
// speaks of the second.
func shares(a, b levels, table [][]float64, flat bool) string {
	outcome, by := b, a
	at := func(level, value int) float64 { return table[level][value] }
	if len(b.values) != 2 {
		if len(a.values) != 2 {
			return ""
		}
		outcome, by = a, b
		at = func(level, value int) float64 { return table[value][level] }
	}
	var total [2]float64
	for level := range by.values {
		total[0] += at(level, 0)
		total[1] += at(level, 1)
	}
	rare := 0
	if total[1] < total[0] {
		rare = 1
	}
	share := func(level int) float64 { return at(level, rare) / (at(level, 0) + at(level, 1)) }
	most, least := 0, 0
	for level := range by.values {
		if share(level) > share(most) {
			most = level
		}
		if share(level) < share(least) {
			least = level
		}
	}
	if flat && most == least {
		return fmt.Sprintf(": %s is %s in %s of rows whatever %s is", outcome.name, outcome.values[rare], percent(share(most)), by.name)
	}
	return fmt.Sprintf(": %s is %s in %s of rows where %s is %s, in %s where it is %s",
		outcome.name, outcome.values[rare], percent(share(most)), by.name, by.values[most], percent(share(least)), by.values[least])
}
