package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data/ingest"
	"github.com/tandem-ml/tandem/engineering/load"
	"github.com/tandem-ml/tandem/workflow"
)

// benchHTTP holds the flags of bench http.
type benchHTTP struct {
	load.Options
	source, body, path, model, form, arrivals, ca, out string
	rows                                               int
	allowErrors                                        bool
}

func (s *shared) benchHTTPCommand() *cobra.Command {
	duration, warmup, timeout := duration(10*time.Second), duration(2*time.Second), duration(10*time.Second)
	b := benchHTTP{}
	c := &cobra.Command{
		Use: "http URL", Args: cobra.ExactArgs(1),
		Short: "Send requests at a server and say how long answers take",
		Long: `Http sends requests and measures the answers. In a closed loop, the default,
each connection sends again when it is answered: this finds how much a server can
do. With --rate requests are due on a fixed schedule, and latency counts from when
a request was due, so that a pause of the server is seen by all who had to wait:
this finds how long people wait.

With --data the rows of a table are sent in turn, to the route of --form for the
one model that the server has, or for --model; of the columns those that the
model takes. A path in the URL, or --path, sends all columns there. With --body a
file is sent as it is; with neither, GET.

The exit code is 1 if nothing could be sent, or if there was an error of a
connection or an answer of status 500 and above, unless --allow-errors is given.
Ctrl-C stops it and prints what was measured.`,
		Example: `  tandem bench http http://127.0.0.1:8080 --data new.csv --connections 32
  tandem bench http http://127.0.0.1:8080 --data new.csv --rate 5000 --duration 60s -o load.html
  tandem bench http http://127.0.0.1:8080/health/live`,
		RunE: func(c *cobra.Command, args []string) error {
			b.URL, b.Duration, b.Warmup, b.Timeout = args[0], time.Duration(duration), time.Duration(warmup), time.Duration(timeout)
			if b.Rate == 0 && c.Flags().Changed("rate") {
				return workflow.Usagef("--rate must be above 0; leave it out for a closed loop")
			}
			return s.benchHTTP(c.Context(), &b)
		},
	}
	f := c.Flags()
	f.IntVar(&b.Connections, "connections", 16, "how many requests are under way at once at most")
	f.Float64Var(&b.Rate, "rate", 0, "requests a second that are due, whatever the answers do (default: a closed loop)")
	f.StringVar(&b.arrivals, "arrivals", "constant", "with --rate: constant, at equal distances, or poisson, as people come")
	f.Uint64Var(&b.Seed, "seed", 0, "the seed of poisson arrivals")
	f.Var(&duration, "duration", "how long to measure")
	f.Var(&warmup, "warmup", "how long to send before that without measuring")
	f.Var(&timeout, "timeout", "how long an answer may take")
	f.StringVar(&b.source, "data", "", "a table whose rows are sent in turn")
	f.StringVar(&b.form, "form", "rows", "how rows are written: rows, instances (KServe) or infer (Open Inference)")
	f.IntVar(&b.rows, "rows-per-request", 1, "rows in a request")
	f.StringVar(&b.model, "model", "", "the model to send rows to (default: the only one of the server)")
	f.StringVar(&b.path, "path", "", "the path to send to, instead of the model's route")
	f.StringVar(&b.body, "body", "", "a file to send as it is")
	f.StringVar(&b.ContentType, "content-type", "application/json", "what is sent")
	f.StringVar(&b.Key, "key", "", "the API key to send (default: the environment variable TANDEM_KEY)")
	f.StringVar(&b.ca, "ca", "", "PEM file of certificates to trust, for https")
	f.BoolVar(&b.allowErrors, "allow-errors", false, "exit with 0 whatever came back")
	f.StringVarP(&b.out, "output", "o", "", "write a page with charts")
	return c
}

