package metrics

// Confusion counts decisions against the truth.
type Confusion struct {
	TP, FP, FN, TN int // true positive, false positive, false negative, true negative
}

// Count decides every row, positive if its score is at least threshold, and
// counts the decisions against the labels. A score is any number but NaN
// (ErrValue). It returns ErrEmpty without rows.
func Count(label []bool, score []float64, threshold float64) (Confusion, error) {
	if err := checkScores(label, score, nil); err != nil {
		return Confusion{}, err
	}
	var c Confusion
	for i, s := range score {
		switch decided := s >= threshold; {
		case decided && label[i]:
			c.TP++
		case decided:
			c.FP++
		case label[i]:
			c.FN++
		default:
			c.TN++
		}
	}
	return c, nil
}

// Accuracy returns the share of rows decided rightly at the threshold, in
// [0, 1]. Beside it belongs the share of the larger class, which costs nothing
// to reach. Arguments and errors are those of [Count].
func Accuracy(label []bool, score []float64, threshold float64) (float64, error) {
	c, err := Count(label, score, threshold)
	if err != nil {
		return 0, err
	}
	return float64(c.TP+c.TN) / float64(len(label)), nil
}
