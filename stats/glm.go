package stats

import (
	"errors"
	"fmt"
	"math"
)

// ErrSeparated says that a combination of the columns tells the outcomes apart
// without error, so that the likelihood grows for ever and no estimate exists.
var ErrSeparated = errors.New("separated outcomes")

// GeneralModel is a generalised linear model fitted by maximum likelihood.
type GeneralModel struct {
	Coefficients []Coefficient // the intercept first, then one per column; Statistic is Wald's z
	N            int
	DF           int       // rows less coefficients
	Fitted       []float64 // expected outcome of each row
	LogLik       float64
	LogLikNull   float64 // of the model with an intercept only
	McFadden     float64 // pseudo R2: 1 - LogLik/LogLikNull
	LR, LRP      float64 // likelihood-ratio test of all slopes being 0
	AIC, BIC     float64
	Deviance     float64
	PearsonChi2  float64 // far above DF: overdispersed counts, the standard errors are too small

	design factored  // at the estimate, rows weighted
	spread []float64 // squared Pearson residual of each row
}

// Robust returns the table with standard errors that hold also if the variance is
// not that of the family, as of overdispersed counts, as long as the mean is
// right; p-values and intervals are Wald's.
//
// Method: Huber, Proceedings of the Fifth Berkeley Symposium 1, 1967; White,
// Econometrica 50, 1982.
func (m GeneralModel) Robust() []Coefficient {
	beta := make([]float64, len(m.Coefficients))
	for j, c := range m.Coefficients {
		beta[j] = c.Estimate
	}
	return table(beta, m.design.sandwich(m.spread), math.Inf(1))
}

// Logit fits the log-odds of y = 1 as a linear function of the columns.
//
// x is as in [OLS]; y holds 0 and 1. Standard errors are those of the inverse
// information; p-values and intervals are Wald's, too narrow below some ten
// events a coefficient. exp of a coefficient is the odds ratio of a step of 1.
//
// It returns ErrTooFew, ErrValue and ErrCollinear as OLS does, ErrConstant if y
// holds one value only, and ErrSeparated if the columns tell ones from zeros
// without error, wholly or for some rows: leave out the column that does, or
// merge its rare values.
//
// Method: iteratively reweighted least squares, McCullagh and Nelder,
// Generalized Linear Models, 1989; separation: Albert and Anderson, Biometrika
// 71, 1984.
func Logit(x [][]float64, y []float64) (GeneralModel, error) {
	for i, v := range y {
		if v != 0 && v != 1 {
			return GeneralModel{}, fmt.Errorf("y of row %d is %v, not 0 or 1: %w", i+1, v, ErrValue)
		}
	}
	return fitGeneral(x, y, family{
		start: func(y float64) float64 { return (y + 0.5) / 2 },
		link:  func(mu float64) float64 { return math.Log(mu / (1 - mu)) },
		mean: func(eta float64) (mu, variance float64) {
			// From the smaller tail: 1-mu loses all digits for a large eta.
			e := math.Exp(-math.Abs(eta))
			mu, variance = 1/(1+e), e/((1+e)*(1+e))
			if eta < 0 {
				mu = e / (1 + e)
			}
			return mu, variance
		},
		// Of y = 1 not 1-mu, which is 0 from eta = 37 on: the steps would stop
		// as if an estimate had been found.
		residual: func(y, eta float64) float64 { return (2*y - 1) / (1 + math.Exp((2*y-1)*eta)) },
		logLik: func(y, eta float64) float64 {
			if y == 1 {
				eta = -eta
			}
			return -(math.Max(eta, 0) + math.Log1p(math.Exp(-math.Abs(eta))))
		},
		saturated: func(float64) float64 { return 0 },
	})
}

// Poisson fits the logarithm of the expected count y as a linear function of
// the columns.
//
// x is as in [OLS]; y holds whole numbers of 0 and more. It assumes a variance
// equal to the mean: if PearsonChi2 is far above DF, multiply the standard
// errors by the root of their quotient. exp of a coefficient is the ratio of
// the rates. Errors are those of [Logit]; ErrSeparated means that some rows, told
// by the columns, have counts of 0 only.
//
// Method: as [Logit].
func Poisson(x [][]float64, y []float64) (GeneralModel, error) {
	for i, v := range y {
		if !(v >= 0) || v != math.Floor(v) || math.IsInf(v, 0) {
			return GeneralModel{}, fmt.Errorf("y of row %d is %v, not a count: %w", i+1, v, ErrValue)
		}
	}
	logLik := func(y, eta float64) float64 {
		l, _ := math.Lgamma(y + 1)
		return y*eta - math.Exp(eta) - l
	}
	return fitGeneral(x, y, family{
		start:    func(y float64) float64 { return y + 0.5 },
		link:     math.Log,
		mean:     func(eta float64) (mu, variance float64) { mu = math.Exp(eta); return mu, mu },
		residual: func(y, eta float64) float64 { return y - math.Exp(eta) },
		logLik:   logLik,
		saturated: func(y float64) float64 {
			if y == 0 {
				return 0
			}
			return logLik(y, math.Log(y))
		},
	})
}

