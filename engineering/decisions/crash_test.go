//go:build linux

package decisions_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// TestMain lets the test binary play the process that dies.
func TestMain(m *testing.M) {
	switch os.Getenv("DECISIONS_TEST_CHILD") {
	case "append":
		appendUntilKilled(os.Getenv("DECISIONS_TEST_DIR"))
	case "retain":
		retainUntilKilled(os.Getenv("DECISIONS_TEST_DIR"))
	case "full":
		fillTheDisk(os.Getenv("DECISIONS_TEST_DIR"))
	default:
		os.Exit(m.Run())
	}
}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DECISIONS_TEST_CHILD="+role, "DECISIONS_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// appendUntilKilled appends from several goroutines and prints each id once it
// is acknowledged.
func appendUntilKilled(dir string) {
	log, err := decisions.Open(dir, decisions.Options{SegmentSize: 64 << 10})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var out sync.Mutex
	for w := range 8 {
		go func() {
			for n := w; ; n += 8 {
				d := application(log, n)
				if err := log.Append(context.Background(), d); err != nil {
					fmt.Println("error", err)
					return
				}
				word := "decision"
				if n%5 == 0 {
					if _, err := log.AppendOutcomes(context.Background(), decisions.Outcome{Decision: d.ID, Value: "good", At: start}); err != nil {
						fmt.Println("error", err)
						return
					}
					word = "outcome"
				} else if n%7 == 0 {
					if err := log.Erase(context.Background(), d.ID); err != nil {
						fmt.Println("error", err)
						return
					}
					word = "erased"
				}
				out.Lock()
				fmt.Println(word, d.ID)
				out.Unlock()
			}
		}()
	}
	select {}
}

