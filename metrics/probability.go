package metrics

import "math"

// clip bounds probabilities away from 0 and 1 in [LogLoss]: a model that is
// certain and wrong once pays 36 nats, not infinity. It is the spacing of
// float64 at 1, as in scikit-learn.
const clip = 0x1p-52

// LogLoss returns the mean negative log-likelihood of the labels in nats: 0 for
// certainty that is always right, 0.693 for saying 0.5 always.
//
// score[i] is the probability that label[i] is true, in [0, 1]; scores within
// 2^-52 of 0 or 1 count as that far away. weight is nil (all ones) or finite and
// non-negative. One class is enough. It returns ErrEmpty without rows or weight,
// and ErrValue if a score is not a probability.
func LogLoss(label []bool, score, weight []float64) (float64, error) {
	return meanLoss(label, score, weight, func(positive bool, p float64) float64 {
		if !positive {
			p = 1 - p
		}
		return -math.Log(math.Min(math.Max(p, clip), 1-clip))
	})
}

// Brier returns the mean squared distance between probability and label, in
// [0, 1]: 0 is perfect, 0.25 is saying 0.5 always. Arguments and errors are
// those of [LogLoss].
//
// Method: Brier, Monthly Weather Review 78(1), 1950.
func Brier(label []bool, score, weight []float64) (float64, error) {
	return meanLoss(label, score, weight, func(positive bool, p float64) float64 {
		if positive {
			p = 1 - p
		}
		return p * p
	})
}

func meanLoss(label []bool, score, weight []float64, loss func(positive bool, p float64) float64) (float64, error) {
	if err := checkProbabilities(label, score, weight); err != nil {
		return 0, err
	}
	var sum, total float64
	for i, p := range score {
		w := 1.0
		if weight != nil {
			w = weight[i]
		}
		sum += float64(w * loss(label[i], p))
		total += w
	}
	return sum / total, nil
}

// Bin is a group of rows with neighbouring scores.
type Bin struct {
	Rows     int
	Score    float64 // mean score
	Observed float64 // share of positive rows
}

// Bins is the number of groups of [Reliability]: ten is what the field draws and
// compares.
const Bins = 10

// Reliability divides the rows, by increasing score, into ten bins of equal
// size (the first n mod 10 bins have one row more; fewer than ten rows make one
// bin each) and compares the mean score of each with the share of positive rows.
// Rows of equal score keep their order and may come to lie in two bins.
//
// score[i] is a probability in [0, 1]. One class is enough. It returns ErrEmpty
// without rows and ErrValue if a score is not a probability.
func Reliability(label []bool, score []float64) ([]Bin, error) {
	if err := checkProbabilities(label, score, nil); err != nil {
		return nil, err
	}
	order := byScore(score)
	n := len(order)
	out := make([]Bin, min(Bins, n))
	at := 0
	for k := range out {
		b := &out[k]
		b.Rows = n / len(out)
		if k < n%len(out) {
			b.Rows++
		}
		for _, row := range order[at : at+b.Rows] {
			b.Score += score[row]
			if label[row] {
				b.Observed++
			}
		}
		at += b.Rows
		b.Score /= float64(b.Rows)
		b.Observed /= float64(b.Rows)
	}
	return out, nil
}

// CalibrationError returns the expected calibration error: the mean over all
// rows of the distance between mean score and share of positive rows in the
// row's bin, with the ten equally filled bins of [Reliability]. It is in [0, 1]; 0
// means that rows scored p are positive with frequency p. By chance alone a
// perfect model has more than 0: with a share p of positive rows up to about
// 2.5 sqrt(p(1-p)/n). Arguments and errors are those of [Reliability].
//
// Method: Naeini, Cooper and Hauskrecht, AAAI 2015, with bins of equal size, so
// that no bin is nearly empty.
func CalibrationError(label []bool, score []float64) (float64, error) {
	bins, err := Reliability(label, score)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, b := range bins {
		sum += float64(b.Rows) * math.Abs(b.Observed-b.Score)
	}
	return sum / float64(len(label)), nil
}
