package load

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// kernelTimer is a pacer of the kernel's timers, since the runtime's
// own wait for no less than a millisecond when nothing else is to be done:
// longer than many a server takes to answer.
type kernelTimer struct {
	fd   int
	file *os.File
}

func newPacer() (pacer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	// Not blocking, so that the runtime's poller waits for it and no thread does.
	return &kernelTimer{fd, os.NewFile(uintptr(fd), "timer")}, nil
}

func (p *kernelTimer) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	if err := unix.TimerfdSettime(p.fd, 0, &spec, nil); err != nil {
		return false
	}
	var expirations [8]byte
	_, err := p.file.Read(expirations[:])
	return err == nil
}

func (p *kernelTimer) stop() { p.file.SetReadDeadline(time.Unix(1, 0)) }

func (p *kernelTimer) close() { p.file.Close() }
