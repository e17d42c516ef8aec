//go:build !linux

package gbdt

// large returns n zeroes.
func large[T any](n int) []T { return make([]T, n) }
