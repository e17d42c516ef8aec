package load

import (
	"sync"
	"time"
)

// pacer waits until a time.
type pacer interface {
	wait(d time.Duration) bool // returns after d; sooner, with false, if stopped
	stop()                     // ends a wait, and all later ones
	close()
}

// sleeper is a pacer of the runtime's timers.
type sleeper struct {
	once    sync.Once
	stopped chan struct{}
}

func newSleeper() *sleeper { return &sleeper{stopped: make(chan struct{})} }

func (p *sleeper) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.stopped:
		return false
	}
}

func (p *sleeper) stop() { p.once.Do(func() { close(p.stopped) }) }

func (p *sleeper) close() { p.stop() }
