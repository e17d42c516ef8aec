// Package metrics answers how good scores and predictions are, given the truth.
//
// For a binary task there are three different questions, and a model can be
// good at one and bad at another:
//
//	do bad rows score higher than good ones?   [AUC], [Gini], [KS], [AveragePrecision], [ROC]
//	does a score of 0.2 mean one in five?      [CalibrationError], [Reliability], [LogLoss], [Brier]
//	is the decision at a threshold right?      [Accuracy], [Count], [Confusion.Rates], [CheapestThreshold], [Lift]
//
// Of other tasks and questions:
//
//	several classes                            [CountClasses], [ClassAUC], [PairAUC], [ClassLogLoss], [TopAccuracy]
//	numbers                                    [RMSE], [MAE], [R2], [Deviance], [Pinball], [Huber], [MAPE]
//	forecasts, intervals                       [MASE], [RMSSE], [Intervals], [ConformalQuantile]
//	an order within groups                     [NDCG], [NDCGLinear], [RetrievalAt]
//	clusters                                   [CompareClusters], [ShapeOf]
//	scores that are not yet probabilities      [FitIsotonic], [FitPlatt], [FitBeta], [FitTemperature]
//	scorecards                                 [WOE], [PointsScale]
//	groups of people                           [Fairness]
//	have the data moved                        [PSI], [CompareNumbers], [CompareCategories]
//	how good is it, before the truth is known  [EstimatePerformance]
//
// [DeLong] gives the standard
// error of an AUC and [DeLongPaired] that of the difference of two models on the
// same rows, which is far smaller than the two errors taken apart.
//
// # Words
//
// A label is true for the positive class, the one a score is high for. A score
// ranks rows; where a function needs it to be a probability it says so. A weight
// of 2 is the same as the row twice. A row is decided positive if its score is
// at least the threshold.
//
// # A small example
//
// Labels false, true, false, true with scores 0.1, 0.3, 0.3, 0.9 form four
// pairs of a positive with a negative row: 0.9 wins two, 0.3 wins one and ties
// one, so the AUC is 3.5/4 = 0.875.
//
// # What it does not do
//
// It guesses nothing: a statistic that does not exist, such as the AUC of one
// class, is an error ([ErrOneClass]), never 0; shares of counts that are 0/0 are 0
// and named as undefined. It knows no intervals other than
// DeLong's standard errors; package science/evaluate has those.
package metrics