func (s *shared) benchHTTP(ctx context.Context, b *benchHTTP) error {
	if b.Key == "" {
		b.Key = os.Getenv("TANDEM_KEY")
	}
	u, err := b.check()
	if err != nil {
		return err
	}
	if err := notOver(b.out, b.source, b.body); err != nil {
		return err
	}
	if b.out != "" {
		if err := workflow.Writable(b.out); err != nil {
			return err
		}
	}
	if err := b.trust(); err != nil {
		return err
	}
	talk := s.talk()
	if err := b.bodies(ctx, u, talk); err != nil {
		return err
	}
	b.Progress = func(p load.Progress) {
		phase := ""
		if p.Warming {
			phase = "warming up, "
		}
		talk.Progress("%s%.0f of %.0f s, %s answers, %s errors, p50 %s ms, p99 %s ms", phase, p.Elapsed.Seconds(), p.Of.Seconds(),
			chart.Count(p.Answers), chart.Count(p.Errors), load.Milliseconds(p.P50.Seconds()*1e3), load.Milliseconds(p.P99.Seconds()*1e3))
	}
	r, err := load.Run(ctx, b.Options)
	if err != nil {
		return err
	}
	if b.out != "" {
		if err := workflow.WritePage(b.out, r.HTML); err != nil {
			return err
		}
		talk.Line("wrote %s", b.out)
	}
	if s.json {
		err = s.print(r)
	} else {
		talk.Progress("")
		s.sayLoad(r)
	}
	if err == nil && !b.allowErrors && r.Failed() {
		err = fmt.Errorf("%s", trouble(r))
	}
	return err
}

// check refuses flags that no run can have, and returns the URL.
func (b *benchHTTP) check() (*url.URL, error) {
	switch {
	case b.source != "" && b.body != "":
		return nil, workflow.Usagef("either --data or --body")
	case b.form != string(load.Rows) && b.form != string(load.Instances) && b.form != string(load.Infer):
		return nil, workflow.Usagef("--form %q is none of rows, instances and infer", b.form)
	case b.rows < 1 || b.rows > 100_000:
		return nil, workflow.Usagef("--rows-per-request must be 1 to 100000")
	case b.source == "" && (b.rows != 1 || b.model != "" || b.form != string(load.Rows)):
		return nil, workflow.Usagef("--rows-per-request, --model and --form go with --data FILE")
	case b.path != "" && b.model != "":
		return nil, workflow.Usagef("either --path or --model")
	case b.path != "" && !strings.HasPrefix(b.path, "/"):
		return nil, workflow.Usagef("--path must begin with /")
	case b.arrivals != "constant" && b.arrivals != "poisson":
		return nil, workflow.Usagef("--arrivals %q is neither constant nor poisson", b.arrivals)
	case b.arrivals == "poisson" && b.Rate == 0:
		return nil, workflow.Usagef("--arrivals goes with --rate")
	}
	b.Poisson = b.arrivals == "poisson"
	if err := b.Check(); err != nil {
		return nil, &workflow.UsageError{Err: err}
	}
	u, err := url.Parse(b.URL)
	if err == nil && b.path != "" {
		if u.Path != "" && u.Path != "/" {
			return nil, workflow.Usagef("the URL has a path already; leave --path out")
		}
		u, err = u.Parse(b.path)
	}
	if err != nil {
		return nil, &workflow.UsageError{Err: err}
	}
	b.URL = u.String()
	return u, nil
}

// trust reads the certificates of --ca.
func (b *benchHTTP) trust() error {
	if b.ca == "" {
		return nil
	}
	pem, err := os.ReadFile(b.ca)
	if err != nil {
		return fmt.Errorf("read --ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate in PEM form", b.ca)
	}
	b.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return nil
}

// maxBody bounds a file that is sent as it is.
const maxBody = 256 << 20

