//go:build !linux

package load

import (
	"sync"
	"time"
)

// pacer waits until a time.
type pacer struct {
	once    sync.Once
	stopped chan struct{}
}

func newPacer() (*pacer, error) { return &pacer{stopped: make(chan struct{})}, nil }

// wait returns after d; sooner, with false, if stopped.
func (p *pacer) wait(d time.Duration) bool {
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

// stop ends a wait, and all later ones.
func (p *pacer) stop() { p.once.Do(func() { close(p.stopped) }) }

func (p *pacer) close() { p.stop() }
