package serve

import (
	"maps"
	"net/http"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/limit"
	"github.com/tandem-ml/tandem/engineering/trace"
)

// metrics are what /metrics shows. No label holds what a caller sent, but for
// the name of a project that a model answers for, so the number of series is
// bounded.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	rows      *prometheus.CounterVec
	decisions *prometheus.CounterVec
	outcomes  *prometheus.CounterVec
	logErrors prometheus.Counter
	swaps     *prometheus.CounterVec
	model     *prometheus.GaugeVec
	queued    prometheus.Histogram
	refusals  *prometheus.CounterVec
	stages    *prometheus.HistogramVec
	routes    atomic.Pointer[map[string]*routeMetrics] // never changed, only replaced
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_requests_total", Help: "Requests by route and status."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tandem_request_seconds", Help: "Time from a request's header to its answer.",
			Buckets: []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .2, .5, 1, 5}}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tandem_requests_in_flight", Help: "Requests being answered now."}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_rows_total", Help: "Rows scored, logged and answered, by project."}, []string{"project"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_decisions_total", Help: "Decisions by project and class; a regression makes none."}, []string{"project", "decision"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_outcomes_total", Help: "Outcomes taken, new and corrected, by project."}, []string{"project"}),
		logErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tandem_log_errors_total", Help: "Requests refused because the decision log could not be written."}),
		swaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_model_swaps_total", Help: "Models put into service, by project."}, []string{"project"}),
		model: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tandem_model_info", Help: "The model that answers: 1 by project, version and bundle id."}, []string{"project", "version", "bundle"}),
	}
	m.queued = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "tandem_queue_seconds", Help: "How long those requests waited to be scored that had to wait.",
		Buckets: []float64{.0001, .001, .005, .01, .05, .1, .5, 1, 5, 10, 30}})
	m.refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tandem_refusals_total", Help: "Requests refused to protect the server: by a full queue, full memory, a caller's rate, a deadline that passed while waiting, too many bad keys."}, []string{"reason"})
	for _, reason := range []string{"queue", "memory", "rate", "deadline", "failures"} {
		m.refusals.WithLabelValues(reason) // so that a rate can be told from the first on
	}
	m.stages = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "tandem_stage_seconds", Help: "Where the time of scored requests goes, by route and stage, of one request in 8: read, queue, decode, score, reasons, log, answer.",
		Buckets: []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, .001, .0025, .005, .01, .025, .1, .5, 1, 5, 30}}, []string{"route", "stage"})
	m.routes.Store(&map[string]*routeMetrics{})
	m.registry.MustRegister(m.stages, buildInfo())
	m.registry.MustRegister(m.requests, m.seconds, m.inFlight, m.rows, m.decisions, m.outcomes, m.logErrors, m.swaps, m.model, m.queued, m.refusals,
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: pauses})), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// pauses are how long everything stood still for the garbage collector, and how
// long goroutines that could run waited for a processor.
var pauses = regexp.MustCompile(`^/sched/(pauses/total/gc|latencies):seconds$`)

// buildInfo says which program this is.
func buildInfo() prometheus.Collector {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tandem_build_info", Help: "The program that runs: 1 by version, revision of its source and version of Go.",
		ConstLabels: prometheus.Labels{"version": tandem.Version, "revision": revision, "go": runtime.Version()}}, func() float64 { return 1 })
}

// MeasureBy shows numbers of what runs beside the server under /metrics, by labels:
// each calls yield for every one at each scrape, with as many values as there are
// labels. How many there are must not depend on what callers send.
func (s *Server) MeasureBy(name, help string, labels []string, each func(yield func(value float64, values ...string))) error {
	return s.metrics.registry.Register(measured{prometheus.NewDesc(name, help, labels, nil), each})
}

type measured struct {
	desc *prometheus.Desc
	each func(func(float64, ...string))
}

func (m measured) Describe(out chan<- *prometheus.Desc) { out <- m.desc }

func (m measured) Collect(out chan<- prometheus.Metric) {
	m.each(func(x float64, values ...string) {
		out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, x, values...)
	})
}