// bodies makes what is sent, and the path for it if none was given.
func (b *benchHTTP) bodies(ctx context.Context, u *url.URL, talk *workflow.Talk) error {
	if b.body != "" {
		f, err := os.Open(b.body)
		if err != nil {
			return fmt.Errorf("read --body: %w", err)
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxBody+1))
		if err != nil {
			return fmt.Errorf("read --body: %w", err)
		}
		if len(text) > maxBody {
			return fmt.Errorf("%s has more than %d MB, too much for one request", b.body, maxBody>>20)
		}
		b.Bodies = &load.Bodies{Of: [][]byte{text}}
		return nil
	}
	if b.source == "" {
		return nil
	}
	read, err := ingest.Read(ctx, b.source, ingest.Options{})
	if err != nil {
		return err
	}
	if n := len(read.Rejects); n > 0 {
		talk.Line("%d rows of %s cannot be read and are not sent", n, b.source)
	}
	table, form := read.Table, load.Form(b.form)
	if u.Path == "" || u.Path == "/" {
		model, err := load.Ask(ctx, b.Options, b.model)
		if err != nil {
			return err
		}
		var left []string
		if table, left = model.Pick(table); len(left) > 0 {
			talk.Line("not sent, as the model %s does not take them: %s", model.Name, strings.Join(left, ", "))
		}
		if len(table.Columns) == 0 {
			return fmt.Errorf("no column of %s is an input of the model %s, which takes %s", b.source, model.Name, strings.Join(model.Inputs, ", "))
		}
		u.Path, u.RawPath = "", ""
		b.URL = strings.TrimSuffix(u.Scheme+"://"+u.Host, "/") + form.Path(model.Name)
	} else if b.model != "" {
		return workflow.Usagef("either --model or a path in the URL")
	}
	b.Bodies, err = load.FromTable(table, form, b.rows)
	return err
}

// sayLoad prints a result as lines.
func (s *shared) sayLoad(r *load.Result) {
	loop := "closed loop"
	if r.Loop == "open" {
		loop = fmt.Sprintf("open loop, %s requests/s due, %s arrivals", chart.Short(r.Rate), r.Arrivals)
	}
	s.say("%s %s: %s, %d connections, %.1f s", r.Method, r.URL, loop, r.Connections, r.Seconds)
	s.say("requests    %s due, %s answered: %s", chart.Count(r.Requests), chart.Count(r.Answers), counts(r.Status, "none"))
	s.say("errors      %s", counts(r.Errors, "none"))
	rows := ""
	if r.RowsPerSecond > 0 {
		rows = fmt.Sprintf(", %s rows/s", chart.Count(int64(r.RowsPerSecond+0.5)))
	}
	s.say("throughput  %s requests/s%s", chart.Count(int64(r.RequestsPerSecond+0.5)), rows)
	s.say("ms          %9s %9s %9s %9s %9s %9s", "p50", "p90", "p99", "p99.9", "p99.99", "max")
	line := func(name string, t load.Times) {
		s.say("%-11s %9s %9s %9s %9s %9s %9s", name, load.Milliseconds(t.P50), load.Milliseconds(t.P90), load.Milliseconds(t.P99),
			load.Milliseconds(t.P999), load.Milliseconds(t.P9999), load.Milliseconds(t.Max))
	}
	line("latency", r.Latency)
	if r.Lag != nil {
		line("service", r.Service)
		line("lag", *r.Lag)
		s.say("waited      %s requests were due when all connections were busy", chart.Count(r.Waited))
	}
	for _, sentence := range r.Sentences() {
		s.say("%s", sentence)
	}
}

// counts writes counts by key in order.
func counts(m map[string]int64, none string) string {
	var b bytes.Buffer
	for i, k := range load.Kinds(m) {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s", chart.Count(m[k]), k)
	}
	if b.Len() == 0 {
		return none
	}
	return b.String()
}

// trouble says why a run ends with an error.
func trouble(r *load.Result) string {
	if r.Answers == 0 {
		return "no request was answered: errors " + counts(r.Errors, "none")
	}
	return fmt.Sprintf("not all went well: answers %s; errors %s (--allow-errors lets that pass)", counts(r.Status, "none"), counts(r.Errors, "none"))
}
