package decisions

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tandem-ml/tandem/data"
)

// Durability says when an append counts as done.
type Durability string

// The durabilities. With OS a decision survives the end of the process,
// however it ends; with Disk it survives the loss of power as well, at the
// price of one fsync for all who append at the same moment; with Async Append
// does not wait at all and up to 1024 appends may be lost with the process.
const (
	OS    Durability = "os"
	Disk  Durability = "disk"
	Async Durability = "async"
)

// Options are the settings of a log. The zero value is good for production.
type Options struct {
	// Durability is OS if empty.
	Durability Durability

	// SegmentSize is the number of bytes after which a new segment is begun: 64
	// MB if 0, otherwise from 4 KB to 1 GB. One append that is larger than that
	// makes a larger segment.
	SegmentSize int64

	// Now is the clock for the times of erasures; time.Now if nil.
	Now func() time.Time
}

func (o *Options) complete() error {
	if o.Durability == "" {
		o.Durability = OS
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = 64 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var errs []error
	if o.Durability != OS && o.Durability != Disk && o.Durability != Async {
		errs = append(errs, fmt.Errorf("durability %q is none of os, disk, async", o.Durability))
	}
	if o.SegmentSize < 4<<10 || o.SegmentSize > 1<<30 {
		errs = append(errs, fmt.Errorf("segment size %d is not between 4 KB and 1 GB", o.SegmentSize))
	}
	return errors.Join(errs...)
}

// Recovery says what Open found that a clean end does not leave.
type Recovery struct {
	// Torn is the number of bytes of a half-written end that were cut off. No
	// acknowledged record was among them.
	Torn int64

	// Lost is the number of acknowledged records that are missing at the end.
	// It happens when the machine, not only the process, stops and durability
	// is not Disk, or when someone cut the end off. The loss is itself recorded
	// in the chain and reported by Verify ever after.
	Lost uint64

	// NoHead is true if the head file was missing or damaged, so that a loss
	// could not have been noticed.
	NoHead bool
}

// Log is an open decision log. All methods are safe for concurrent use.
type Log struct {
	dir       string
	opt       Options
	ids       ids
	lock      *os.File // nil: open for reading only
	recovered Recovery

	mu    sync.RWMutex
	index *index
	at    headFile        // the end of what is written and indexed
	first uint32          // the first segment that is not removed
	heads map[uint32]Head // of the log before each segment

	// changes serialises what must look before it writes: outcomes, erasures,
	// and the refresh of a log that is open for reading only.
	changes sync.Mutex
	emptied uint32 // the first segment whose content was not erased by age; guarded by changes

	sending  sync.RWMutex // held for reading while sending to requests
	closed   bool
	requests chan *request
	done     chan struct{} // closed when all is written after closed

	// turn is held by the goroutine that writes; the rest is that one's alone.
	turn   sync.Mutex
	seg    *os.File
	headF  *os.File
	buf    []byte
	full   bool // the next record begins a new segment
	broken error

	// And of its last batch, whose memory is used again.
	batch   []*request
	drafts  []draft
	places  []place
	inBatch map[id]bool
	alone   int // batches since one of several requests

	counts counts

	fsync func(*os.File) error // (*os.File).Sync, but for tests that count

	failed sync.Mutex
	lost   error // what befell an asynchronous append; see takeLost
}

// Open opens the log in dir for appending, and makes the folder if there is
// none. It takes an exclusive lock: a second opener gets an error that names
// the process that holds it.
//
// The whole log is read: checksums and links are checked and the index is
// built. A record that was only half written when a process died is cut off
// if it stands at the very end; see [Log.Recovered]. Any other damage is a
// *DamageError, and nothing is changed.
func Open(dir string, opt Options) (*Log, error) {
	if err := opt.complete(); err != nil {
		return nil, fmt.Errorf("open decision log %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open decision log: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open decision log: %w", err)
	}
	l := newLog(dir)
	l.opt, l.lock = opt, lock
	if err := l.start(); err != nil {
		l.closeFiles()
		return nil, fmt.Errorf("open decision log: %w", err)
	}
	l.requests = make(chan *request, 1024)
	l.done = make(chan struct{})
	return l, nil
}

func newLog(dir string) *Log {
	return &Log{dir: dir, index: newIndex(), first: 1, heads: make(map[uint32]Head), inBatch: make(map[id]bool), fsync: (*os.File).Sync}
}

// OpenReadOnly opens the log in dir for reading, beside a running writer or
// without one. It shows what was written when it was opened or last refreshed.
// It changes nothing on disk: appending methods return ErrReadOnly.
func OpenReadOnly(dir string) (*Log, error) {
	l := newLog(dir)
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("open decision log: %w", err)
	}
	if err := l.Refresh(); err != nil {
		return nil, fmt.Errorf("open decision log: %w", err)
	}
	return l, nil
}

