package explain

// WithOrder is Permutation with the shuffles given, for golden values that
// come with theirs.
var WithOrder = permutation
