//go:build !linux

package load

func newPacer() (pacer, error) { return newSleeper(), nil }