// Measure shows a number of what runs beside the server under /metrics; value is
// called at each scrape. A counter only grows. A name can be given once.
func (s *Server) Measure(name, help string, counter bool, value func() float64) error {
	var c prometheus.Collector = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	if counter {
		c = prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value)
	}
	return s.metrics.registry.Register(c)
}

// watch shows what waits and what is held.
func (m *metrics) watch(gate *limit.Gate, held *limit.Budget) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tandem_queue_length", Help: "Requests that wait to be scored now."},
			func() float64 { return float64(gate.Waiting()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tandem_body_bytes", Help: "Bytes of requests' bodies in memory now."},
			func() float64 { return float64(held.Held()) }))
}

// handler answers /metrics. A scrape costs a millisecond or more; at most four
// run at a time, a fifth is told 503.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// routeMetrics are those of one route. Looking a series up by its labels costs
// as much as adding to it, so it is done once.
type routeMetrics struct {
	ok      func() prometheus.Counter // requests with status 200
	seconds prometheus.Observer
	stages  [trace.Stages]func() prometheus.Observer
}

func (m *metrics) route(name string) *routeMetrics {
	if r := (*m.routes.Load())[name]; r != nil {
		return r
	}
	return m.newRoute(name)
}

// staged observes the stages of a request that was to be scored: of others there
// is nothing to tell apart.
func (m *metrics) staged(route string, w *trace.Watch) {
	if _, scored := w.Took(trace.Decode); !scored {
		return
	}
	r := m.route(route)
	for s := range trace.Stages {
		if took, ok := w.Took(s); ok {
			r.stages[s]().Observe(took.Seconds())
		}
	}
}

func (m *metrics) request(route string, status int, took time.Duration) {
	r := m.route(route)
	if status == http.StatusOK {
		r.ok().Inc()
	} else {
		m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	}
	r.seconds.Observe(took.Seconds())
}

func (m *metrics) newRoute(route string) *routeMetrics {
	r := &routeMetrics{
		ok:      sync.OnceValue(func() prometheus.Counter { return m.requests.WithLabelValues(route, "200") }),
		seconds: m.seconds.WithLabelValues(route),
	}
	for s := range trace.Stages {
		r.stages[s] = sync.OnceValue(func() prometheus.Observer { return m.stages.WithLabelValues(route, s.String()) })
	}
	for {
		was := m.routes.Load()
		next := maps.Clone(*was)
		next[route] = r // that of another goroutine counts the same series
		if m.routes.CompareAndSwap(was, &next) {
			return r
		}
	}
}

// serving is what a model needs for every request, looked up when it is put
// into service.
type serving struct {
	key       string // the contract's id column, or ""
	rows      func() prometheus.Counter
	decisions map[string]func() prometheus.Counter // by class
	counts    *counts                              // of the version
}

func (m *metrics) serving(model Model) *serving {
	out := &serving{
		key:       idField(model.Bundle),
		rows:      sync.OnceValue(func() prometheus.Counter { return m.rows.WithLabelValues(model.Project) }),
		decisions: make(map[string]func() prometheus.Counter),
		counts:    &counts{class: make(map[string]*atomic.Int64), scores: newScores(model.Bundle)},
	}
	d := &model.Bundle.Decision
	for _, class := range append([]string{d.Positive, d.Negative}, d.Classes...) {
		if class != "" {
			out.counts.class[class] = new(atomic.Int64)
			out.decisions[class] = sync.OnceValue(func() prometheus.Counter { return m.decisions.WithLabelValues(model.Project, class) })
		}
	}
	return out
}

func (v *serving) decided(ds []decisions.Decision) {
	v.rows().Add(float64(len(ds)))
	v.counts.rows.Add(int64(len(ds)))
	v.counts.scores.add(ds)
	for i := range ds {
		if count := v.decisions[ds[i].Decision]; count != nil {
			count().Inc()
			v.counts.class[ds[i].Decision].Add(1)
		}
	}
}

// swapped is called with Server.swapping held.
func (m *metrics) swapped(model Model) {
	m.swaps.WithLabelValues(model.Project).Inc()
	m.model.DeletePartialMatch(prometheus.Labels{"project": model.Project})
	m.model.WithLabelValues(model.Project, model.Version, model.Bundle.ID()).Set(1)
}
