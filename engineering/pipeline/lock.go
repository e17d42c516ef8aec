package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// poll is how often a waiting process asks for the lock. A stage takes seconds,
// so a twentieth of one is not felt.
const poll = 50 * time.Millisecond

// patience is after how many polls the waiting is mentioned: whoever tidies up
// holds a lock for a moment, which is not worth a word.
const patience = 6

// lock takes the lock file at path, waiting as long as ctx allows, and returns
// what releases it. waiting is called once if that takes long; holder is
// " (pid 123)" where known. The kernel lets go of the lock when a process
// dies.
func lock(ctx context.Context, path string, waiting func(holder string)) (unlock func(), err error) {
	for tries := 1; ; tries++ {
		f, err := tryLock(path)
		if err != nil {
			return nil, err
		}
		if f != nil {
			return func() { release(f, path) }, nil
		}
		if tries == patience {
			waiting(holder(path))
		}
		timer := time.NewTimer(poll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
}

// tryLock returns the locked file, or nil if somebody else holds the lock.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			return nil, nil
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	// Whoever held the lock before may have removed the file between our open
	// and our lock: then we hold a lock on nothing, and must ask again.
	mine, err := f.Stat()
	if err == nil {
		var now os.FileInfo
		if now, err = os.Stat(path); err == nil && os.SameFile(mine, now) {
			if err := f.Truncate(0); err == nil {
				fmt.Fprintf(f, "%d\n", os.Getpid()) // for people and messages only
			}
			return f, nil
		}
	}
	f.Close()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return nil, nil
}

// release removes the lock file while it is still held, so that none is left
// behind, and lets go.
func release(f *os.File, path string) {
	_ = os.Remove(path)
	f.Close()
}

func holder(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 20))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return " (pid " + pid + ")"
	}
	return ""
}
