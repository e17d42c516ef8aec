package stats

import (
	"errors"
	"fmt"
	"math"
)

// ErrCollinear says that a column is a linear combination of others, so that
// its coefficient is not determined.
var ErrCollinear = errors.New("collinear columns")

// Coefficient is one line of a regression table.
type Coefficient struct {
	Estimate  float64
	SE        float64 // standard error
	Statistic float64 // Estimate/SE: t in a linear model, z in the others
	P         float64 // two-sided p-value of the coefficient being 0
	Low, High float64 // 95% interval
}

// LinearModel is a linear regression fitted by least squares. It is not
// modified after [OLS] returns it.
type LinearModel struct {
	Coefficients []Coefficient // the intercept first, then one per column
	N            int
	DF           int     // of the residuals: rows less coefficients
	R2, AdjR2    float64 // share of the variance explained, plain and adjusted
	F, FP        float64 // test of all slopes being 0, with len-1 and DF degrees of freedom
	Sigma        float64 // standard deviation of the errors, divisor DF
	LogLik       float64 // of normal errors
	AIC, BIC     float64 // the error variance is not counted as a parameter
	VIF          []float64
	Residuals    []float64
	Leverage     []float64 // diagonal of the hat matrix
	Cook         []float64 // Cook's distance; 1 and more deserves a look, NaN is a row with leverage 1
	DurbinWatson float64   // near 2 if neighbouring residuals are uncorrelated

	// BreuschPagan tests whether the error variance depends on the columns, in
	// the studentised form of Koenker: chi-squared with one degree of freedom
	// per column.
	BreuschPagan, BreuschPaganP float64

	design factored
	beta   []float64
}

// OLS fits y = b0 + b1 x1 + ... by least squares and returns the table of
// coefficients with t-tests, and the diagnostics one looks at first.
//
// x has one slice per row, all of one length; the intercept is added. Standard
// errors, p-values and intervals assume independent normal errors of one
// variance; [LinearModel.Robust] drops the equal variance. Without columns the
// model is the mean: F and the Breusch-Pagan test do not exist and are NaN.
//
// It returns ErrTooFew unless there are more rows than coefficients, ErrValue
// for NaN, an infinity or ragged rows, ErrConstant if y does not vary or
// the columns determine it, and ErrCollinear, naming the column, if one is constant or a combination of those
// before it. Time O(n p^2).
//
// Method: orthogonalisation by Gram-Schmidt, twice (Giraud, Langou and
// Rozloznik, Computers and Mathematics 50, 2005); Breusch and Pagan,
// Econometrica 47, 1979, as in Koenker, J. Econometrics 17, 1981; Cook,
// Technometrics 19, 1977; Durbin and Watson, Biometrika 37, 1950.
func OLS(x [][]float64, y []float64) (LinearModel, error) {
	columns, err := designOf(x, y, 1)
	if err != nil {
		return LinearModel{}, err
	}
	if allEqual(y, nil) {
		return LinearModel{}, fmt.Errorf("y does not vary: %w", ErrConstant)
	}
	design, err := factor(columns)
	if err != nil {
		return LinearModel{}, err
	}
	n, p := len(y), len(columns)
	m := LinearModel{N: n, DF: n - p, design: design}
	var rss float64
	m.beta, m.Residuals, rss = design.solve(y)
	m.Leverage = design.leverage()
	_, varY := meanVar(y)
	total := varY * float64(n-1)
	// What rounding leaves of an exact fit is no error variance.
	if rss <= total*1e-26 {
		return LinearModel{}, fmt.Errorf("the columns determine y, so that no error is left to test against: %w", ErrConstant)
	}
	s2 := rss / float64(m.DF)
	m.Sigma = math.Sqrt(s2)
	m.Coefficients = table(m.beta, design.errors(s2), float64(m.DF))
	m.R2 = 1 - rss/total
	m.AdjR2 = 1 - (1-m.R2)*float64(n-1)/float64(m.DF)
	slopes := float64(p - 1)
	m.F, m.FP = math.NaN(), math.NaN()
	m.BreuschPagan, m.BreuschPaganP = math.NaN(), math.NaN()
	if p > 1 {
		m.F = (total - rss) / slopes / s2
		m.FP = tailOfF(m.F, slopes, float64(m.DF))
		squares := make([]float64, n)
		for i, e := range m.Residuals {
			squares[i] = e * e
		}
		if !allEqual(squares, nil) {
			_, _, left := design.solve(squares)
			_, v := meanVar(squares)
			m.BreuschPagan = float64(n) * (1 - left/(v*float64(n-1)))
			m.BreuschPaganP = tailOfChiSquared(m.BreuschPagan, slopes)
		}
	}
	m.LogLik = -float64(n) / 2 * (math.Log(2*math.Pi*rss/float64(n)) + 1)
	m.AIC = -2*m.LogLik + 2*float64(p)
	m.BIC = -2*m.LogLik + float64(p)*math.Log(float64(n))
	unscaled := design.errors(1)
	for j := 1; j < p; j++ {
		_, v := meanVar(columns[j])
		m.VIF = append(m.VIF, math.Max(1, unscaled[j]*unscaled[j]*v*float64(n-1)))
	}
	var steps float64
	m.Cook = make([]float64, n)
	for i, e := range m.Residuals {
		if i > 0 {
			d := e - m.Residuals[i-1]
			steps += float64(d * d)
		}
		rest := 1 - m.Leverage[i]
		if m.Cook[i] = math.NaN(); rest < 1e-12 {
			continue
		}
		m.Cook[i] = e * e * m.Leverage[i] / (float64(p) * s2 * rest * rest)
	}
	m.DurbinWatson = steps / rss
	return m, nil
}

