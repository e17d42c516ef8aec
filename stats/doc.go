// Package stats answers whether what was seen can be chance, and how large it
// is if not: tests of means, ranks, variances, shapes, counts and associations,
// intervals, power, and the correction for asking several questions at once.
//
// Every test returns a [Result] with three things that belong together: the
// statistic, the p-value, and an effect size with its 95% interval. The p-value
// alone says whether a difference is there; with a million rows almost every
// difference is. The effect says whether it matters.
//
//	question                                   test                  effect
//	do two groups differ in their mean         [Welch]               Hedges' g
//	  with equal variances, or outliers        [StudentT], [Yuen]    Hedges' g, robust d
//	does a mean differ from a number           [OneSampleT]          Cohen's d
//	did something change, before and after     [PairedT]             Cohen's d_z
//	are two means near enough to be one        [TOST]                their difference
//	does one group tend to larger values       [MannWhitney]         rank-biserial correlation
//	  whatever the spreads                     [BrunnerMunzel]       P(a > b)
//	  before and after                         [Wilcoxon]            rank-biserial correlation
//	  of several groups                        [KruskalWallis]       epsilon squared
//	  and which of them                        [Dunn]
//	  of several treatments of each block      [Friedman]            Kendall's W
//	do means differ, without any assumption    [PermutationMeans]    their difference
//	do variances differ                        [Levene], [Fligner]
//	  of normal values                         [VarianceF], [Bartlett]
//	is a sample normal                         [ShapiroWilk], [DAgostinoPearson], [AndersonDarling], [JarqueBera]
//	do two samples have one distribution       [KolmogorovSmirnov]   D itself
//	  differing all along, or in the tails     [CramerVonMises], [AndersonKSamples]
//	are two categories linked                  [ChiSquared], [GTest] Cramer's V
//	  with small counts                        [Fisher]              odds ratio
//	  before and after                         [McNemar], [CochranQ] odds ratio
//	  within strata                            [MantelHaenszel]      common odds ratio
//	do counts follow given shares              [GoodnessOfFit]       Cohen's w
//	is a share p, do two shares differ         [Binomial], [ProportionsZ]
//	do two rates differ                        [PoissonRates]        rate ratio
//	do two raters agree                        [CohenKappa]          kappa
//	do two numbers go together                 [Pearson], [Spearman], [Kendall], [PartialCorrelation]
//	  in any way, not up or down only          [DistanceCorrelation] distance correlation
//	do the means of several groups differ      [OneWayANOVA]         omega squared
//	  with unequal variances                   [WelchANOVA]
//	  which of them                            [TukeyHSD], [GamesHowell]
//	  by two factors                           [TwoWayANOVA]         partial eta squared
//	  the same subjects under each condition   [RepeatedANOVA]       partial eta squared
//	  something else being equal               [ANCOVA]              partial eta squared
//	does a number rise with time               [TheilSen]            slope, Kendall's tau
//	what goes with a number, the rest equal    [OLS], and robust     coefficients
//	  with yes or no, with a count             [Logit], [Poisson]    coefficients
//	is a series stationary                     [ADF], [KPSS]
//	  is anything left in it                   [LjungBox], [Autocorrelation]
//	  does another help to predict it          [Granger]
//	what does an experiment say                [CUPED], [RatioDifference], [BetaAB]
//	  is it sound                              [SampleRatio]
//	  looking before it ends                   [SequentialP], [GroupSequential]
//	  where nothing was assigned by chance     [DifferenceInDifferences], [InversePropensity]
//	how long until something happens           [KaplanMeier], [LogRank]
//	  and what goes with it, the rest equal    [Cox]                 hazard ratio
//
// Those that take an [Ask] can be asked one-sided, with intervals of any level,
// and with the p-value from all orders or from the limit. [Adjust] corrects
// p-values for their number; [SampleSize] and [DetectableEffect] plan.
//
// # Words
//
// A p-value is the probability of a statistic at least as far from what chance
// expects, if nothing but chance were at work. Tests are two-sided unless asked
// otherwise. An effect size is free of units: Hedges' g is the difference of the
// means in standard deviations; the rank-biserial correlation is the share of
// pairs in which the first group is larger less the share in which it is
// smaller; Cramer's V runs from 0 (independent) to 1 (one category tells the other).
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
// values (NaN is an error: the caller knows what leaving a row out means; only
// [Describe] counts them), and prints nothing.
package stats
