package stats

import (
	"fmt"
	"math"
)

// Autocorrelation returns the correlation of the series with itself 0 to lags
// steps earlier, with the one mean and the divisor n, so that the values belong
// to a possible process and lie in [-1, 1]. Without correlation about 95% of them
// lie within 1.96/sqrt(n).
//
// x is in order of time, finite (ErrValue), longer than lags >= 0 (ErrTooFew),
// and varies (ErrConstant).
//
// Method: Box and Jenkins, Time Series Analysis, 1970.
func Autocorrelation(x []float64, lags int) ([]float64, error) {
	if lags < 0 {
		return nil, fmt.Errorf("%d lags: %w", lags, ErrValue)
	}
	if err := checkModest("x", x, max(2, lags+1)); err != nil {
		return nil, err
	}
	if allEqual(x, nil) {
		return nil, fmt.Errorf("the series does not vary: %w", ErrConstant)
	}
	mean, _ := meanVar(x)
	d := make([]float64, len(x))
	for i, v := range x {
		d[i] = v - mean
	}
	out := make([]float64, lags+1)
	total := dot(d, d)
	for k := range out {
		out[k] = dot(d[k:], d[:len(d)-k]) / total
	}
	return out, nil
}

// PartialAutocorrelation returns the correlation with the value 0 to lags steps
// earlier beyond what the values in between tell, from the Yule-Walker equations
// with the autocorrelations of [Autocorrelation], whose arguments and errors it
// shares.
//
// Method: Durbin, Review of the International Statistical Institute 28, 1960.
func PartialAutocorrelation(x []float64, lags int) ([]float64, error) {
	r, err := Autocorrelation(x, lags)
	if err != nil {
		return nil, err
	}
	out := make([]float64, lags+1)
	out[0] = 1
	phi := make([]float64, lags+1) // of the model of the last order
	for k := 1; k <= lags; k++ {
		num, den := r[k], 1.0
		for j := 1; j < k; j++ {
			num -= float64(phi[j] * r[k-j])
			den -= float64(phi[j] * r[j])
		}
		out[k] = num / den
		before := append([]float64(nil), phi...)
		for j := 1; j < k; j++ {
			phi[j] = before[j] - float64(out[k]*before[k-j])
		}
		phi[k] = out[k]
	}
	return out, nil
}

// LjungBox tests whether any of the first lags autocorrelations of x differs
// from 0. On the residuals of a model, parameters is how many of it describe the
// correlation (p+q of an ARMA), which the degrees of freedom lose; else 0. The
// Result has no effect.
//
// Arguments and errors are those of [Autocorrelation]; lags exceeds parameters.
//
// Method: Ljung and Box, Biometrika 65, 1978.
func LjungBox(x []float64, lags, parameters int) (Result, error) {
	if lags < 1 || parameters < 0 || lags <= parameters {
		return Result{}, fmt.Errorf("%d lags for %d parameters: %w", lags, parameters, ErrValue)
	}
	r, err := Autocorrelation(x, lags)
	if err != nil {
		return Result{}, err
	}
	n := float64(len(x))
	q := 0.0
	for k := 1; k <= lags; k++ {
		q += r[k] * r[k] / (n - float64(k))
	}
	q *= n * (n + 2)
	df := float64(lags - parameters)
	return Result{Test: "Ljung-Box test", Statistic: q, DF: df, P: tailOfChiSquared(q, df), N: len(x)}, nil
}

// Trend says what a unit-root test takes for granted about the mean.
type Trend int

const (
	// Level is a constant mean.
	Level Trend = iota
	// Linear is a mean that moves along a line.
	Linear
)

// UnitRoot is the outcome of [ADF] or [KPSS].
type UnitRoot struct {
	Test      string
	Statistic float64
	P         float64
	Lags      int
	// Critical are the values at 1, 5 and 10%: ADF rejects below them, KPSS above.
	Critical [3]float64
	N        int // rows of the regression
}

