// Package once answers "was this asked before, and what was the answer?": it
// keeps answers under names that callers choose, so that who did not hear one
// can ask again and nothing is done twice.
package once

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// ErrOther says that a name stands for another question.
var ErrOther = errors.New("the name was used for something else")

// Hash is a SHA-256.
type Hash [32]byte

// Answers keeps answers of the kind T by name. Its methods are safe for
// concurrent use.
type Answers[T any] struct {
	most  int           // answers
	bytes int64         // of all of them
	age   time.Duration // after which one is forgotten

	mu    sync.Mutex
	known map[Hash]*answer[T]
	kept  list.List // of *answer[T] that are there, the oldest first
	size  int64
}

type answer[T any] struct {
	name, question Hash
	done           chan struct{} // closed when value or failed is set
	failed         bool
	value          T
	size           int64
	at             time.Time
}

// New returns a memory of at most that many answers, of that many bytes
// together, none older than age.
func New[T any](most int, bytes int64, age time.Duration) *Answers[T] {
	return &Answers[T]{most: most, bytes: bytes, age: age, known: make(map[Hash]*answer[T])}
}

// Do returns the answer to a question that was asked under the name before, or
// else that of find, which also says how many bytes it takes. Who asks while
// another finds waits for it. What find fails to answer is not kept: the next
// one tries again. again says that the answer is an earlier one.
//
// Errors: [ErrOther] for another question under the same name; that of find;
// that of ctx while waiting for another.
func (a *Answers[T]) Do(ctx context.Context, name, question Hash, now time.Time, find func() (T, int, error)) (value T, again bool, err error) {
	for {
		a.mu.Lock()
		a.forget(now)
		e := a.known[name]
		if e == nil {
			e = &answer[T]{name: name, question: question, done: make(chan struct{}), failed: true, at: now}
			a.known[name] = e
			a.mu.Unlock()
			return a.find(e, find)
		}
		a.mu.Unlock()
		if e.question != question {
			return value, false, ErrOther
		}
		select {
		case <-e.done:
			if !e.failed {
				return e.value, true, nil
			}
		case <-ctx.Done():
			return value, false, ctx.Err()
		}
	}
}

// find finds an answer, and lets those go on who wait for it, also after a panic.
func (a *Answers[T]) find(e *answer[T], find func() (T, int, error)) (value T, again bool, err error) {
	defer func() {
		a.mu.Lock()
		if e.failed {
			delete(a.known, e.name)
		} else {
			a.kept.PushBack(e)
			a.size += e.size
			a.forget(e.at)
		}
		a.mu.Unlock()
		close(e.done)
	}()
	value, size, err := find()
	if err == nil {
		e.value, e.size, e.failed = value, int64(size), false
	}
	return value, false, err
}

// forget drops the oldest answers, with a.mu held.
func (a *Answers[T]) forget(now time.Time) {
	for front := a.kept.Front(); front != nil; front = a.kept.Front() {
		e := front.Value.(*answer[T])
		if a.kept.Len() <= a.most && a.size <= a.bytes && now.Sub(e.at) < a.age {
			return
		}
		a.kept.Remove(front)
		a.size -= e.size
		delete(a.known, e.name)
	}
}
