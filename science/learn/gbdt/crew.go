package gbdt

import (
	"sync"
	"sync/atomic"
)

// crew runs numbered tasks on a bounded number of goroutines. Whoever gets to
// a task runs it, so tasks write only to places of their own number and the
// order of running cannot be seen in any result.
type crew struct{ workers int }

// each runs do(0) .. do(tasks-1) and returns when all are done. The caller's
// goroutine takes part; nothing spins and no goroutine outlives the call.
func (c crew) each(tasks int, do func(task int)) {
	helpers := min(c.workers, tasks) - 1
	if helpers <= 0 {
		for task := range tasks {
			do(task)
		}
		return
	}
	var next atomic.Int64
	work := func() {
		for task := int(next.Add(1)) - 1; task < tasks; task = int(next.Add(1)) - 1 {
			do(task)
		}
	}
	var wait sync.WaitGroup
	for range helpers {
		wait.Go(work)
	}
	work()
	wait.Wait()
}

// blockRows is how many rows one task takes in passes over all rows. It also
// fixes the order of floating-point sums, so it may not depend on the workers.
const blockRows = 1 << 14

// blocks runs do over [0,rows) in ranges of blockRows; the task number is
// begin/blockRows.
func (c crew) blocks(rows int, do func(begin, end int)) {
	c.each((rows+blockRows-1)/blockRows, func(task int) {
		do(task*blockRows, min((task+1)*blockRows, rows))
	})
}

// forWork returns the crew to use for so many elementary steps: starting
// goroutines costs a few microseconds, which small work does not repay.
func (c crew) forWork(steps int) crew {
	if steps < 1<<16 {
		return crew{workers: 1}
	}
	return c
}
