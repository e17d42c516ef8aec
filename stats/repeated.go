package stats

import (
	"fmt"
	"math"
	"slices"
)

// RepeatedMeasures is a one-way analysis of variance of subjects that were each
// measured under every condition.
type RepeatedMeasures struct {
	ANOVA             // EtaSquared is partial; OmegaSquared is 0
	ErrorSumSq        float64
	SubjectSumSq      float64
	GeneralizedEta    float64 // effect over everything, comparable with designs between subjects
	MauchlyW          float64 // 1 if all differences of conditions vary alike
	MauchlyP          float64 // of W; NaN where there are no more subjects than conditions
	GreenhouseGeisser float64 // epsilon in [1/(k-1), 1], by which the degrees of freedom shrink
	HuynhFeldt        float64 // the same with less bias, at most 1
	PGreenhouse       float64 // p-value with each; P itself assumes sphericity
	PHuynhFeldt       float64
}

// RepeatedANOVA tests whether several conditions have one mean, when the same
// subjects were measured under each: the analysis of variance with the differences
// between subjects taken out. Values are normal. P assumes sphericity, that all
// differences of two conditions vary alike; where epsilon is well below 1 use
// PGreenhouse, or PHuynhFeldt above some 0.75.
//
// blocks has one slice per subject with its value under each condition, as in
// [Friedman]: two or more subjects, two or more conditions (ErrTooFew), finite,
// of equal length (ErrValue). ErrConstant if nothing is left between the values
// once subjects and conditions are taken out.
//
// Method: Greenhouse and Geisser, Psychometrika 24, 1959; Huynh and Feldt, J.
// Educational Statistics 1, 1976; Mauchly, Annals of Mathematical Statistics 11,
// 1940, with Box's second term; Olejnik and Algina, Psychological Methods 8, 2003.
func RepeatedANOVA(blocks [][]float64) (RepeatedMeasures, error) {
	if len(blocks) < 2 {
		return RepeatedMeasures{}, fmt.Errorf("%d of at least 2 subjects: %w", len(blocks), ErrTooFew)
	}
	n, k := len(blocks), len(blocks[0])
	if k < 2 {
		return RepeatedMeasures{}, fmt.Errorf("%d of at least 2 conditions: %w", k, ErrTooFew)
	}
	byCondition := make([][]float64, k)
	for i, b := range blocks {
		if len(b) != k {
			return RepeatedMeasures{}, fmt.Errorf("subject %d has %d values, subject 1 has %d: %w", i+1, len(b), k, ErrValue)
		}
		if err := checkModest(fmt.Sprintf("of subject %d", i+1), b, k); err != nil {
			return RepeatedMeasures{}, err
		}
		for j, v := range b {
			byCondition[j] = append(byCondition[j], v)
		}
	}
	between, _, _ := sumsOfSquares(byCondition)
	subjects, _, _ := sumsOfSquares(blocks)
	condition := make([]float64, k)
	for j, x := range byCondition {
		condition[j] = mean(x)
	}
	grand := mean(condition)
	var rest, size float64
	for _, b := range blocks {
		own := mean(b)
		for j, v := range b {
			e := v - own - condition[j] + grand
			rest += float64(e * e)
			size += float64((v - grand) * (v - grand))
		}
	}
	if rest <= size*1e-26 {
		return RepeatedMeasures{}, fmt.Errorf("subjects and conditions determine the values: %w", ErrConstant)
	}
	df, dfErr := float64(k-1), float64((n-1)*(k-1))
	r := RepeatedMeasures{ErrorSumSq: rest, SubjectSumSq: subjects, GeneralizedEta: between / (between + subjects + rest)}
	r.ANOVA = ANOVA{Test: "repeated measures ANOVA", SumSq: between, DF: df, DFErr: dfErr, N: n * k, EtaSquared: between / (between + rest)}
	r.F = between / df / (rest / dfErr)
	r.P = tailOfF(r.F, df, dfErr)

	// The covariance of the conditions, centred by row and column: its nonzero
	// eigenvalues are equal under sphericity.
	s, row, all := square(k), make([]float64, k), 0.0
	for a := range k {
		for b := range k {
			for i := range blocks {
				s[a][b] += float64((blocks[i][a] - condition[a]) * (blocks[i][b] - condition[b]))
			}
			s[a][b] /= float64(n - 1)
			row[a] += s[a][b] / float64(k)
		}
		all += row[a] / float64(k)
	}
	var trace, squares float64
	for a := range k {
		for b := range k {
			c := s[a][b] - row[a] - row[b] + all
			squares += float64(c * c)
			if a == b {
				trace += c
			}
		}
	}
	r.GreenhouseGeisser = math.Min(1, math.Max(1/df, trace*trace/(df*squares)))
	r.HuynhFeldt = 1
	if e := r.GreenhouseGeisser; float64(n-1)-df*e > 0 {
		r.HuynhFeldt = math.Min(1, math.Max(e, (float64(n)*df*e-2)/(df*(float64(n-1)-df*e))))
	}
	r.PGreenhouse = tailOfF(r.F, df*r.GreenhouseGeisser, dfErr*r.GreenhouseGeisser)
	r.PHuynhFeldt = tailOfF(r.F, df*r.HuynhFeldt, dfErr*r.HuynhFeldt)
	r.MauchlyW, r.MauchlyP = mauchly(s, trace, n)
	return r, nil
}

