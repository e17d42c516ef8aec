// Package retrain decides whether a new model may take the place of the one in
// production, and carries the change out.
//
// # Main idea
//
// A policy, not a trigger: a challenger is trained, compared with the champion
// on decisions that neither has learned from, and promoted only if the
// comparison shows that it is not worse. Everything that the decision rests on is written to
// the audit trail before the champion changes. Whatever fails, and whenever
// the process ends, the champion stays.
//
// # Which decisions may judge
//
// A model looks better than it is on what it was fitted, calibrated or
// thresholded on. The champion made its decisions after it was made, so it has learned from
// none of them; the challenger is given only the older ones to learn from. See
// [Holdback]: of the decisions that are old enough for their outcome to count, the newest
// 30 percent, but at least 200, are kept back; they judge as far as the
// champion made them.
//
//	older                                                        newer
//	|---------- train: 70% ----------|------- judge: 30% -------|-- not mature --|
//
// # The gate
//
// [Judge] compares the AUC (binary) or the RMSE (regression) of both on the
// same rows with a paired bootstrap: the difference of two models on the same people is
// known far better than either figure. The challenger passes if the lower confidence bound of
// the difference is above minus the margin of non-inferiority. With too few
// rows, or too few of a class, nothing is known, and nothing is promoted.
//
// A non-inferiority gate lets an equal model pass; that is meant, as a model trained on
// newer data is preferred if it is not worse. Small losses could add up over many
// retrainings, so the margin should be small (the default is 0.005) and
// the card of each version is kept for comparison.
//
// # Words
//
//	champion         the version that decides
//	challenger       the version that is to take its place
//	judging rows     the decisions that both are compared on
//	margin           of non-inferiority: the largest loss that still counts as "not worse"
//	verdict          what the comparison showed
//	evidence         the verdict with what was compared, on what
//
// # Example
//
//	result, err := retrain.Run(ctx, retrain.Plan{
//		Project: "credit", Entries: entries, Now: now,
//		Train: train, Registry: registry, Gate: retrain.DefaultGate(),
//	})
//	fmt.Println(result.Outcome, result.Evidence.Verdict.Reasons)
//
// # What it does not do
//
// It does not watch for a reason to retrain (package monitor does), does not
// train (the caller plugs a trainer in), and does not serve the challenger
// beside the champion before the change. It sees outcomes only where there are
// some: if the declined never show whether they would have paid, both models
// are compared on the accepted alone.
package retrain
