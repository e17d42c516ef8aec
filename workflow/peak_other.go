//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package workflow

// peakMB is not known here.
func peakMB() float64 { return 0 }
