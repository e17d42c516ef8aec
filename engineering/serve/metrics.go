package serve

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics shows. No label holds anything a caller sent but a
// project's name that a model answers for.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	decisions *prometheus.CounterVec
	outcomes  *prometheus.CounterVec
	logErrors prometheus.Counter
	swaps     *prometheus.CounterVec
	model     *prometheus.GaugeVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_requests_total", Help: "Requests by route and status."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tandem_request_seconds", Help: "Time from the request's header to its answer.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .2, .5, 1, 5}}, []string{"route"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_decisions_total", Help: "Scored rows by project and decision."}, []string{"project", "decision"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_outcomes_total", Help: "Outcomes taken by project."}, []string{"project"}),
		logErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tandem_log_errors_total", Help: "Requests refused because the decision log could not be written."}),
		swaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_model_swaps_total", Help: "Models put into service by project."}, []string{"project"}),
		model: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tandem_model_info", Help: "The model that answers: 1 by project, version and bundle id."}, []string{"project", "version", "bundle"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.decisions, m.outcomes, m.logErrors, m.swaps, m.model,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

func (m *metrics) request(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

func (m *metrics) swapped(model Model) {
	m.swaps.WithLabelValues(model.Project).Inc()
	m.model.DeletePartialMatch(prometheus.Labels{"project": model.Project})
	m.model.WithLabelValues(model.Project, model.Version, model.Bundle.ID()).Set(1)
}
