package load

import (
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// outcome is what became of one request. Times are from the start of the run.
type outcome struct {
	due, sent, done time.Duration
	free            time.Duration // when the connection was free for it
	rows            int
	answer          answer
	kind            string // of the error; "": an answer came
	err             error
}

// recorder counts outcomes. It is safe for concurrent use: one lock, since
// counting takes a small part of what sending does.
type recorder struct {
	mu                    sync.Mutex
	from, until           time.Duration // what is due in between is measured
	width                 time.Duration // of an interval
	open                  bool
	latency, service, lag *hdrhistogram.Histogram
	requests, waited      int64
	answers, rows, bytes  int64
	status                map[int]int64
	errors                map[string]int64
	bad                   string // the first answer that is no success, or error
	last                  time.Duration
	intervals             []*interval
}

type interval struct {
	requests, done, failed int64
	latency                *hdrhistogram.Histogram
}

// Latencies are counted from 100 ns to two days, to three digits; in an interval
// from 1 us, to two.
const longest = 48 * time.Hour

func newRecorder(from, until time.Duration, open bool) *recorder {
	h := func() *hdrhistogram.Histogram { return hdrhistogram.New(100, int64(longest), 3) }
	// A hundred intervals, and none that holds only a few requests of most runs.
	width := max((until-from+99)/100, 100*time.Millisecond)
	n := int((until - from + width - 1) / width)
	return &recorder{from: from, until: until, width: width, open: open, latency: h(), service: h(), lag: h(),
		status: map[int]int64{}, errors: map[string]int64{}, intervals: make([]*interval, max(n, 1))}
}

func (r *recorder) at(t time.Duration) *interval {
	i := int((t - r.from) / r.width)
	if t < r.from || i >= len(r.intervals) {
		return nil
	}
	if r.intervals[i] == nil {
		r.intervals[i] = &interval{latency: hdrhistogram.New(1000, int64(longest), 2)}
	}
	return r.intervals[i]
}

func (r *recorder) add(o outcome) {
	if o.due < r.from || o.due >= r.until {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	r.last = max(r.last, o.done)
	due := r.at(o.due)
	due.requests++
	failed := o.kind != ""
	if !failed || waited(o.kind) {
		latency := int64(min(max(o.done-o.due, 0), longest))
		r.latency.RecordValue(latency)
		due.latency.RecordValue(latency)
	}
	if o.kind != kindUnsent {
		if r.open {
			r.lag.RecordValue(int64(max(o.sent-max(o.due, o.free), 0)))
		}
		if !failed || waited(o.kind) {
			r.service.RecordValue(int64(min(max(o.done-o.sent, 0), longest)))
		}
	}
	if r.open && o.free > o.due {
		r.waited++
	}
	if failed {
		r.errors[o.kind]++
		due.failed++
		if r.bad == "" && o.err != nil {
			r.bad = o.err.Error()
		}
		return
	}
	r.answers++
	r.status[o.answer.status]++
	r.bytes += o.answer.bytes
	if in := r.at(o.done); in != nil {
		in.done++
	}
	switch {
	case o.answer.status < 300:
		r.rows += int64(o.rows)
	default:
		due.failed++
		if r.bad == "" {
			r.bad = "status " + strconv.Itoa(o.answer.status)
			if text := strings.TrimSpace(string(o.answer.sample)); text != "" {
				r.bad += ": " + text
			}
		}
	}
}

// Progress is how far a run is.
type Progress struct {
	Elapsed, Of     time.Duration // warming up included
	Warming         bool
	Answers, Errors int64
	P50, P99        time.Duration
}

func (r *recorder) progress(elapsed time.Duration) Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Progress{Elapsed: elapsed, Of: r.until, Warming: elapsed < r.from, Answers: r.answers,
		P50: time.Duration(r.latency.ValueAtPercentile(50)), P99: time.Duration(r.latency.ValueAtPercentile(99))}
	for _, n := range r.errors {
		p.Errors += n
	}
	return p
}

// Times are percentiles, in milliseconds. One that lies beyond the number of
// values, such as the 99.99th of a hundred, is the maximum.
type Times struct {
	Mean  float64 `json:"mean_ms"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p99_9_ms"`
	P9999 float64 `json:"p99_99_ms"`
	Max   float64 `json:"max_ms"`
}

func timesOf(h *hdrhistogram.Histogram) Times {
	if h.TotalCount() == 0 {
		return Times{}
	}
	at := func(p float64) float64 { return ms(h.ValueAtPercentile(p)) }
	return Times{h.Mean() / 1e6, at(50), at(90), at(99), at(99.9), at(99.99), ms(h.Max())}
}

// ms rounds to the three digits that a histogram keeps, and the microsecond.
func ms(ns int64) float64 { return float64((ns+500)/1000) / 1000 }

// Point is one point of a distribution: the share of requests, in [0, 1), that
// took no longer.
type Point struct {
	Share float64 `json:"share"`
	MS    float64 `json:"ms"`
}

// Interval is a part of the run. Requests and latencies stand where the request
// was due, answers where they came.
type Interval struct {
	At       float64 `json:"at_s"` // its beginning, from the beginning of what is measured
	Requests int64   `json:"requests"`
	Answers  int64   `json:"answers"`
	Failed   int64   `json:"failed"` // errors, and answers that are no success (status 300 and above)
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
}

// Result is what was measured, warming up left out.
type Result struct {
	URL         string  `json:"url"`
	Method      string  `json:"method"`
	Loop        string  `json:"loop"` // closed or open
	Connections int     `json:"connections"`
	Rate        float64 `json:"rate_asked,omitempty"` // open loop: requests a second
	Arrivals    string  `json:"arrivals,omitempty"`   // open loop: constant or poisson
	Seconds     float64 `json:"seconds"`              // until the last answer
	Interrupted bool    `json:"interrupted,omitempty"`

	Requests int64            `json:"requests"` // that were due
	Answers  int64            `json:"answers"`
	Status   map[string]int64 `json:"status"`
	Errors   map[string]int64 `json:"errors"`              // by kind
	FirstBad string           `json:"first_bad,omitempty"` // the first error, or answer without success

	RequestsPerSecond float64 `json:"requests_per_s"` // that were answered
	RowsPerSecond     float64 `json:"rows_per_s"`     // in requests answered with success
	BytesPerSecond    float64 `json:"bytes_per_s"`    // of answers' bodies

	Latency Times `json:"latency"` // from due to answered
	Service Times `json:"service"` // from sent to answered

	// Open loop only.
	Lag    *Times `json:"lag,omitempty"` // how late the generator was
	Waited int64  `json:"waited"`        // requests that were due when all connections were busy
	// OnTime is false if lag is so large a part of latency that it is the
	// generator that was measured.
	OnTime *bool `json:"on_time,omitempty"`

	Opened       int64      `json:"connections_opened"`
	Distribution []Point    `json:"distribution"` // of latency
	Intervals    []Interval `json:"intervals"`
}

func (r *recorder) result(elapsed time.Duration) *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Answers that came after the last request was due took their time too.
	seconds := max(min(elapsed, r.until), r.last) - r.from
	res := &Result{Loop: "closed", Seconds: max(seconds, 0).Seconds(), Requests: r.requests, Answers: r.answers,
		Status: map[string]int64{}, Errors: r.errors, FirstBad: r.bad, Latency: timesOf(r.latency), Service: timesOf(r.service), Waited: r.waited}
	for code, n := range r.status {
		res.Status[strconv.Itoa(code)] = n
	}
	if s := res.Seconds; s > 0 {
		res.RequestsPerSecond, res.RowsPerSecond, res.BytesPerSecond = float64(r.answers)/s, float64(r.rows)/s, float64(r.bytes)/s
	}
	if r.open {
		res.Loop = "open"
		lag := timesOf(r.lag)
		onTime := !late(lag.P50, res.Latency.P50) && !late(lag.P99, res.Latency.P99)
		res.Lag, res.OnTime = &lag, &onTime
	}
	for i, in := range r.intervals {
		if in == nil {
			in = &interval{latency: hdrhistogram.New(1, 2, 1)}
		}
		at := time.Duration(i) * r.width
		if at > elapsed-r.from {
			break
		}
		res.Intervals = append(res.Intervals, Interval{at.Seconds(), in.requests, in.done, in.failed,
			ms(in.latency.ValueAtPercentile(50)), ms(in.latency.ValueAtPercentile(99)), ms(in.latency.Max())})
	}
	// Ten points for each further nine, as far as there are requests for it.
	for miss := 1.0; miss*float64(r.latency.TotalCount()) >= 1; miss /= 1.2589254117941673 { // the tenth root of ten
		res.Distribution = append(res.Distribution, Point{1 - miss, ms(r.latency.ValueAtPercentile(100 * (1 - miss)))})
	}
	return res
}

// late reports whether a lag says more of the generator than a latency does of
// the server: above half of it, and above what waking up takes anyway.
func late(lag, latency float64) bool { return lag > 0.1 && lag > latency/2 }

// Failed reports whether something went wrong on the way or in the server: no
// answer came at all, or there was an error or an answer of status 500 and above.
func (r *Result) Failed() bool {
	if r.Answers == 0 {
		return true
	}
	for kind := range r.Errors {
		if kind != kindInterrupted {
			return true
		}
	}
	for code, n := range r.Status {
		if code >= "500" && n > 0 {
			return true
		}
	}
	return false
}

// Kinds returns the keys of Status or Errors in order.
func Kinds(counts map[string]int64) []string {
	var keys []string
	for k := range counts {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
