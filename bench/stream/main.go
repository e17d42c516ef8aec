// Command stream scores applications from one topic of a real Kafka into another,
// kills the scorer with kill -9 in the middle and starts it again, kills the broker in
// the middle and starts it again, and checks that each application has one answer
// among what is committed, and that the decision log reached its own topic whole.
// Before that it does the same undisturbed, for the rate.
//
//	go run ./bench/stream -kafka DIR -tandem FILE [-n 50000]
//
// DIR/lib holds the jars of Kafka (org.apache.kafka:kafka_2.13 and :kafka-server 4.4.0 and
// org.apache.logging.log4j:log4j-slf4j-impl, by mvn dependency:copy-dependencies); java is on the
// path. Everything is on this machine and in a folder of its own, which is deleted.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/workflow/applications"
)

const (
	partitions = 4
	history    = 3000            // applications that the model is trained on
	settle     = 2 * time.Second // for an answer too many, at the end; not counted
)

const projectFile = `name: loans
data:
  source: applications.csv
  target: defaulted
  positive: "yes"
  time: applied_at
  id: application_id
  protected: [age]
model: {budget: 10s}
`

func main() {
	kafka := flag.String("kafka", "", "folder with lib/, the jars of Kafka")
	tandem := flag.String("tandem", "", "the program, as built by go build ./cmd/tandem")
	n := flag.Int("n", 50_000, "applications")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kafka, *tandem, *n); err != nil {
		fmt.Fprintln(os.Stderr, "stream:", err)
		os.Exit(1)
	}
}

// bench is one broker and one project.
type bench struct {
	dir, kafka, tandem string
	address            string // of the broker
	client             *kgo.Client
	broker, scorer     *exec.Cmd
	log                *os.File
}

