//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package decisions

import (
	"errors"
	"os"
)

// lockDir refuses: without a lock that dies with its process, two servers
// could write one log.
func lockDir(string) (*os.File, error) {
	return nil, errors.New("this system has no file locks that end with their process; a decision log can be read here, not written")
}

func unlock(f *os.File) error { return f.Close() }
