package metrics

import (
	"fmt"
	"math"
)

// Matrix counts decisions among several classes: Matrix[truth][decision].
type Matrix [][]float64

// CountClasses counts predicted classes against true ones. Both are from 0 to
// classes-1 (ErrValue), of equal length, not empty (ErrEmpty).
func CountClasses(label, predicted []int, classes int) (Matrix, error) {
	if err := checkLengths(len(label), len(predicted), 0); err != nil {
		return nil, err
	}
	if classes < 2 || classes > 1<<14 {
		return nil, fmt.Errorf("%d classes: %w", classes, ErrValue)
	}
	m := make(Matrix, classes)
	for k := range m {
		m[k] = make([]float64, classes)
	}
	for i, y := range label {
		if y < 0 || y >= classes || predicted[i] < 0 || predicted[i] >= classes {
			return nil, fmt.Errorf("row %d: class %d, predicted %d of %d: %w", i+1, y, predicted[i], classes, ErrValue)
		}
		m[y][predicted[i]]++
	}
	return m, nil
}

// margins returns the sums of the rows and columns, the trace, and the whole.
func (m Matrix) margins() (truth, decided []float64, right, n float64) {
	truth, decided = make([]float64, len(m)), make([]float64, len(m))
	for a := range m {
		for b, v := range m[a] {
			truth[a] += v
			decided[b] += v
			n += v
		}
		right += m[a][a]
	}
	return truth, decided, right, n
}

// Accuracy returns the share of rows decided rightly.
func (m Matrix) Accuracy() float64 {
	_, _, right, n := m.margins()
	return right / n
}

// BalancedAccuracy returns the mean recall of the classes that occur.
func (m Matrix) BalancedAccuracy() float64 {
	truth, _, _, _ := m.margins()
	var sum, classes float64
	for k, n := range truth {
		if n > 0 {
			sum += m[k][k] / n
			classes++
		}
	}
	return sum / classes
}

// MCC returns Matthews' correlation between truth and decision, in [-1, 1]; 0 if
// either is of one class only. Method: Gorodkin, Computational Biology and
// Chemistry 28, 2004.
func (m Matrix) MCC() float64 {
	truth, decided, right, n := m.margins()
	cov, varT, varD := right*n, n*n, n*n
	for k := range m {
		cov -= truth[k] * decided[k]
		varT -= truth[k] * truth[k]
		varD -= decided[k] * decided[k]
	}
	if varT == 0 || varD == 0 {
		return 0
	}
	return cov / math.Sqrt(varT) / math.Sqrt(varD)
}

// Kappa returns Cohen's agreement beyond chance. With quadratic, for classes in
// an order, a miss counts by the square of how far off it is. It returns
// ErrOneClass if truth and decisions are of one and the same class. Method: Cohen,
// Psychological Bulletin 70, 1968.
func (m Matrix) Kappa(quadratic bool) (float64, error) {
	truth, decided, _, n := m.margins()
	var seen, chance float64
	for a := range m {
		for b := range m {
			w := float64(a-b) * float64(a-b)
			if !quadratic {
				w = math.Min(w, 1)
			}
			seen += w * m[a][b]
			chance += w * truth[a] * decided[b] / n
		}
	}
	if chance == 0 {
		return 0, fmt.Errorf("one class only: %w", ErrOneClass)
	}
	return 1 - seen/chance, nil
}

// ClassRates are precision, recall and F1, averaged over the classes.
type ClassRates struct{ Precision, Recall, F1 float64 }

// Rates returns the rates of the classes averaged in three ways: macro, each
// class the same (of those that occur or are decided); micro, each row the same,
// which makes all three the accuracy; weighted, each class by its true rows. A
// class without a decision has precision 0, one without a row recall 0.
func (m Matrix) Rates() (macro, micro, weighted ClassRates) {
	truth, decided, right, n := m.margins()
	share := func(a, b float64) float64 {
		if b == 0 {
			return 0
		}
		return a / b
	}
	classes := 0.0
	for k := range m {
		if truth[k]+decided[k] == 0 {
			continue
		}
		classes++
		r := ClassRates{share(m[k][k], decided[k]), share(m[k][k], truth[k]), 2 * m[k][k] / (truth[k] + decided[k])}
		macro.add(r, 1)
		weighted.add(r, truth[k]/n)
	}
	macro = ClassRates{macro.Precision / classes, macro.Recall / classes, macro.F1 / classes}
	return macro, ClassRates{right / n, right / n, right / n}, weighted
}

func (r *ClassRates) add(o ClassRates, w float64) {
	r.Precision += w * o.Precision
	r.Recall += w * o.Recall
	r.F1 += w * o.F1
}

