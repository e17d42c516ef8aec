//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package decisions

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tandem-ml/tandem/data"
)

// lockDir takes the folder for this process until the file is closed or the
// process ends, however it ends. The file holds the process id for the message
// that a second opener gets.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		pid := "unknown"
		b := make([]byte, 32)
		if n, _ := f.ReadAt(b, 0); n > 0 {
			pid = strings.TrimSpace(string(b[:n]))
		}
		return nil, data.WithHint(&inUse{dir, pid},
			"only one server may write a decision log; stop that process first, or open the log for reading only")
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}

// inUse is ErrInUse by a process that is known.
type inUse struct{ dir, pid string }

func (e *inUse) Error() string        { return fmt.Sprintf("%s is in use by process %s", e.dir, e.pid) }
func (e *inUse) Is(target error) bool { return target == ErrInUse }

// unlock lets go of the folder. Closing the file alone would not do: a child
// that is just being started has a copy of it until it runs its own program,
// and the lock lives as long as any copy.
func unlock(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}
