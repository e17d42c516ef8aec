package load

import "io"

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
