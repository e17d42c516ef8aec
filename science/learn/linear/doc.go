// Package linear learns weighted sums of features: logistic regression for
// binary tasks and linear regression for numbers, both with the elastic-net
// penalty.
//
// The weights b and the intercept a make
//
//	F(a, b) = mean of w[i]*loss(y[i], a + b·x[i]) + lambda*(l1_ratio*|b|₁ + (1-l1_ratio)/2*|b|²)
//
// as small as possible. The loss is the log loss of the margin, or half the
// squared error with y divided by its standard deviation, so that lambda means
// the same whatever the unit of y. The mean is weighted, so doubling all
// weights, or all rows, changes nothing. The intercept is not penalised.
//
// lambda keeps weights small where the rows say little: with lambda 0 a
// feature that separates the classes would get an infinite weight, so lambda
// must be positive. l1_ratio 0 (ridge) shrinks all weights; l1_ratio 1 (lasso)
// makes most of them exactly zero. In scikit-learn's words lambda = 1/(n*C).
//
// # Method
//
// Newton's method on the smooth part, as in iteratively reweighted least
// squares, each step solving a penalised quadratic. The outer loop is that of
// glmnet (Friedman, Hastie and Tibshirani, Regularization Paths for
// Generalized Linear Models via Coordinate Descent, J. Stat. Software 33(1),
// 2010), with a line search so that it cannot diverge. The quadratic is solved
// by coordinate descent, which finds out which weights are zero, in turn with
// an exact solution for those that are not (Lee, Battle, Raina and Ng,
// Efficient sparse coding algorithms, NIPS 2006): coordinate descent alone
// crawls where features are nearly dependent, as one-hot features are.
//
// It stops when the optimality conditions hold to within the tolerance, not
// when the steps become small, so the answer does not depend on the path. Sums
// over rows are made in fixed blocks and added in block order: the same bytes
// for any number of workers.
//
// # What it does not do
//
// It does not prepare features: they come filled, scaled and one-hot (see
// science/prepare), and a NaN or an infinity is refused. It does not choose
// lambda: science/tune does. It finds no curves and no interactions.
package linear
