package gbdt

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// objective is a loss: what boosting makes smaller.
type objective interface {
	// base returns the constant margin with the smallest loss.
	base(ctx context.Context, y, w []float64) float64
	// gradients sets g and h to the first and second derivative of each row's
	// loss by its margin. w is nil or, as the other slices, as long as g.
	gradients(k kernel.Set, g, h, margin, y, w []float64)
	// mean returns the weighted mean loss as it is reported.
	mean(margin, y, w []float64) float64
}

// leveller is an objective without curvature, whose best leaf values are not
// Newton steps but quantiles of the rows' residuals.
type leveller interface {
	level() float64 // which quantile
}

func (s *settings) loss(task bundle.Task) objective {
	if task == bundle.Binary {
		return logistic{}
	}
	switch s.objective {
	case "l1":
		return absolute{0.5}
	case "quantile":
		return absolute{s.quantile}
	case "huber":
		return huber{s.huberDelta}
	case "poisson":
		return poisson{}
	case "tweedie":
		return tweedie{s.tweediePower}
	}
	return squared{}
}

// checkLabels refuses labels that the objective cannot have.
func (s *settings) checkLabels(y, w []float64) error {
	if s.objective != "poisson" && s.objective != "tweedie" {
		return nil
	}
	total := 0.0
	for i, label := range y {
		if label < 0 {
			return data.WithHint(fmt.Errorf("gbdt: label of row %d is %g with objective %q", i+1, label, s.objective), "counts and amounts are not negative")
		}
		total += float64(weight(w, i) * label)
	}
	if total == 0 {
		return errors.New("gbdt: all labels are 0: the logarithm of their mean does not exist")
	}
	return nil
}

// average returns the weighted mean of f over the rows.
func average(n int, w []float64, f func(i int) float64) float64 {
	sum, total := 0.0, 0.0
	for i := range n {
		sum += float64(weight(w, i) * f(i))
		total += weight(w, i)
	}
	return sum / total
}

// logistic is log loss with labels 0 and 1; the margin is the log odds.
type logistic struct{}

func (logistic) base(_ context.Context, y, w []float64) float64 {
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
	return average(len(y), w, func(i int) float64 {
		if y[i] == 1 {
			return num.Softplus(-margin[i])
		}
		return num.Softplus(margin[i])
	})
}

// squared is half the squared error; what is reported is its root mean (rmse).
type squared struct{}

func (squared) base(_ context.Context, y, w []float64) float64 {
	return average(len(y), w, func(i int) float64 { return y[i] })
}

func (squared) gradients(_ kernel.Set, g, h, margin, y, w []float64) {
	for i, m := range margin {
		u := weight(w, i)
		g[i], h[i] = float64((m-y[i])*u), u
	}
}

func (squared) mean(margin, y, w []float64) float64 {
	return math.Sqrt(average(len(y), w, func(i int) float64 {
		d := margin[i] - y[i]
		return float64(d * d)
	}))
}

// huber is squared up to a residual of delta and linear beyond (Huber, Annals
// of Mathematical Statistics 35, 1964). Its hessian is taken to be 1
// everywhere: a leaf value is then a step that cannot overshoot.
type huber struct{ delta float64 }

func (huber) base(ctx context.Context, y, w []float64) float64 { return squared{}.base(ctx, y, w) }

func (o huber) gradients(_ kernel.Set, g, h, margin, y, w []float64) {
	for i, m := range margin {
		u := weight(w, i)
		g[i], h[i] = float64(max(-o.delta, min(o.delta, m-y[i]))*u), u
	}
}

func (o huber) mean(margin, y, w []float64) float64 {
	return average(len(y), w, func(i int) float64 {
		d := math.Abs(margin[i] - y[i])
		if d <= o.delta {
			return float64(d*d) / 2
		}
		return float64(o.delta * (d - o.delta/2))
	})
}

// absolute is the pinball loss of a quantile (Koenker and Bassett, Econometrica
// 46, 1978); that of the median is half the absolute error.
type absolute struct{ quantile float64 }

func (o absolute) level() float64 { return o.quantile }

func (o absolute) base(ctx context.Context, y, w []float64) float64 {
	list := make([]residual, len(y))
	for i := range y {
		list[i] = residual{y[i], weight(w, i)}
	}
	return quantileOf(ctx, list, o.quantile)
}

func (o absolute) gradients(_ kernel.Set, g, h, margin, y, w []float64) {
	for i, m := range margin {
		u := weight(w, i)
		d := -o.quantile
		if m >= y[i] {
			d = 1 - o.quantile
		}
		g[i], h[i] = float64(d*u), u
	}
}

func (o absolute) mean(margin, y, w []float64) float64 {
	return average(len(y), w, func(i int) float64 {
		d := y[i] - margin[i]
		return max(float64(o.quantile*d), float64((o.quantile-1)*d))
	})
}

// poisson is the negative log likelihood of counts; the margin is the
// logarithm of the mean.
type poisson struct{}

// caution multiplies the hessian of poisson as LightGBM's
// poisson_max_delta_step of 0.7 does: where a leaf has few counts the mean may
// grow by a large factor, along which the curvature grows too.
var caution = num.Exp(0.7)

func (poisson) base(ctx context.Context, y, w []float64) float64 {
	return num.Log(squared{}.base(ctx, y, w))
}

func (poisson) gradients(_ kernel.Set, g, h, margin, y, w []float64) {
	for i, m := range margin {
		u, mu := weight(w, i), num.Exp(m)
		g[i], h[i] = float64((mu-y[i])*u), float64(float64(mu*caution)*u)
	}
}

func (poisson) mean(margin, y, w []float64) float64 {
	return average(len(y), w, func(i int) float64 { return num.Exp(margin[i]) - float64(y[i]*margin[i]) })
}

// tweedie is the negative quasi log likelihood of amounts that are often 0,
// with variance mean**power (Yang, Qian and Zou, Journal of Business & Economic
// Statistics 36, 2018); the margin is the logarithm of the mean.
type tweedie struct{ power float64 }

func (tweedie) base(ctx context.Context, y, w []float64) float64 { return poisson{}.base(ctx, y, w) }

func (o tweedie) gradients(_ kernel.Set, g, h, margin, y, w []float64) {
	for i, m := range margin {
		u := weight(w, i)
		a, b := float64(y[i]*num.Exp(float64((1-o.power)*m))), num.Exp(float64((2-o.power)*m))
		g[i] = float64((b - a) * u)
		h[i] = float64((float64((2-o.power)*b) + float64((o.power-1)*a)) * u)
	}
}

func (o tweedie) mean(margin, y, w []float64) float64 {
	return average(len(y), w, func(i int) float64 {
		a, b := float64(y[i]*num.Exp(float64((1-o.power)*margin[i]))), num.Exp(float64((2-o.power)*margin[i]))
		return a/(o.power-1) + b/(2-o.power)
	})
}

func weight(w []float64, i int) float64 {
	if w == nil {
		return 1
	}
	return w[i]
}
