package evaluate

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// Input describes the rows to divide. It is not modified.
type Input struct {
	Task  bundle.Task
	Y     []float64 // the target of every row; 0 or 1 for binary tasks, finite for regression
	Time  []int64   // nil: none. Microseconds, one per row; [data.MissingTime] counts as oldest
	Group []int32   // nil: none. One per row; a negative number is a group of its own
	Seed  uint64    // of what is left to chance

	// NoHoldout says that the rows to judge the model on are given otherwise (a
	// test file), so that all of these are for training and calibration.
	NoHoldout bool
}

// Split holds the row numbers of each part, increasing. Together they are all
// rows, each once.
type Split struct {
	Method      string `json:"method"` // "out-of-time", "grouped", "stratified" or "random"
	Train       []int  `json:"train"`
	Calibration []int  `json:"calibration"`
	Holdout     []int  `json:"holdout"`
}

// ErrTooSmall says that the rows cannot be divided into the parts that are
// needed.
var ErrTooSmall = errors.New("the table cannot be divided")

// The shares of the three parts, of all rows: with a holdout, and when the
// holdout is given.
var (
	sharesHoldout   = []float64{0.65, 0.15, 0.20}
	sharesNoHoldout = []float64{0.85, 0.15}
)

var partNames = []string{"training", "calibration", "holdout"}

// Divide cuts the rows into a training part (65% of the rows), a calibration
// part (15%) and a holdout (20%); with NoHoldout into the first two (85% and
// 15%).
//
// The method follows from what is known of the rows:
//
//	out-of-time  Time is given: the oldest rows train, the next calibrate, the
//	             newest are held out. Rows of equal time stay together, so the
//	             cuts are the possible ones nearest to the shares. If Group is
//	             given as well, groups stay together too and are ordered by their
//	             newest row: no training row is newer than a cut.
//	grouped      Group is given: groups are dealt, the largest first, so that
//	             rows (and positive rows) come near to the shares.
//	stratified   binary tasks: each class is shuffled and cut on its own.
//	random       regression: the rows are shuffled and cut.
//
// The same input gives the same division. It returns ErrTooSmall, with what is
// needed, if a part would be empty or, for binary tasks, lack a class; and an
// error if lengths differ or a target is not usable.
func Divide(in Input) (Split, error) {
	if err := in.check(); err != nil {
		return Split{}, err
	}
	shares := sharesHoldout
	if in.NoHoldout {
		shares = sharesNoHoldout
	}
	var parts [][]int
	var err error
	method := in.method()
	switch method {
	case "out-of-time":
		parts, err = cutByTime(in.timeBlocks(all(len(in.Y))), len(in.Y), shares)
	case "grouped":
		parts = dealGroups(in, all(len(in.Y)), shares, "divide")
	default:
		parts, err = cutShuffled(in, shares)
	}
	if err != nil {
		return Split{}, err
	}
	if err := in.checkParts(method, parts); err != nil {
		return Split{}, err
	}
	s := Split{Method: method, Train: parts[0], Calibration: parts[1]}
	if !in.NoHoldout {
		s.Holdout = parts[2]
	}
	return s, nil
}

func (in Input) method() string {
	switch {
	case in.Time != nil:
		return "out-of-time"
	case in.Group != nil:
		return "grouped"
	case in.Task == bundle.Binary:
		return "stratified"
	}
	return "random"
}

func (in Input) check() error {
	if in.Task != bundle.Binary && in.Task != bundle.Regression {
		return fmt.Errorf("divide: unknown task %q", in.Task)
	}
	if in.Time != nil && len(in.Time) != len(in.Y) {
		return fmt.Errorf("divide: %d rows and %d times", len(in.Y), len(in.Time))
	}
	if in.Group != nil && len(in.Group) != len(in.Y) {
		return fmt.Errorf("divide: %d rows and %d groups", len(in.Y), len(in.Group))
	}
	for i, y := range in.Y {
		if in.Task == bundle.Binary && y != 0 && y != 1 {
			return fmt.Errorf("divide: row %d: the target is %v, not 0 or 1", i+1, y)
		}
		if math.IsNaN(y) || math.IsInf(y, 0) {
			return fmt.Errorf("divide: row %d: the target is %v, not a finite number", i+1, y)
		}
	}
	return nil
}

