// Package monitor watches a model in production: are the decisions still about
// the people it was trained on, and is it still as good as it was?
//
// # Main idea
//
// Decisions are gathered in windows: 500 decisions, or a day. A window is
// summarised by the same small profile that the bundle holds of the training
// table, one value at a time and in constant memory, and when it is full the
// two are compared column by column. No training data is needed.
//
// A p-value alone cries wolf on a large window, where the smallest difference
// is significant; a distance alone cries wolf on a small one, where chance
// makes distances. A column has drifted only if both speak: the p-value,
// corrected for the number of columns (Holm), is below 0.01 and the distance
// reaches a floor.
//
// A monitor looks hundreds of times a year, so a column that has drifted once
// is reported but does not alarm. There is an alarm when the same column has
// drifted in two windows in a row, or when the corrected p-value is below
// 0.00001. With 20 columns, a baseline of 3000 rows and windows of 500 decisions of
// which none drifts, 150 simulated years of daily windows (54,750) gave no alarm, so
// the true rate is below 0.02 a year at 95% confidence. Columns were reported as
// drifted 381 times (0.70 per 100 windows, standard error 0.04). TestAYearWithoutDrift
// repeats the first year.
//
// # Words
//
//	window             the decisions that are compared together
//	covariate drift    the inputs are distributed differently than in training
//	score drift        the scores are distributed differently than on the holdout
//	performance drop   known outcomes show a worse model than the holdout did
//	floor              the smallest distance that counts
//
// The three are told apart in a report, since their cures differ: inputs may
// drift while the model stays right, and a model may turn wrong on people who look
// the same.
//
// # Performance
//
// Outcomes come late and in any order. They are gathered in windows of their
// own, by default of 500 outcomes in order of arrival, and a window's AUC (RMSE
// for regression) is compared with the holdout's: the drop must reach a
// floor and be beyond what the intervals of both allow, by the same two-step
// rule.
//
// # Example
//
//	m, err := monitor.New(b, monitor.Options{})
//	...
//	if report := m.Observe(now, row, score); report != nil && report.Alarm { ... }
//	if perf, err := m.Outcome(score, "good", "bad"); perf != nil && perf.Alarm { ... }
//
// After a restart the same calls in the order of the decision log give the
// same windows and the same reports again.
//
// # What it does not do
//
// It does not compare columns jointly: a change of correlation alone goes
// unseen, unless the scores drift. It does not estimate performance before outcomes are
// known. Time columns are profiled and never tested, since time moves on.
package monitor
