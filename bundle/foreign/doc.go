// Package foreign reads the trees of other libraries into the form of a bundle,
// and writes a bundle's trees for them.
//
// What comes out of [Read] scores as the library that wrote the file does: every
// row reaches the same leaves, missing and unseen values included. It is then a
// model like any other: served, explained and watched by the same code.
//
//	LightGBM  the text format, versions 3 and 4
//	XGBoost   JSON and UBJSON, booster gbtree
//	CatBoost  JSON, symmetric trees over numbers and one-hot categories
//
// # Where the libraries differ from one another
//
// A bundle's tree asks "x <= threshold?" of float64 values, sends a missing
// value where the node says, and asks "is the category in this set?" with all
// unknown categories outside. The others are put in these words:
//
//	XGBoost asks x < t of float32 values. The step "float32" rounds the
//	value, and x < t for float32 x is x <= the float32 before t.
//
//	LightGBM can treat zeros as missing. The step "zero_missing" makes them
//	missing before the trees look.
//
//	LightGBM's categories are whole numbers, XGBoost's codes from 0. The
//	texts behind them are taken from the file where it has them (pandas
//	categories), else the numbers are the texts.
//
//	XGBoost sends the categories of a set to the right and all others to the
//	left: the children are swapped.
//
//	CatBoost's symmetric tree of depth d asks d questions of every row: it
//	is unfolded into an ordinary tree of 2^d leaves.
//
// # What is equal, and how far
//
// LightGBM adds its leaves in float64, in order, and so does a bundle: margins
// are equal bit for bit. XGBoost adds in float32; a bundle adds the same leaves
// in float64, so the margin is what XGBoost's would be without rounding.
// CatBoost adds its bias at the end, a bundle at the beginning.
//
// # Hostile files
//
// A file is never believed: counts are compared with the bytes that are there
// before memory is taken, every node may be reached once only, depth is bounded,
// numbers must be numbers, and what a file asks for in memory may not exceed four
// times its size.
//
// # What it does not do
//
// Several classes, ranking, linear leaves, dart and linear boosters, CatBoost's
// target statistics: a bundle cannot say them, and the error names which it is.
package foreign