// checkParts returns an error unless every part can do its work.
func (in Input) checkParts(method string, parts [][]int) error {
	for k, rows := range parts {
		if len(rows) == 0 {
			return data.WithHint(fmt.Errorf("%w: %d rows leave the %s part empty", ErrTooSmall, len(in.Y), partNames[k]),
				"more rows are needed%s", orElse(method))
		}
		if in.Task != bundle.Binary {
			continue
		}
		positive := 0
		for _, r := range rows {
			positive += int(in.Y[r])
		}
		if class := "positive"; positive == 0 || positive == len(rows) {
			if positive > 0 {
				class = "negative"
			}
			return data.WithHint(fmt.Errorf("%w: the %s part (%s, %d rows) has no %s row", ErrTooSmall, partNames[k], method, len(rows), class),
				"every part needs rows of both classes: add rows of that class%s", orElse(method))
		}
	}
	return nil
}

func orElse(method string) string {
	switch method {
	case "out-of-time":
		return ", or leave data.time out to divide without regard to time"
	case "grouped":
		return ", or use a group column with more and smaller groups"
	}
	return ""
}

// timeBlocks returns the given rows in blocks that must stay together, oldest
// first: rows of one time or, with groups, of groups with one newest time.
func (in Input) timeBlocks(rows []int) [][]int {
	key := func(row int) int64 { return in.Time[row] }
	if in.Group != nil {
		newest := map[int32]int64{}
		for _, r := range rows {
			if g := in.Group[r]; g >= 0 {
				if t, ok := newest[g]; !ok || in.Time[r] > t {
					newest[g] = in.Time[r]
				}
			}
		}
		key = func(row int) int64 {
			if g := in.Group[row]; g >= 0 {
				return newest[g]
			}
			return in.Time[row]
		}
	}
	sorted := slices.Clone(rows)
	slices.SortFunc(sorted, func(a, b int) int {
		if c := cmp.Compare(key(a), key(b)); c != 0 {
			return c
		}
		return a - b
	})
	var blocks [][]int
	for i, r := range sorted {
		if i == 0 || key(r) != key(sorted[i-1]) {
			blocks = append(blocks, nil)
		}
		blocks[len(blocks)-1] = append(blocks[len(blocks)-1], r)
	}
	return blocks
}

// cutByTime cuts the blocks of n rows into parts of about the given shares.
func cutByTime(blocks [][]int, n int, shares []float64) ([][]int, error) {
	if len(blocks) < len(shares) {
		return nil, data.WithHint(
			fmt.Errorf("%w: the rows have %d distinct times, an out-of-time division into %d parts needs at least %d",
				ErrTooSmall, len(blocks), len(shares), len(shares)),
			"leave data.time out, or use a finer time")
	}
	parts := make([][]int, len(shares))
	at, taken, share := 0, 0, 0.0
	for k := range shares {
		share += shares[k]
		left := len(shares) - 1 - k // parts after this one, each of which needs a block
		for first := true; at < len(blocks)-left; first = false {
			size := len(blocks[at])
			// Take the block if that brings the cut nearer to its place.
			place := float64(share * float64(n))
			if !first && left > 0 && math.Abs(float64(taken+size)-place) >= math.Abs(float64(taken)-place) {
				break
			}
			parts[k] = append(parts[k], blocks[at]...)
			taken += size
			at++
		}
		slices.Sort(parts[k])
	}
	return parts, nil
}

// all returns 0, 1, ... n-1.
func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