// Refresh brings a log that is open for reading only up to what its writer has
// written since. On a log that is open for appending it does nothing.
func (l *Log) Refresh() error {
	if l.lock != nil {
		return nil
	}
	l.changes.Lock()
	defer l.changes.Unlock()
	// Readers wait meanwhile, so that they never see half of a batch.
	l.mu.Lock()
	defer l.mu.Unlock()
	for again := 0; ; again++ {
		ack, known, err := readHead(l.dir)
		if damage := (*DamageError)(nil); err != nil && !errors.As(err, &damage) {
			return err
		}
		end, err := l.load(ack, known)
		l.recovered = Recovery{Lost: end.lost, NoHead: !known && l.at.Records > 0}
		// A segment that was there a moment ago was removed by the writer.
		if again == 3 || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// Recovered says what Open found at the end of the log.
func (l *Log) Recovered() Recovery {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.recovered
}

// Head returns the newest record's number and link. Kept outside the folder,
// it shows later that the log up to there was not rewritten.
func (l *Log) Head() Head {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.at.Head
}

// Close writes what is pending, makes the log durable and gives up the lock.
// It returns the error of an asynchronous append that nobody was told of. A
// second Close does nothing.
func (l *Log) Close() error {
	if l.lock == nil {
		return nil
	}
	l.sending.Lock()
	first := !l.closed
	l.closed = true
	l.sending.Unlock()
	if !first {
		<-l.done
		return nil
	}
	l.turn.Lock() // for good
	for len(l.requests) > 0 {
		l.writeBatch()
	}
	close(l.done)
	err := errors.Join(l.takeLost(), l.seg.Sync(), l.headF.Sync())
	l.closeFiles()
	return err
}

func (l *Log) closeFiles() {
	for _, f := range []*os.File{l.seg, l.headF} {
		if f != nil {
			f.Close()
		}
	}
	if l.lock != nil {
		unlock(l.lock)
	}
}

// start reads the log, mends its end and opens the files to append to.
func (l *Log) start() error {
	stale, err := filepath.Glob(filepath.Join(l.dir, "*"+segSuffix+newSuffix))
	if err != nil {
		return err
	}
	for _, path := range stale {
		if err := os.Remove(path); err != nil {
			return err
		}
	}

	ack, known, err := readHead(l.dir)
	if damage := (*DamageError)(nil); err != nil && !errors.As(err, &damage) {
		return err
	}
	end, err := l.load(ack, known)
	if err != nil {
		return err
	}
	l.recovered = Recovery{Torn: end.torn, Lost: end.lost, NoHead: !known && l.at.Records > 0}

	if l.at.seg == 0 {
		h := segmentHeader{number: 1, first: 1}
		rand.Read(h.start[:]) // never fails: see crypto/rand.Read
		if l.seg, err = createSegment(l.dir, h); err != nil {
			return err
		}
		l.at = headFile{Head: Head{Link: h.start}, seg: 1, end: segHead}
		l.heads[1] = l.at.Head
	} else {
		if l.seg, err = os.OpenFile(segmentPath(l.dir, l.at.seg), os.O_RDWR, 0); err != nil {
			return err
		}
		if err := l.seg.Truncate(l.at.end); err != nil {
			return err
		}
	}
	if l.headF, err = os.OpenFile(filepath.Join(l.dir, headName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if end.lost > 0 {
		payload := appendLoss(make([]byte, saltLen), end.lost, ack.Head)
		if err := l.write([]draft{newDraft(kindLoss, id{}, l.opt.Now().UnixMicro(), payload)}); err != nil {
			return err
		}
		if err := l.seg.Sync(); err != nil {
			return err
		}
	}
	if _, err := l.headF.WriteAt(l.at.encode(), 0); err != nil {
		return err
	}
	if err := l.headF.Truncate(headLen); err != nil {
		return err
	}
	if err := l.finishErasures(end.erasures); err != nil {
		return err
	}
	return l.finishRetention(end)
}

// segments returns the numbers of the first and the last segment in dir, zeros if
// there are none. A gap between them is a *DamageError naming the missing file.
// Whether those before the first were removed by the log its records say.
func segments(dir string) (first, n uint32, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, f := range files { // sorted by name
		name, isSegment := strings.CutSuffix(f.Name(), segSuffix)
		if !isSegment {
			continue
		}
		number, err := strconv.ParseUint(name, 10, 32)
		if err != nil || number == 0 || uint32(number) <= n || f.Name() != filepath.Base(segmentPath(dir, uint32(number))) {
			return 0, 0, &DamageError{File: filepath.Join(dir, f.Name()), Err: "the file is not named like a segment"}
		}
		if first == 0 {
			first = uint32(number)
		} else if uint32(number) != n+1 {
			return first, n, missing(dir, n+1)
		}
		n = uint32(number)
	}
	return first, n, nil
}

func missing(dir string, number uint32) error {
	return data.WithHint(&DamageError{File: segmentPath(dir, number), Err: "the segment is missing"},
		"put the file back from a backup; a log with a hole in it is not continued")
}

// Flush returns when everything that was appended before is written. It is of
// use with durability Async, and returns the error of an append that nobody
// was told of.
func (l *Log) Flush(ctx context.Context) error {
	err := l.submit(ctx, nil, true)
	return errors.Join(l.takeLost(), err)
}
