//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package workflow

import (
	"runtime"
	"syscall"
)

// peakMB returns the largest resident memory that the process has had.
func peakMB() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return float64(u.Maxrss) / (1 << 20) // bytes there, kilobytes elsewhere
	}
	return float64(u.Maxrss) / 1024
}