// HC names a kind of standard errors that allow for unequal error variances.
type HC int

// The kinds of MacKinnon and White. HC3 is the one for fewer than some 250 rows
// (Long and Ervin, American Statistician 54, 2000).
const (
	HC0 HC = iota // White: squared residuals
	HC1           // HC0 times n/(n-p)
	HC2           // squared residuals over 1 - leverage
	HC3           // squared residuals over (1 - leverage)^2, close to the jackknife
)

// Robust returns the table of coefficients with standard errors that allow for
// unequal error variances; p-values and intervals use Student's t with the
// residual degrees of freedom.
//
// It returns ErrValue for an unknown kind, and ErrTooFew for HC2 and HC3 if one
// row alone determines a coefficient (leverage 1).
//
// Method: White, Econometrica 48, 1980; MacKinnon and White, J. Econometrics 29,
// 1985.
func (m LinearModel) Robust(kind HC) ([]Coefficient, error) {
	weight := make([]float64, m.N)
	for i, e := range m.Residuals {
		rest := 1 - m.Leverage[i]
		if kind >= HC2 && rest < 1e-12 {
			return nil, fmt.Errorf("row %d alone determines a coefficient; use HC0 or HC1: %w", i+1, ErrTooFew)
		}
		switch weight[i] = e * e; kind {
		case HC0:
		case HC1:
			weight[i] *= float64(m.N) / float64(m.DF)
		case HC2:
			weight[i] /= rest
		case HC3:
			weight[i] /= rest * rest
		default:
			return nil, fmt.Errorf("standard errors of kind %d: %w", kind, ErrValue)
		}
	}
	return table(m.beta, m.design.sandwich(weight), float64(m.DF)), nil
}

// table returns coefficients with their tests: Student's t with df degrees of
// freedom, or normal if df is infinite.
func table(beta, se []float64, df float64) []Coefficient {
	out := make([]Coefficient, len(beta))
	quantile := z95
	if !math.IsInf(df, 1) {
		quantile = t95(df)
	}
	for j, b := range beta {
		c := Coefficient{Estimate: b, SE: se[j], Statistic: b / se[j]}
		if math.IsInf(df, 1) {
			c.P = 2 * normalTail(math.Abs(c.Statistic))
		} else {
			c.P = tailOfT(c.Statistic, df)
		}
		c.Low, c.High = b-quantile*se[j], b+quantile*se[j]
		out[j] = c
	}
	return out
}

// designOf checks rows x and target y and returns the columns, ones first. spare
// is by how many the rows must exceed the coefficients.
func designOf(x [][]float64, y []float64, spare int) ([][]float64, error) {
	if len(x) != len(y) {
		return nil, fmt.Errorf("%d rows of x and %d of y: %w", len(x), len(y), ErrValue)
	}
	if err := checkModest("y", y, 1); err != nil {
		return nil, err
	}
	p := len(x[0]) + 1
	if len(y) < p+spare {
		return nil, fmt.Errorf("%d rows for %d coefficients, which take at least %d: %w", len(y), p, p+spare, ErrTooFew)
	}
	columns := make([][]float64, p)
	for j := range columns {
		columns[j] = make([]float64, len(y))
	}
	for i, row := range x {
		if len(row) != p-1 {
			return nil, fmt.Errorf("row %d has %d columns, row 1 has %d: %w", i+1, len(row), p-1, ErrValue)
		}
		columns[0][i] = 1
		for j, v := range row {
			if !(math.Abs(v) <= largestValue) {
				return nil, fmt.Errorf("row %d, column %d is %v: %w", i+1, j+1, v, ErrValue)
			}
			columns[j+1][i] = v
		}
	}
	return columns, nil
}