func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(5, 6))
	promised := make(map[string]string) // id -> what was acknowledged of it
	for round := range 50 {
		cmd := child(t, "append", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for kill := 1 + rng.IntN(200); lines.Scan(); kill-- {
			var word, id string
			if _, err := fmt.Sscan(lines.Text(), &word, &id); err != nil && kill > 0 {
				t.Fatalf("round %d: child said %q", round, lines.Text())
			}
			if word == "error" {
				t.Fatalf("round %d: %s", round, lines.Text())
			}
			if len(id) == 36 {
				promised[id] = word
			}
			if kill == 0 { // what it printed before it died counts as well
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()

		// A log that was not closed verifies but for an erasure that was being
		// done; opening it finishes that.
		log, err := decisions.Open(dir, decisions.Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if r := log.Recovered(); r.Lost != 0 || r.NoHead {
			t.Fatalf("round %d: recovered %+v", round, r)
		}
		log.Close()
		r := mustVerify(t, dir)
		if len(r.Losses) > 0 {
			t.Fatalf("round %d: losses %+v", round, r.Losses)
		}
	}
	log := open(t, dir, decisions.Options{})
	if len(promised) < 200 {
		t.Fatalf("only %d decisions were acknowledged in 50 rounds", len(promised))
	}
	for id, word := range promised {
		_, outcome, err := log.Get(id)
		switch {
		case word == "erased" && !errors.Is(err, decisions.ErrErased):
			t.Errorf("erased decision %s: %v", id, err)
		case word != "erased" && err != nil:
			t.Errorf("acknowledged decision %s: %v", id, err)
		case word == "outcome" && (outcome == nil || outcome.Value != "good"):
			t.Errorf("acknowledged outcome of %s: %v", id, outcome)
		}
	}
}

// retainUntilKilled appends and lets go at once what is a moment old, and prints
// each id once it is acknowledged, and a word for each retention.
func retainUntilKilled(dir string) {
	log, err := decisions.Open(dir, decisions.Options{SegmentSize: 4096})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	for n := 0; ; n++ {
		d := application(log, n)
		d.Time = time.Now()
		if err := log.Append(context.Background(), d); err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println("decision", d.ID)
		if n%4 == 3 {
			done, err := log.Retain(context.Background(), decisions.Retention{Content: time.Millisecond, Records: 5 * time.Millisecond})
			if err != nil {
				fmt.Println("error", err)
				return
			}
			if done.Removed+done.Erased > 0 {
				fmt.Println("retained", done.Removed)
			}
		}
	}
}

// A process that is killed while it erases and removes by age leaves a log that
// opens, verifies, and begins and ends where its chain says.
func TestKilledWhileItRetains(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(7, 8))
	newest, retained := "", 0
	for round := range 25 {
		cmd := child(t, "retain", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for kill := 1 + rng.IntN(120); lines.Scan(); kill-- {
			word, id, _ := strings.Cut(lines.Text(), " ")
			switch {
			case word == "error":
				t.Fatalf("round %d: %s", round, lines.Text())
			case word == "retained":
				retained++
			case len(id) == 36:
				newest = id
			}
			if kill == 0 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
		log, err := decisions.Open(dir, decisions.Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if r := log.Recovered(); r.Lost != 0 || r.NoHead {
			t.Fatalf("round %d: recovered %+v", round, r)
		}
		// The newest is in the segment that was being written, unless it began a
		// new one, and then it may be gone by age.
		if _, _, err := log.Get(newest); err != nil && !errors.Is(err, decisions.ErrErased) && !errors.Is(err, decisions.ErrUnknown) {
			t.Errorf("round %d: the newest decision: %v", round, err)
		}
		log.Close()
		mustVerify(t, dir)
	}
	if r := mustVerify(t, dir); retained < 10 || r.Removed == nil || r.Removed.Records == 0 {
		t.Errorf("%d retentions, removed %+v", retained, r.Removed)
	}
}

// fillTheDisk meets a limit on file sizes, which writes up to the limit and
// then fails as a full disk does, and goes on when the limit is lifted.
func fillTheDisk(dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	limit := func(bytes uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: 1 << 40}); err != nil {
			fmt.Println("setrlimit:", err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	log, err := decisions.Open(dir, decisions.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	limit(10_000)
	wrote, failed := 0, 0
	for n := range 60 {
		switch err := log.Append(ctx, application(log, n)); {
		case err == nil:
			wrote++
		case errors.Is(err, syscall.EFBIG):
			failed++
		default:
			fmt.Println("unexpected:", err)
			os.Exit(1)
		}
	}
	st, err := os.Stat(dir + "/00000001.seg")
	if err != nil || st.Size() >= 10_000 {
		fmt.Println("half a record was left:", st.Size(), err)
		os.Exit(1)
	}
	limit(1 << 40)
	for n := range 5 {
		if err := log.Append(ctx, application(log, 100+n)); err != nil {
			fmt.Println("space came back:", err)
			os.Exit(1)
		}
		wrote++
	}
	fmt.Println(wrote, failed)
	// No Close: the log must be good as it is.
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := child(t, "full", dir).Output()
	var wrote, failed int
	if _, bad := fmt.Sscan(string(out), &wrote, &failed); err != nil || bad != nil || failed == 0 {
		t.Fatalf("child: %s (%v)", out, err)
	}
	if r := mustVerify(t, dir); r.Decisions != int64(wrote) || r.Torn != 0 {
		t.Errorf("report %+v, want %d decisions", r, wrote)
	}
	if n := open(t, dir, decisions.Options{}).Counts("credit").Decisions; n != int64(wrote) {
		t.Errorf("%d decisions, want %d", n, wrote)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, durability := range []decisions.Durability{decisions.OS, decisions.Disk, decisions.Async} {
		b.Run(string(durability), func(b *testing.B) {
			log := open(b, b.TempDir(), decisions.Options{Durability: durability})
			model := application(log, 1)
			b.SetParallelism(16) // 32 goroutines on two cores
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					d := model
					d.ID = log.NewID(start)
					if err := log.Append(context.Background(), d); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}

// TestCloseLetsGoWhileChildrenStart opens and closes a log while children are
// being started, each of which has a copy of the lock file for a moment.
func TestCloseLetsGoWhileChildrenStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = exec.Command("true").Run() // whether it runs does not matter
			}
		}
	}()
	for i := range 300 {
		log, err := decisions.Open(dir, decisions.Options{})
		if err != nil {
			t.Errorf("opening number %d: %v", i+1, err)
			break
		}
		log.Close()
	}
	close(stop)
	<-stopped
}
