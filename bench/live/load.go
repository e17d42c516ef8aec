package live

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Answer is the answer to one row.
type Answer struct {
	ID    string
	Score float64
	Model string // the version that answered
}

// Client asks on one connection that it keeps, as a service beside the server does.
type Client struct {
	Header        string // further lines of a request's head, each with its CR LF
	address, path string
	conn          net.Conn
	in            *bufio.Reader
	out           []byte
}

// NewClient returns a client of a project's score route. It connects when it
// is first asked.
func NewClient(address, project string) *Client {
	return &Client{address: address, path: "/v1/score/" + project}
}

// Close gives the connection back.
func (c *Client) Close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// patience is how long an answer may take before it counts as none.
const patience = 30 * time.Second

// Score asks for one row. An answer of another status than 200 is an error with its
// status; with status 0 there was none.
func (c *Client) Score(body []byte) (a Answer, status int, err error) {
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.conn == nil {
		if c.conn, err = net.DialTimeout("tcp", c.address, patience); err != nil {
			c.conn = nil
			return a, 0, err
		}
		c.in = bufio.NewReader(c.conn)
	}
	c.conn.SetDeadline(time.Now().Add(patience))
	c.out = fmt.Appendf(c.out[:0], "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n", c.path, c.address, len(body), c.Header)
	if _, err = c.conn.Write(append(c.out, body...)); err != nil {
		// A server that refuses before it has read all has answered nevertheless.
		if _, early := c.in.Peek(1); early != nil {
			return a, 0, err
		}
	}
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return a, 0, err
	}
	content, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return a, 0, err
	}
	if r.StatusCode != http.StatusOK {
		return a, r.StatusCode, fmt.Errorf("%s: %s", r.Status, content)
	}
	if r.Close {
		c.Close()
	}
	var answer struct {
		Results []struct {
			ID    string   `json:"id"`
			Score *float64 `json:"score"`
		} `json:"results"`
		Model string `json:"model"`
	}
	if err := json.Unmarshal(content, &answer); err != nil {
		return a, 0, err
	}
	if len(answer.Results) != 1 || answer.Results[0].Score == nil || answer.Results[0].ID == "" {
		return a, 0, fmt.Errorf("an answer is %s", content)
	}
	return Answer{ID: answer.Results[0].ID, Score: *answer.Results[0].Score, Model: answer.Model}, 200, nil
}

// Load sends rows on many connections until there are none left or it is told
// to stop.
type Load struct {
	Bodies      func(i int) []byte // the i-th request; called from many goroutines
	Connections int
	N           int // how many; 0: until Stop
	// Header is what further lines the requests of a connection have; nil: none.
	Header func(connection int) string
	Pause  time.Duration // between an answer and the next request
	// Failed is told what is no answer of status 200, 0 being none at all; the
	// connection goes on if it returns true. nil: one failure ends the load.
	Failed func(i, status int, err error) bool

	next     atomic.Int64
	stop     atomic.Bool
	answers  atomic.Int64
	mu       sync.Mutex
	answered []Answer
	err      error
	wg       sync.WaitGroup
	keep     bool
}

// Start begins. With keep every answer is remembered.
func (l *Load) Start(address, project string, keep bool) {
	l.keep = keep
	for k := range l.Connections {
		c := NewClient(address, project)
		if l.Header != nil {
			c.Header = l.Header(k)
		}
		l.wg.Go(func() { l.ask(c) })
	}
}

func (l *Load) ask(c *Client) {
	defer c.Close()
	var mine []Answer
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.answered = append(l.answered, mine...)
	}()
	for !l.stop.Load() {
		i := int(l.next.Add(1)) - 1
		if l.N > 0 && i >= l.N {
			return
		}
		a, status, err := c.Score(l.Bodies(i))
		if err == nil {
			l.answers.Add(1)
			if l.keep {
				mine = append(mine, a)
			}
			time.Sleep(l.Pause)
			continue
		}
		if l.Failed == nil {
			l.mu.Lock()
			l.err = fmt.Errorf("request %d: %w", i, err)
			l.mu.Unlock()
			l.stop.Store(true)
			return
		}
		if !l.Failed(i, status, err) {
			return
		}
	}
}

// Answers is how many there are by now.
func (l *Load) Answers() int { return int(l.answers.Load()) }

// Stop lets each connection finish its request, and returns what Wait does.
func (l *Load) Stop() ([]Answer, error) {
	l.stop.Store(true)
	return l.Wait()
}

// Wait waits until all is sent, and returns what was answered, in no order.
func (l *Load) Wait() ([]Answer, error) {
	l.wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered, l.err
}

// Rows makes requests of the rows of a CSV file, without some columns: the
// i-th asks for row i, from the first again after the last, with i divided by
// the number of rows added to one column of numbers, so that hardly two rows of a long
// load are the same. The function is safe for concurrent use.
func Rows(file, vary, more string, without ...string) (func(i int) []byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(all) < 2 {
		return nil, fmt.Errorf("%s has no rows", file)
	}
	skip := map[string]bool{vary: true}
	for _, name := range without {
		skip[name] = true
	}
	type row struct {
		head []byte
		base float64
	}
	var rows []row
	for _, cells := range all[1:] {
		r := row{head: []byte(`{"rows":[{`), base: math.NaN()}
		for j, cell := range cells {
			name := all[0][j]
			value, err := strconv.ParseFloat(cell, 64)
			switch {
			case name == vary && err == nil:
				r.base = value
			case skip[name] || cell == "":
			case err == nil:
				r.head = fmt.Appendf(r.head, `%q:%s,`, name, strconv.FormatFloat(value, 'g', -1, 64))
			default:
				r.head = fmt.Appendf(r.head, `%q:%q,`, name, cell)
			}
		}
		if !math.IsNaN(r.base) {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s has no numbers in %q", file, vary)
	}
	return func(i int) []byte {
		r := rows[i%len(rows)]
		return fmt.Appendf(r.head[:len(r.head):len(r.head)], `%q:%s}]%s}`, vary, strconv.FormatFloat(r.base+float64(i/len(rows)), 'g', -1, 64), more)
	}, nil
}