// ADF tests the hypothesis that x has a unit root, as a random walk has, against
// that it returns to its mean or trend (the augmented Dickey-Fuller test): a small
// p-value speaks for a stationary series. lags differences of the past take up
// correlation; too few make the test unreliable, too many weak.
//
// x is in order of time, finite (ErrValue) and varies (ErrConstant); the
// regression needs more rows than coefficients (ErrTooFew). ErrCollinear if the
// differences determine each other.
//
// Method: Said and Dickey, Biometrika 71, 1984; p by the response surface of
// MacKinnon, J. Business and Economic Statistics 12, 1994 (0 and 1 beyond its
// range), critical values by his of 2010 (Queen's Economics working paper 1227).
func ADF(x []float64, lags int, trend Trend) (UnitRoot, error) {
	if lags < 0 || trend != Level && trend != Linear {
		return UnitRoot{}, fmt.Errorf("%d lags, trend %d: %w", lags, trend, ErrValue)
	}
	if err := checkModest("x", x, lags+3); err != nil {
		return UnitRoot{}, err
	}
	if allEqual(x, nil) {
		return UnitRoot{}, fmt.Errorf("the series does not vary: %w", ErrConstant)
	}
	var rows [][]float64
	var y []float64
	for t := lags + 1; t < len(x); t++ {
		row := []float64{x[t-1]}
		for k := 1; k <= lags; k++ {
			row = append(row, x[t-k]-x[t-k-1])
		}
		if trend == Linear {
			row = append(row, float64(t))
		}
		rows, y = append(rows, row), append(y, x[t]-x[t-1])
	}
	m, err := OLS(rows, y)
	if err != nil {
		return UnitRoot{}, fmt.Errorf("regression of the differences: %w", err)
	}
	s := mackinnon[trend]
	r := UnitRoot{Test: "augmented Dickey-Fuller test", Statistic: m.Coefficients[1].Statistic, Lags: lags, N: len(y)}
	n := float64(len(y))
	for i, c := range s.critical {
		r.Critical[i] = polynomial(c[:], 1/n)
	}
	switch tau := r.Statistic; {
	case tau > s.highest:
		r.P = 1
	case tau < s.lowest:
		r.P = 0
	case tau <= s.join:
		r.P = normalTail(-polynomial(s.left[:], tau))
	default:
		r.P = normalTail(-polynomial(s.right[:], tau))
	}
	return r, nil
}

// mackinnon holds, for one series, his table 3 and 4 of 1994 (coefficients of
// powers of tau, left of join and right of it) and table 2 of 2010 (powers of
// 1/n).
var mackinnon = [...]struct {
	lowest, join, highest float64
	left                  [3]float64
	right                 [4]float64
	critical              [3][4]float64
}{
	Level: {
		-18.83, -1.61, 2.74,
		[3]float64{2.1659, 1.4412, 0.038269},
		[4]float64{1.7339, 0.93202, -0.12745, -0.010368},
		[3][4]float64{{-3.43035, -6.5393, -16.786, -79.433}, {-2.86154, -2.8903, -4.234, -40.040}, {-2.56677, -1.5384, -2.809, 0}},
	},
	Linear: {
		-16.18, -2.89, 0.7,
		[3]float64{3.2512, 1.6047, 0.049588},
		[4]float64{2.5261, 0.61654, -0.37956, -0.060285},
		[3][4]float64{{-3.95877, -9.0531, -28.428, -134.155}, {-3.41049, -4.3904, -9.036, -45.374}, {-3.12705, -2.5856, -3.925, -22.380}},
	},
}

func polynomial(c []float64, x float64) float64 {
	sum := 0.0
	for i := len(c) - 1; i >= 0; i-- {
		sum = float64(sum*x) + c[i]
	}
	return sum
}

