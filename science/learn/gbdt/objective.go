package gbdt

import (
	"math"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// objective is a loss: what boosting makes smaller.
type objective interface {
	// base returns the constant margin with the smallest loss.
	base(y, w []float64) float64
	// gradients sets g and h to the first and second derivative of each row's
	// loss by its margin. w is nil or, as the other slices, as long as g.
	gradients(k kernel.Set, g, h, margin, y, w []float64)
	// mean returns the weighted mean loss as it is reported.
	mean(margin, y, w []float64) float64
}

func objectiveOf(task bundle.Task) objective {
	if task == bundle.Binary {
		return logistic{}
	}
	return squared{}
}

// logistic is log loss with labels 0 and 1; the margin is the log odds.
type logistic struct{}

func (logistic) base(y, w []float64) float64 {
	positive, negative := 0.0, 0.0
	for i, label := range y {
		if label == 1 {
			positive += weight(w, i)
		} else {
			negative += weight(w, i)
		}
	}
	return num.Log(positive) - num.Log(negative)
}

func (logistic) gradients(k kernel.Set, g, h, margin, y, w []float64) {
	k.Logistic(g, h, margin, y)
	for i, u := range w {
		g[i], h[i] = float64(g[i]*u), float64(h[i]*u)
	}
}

func (logistic) mean(margin, y, w []float64) float64 {
	sum, total := 0.0, 0.0
	for i, m := range margin {
		if y[i] == 1 {
			m = -m
		}
		sum += float64(weight(w, i) * num.Softplus(m))
		total += weight(w, i)
	}
	return sum / total
}

// squared is half the squared error; what is reported is its root mean (rmse).
type squared struct{}

func (squared) base(y, w []float64) float64 {
	sum, total := 0.0, 0.0
	for i, label := range y {
		sum += float64(weight(w, i) * label)
		total += weight(w, i)
	}
	return sum / total
}

func (squared) gradients(_ kernel.Set, g, h, margin, y, w []float64) {
	for i, m := range margin {
		u := weight(w, i)
		g[i], h[i] = float64((m-y[i])*u), u
	}
}

func (squared) mean(margin, y, w []float64) float64 {
	sum, total := 0.0, 0.0
	for i, m := range margin {
		d := m - y[i]
		sum += float64(weight(w, i) * float64(d*d))
		total += weight(w, i)
	}
	return math.Sqrt(sum / total)
}

func weight(w []float64, i int) float64 {
	if w == nil {
		return 1
	}
	return w[i]
}
