// Package tree is the prediction form of decision trees: flat, immutable
// arrays that define a score, a compiled form that scores fast on each kind of
// processor ([Scorer], same bits), and the exact contributions of the
// features to a prediction (TreeSHAP): path-dependent ([Explainer]), against a
// background ([Interventional]), and those of pairs ([Interactor]).
//
// Growing a tree needs histograms, row lists and gains; none of that is here.
package tree

// Forest is a sum of trees. The margin of a row is Base plus the value of one
// leaf of each tree, added in tree order in float64.
//
// The nodes of tree t are Root[t] .. Root[t+1]-1 (Root has one more entry than
// there are trees); the first is the root, and a child always stands behind
// its parent. A node with Left < 0 is a leaf.
//
// A row x goes left at an inner node n with feature f if
//   - x[f] is NaN: MissingLeft[n];
//   - the split is numeric (Set[n] < 0): x[f] <= Threshold[n];
//   - the split is categorical: the code x[f] is in bit set Sets[Set[n]]; codes
//     beyond the set's bits, an unseen category among them, are not in it.
type Forest struct {
	Features int     // how many features a row has
	Base     float64 // margin before any tree
	Root     []int32

	Feature     []int32
	Threshold   []float64
	Left, Right []int32 // node indices; -1 in a leaf
	MissingLeft []bool
	Set         []int32   // index into Sets, -1 for a numeric split
	Value       []float64 // leaf value; 0 in inner nodes
	Cover       []float64 // rows (or weight) of training that passed the node: what path-dependent SHAP weighs branches by

	Sets [][]uint64 // bit c of the set: category c goes left
}
