package load

import (
	"context"
	"io"
	"net"
	"time"
)

// ReadAnswer reads one answer from src.
func ReadAnswer(src io.Reader) (status int, body int64, last bool, err error) {
	a, err := newAnswers(src).next()
	return a.status, a.bytes, a.last, err
}

// ReadAnswers reads answers until there are none, and says how many there were.
func ReadAnswers(src io.Reader) (n int, body int64, err error) {
	a := newAnswers(src)
	for {
		ans, err := a.next()
		if err != nil {
			return n, body, err
		}
		n, body = n+1, body+ans.bytes
	}
}

// ErrNoAnswer is the end of the connection between two answers.
var ErrNoAnswer = errNoAnswer

// Arrivals returns when the first n requests of an open loop are due.
func Arrivals(rate float64, poisson bool, seed uint64, n int) []time.Duration {
	s := newSchedule(rate, poisson, seed)
	out := make([]time.Duration, n)
	for i := range out {
		_, out[i] = s.next()
	}
	return out
}

// FromTableWithin is FromTable with another limit.
var FromTableWithin = fromTable

// Over returns the options with dial in place of a network.
func (o Options) Over(dial func(context.Context) (net.Conn, error)) Options {
	o.dial = dial
	return o
}