func run(ctx context.Context, kafka, tandem string, n int) (err error) {
	b := &bench{kafka: kafka, tandem: tandem}
	if b.dir, err = os.MkdirTemp("", "tandem-bench-stream-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	defer func() { err = errors.Join(err, kill(b.scorer), kill(b.broker)) }()
	if b.log, err = os.Create(filepath.Join(b.dir, "output")); err != nil {
		return err
	}
	defer b.log.Close()
	if err := b.install(ctx); err != nil {
		return err
	}
	for _, topic := range []string{"rows", "calm", "scores", "decided-calm", "decided"} {
		if err := b.create(ctx, topic); err != nil {
			return err
		}
	}
	if err := b.project(); err != nil {
		return err
	}
	start := time.Now()
	if err := b.produce(ctx, n); err != nil {
		return err
	}
	report("produce %d applications", time.Since(start), n, n)

	// Undisturbed.
	project := filepath.Join(b.dir, "calm")
	if err := os.CopyFS(project, os.DirFS(filepath.Join(b.dir, "trained"))); err != nil {
		return err
	}
	if err := b.serve(project, "calm", "decided-calm", "calm"); err != nil {
		return err
	}
	start = time.Now()
	first := time.Duration(0)
	if _, err := b.scored(ctx, "calm", n, []fault{{1, func() error { first = time.Since(start); return nil }}}); err != nil {
		return err
	}
	took := time.Since(start) - settle
	report("score %d, undisturbed, from the scorer's start", took, n, n)
	report("  from the first committed answers, %.1f s after it", took-first, n, first.Seconds())
	if err := b.end(ctx, project, "decided-calm", true); err != nil {
		return err
	}

	// Disturbed.
	project = filepath.Join(b.dir, "killed")
	if err := os.CopyFS(project, os.DirFS(filepath.Join(b.dir, "trained"))); err != nil {
		return err
	}
	if err := b.serve(project, "scores", "decided", "killed"); err != nil {
		return err
	}
	start = time.Now()
	faults := []fault{
		{n * 3 / 10, func() error {
			if err := kill(b.scorer); err != nil {
				return err
			}
			fmt.Printf("%6.1f s: the scorer was killed\n", time.Since(start).Seconds())
			return b.serve(project, "scores", "decided", "killed")
		}},
		{n * 6 / 10, func() error {
			if err := kill(b.broker); err != nil {
				return err
			}
			fmt.Printf("%6.1f s: the broker was killed\n", time.Since(start).Seconds())
			time.Sleep(3 * time.Second)
			err := b.start(ctx)
			fmt.Printf("%6.1f s: the broker is back\n", time.Since(start).Seconds())
			return err
		}},
	}
	repeated, err := b.scored(ctx, "scores", n, faults)
	if err != nil {
		return err
	}
	report("score %d, scorer and broker killed", time.Since(start)-settle, n, n)
	fmt.Printf("%d applications, each with one committed answer; %d answers beyond that\n", n, repeated)
	return b.end(ctx, project, "decided", false)
}

func report(what string, took time.Duration, rows int, args ...any) {
	fmt.Printf(what+": %.1f s, %.0f/s\n", append(args, took.Seconds(), float64(rows)/took.Seconds())...)
}

// install makes a broker's folder and starts it.
func (b *bench) install(ctx context.Context) error {
	ports := make([]int, 2)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	b.address = fmt.Sprintf("127.0.0.1:%d", ports[0])
	properties := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
log.dirs=%[3]s
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
`, ports[0], ports[1], filepath.Join(b.dir, "kafka"))
	if err := os.WriteFile(b.properties(), []byte(properties), 0o600); err != nil {
		return err
	}
	format := exec.CommandContext(ctx, "java", "-cp", b.jars(), "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", b.properties())
	if out, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("format the broker's folder: %w\n%s", err, out)
	}
	var err error
	if b.client, err = kgo.NewClient(kgo.SeedBrokers(b.address), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))); err != nil {
		return err
	}
	return b.start(ctx)
}

func (b *bench) jars() string       { return filepath.Join(b.kafka, "lib", "*") }
func (b *bench) properties() string { return filepath.Join(b.dir, "server.properties") }

// start starts the broker and waits until it answers.
func (b *bench) start(ctx context.Context) error {
	b.broker = exec.Command("java", "-Xmx512m", "-cp", b.jars(), "kafka.Kafka", b.properties())
	if err := b.broker.Start(); err != nil {
		return err
	}
	for ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, time.Second)
		err := b.client.Ping(once)
		cancel()
		if err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ctx.Err()
}

// kill ends a process as kill -9 does.
func kill(c *exec.Cmd) error {
	if c == nil || c.ProcessState != nil {
		return nil
	}
	if err := c.Process.Kill(); err != nil {
		return err
	}
	c.Wait() // says that it was killed
	return nil
}

func (b *bench) create(ctx context.Context, topic string) error {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Topics = append(r.Topics, t)
	answer, err := r.RequestWith(ctx, b.client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(answer.Topics[0].ErrorCode)
}

// project trains a model.
func (b *bench) project() error {
	dir := filepath.Join(b.dir, "trained")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "tandem.yaml"), []byte(projectFile), 0o600); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "applications.csv"))
	if err != nil {
		return err
	}
	if err := errors.Join(applications.WriteCSV(f, applications.New(1, history), history), f.Close()); err != nil {
		return err
	}
	out, err := exec.Command(b.tandem, "run", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("tandem run: %w\n%s", err, out)
	}
	return nil
}

// serve starts the scorer of a project.
func (b *bench) serve(dir, to, sink, group string) error {
	at := "kafka://" + b.address + "/"
	b.scorer = exec.Command(b.tandem, "up", dir, "--address", "127.0.0.1:0", "--sink", at+sink,
		"--consume", at+"rows?instance=one&group="+group, "--produce", "kafka:///"+to)
	b.scorer.Stdout, b.scorer.Stderr = b.log, b.log
	return b.scorer.Start()
}

func (b *bench) produce(ctx context.Context, n int) error {
	s := applications.New(1, history)
	for range history {
		s.Next()
	}
	var first kgo.FirstErrPromise
	for range n {
		a := s.Next()
		b.client.Produce(ctx, &kgo.Record{Topic: "rows", Key: []byte(a.ID), Value: a.JSON()}, first.Promise())
	}
	return first.Err()
}

// fault is done once so many answers are there.
type fault struct {
	at int
	do func() error
}

// scored reads what is committed to a topic until n sources have answers, and then to
// the topic's end. It returns how many answers there are beyond one a source.
func (b *bench) scored(ctx context.Context, topic string, n int, faults []fault) (repeated int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.address), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	seen := map[string]bool{}
	ends := 0
	marked := false
	for ends < partitions {
		f := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return 0, fmt.Errorf("%d of %d are answered: %w; the scorer said:\n%s", len(seen), n, ctx.Err(), b.said())
		}
		for _, r := range f.Records() {
			if string(r.Value) == "end" {
				ends++
				continue
			}
			var answer struct {
				Results []struct{ Score *float64 }
			}
			if err := json.Unmarshal(r.Value, &answer); err != nil || len(answer.Results) != 1 || answer.Results[0].Score == nil {
				return 0, fmt.Errorf("an answer is %s", r.Value)
			}
			source := ""
			for _, h := range r.Headers {
				if h.Key == "source" {
					source = string(h.Value)
				}
			}
			if !strings.HasPrefix(source, "rows/") {
				return 0, fmt.Errorf("an answer has the source %q", source)
			}
			if seen[source] {
				repeated++
			}
			seen[source] = true
		}
		if len(faults) > 0 && len(seen) >= faults[0].at {
			if err := faults[0].do(); err != nil {
				return 0, err
			}
			faults = faults[1:]
		}
		if len(seen) >= n && !marked {
			// A late second answer would stand before these.
			time.Sleep(settle)
			for p := range int32(partitions) {
				if err := b.mark(ctx, topic, p); err != nil {
					return 0, err
				}
			}
			marked = true
		}
	}
	if len(seen) != n || repeated > 0 {
		return repeated, fmt.Errorf("%d of %d are answered, %d twice", len(seen), n, repeated)
	}
	return repeated, nil
}

func (b *bench) mark(ctx context.Context, topic string, partition int32) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.address), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: partition, Value: []byte("end")}).FirstErr()
}

func (b *bench) said() string {
	out, _ := os.ReadFile(b.log.Name())
	return string(out[max(0, len(out)-3000):])
}

// end stops the scorer as an administrator does, and holds its log and the topic of
// its sink against each other.
func (b *bench) end(ctx context.Context, dir, topic string, calm bool) error {
	if err := b.scorer.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := b.scorer.Wait(); err != nil {
		return fmt.Errorf("the scorer ended with %w:\n%s", err, b.said())
	}
	if calm {
		cpu := b.scorer.ProcessState.UserTime() + b.scorer.ProcessState.SystemTime()
		fmt.Printf("  the scorer, its start, its log and its sink included, took %.1f s of a processor\n", cpu.Seconds())
	}
	log, err := decisions.OpenReadOnly(filepath.Join(dir, ".tandem", "state", "decisions"))
	if err != nil {
		return err
	}
	links, sources := map[string]bool{}, map[string]int{}
	if _, err := log.Scan(ctx, decisions.Position{}, func(r decisions.Record) error {
		links[r.Link.String()] = true
		if r.Decision != nil {
			sources[r.Decision.RequestID]++
		}
		return nil
	}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.address), kgo.ConsumeTopics(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	logged, total, all := len(links), 0, len(sources)
	for len(links) > 0 {
		f := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("%d of %d records of the log never came: %w", len(links), logged, ctx.Err())
		}
		for _, r := range f.Records() {
			total++
			for _, h := range r.Headers {
				if h.Key == "link" {
					delete(links, string(h.Value))
				}
			}
		}
	}
	out, err := exec.Command(b.tandem, "verify", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("tandem verify: %w\n%s", err, out)
	}
	fmt.Printf("the log has %d decisions about %d applications; all of its %d records are in its topic, %d repeated\n", sum(sources), all, logged, total-logged)
	if calm && logged != all {
		return errors.New("undisturbed, each application is decided once")
	}
	return nil
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}