// KPSS tests the hypothesis that x is stationary around a level or a line,
// against a random walk: the other way round than [ADF]. The long-run variance
// takes in lags autocovariances with Bartlett's weights. P is interpolated in the
// published table and clipped to [0.01, 0.1].
//
// x is in order of time, finite (ErrValue), varies (ErrConstant; a perfect line
// too for Linear) and is longer than lags >= 0 (ErrTooFew).
//
// Method: Kwiatkowski, Phillips, Schmidt and Shin, J. Econometrics 54, 1992.
func KPSS(x []float64, lags int, trend Trend) (UnitRoot, error) {
	if lags < 0 || trend != Level && trend != Linear {
		return UnitRoot{}, fmt.Errorf("%d lags, trend %d: %w", lags, trend, ErrValue)
	}
	if err := checkModest("x", x, max(4, lags+1)); err != nil {
		return UnitRoot{}, err
	}
	if allEqual(x, nil) {
		return UnitRoot{}, fmt.Errorf("the series does not vary: %w", ErrConstant)
	}
	columns := [][]float64{make([]float64, len(x))}
	critical := [4]float64{0.347, 0.463, 0.574, 0.739} // at 10, 5, 2.5 and 1%
	if trend == Linear {
		columns = append(columns, make([]float64, len(x)))
		critical = [4]float64{0.119, 0.146, 0.176, 0.216}
	}
	for i := range x {
		columns[0][i] = 1
		if trend == Linear {
			columns[1][i] = float64(i)
		}
	}
	design, err := factor(columns)
	if err != nil {
		return UnitRoot{}, err
	}
	_, e, total := design.solve(x)
	if total <= 1e-24*dot(x, x) {
		return UnitRoot{}, fmt.Errorf("the series does not leave its line: %w", ErrConstant)
	}
	long := total
	for k := 1; k <= lags; k++ {
		long += 2 * (1 - float64(k)/float64(lags+1)) * dot(e[k:], e[:len(e)-k])
	}
	var sum, squares float64
	for _, v := range e {
		sum += v
		squares += float64(sum * sum)
	}
	r := UnitRoot{Test: "KPSS test", Statistic: squares / float64(len(x)) / long, Lags: lags, N: len(x)}
	r.Critical = [3]float64{critical[3], critical[1], critical[0]}
	p := [4]float64{0.1, 0.05, 0.025, 0.01}
	r.P = p[0]
	for i := 1; i < len(p) && r.Statistic > critical[i-1]; i++ {
		share := math.Min(1, (r.Statistic-critical[i-1])/(critical[i]-critical[i-1]))
		r.P = p[i-1] + share*(p[i]-p[i-1])
	}
	return r, nil
}

// Granger tests whether the past of x helps to predict y beyond y's own past, an
// F-test on lags values of each. It says nothing of causes: both may follow a
// third. Both series are stationary; [ADF] asks.
//
// They are in order of time, of one length, finite (ErrValue), and longer than
// three times lags plus one (ErrTooFew); ErrCollinear if one determines the other.
//
// Method: Granger, Econometrica 37, 1969.
func Granger(x, y []float64, lags int) (ANOVA, error) {
	if lags < 1 || len(x) != len(y) {
		return ANOVA{}, fmt.Errorf("%d and %d values, %d lags: %w", len(x), len(y), lags, ErrValue)
	}
	if err := checkModest("x", x, 3*lags+2); err != nil {
		return ANOVA{}, err
	}
	if err := checkModest("y", y, 3*lags+2); err != nil {
		return ANOVA{}, err
	}
	n := len(y) - lags
	ones := make([]float64, n)
	for i := range ones {
		ones[i] = 1
	}
	columns := [][]float64{ones}
	for _, series := range [][]float64{y, x} {
		for k := 1; k <= lags; k++ {
			columns = append(columns, series[lags-k:len(series)-k])
		}
	}
	all, err := factor(columns)
	if err != nil {
		return ANOVA{}, err
	}
	own, err := factor(columns[:lags+1])
	if err != nil {
		return ANOVA{}, err
	}
	target := y[lags:]
	_, _, with := all.solve(target)
	_, _, without := own.solve(target)
	if _, v := meanVar(target); with <= 1e-26*v*float64(n) {
		return ANOVA{}, fmt.Errorf("the past determines y: %w", ErrConstant)
	}
	r := ANOVA{Test: "Granger's test", SumSq: without - with, DF: float64(lags), DFErr: float64(n - 2*lags - 1), N: n}
	r.F = r.SumSq / r.DF / (with / r.DFErr)
	r.P = tailOfF(r.F, r.DF, r.DFErr)
	r.EtaSquared = r.SumSq / without
	return r, nil
}