// mauchly tests whether the contrasts of the conditions have a covariance
// proportional to the identity.
func mauchly(s [][]float64, trace float64, n int) (w, p float64) {
	k := len(s)
	d := float64(k - 1)
	if k == 2 {
		return 1, 1
	}
	if n <= k {
		return 0, math.NaN()
	}
	// Helmert's contrasts, orthonormal.
	contrast := make([][]float64, k-1)
	for a := range contrast {
		contrast[a] = make([]float64, k)
		norm := math.Sqrt(float64((a + 1) * (a + 2)))
		for b := 0; b <= a; b++ {
			contrast[a][b] = 1 / norm
		}
		contrast[a][a+1] = -float64(a+1) / norm
	}
	c := square(k - 1)
	for a := range c {
		moved := times(s, contrast[a])
		for b := range c {
			c[a][b] = dot(moved, contrast[b])
		}
	}
	log := -d * math.Log(trace/d)
	for a := range c { // determinant by elimination: positive definite
		if !(c[a][a] > 0) {
			return 0, 0
		}
		log += math.Log(c[a][a])
		for b := a + 1; b < len(c); b++ {
			f := c[b][a] / c[a][a]
			for j := a; j < len(c); j++ {
				c[b][j] -= float64(f * c[a][j])
			}
		}
	}
	f := 1 - (2*d*d+d+2)/(6*d*float64(n-1))
	// Box's second term has 3d; R and those who follow it have 3k, and so have we.
	second := (d + 2) * (d - 1) * (d - 2) * (2*d*d*d + 6*d*d + 3*float64(k) + 2) / (288 * math.Pow(float64(n-1)*d*f, 2))
	df := d*(d+1)/2 - 1
	chi2 := -float64(n-1) * f * log
	first := tailOfChiSquared(chi2, df)
	return math.Min(1, math.Exp(log)), math.Min(1, math.Max(0, first+second*(tailOfChiSquared(chi2, df+4)-first)))
}

// Covariance is an analysis of covariance.
type Covariance struct {
	Groups     ANOVA         // do the groups differ, the covariates equal; EtaSquared is partial
	Covariates []ANOVA       // each beyond the groups and the other covariates
	Slopes     ANOVA         // do the slopes differ between groups: if so, Groups is not the whole answer; P is NaN if it cannot be told
	Levels     []string      // of the groups, sorted
	Means      []Coefficient // adjusted mean of each group, at the mean of the covariates; P is of the mean being 0
	ErrorSumSq float64
}

