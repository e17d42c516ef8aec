// Package gbdt learns gradient-boosted decision trees: a sum of small trees,
// each fitted to what the sum of those before it still gets wrong.
//
// # Idea
//
// For every row the loss (log loss for binary and multiclass tasks, squared
// error or another for regression, that of an order within groups for ranking)
// has a gradient g and a hessian h at the current margin. A leaf that holds the
// rows S best moves their margins by
//
//	value = -G / (H + lambda),   G = sum of g over S,   H = sum of h over S
//
// and a split of S into L and R is worth
//
//	gain = G(L)²/(H(L)+lambda) + G(R)²/(H(R)+lambda) - G(S)²/(H(S)+lambda)
//
// (Friedman, Annals of Statistics 29(5), 2001; Chen and Guestrin, XGBoost, KDD
// 2016). A tree grows leaf by leaf: the split with the largest gain anywhere is
// made next, until the tree has its number of leaves (Ke et al., LightGBM,
// NeurIPS 2017). The leaf values are then shrunk by the learning rate.
//
// # How it is made fast, and the same everywhere
//
// Every feature is cut into at most 255 bins once. Splits are looked for
// between bins only, in a histogram: per bin, the sums of g and h. Gradients
// are fixed-point integers, g and h packed into one 64-bit word, so filling a
// histogram is one integer addition per row and feature; and since integer
// sums do not depend on their order, the model is the same bytes for any
// number of workers. Only the smaller child of a split is counted; the larger
// is parent minus smaller, exactly. Rounding to fixed point is random but
// derived from the seed and the row's number, so that many small gradients are
// not lost; leaf values are computed from the unrounded gradients. The loops
// over rows are assembly where the processor allows and Go elsewhere, with the
// same bits (package kernel).
//
// # Exact mode
//
// Noise decides between splits that are nearly as good, and so does the order in
// which floating-point sums are added. Both make a model depend a little on the
// order of the rows, and on whether a row comes twice or weighs two. Where that
// must not be, the setting rounding=nearest makes the fit begin with the
// canonical form of the table: its rows in rising order, equal ones as one with
// the sum of their weights. What has the same canonical form has the same model.
// Gradients are rounded to the nearest and bins chosen from all rows, so that
// the seed has no say either.
//
// # Words
//
//	bin        a range of a feature's values that training does not tell apart
//	edge       the largest value of a bin: x <= edge exactly if bin(x) <= bin
//	lane       a byte per row, its cell: the bin of one feature, or of whichever
//	           of several sparse ones is not where it usually is
//	block      up to 16 lanes whose cells lie side by side, row by row
//	histogram  per feature and bin, the sums of gradients and hessians
//	token      one row's place in the list of rows: its number and its gradient
//	cover      the weight of the training rows in a node
//	round      what grows one tree for each output
//	state      a fit between two rounds
//
// # Missing values, categories, infinities
//
// Missing values have a bin of their own and are tried on both sides of every
// split. Where a node saw none, they follow the side with more cover. A
// category splits into two sets of categories: one against the rest when there
// are few, or a stretch of the categories ordered by their smoothed gradient
// (Fisher, JASA 53, 1958, shows that the best two-set split is of this form)
// when there are many, or the better of both in between.
// Categories that were rare or unseen in training go right. Infinities are
// ordinary values at the ends of the order.
//
// # Order within groups
//
// With objective lambdarank margins put the rows of each group, such as the
// results of one search, in order, those of larger labels first. The loss is of
// pairs of rows, so the gradients of a group are computed together, from its
// rows in the current order (see Fit).
//
// # Sparse features
//
// Indicators, counts of words and other columns that are mostly the same share
// a lane if no two of them are away from their usual bins in the same row.
// Fifty indicators of one category take one byte a row and one addition, and
// the trees are to the last bit those that would grow without sharing.
//
// # A small example
//
// Four rows x = 1, 2, 3, 4 with labels y = 0, 0, 10, 10, learning rate 1 and
// lambda 0: the base is the mean, 5; the gradients are 5, 5, -5, -5 and the
// hessians 1. Between 2 and 3 the gain is 10²/2 + 10²/2 - 0 = 100, the largest;
// the edge is 2.5; the leaves are -10/2 = -5 and 5, and the tree is exact.
package gbdt
