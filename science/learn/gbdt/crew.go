package gbdt

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// crew runs numbered tasks on the caller's goroutine and a fixed number of
// helpers. Whoever gets to a task runs it, so tasks write only to places of
// their own number and the order of running cannot be seen in any result.
//
// A tree is made of hundreds of short parallel steps, some of 20 microseconds.
// Starting a goroutine on an idle processor costs about as much. So helpers
// live as long as a fit, and look for the next step a little while, giving way
// to other goroutines all the time, before they sleep. On a busy machine a
// helper that gets no processor is not waited for: the caller does its tasks.
type crew struct {
	workers int
	current atomic.Pointer[step]

	sleeping atomic.Int32 // helpers that wait for awake
	mu       sync.Mutex
	awake    *sync.Cond
	closed   bool
	helpers  sync.WaitGroup
}

// step is a set of tasks.
type step struct {
	do         func(task int)
	tasks      int64
	next, done atomic.Int64
	waiting    atomic.Bool   // the caller sleeps until
	finished   chan struct{} // this is sent to
}

// looks is how often a helper looks for the next step, or the caller for the
// end of the last task, before going to sleep: some 80 microseconds.
// Waking it up again takes about as long on a virtual machine.
const looks = 1000

// newCrew starts workers-1 helpers; close must be called. More helpers than
// processors would only take turns, so there are not.
func newCrew(workers int) *crew {
	c := &crew{workers: workers}
	c.awake = sync.NewCond(&c.mu)
	for range min(workers, runtime.GOMAXPROCS(0)) - 1 {
		c.helpers.Go(c.help)
	}
	return c
}

// close ends the helpers and returns when they are gone.
func (c *crew) close() {
	c.mu.Lock()
	c.closed = true
	c.awake.Broadcast()
	c.mu.Unlock()
	c.helpers.Wait()
}

func (c *crew) help() {
	var last *step
	for {
		s := c.current.Load()
		for i := 0; s == last && i < looks; i++ {
			runtime.Gosched()
			s = c.current.Load()
		}
		if s == last {
			if s = c.sleep(last); s == nil {
				return
			}
		}
		s.work()
		last = s
	}
}

// sleep returns the first step that is not last; nil: the crew is closed.
func (c *crew) sleep(last *step) *step {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sleeping.Add(1) // before looking, so that each sees a step or is seen sleeping
	defer c.sleeping.Add(-1)
	for c.current.Load() == last {
		if c.closed {
			return nil
		}
		c.awake.Wait()
	}
	return c.current.Load()
}

// work runs tasks until none is left to begin.
func (s *step) work() {
	for {
		task := s.next.Add(1) - 1
		if task >= s.tasks {
			return
		}
		s.do(int(task))
		if s.done.Add(1) == s.tasks && s.waiting.Load() {
			s.finished <- struct{}{}
		}
	}
}

// each runs do(0) .. do(tasks-1) and returns when all are done. It is called
// from one goroutine at a time and not from within a task.
func (c *crew) each(tasks int, do func(task int)) {
	if c.workers == 1 || tasks <= 1 {
		for task := range tasks {
			do(task)
		}
		return
	}
	s := &step{do: do, tasks: int64(tasks), finished: make(chan struct{}, 1)}
	c.current.Store(s)
	if c.sleeping.Load() > 0 {
		c.mu.Lock()
		c.awake.Broadcast()
		c.mu.Unlock()
	}
	s.work()
	for i := 0; s.done.Load() < s.tasks; i++ {
		if i < looks {
			runtime.Gosched()
			continue
		}
		s.waiting.Store(true)
		if s.done.Load() < s.tasks { // else the last task may have seen nobody waiting
			<-s.finished
		}
	}
}

// blockRows is how many rows one task takes in passes over all rows. It also
// fixes the order of floating-point sums, so it may not depend on the workers.
const blockRows = 1 << 14

// blocks runs do over [0,rows) in ranges of blockRows; the task number is
// begin/blockRows.
func (c *crew) blocks(rows int, do func(begin, end int)) {
	c.each((rows+blockRows-1)/blockRows, func(task int) {
		do(task*blockRows, min((task+1)*blockRows, rows))
	})
}

// eachOf is each for so many elementary steps in all: waking a helper costs a
// microsecond or more, which small work does not repay.
func (c *crew) eachOf(steps, tasks int, do func(task int)) {
	if steps < 1<<14 {
		for task := range tasks {
			do(task)
		}
		return
	}
	c.each(tasks, do)
}
