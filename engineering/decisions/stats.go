package decisions

import (
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Stats are counts of an open log, for those who watch it.
type Stats struct {
	Segments  int    // files that are not removed
	Bytes     int64  // of them on disk
	Records   uint64 // ever written, whoever wrote them
	Decisions int    // that can be looked up, erased ones among them

	// Since the log was opened:
	Batches, Appends uint64        // writes, and the appends that shared them
	Written          uint64        // bytes
	Writing          time.Duration // how long the writes took together
}

type counts struct{ batches, appends, written, writing atomic.Uint64 }

// Stats returns the counts. It asks the file system for the sizes; what it does not
// tell counts as nothing.
func (l *Log) Stats() Stats {
	l.mu.RLock()
	s := Stats{Segments: int(l.at.seg) - int(l.first) + 1, Records: l.at.Records, Decisions: len(l.index.entries)}
	l.mu.RUnlock()
	c := &l.counts
	s.Batches, s.Appends, s.Written, s.Writing = c.batches.Load(), c.appends.Load(), c.written.Load(), time.Duration(c.writing.Load())
	files, _ := os.ReadDir(l.dir)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), segSuffix) {
			continue
		}
		if info, err := f.Info(); err == nil {
			s.Bytes += info.Size()
		}
	}
	return s
}