// ANCOVA tests whether groups differ in their mean once covariates are taken
// into account: one slope for each covariate, the same in all groups (Slopes
// tests that), normal errors of one variance. Sums of squares are of type II.
// Covariates that the groups themselves change take part of the effect away.
//
// group names each row's group, two or more; covariates has one slice per row, as
// in [OLS], of at least one. Errors are those of OLS, and ErrTooFew for one group
// or no covariate.
//
// Method: Fisher, Statistical Methods for Research Workers, 4th ed. 1932.
func ANCOVA(y []float64, group []string, covariates [][]float64) (Covariance, error) {
	if len(group) != len(y) {
		return Covariance{}, fmt.Errorf("%d values and %d groups: %w", len(y), len(group), ErrValue)
	}
	columns, err := designOf(covariates, y, 1)
	if err != nil {
		return Covariance{}, err
	}
	names, code := levels(group)
	p := len(columns) - 1
	switch {
	case len(names) < 2:
		return Covariance{}, fmt.Errorf("%d of at least 2 groups: %w", len(names), ErrTooFew)
	case p == 0:
		return Covariance{}, fmt.Errorf("no covariate; use OneWayANOVA: %w", ErrTooFew)
	case len(names) > 1000:
		return Covariance{}, fmt.Errorf("%d groups, more than 1000: %w", len(names), ErrValue)
	}
	df := len(y) - len(names) - p
	if df < 1 {
		return Covariance{}, fmt.Errorf("%d rows for %d groups and %d covariates: %w", len(y), len(names), p, ErrTooFew)
	}
	if allEqual(y, nil) {
		return Covariance{}, fmt.Errorf("y does not vary: %w", ErrConstant)
	}
	if _, err := factor(columns); err != nil { // names a constant covariate as OLS does
		return Covariance{}, err
	}
	// An indicator for each group and no intercept, covariates around their means:
	// the coefficients of the groups are the adjusted means.
	dummies := make([][]float64, len(names))
	for g := range dummies {
		dummies[g] = make([]float64, len(y))
	}
	for i, g := range code {
		dummies[g][i] = 1
	}
	centred := make([][]float64, p)
	for j := range centred {
		m := mean(columns[j+1])
		centred[j] = slices.Clone(columns[j+1])
		for i := range centred[j] {
			centred[j][i] -= m
		}
	}
	rss := func(columns [][]float64) (float64, error) {
		design, err := factor(columns)
		if err != nil {
			return 0, err
		}
		_, _, rest := design.solve(y)
		return rest, nil
	}
	design, err := factor(append(slices.Clone(dummies), centred...))
	if err != nil {
		return Covariance{}, fmt.Errorf("a covariate follows from the groups: %w", ErrCollinear)
	}
	beta, _, full := design.solve(y)
	_, v := meanVar(y)
	if full <= v*float64(len(y)-1)*1e-26 {
		return Covariance{}, fmt.Errorf("groups and covariates determine y: %w", ErrConstant)
	}
	c := Covariance{Levels: names, ErrorSumSq: full}
	c.Means = table(beta, design.errors(full/float64(df)), float64(df))[:len(names)]
	effect := func(name string, sum float64, d int, rest float64, dfErr int) ANOVA {
		sum = math.Max(0, sum)
		r := ANOVA{Test: "ANCOVA, " + name, SumSq: sum, DF: float64(d), DFErr: float64(dfErr), N: len(y)}
		noise := rest / r.DFErr
		r.F = sum / r.DF / noise
		r.P = tailOfF(r.F, r.DF, r.DFErr)
		r.EtaSquared = sum / (sum + rest)
		r.OmegaSquared = (sum - r.DF*noise) / (sum + float64(len(y)-d)*noise)
		return r
	}
	without, err := rss(columns)
	if err != nil {
		return Covariance{}, err
	}
	c.Groups = effect("groups", without-full, len(names)-1, full, df)
	for j := range p {
		others := slices.Clone(dummies)
		for k, x := range centred {
			if k != j {
				others = append(others, x)
			}
		}
		without, err := rss(others)
		if err != nil {
			return Covariance{}, err
		}
		c.Covariates = append(c.Covariates, effect(fmt.Sprintf("covariate %d", j+1), without-full, 1, full, df))
	}
	c.Slopes = ANOVA{Test: "ANCOVA, slopes", P: math.NaN(), F: math.NaN(), N: len(y)}
	own := slices.Clone(dummies)
	for _, x := range centred {
		for g := range dummies {
			part := make([]float64, len(y))
			for i, v := range x {
				part[i] = v * dummies[g][i]
			}
			own = append(own, part)
		}
	}
	if left := len(y) - len(own); left > 0 {
		// A group in which a covariate does not vary has no slope to compare.
		if rest, err := rss(own); err == nil && rest > v*float64(len(y)-1)*1e-26 {
			c.Slopes = effect("slopes", full-rest, (len(names)-1)*p, rest, left)
		}
	}
	return c, nil
}