// family is a distribution with its canonical link.
type family struct {
	start     func(y float64) float64
	link      func(mu float64) float64
	mean      func(eta float64) (mu, variance float64)
	residual  func(y, eta float64) float64 // y less its mean
	logLik    func(y, eta float64) float64
	saturated func(y float64) float64 // log-likelihood of y as its own mean
}

func fitGeneral(x [][]float64, y []float64, f family) (GeneralModel, error) {
	columns, err := designOf(x, y, 1)
	if err != nil {
		return GeneralModel{}, err
	}
	if allEqual(y, nil) {
		return GeneralModel{}, fmt.Errorf("y does not vary: %w", ErrConstant)
	}
	if _, err := factor(columns); err != nil {
		return GeneralModel{}, err
	}
	n, p := len(y), len(columns)
	separated := fmt.Errorf("a combination of the columns tells some outcomes without error, so that no estimate exists; leave out the column that does: %w", ErrSeparated)
	eta := make([]float64, n)
	for i, v := range y {
		eta[i] = f.link(f.start(v))
	}
	logLik := func(eta []float64) float64 {
		sum := 0.0
		for i := range y {
			sum += f.logLik(y[i], eta[i])
		}
		return sum
	}
	var beta, se []float64
	var at factored
	last := math.Inf(-1)
	// With columns of large values the step ends at what rounding leaves of it.
	for round, step := 0, math.Inf(1); step > 1e-9 && (round < 25 || step > 1e-6); round++ {
		// The step of Newton's method never shrinks on separated outcomes: each
		// round adds about 1 to the margins of the rows told apart.
		if round == 60 {
			return GeneralModel{}, separated
		}
		weighted := make([][]float64, p)
		for j := range weighted {
			weighted[j] = make([]float64, n)
		}
		response := make([]float64, n)
		for i := range y {
			_, variance := f.mean(eta[i])
			root := math.Sqrt(variance)
			if !(root > 1e-9) {
				continue // without weight; if too many are, the design fails
			}
			if math.IsInf(root, 0) {
				return GeneralModel{}, separated
			}
			for j := range columns {
				weighted[j][i] = root * columns[j][i]
			}
			response[i] = root*eta[i] + f.residual(y[i], eta[i])/root
		}
		design, err := factor(weighted)
		if err != nil { // the plain columns were not: the weights have vanished
			return GeneralModel{}, separated
		}
		next, _, _ := design.solve(response)
		if beta == nil {
			beta = next
		}
		// Halve a step that overshoots.
		var now float64
		moved := make([]float64, n)
		for try := 0; ; try++ {
			for i := range moved {
				moved[i] = 0
				for j := range columns {
					moved[i] += float64(next[j] * columns[j][i])
				}
			}
			if now = logLik(moved); now >= last-1e-9*math.Abs(last) && !math.IsNaN(now) || try == 30 || round == 0 {
				break
			}
			for j := range next {
				next[j] = (next[j] + beta[j]) / 2
			}
		}
		step = 0
		for i := range eta {
			step = math.Max(step, math.Abs(moved[i]-eta[i]))
		}
		beta, eta, last, at = next, moved, now, design
		se = design.errors(1)
	}
	m := GeneralModel{N: n, DF: n - p, LogLik: last, Coefficients: table(beta, se, math.Inf(1)), design: at}
	mean, _ := meanVar(y)
	for i, v := range y {
		mu, variance := f.mean(eta[i])
		m.Fitted = append(m.Fitted, mu)
		m.spread = append(m.spread, (v-mu)*(v-mu)/variance)
		m.PearsonChi2 += m.spread[i]
		m.LogLikNull += f.logLik(v, f.link(mean))
		m.Deviance += 2 * (f.saturated(v) - f.logLik(v, eta[i]))
	}
	m.McFadden = 1 - m.LogLik/m.LogLikNull
	m.LR = math.Max(0, 2*(m.LogLik-m.LogLikNull))
	m.LRP = 1
	if p > 1 {
		m.LRP = tailOfChiSquared(m.LR, float64(p-1))
	}
	m.AIC = -2*m.LogLik + 2*float64(p)
	m.BIC = -2*m.LogLik + float64(p)*math.Log(float64(n))
	return m, nil
}