// largestValue bounds what the models take, so that the fourth powers that occur
// in them do not overflow.
const largestValue = 1e70

// checkModest is checkSample for finite values within largestValue.
func checkModest(name string, x []float64, least int) error {
	if err := checkSample(name, x, least, true); err != nil {
		return err
	}
	for i, v := range x {
		if math.Abs(v) > largestValue {
			return fmt.Errorf("sample %s: value %d is %v, too large; change its unit: %w", name, i+1, v, ErrValue)
		}
	}
	return nil
}

// factored is a design X = Q R with orthonormal columns Q and upper triangular
// R, and R's inverse.
type factored struct {
	q       [][]float64 // by column
	inverse [][]float64 // of R, by row
}

// factor returns ErrCollinear if a column is, to ten digits, a combination of
// those before it; the first is number 0, the intercept.
func factor(columns [][]float64) (factored, error) {
	p := len(columns)
	f := factored{q: make([][]float64, p), inverse: make([][]float64, p)}
	r := make([][]float64, p)
	for j, column := range columns {
		v := make([]float64, len(column))
		r[j] = make([]float64, p)
		f.inverse[j] = make([]float64, p)
		norm := length(column)
		if norm == 0 || math.IsInf(norm, 0) {
			return f, fmt.Errorf("column %d has length %v; leave it out or change its unit: %w", j, norm, ErrCollinear)
		}
		copy(v, column)
		for range 2 { // the second pass removes what rounding left
			for k := range j {
				d := dot(f.q[k], v)
				r[k][j] += d
				for i := range v {
					v[i] -= float64(d * f.q[k][i])
				}
			}
		}
		rest := length(v)
		if rest < 1e-10*norm {
			return f, fmt.Errorf("column %d is constant or a combination of those before it; leave it out: %w", j, ErrCollinear)
		}
		r[j][j] = rest
		for i := range v {
			v[i] /= rest
		}
		f.q[j] = v
	}
	for j := range p { // column j of the inverse, from the diagonal up
		f.inverse[j][j] = 1 / r[j][j]
		for i := j - 1; i >= 0; i-- {
			sum := 0.0
			for k := i + 1; k <= j; k++ {
				sum += float64(r[i][k] * f.inverse[k][j])
			}
			f.inverse[i][j] = -sum / r[i][i]
		}
	}
	return f, nil
}

// solve returns the least-squares coefficients of y, the residuals, and the sum
// of their squares.
func (f factored) solve(y []float64) (beta, residuals []float64, rss float64) {
	p := len(f.q)
	residuals = append([]float64(nil), y...)
	along := make([]float64, p)
	for range 2 {
		for k := range p {
			d := dot(f.q[k], residuals)
			along[k] += d
			for i := range residuals {
				residuals[i] -= float64(d * f.q[k][i])
			}
		}
	}
	beta = make([]float64, p)
	for j := range p {
		for k := j; k < p; k++ {
			beta[j] += float64(f.inverse[j][k] * along[k])
		}
	}
	return beta, residuals, dot(residuals, residuals)
}

// errors returns the standard errors for the error variance s2.
func (f factored) errors(s2 float64) []float64 {
	out := make([]float64, len(f.q))
	for j := range out {
		out[j] = math.Sqrt(s2) * length(f.inverse[j])
	}
	return out
}

// sandwich returns the standard errors for errors of unequal variance, weight
// having that of each row.
func (f factored) sandwich(weight []float64) []float64 {
	p := len(f.q)
	middle := make([][]float64, p)
	for a := range middle {
		middle[a] = make([]float64, p)
		for b := range middle[a] {
			for i, w := range weight {
				middle[a][b] += float64(w * f.q[a][i] * f.q[b][i])
			}
		}
	}
	out := make([]float64, p)
	for j := range out {
		sum := 0.0
		for a := range p {
			sum += float64(f.inverse[j][a] * dot(middle[a], f.inverse[j]))
		}
		out[j] = math.Sqrt(math.Max(0, sum))
	}
	return out
}

func (f factored) leverage() []float64 {
	out := make([]float64, len(f.q[0]))
	for _, q := range f.q {
		for i, v := range q {
			out[i] += float64(v * v)
		}
	}
	return out
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}

func length(v []float64) float64 { return math.Sqrt(dot(v, v)) }
