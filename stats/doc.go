// Package stats answers whether what was seen can be chance, and how large it
// is if not: tests of two samples, tests of association, intervals, and the
// correction for asking several questions at once.
//
// Every test returns a [Result] with three things that belong together: the
// statistic, the p-value, and an effect size with its 95% interval. The p-value
// alone says whether a difference is there; with a million rows almost every
// difference is. The effect says whether it matters.
//
//	question                                   test                  effect
//	do two groups differ in their mean         [Welch]               Hedges' g
//	does one group tend to larger values       [MannWhitney]         rank-biserial correlation
//	are two categories linked                  [ChiSquared]          Cramer's V
//	do two samples have one distribution       [KolmogorovSmirnov]   D itself
//
// # Words
//
// A p-value is the probability of a statistic at least as far from what chance
// expects, if nothing but chance were at work. All tests here are two-sided.
// An effect size is free of units: Hedges' g is the difference of the means in
// standard deviations; the rank-biserial correlation is the share of pairs in
// which the first group is larger less the share in which it is smaller;
// Cramer's V runs from 0 (independent) to 1 (one category tells the other).
//
// # A small example
//
// For a = 1, 2 and b = 4, 9 the means are 1.5 and 6.5, the squared standard
// errors 0.25 and 6.25, so Welch's t = -5/sqrt(6.5) = -1.96 with 1.08 degrees
// of freedom and p = 0.29: with two values each, a difference of five proves
// nothing.
//
// # What it does not do
//
// It chooses no test (package science/hypothesis does), drops no missing
// values (NaN is an error: the caller knows what leaving a row out means), and
// prints nothing.
package stats