// MostLikely returns the class of the largest probability of each row, the first
// of equals.
func MostLikely(p [][]float64) []int {
	out := make([]int, len(p))
	for i, row := range p {
		for k, v := range row {
			if v > row[out[i]] {
				out[i] = k
			}
		}
	}
	return out
}

// TopAccuracy returns the share of rows whose true class is among the k most
// likely ones; of equal probabilities the later class goes first.
//
// label[i] is a class, p[i] has a probability for each (ErrValue); not empty
// (ErrEmpty); k >= 1.
func TopAccuracy(label []int, p [][]float64, k int) (float64, error) {
	if err := checkClasses(label, p); err != nil {
		return 0, err
	}
	if k < 1 {
		return 0, fmt.Errorf("the first %d classes: %w", k, ErrValue)
	}
	right := 0.0
	for i, y := range label {
		before := 0
		for c, v := range p[i] {
			if v > p[i][y] || v == p[i][y] && c > y {
				before++
			}
		}
		if before < k {
			right++
		}
	}
	return right / float64(len(label)), nil
}

// ClassLogLoss returns the mean of -log of the probability of the true class; a
// probability of 0 counts as 2^-52. Each row is divided by its sum. Arguments and
// errors are those of [TopAccuracy].
func ClassLogLoss(label []int, p [][]float64) (float64, error) {
	if err := checkClasses(label, p); err != nil {
		return 0, err
	}
	sum := 0.0
	for i, y := range label {
		whole := 0.0
		for _, v := range p[i] {
			whole += v
		}
		if whole == 0 {
			return 0, fmt.Errorf("the probabilities of row %d are all 0: %w", i+1, ErrValue)
		}
		sum -= math.Log(math.Max(p[i][y]/whole, 0x1p-52))
	}
	return sum / float64(len(label)), nil
}

// ClassAUC returns the mean AUC of each class against all others together, each
// class the same (macro) or by its rows (weighted). Arguments and errors are those
// of [TopAccuracy]; ErrOneClass if a class has no row.
func ClassAUC(label []int, p [][]float64) (macro, weighted float64, err error) {
	if err := checkClasses(label, p); err != nil {
		return 0, 0, err
	}
	classes := len(p[0])
	for k := range classes {
		is, score, n := make([]bool, len(label)), make([]float64, len(label)), 0.0
		for i, y := range label {
			is[i], score[i] = y == k, p[i][k]
			if is[i] {
				n++
			}
		}
		auc, err := AUC(is, score, nil)
		if err != nil {
			return 0, 0, fmt.Errorf("class %d: %w", k, err)
		}
		macro += auc / float64(classes)
		weighted += auc * n / float64(len(label))
	}
	return macro, weighted, nil
}

// PairAUC returns the mean AUC over the pairs of classes, that of a pair being the
// mean of the AUC of each one's probability on the rows of both: each pair the
// same (macro) or by its rows (weighted). Unlike [ClassAUC], macro does not depend
// on how frequent the classes are. Arguments and errors are those of ClassAUC.
//
// Method: Hand and Till, Machine Learning 45, 2001.
func PairAUC(label []int, p [][]float64) (macro, weighted float64, err error) {
	if err := checkClasses(label, p); err != nil {
		return 0, 0, err
	}
	var pairs, rows float64
	for a := range p[0] {
		for b := range a {
			var is, not []bool
			var scoreA, scoreB []float64
			for i, y := range label {
				if y == a || y == b {
					is, not = append(is, y == a), append(not, y == b)
					scoreA, scoreB = append(scoreA, p[i][a]), append(scoreB, p[i][b])
				}
			}
			aucA, err := AUC(is, scoreA, nil)
			if err != nil {
				return 0, 0, fmt.Errorf("classes %d and %d: %w", b, a, err)
			}
			aucB, err := AUC(not, scoreB, nil)
			if err != nil {
				return 0, 0, err
			}
			n := float64(len(is))
			macro += (aucA + aucB) / 2
			weighted += n * (aucA + aucB) / 2
			pairs++
			rows += n
		}
	}
	return macro / pairs, weighted / rows, nil
}

func checkClasses(label []int, p [][]float64) error {
	if err := checkLengths(len(label), len(p), 0); err != nil {
		return err
	}
	classes := len(p[0])
	if classes < 2 {
		return fmt.Errorf("%d classes: %w", classes, ErrValue)
	}
	for i, y := range label {
		if y < 0 || y >= classes || len(p[i]) != classes {
			return fmt.Errorf("row %d: class %d, %d probabilities, row 1 has %d: %w", i+1, y, len(p[i]), classes, ErrValue)
		}
		for k, v := range p[i] {
			if !(v >= 0 && v <= 1) {
				return fmt.Errorf("row %d, class %d: %v is not a probability: %w", i+1, k, v, ErrValue)
			}
		}
	}
	return nil
}
