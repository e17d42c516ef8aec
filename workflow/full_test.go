//go:build linux

package workflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

func init() {
	roles["full"] = childFull
	roles["stranger"] = childStranger
}

// childStranger serves as a user who owns nothing, if it is root that tests.
func childStranger(dir, _ string) error {
	if os.Getuid() == 0 {
		if err := errors.Join(syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
			return err
		}
	}
	err := Up(context.Background(), dir, UpOptions{Address: "127.0.0.1:0", Ready: func(string) { fmt.Println("it is served") }})
	var hint *data.Hinted
	if errors.As(err, &hint) {
		err = fmt.Errorf("%w (%s)", err, hint.Hint)
	}
	return err
}

// A state folder that cannot be written to, whether it has content or is still
// to be made.
func TestReadOnlyState(t *testing.T) {
	t.Parallel()
	for _, fresh := range []bool{false, true} {
		dir := trained(t)
		if err := os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755); err != nil { // the test's folder, for the other user
			t.Fatal(err)
		}
		closed := decisionsDir(dir)
		if fresh {
			removeAll(t, stateDir(dir))
			closed = filepath.Dir(stateDir(dir))
		} else if err := os.Chmod(stateDir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(closed, 0o555); err != nil {
			t.Fatal(err)
		}
		if lock := filepath.Join(closed, "lock"); !fresh {
			if err := os.Chmod(lock, 0o444); err != nil {
				t.Fatal(err)
			}
		}
		_, out := child(t, "stranger", dir, "")
		out.Scan()
		for _, want := range []string{`open the state of project "loans"`, "permission denied", "let the user who runs it write there"} {
			if !strings.Contains(out.Text(), want) {
				t.Errorf("fresh %v: up said %q, want %q in it", fresh, out.Text(), want)
			}
		}
		os.Chmod(closed, 0o755) // so that it can be removed
	}
}

// childFull serves with a limit on file sizes, which writes up to the limit and
// then fails as a full disk does. SIGUSR1 sets the limit to arg bytes, SIGUSR2
// lifts it.
func childFull(dir, arg string) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := func(bytes uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: 1 << 40}); err != nil {
			fmt.Println("error", err)
		}
	}
	var bytes uint64
	fmt.Sscan(arg, &bytes)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	return Up(context.Background(), dir, UpOptions{Address: "127.0.0.1:0", Ready: func(url string) {
		fmt.Println("ready", url)
		go func() {
			for s := range signals {
				if s == syscall.SIGUSR1 {
					limit(bytes)
				} else {
					limit(1 << 40)
				}
				fmt.Println("limit")
			}
		}()
	}})
}

// With a full disk nothing is answered that is not logged, the process lives,
// and it answers again when there is space.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	cmd, out := child(t, "full", dir, "100000")
	if !out.Scan() {
		t.Fatal("the server ended")
	}
	url := strings.TrimPrefix(out.Text(), "ready ")
	signalled := func(s os.Signal) {
		t.Helper()
		if err := cmd.Process.Signal(s); err != nil || !out.Scan() || out.Text() != "limit" {
			t.Fatalf("the server said %q (%v)", out.Text(), err)
		}
	}
	apps := after(historyRows, 50)
	var ids []string
	answers := func(a answer) {
		for _, r := range a.Results {
			ids = append(ids, r.ID)
		}
	}
	signalled(syscall.SIGUSR1)
	status := 0
	for n := 0; n < 100 && status < 500; n++ {
		var a answer
		var err error
		if status, err = post(url+"/v1/score/loans", rowsOf(apps), &a); err == nil {
			answers(a)
		} else if status < 500 || strings.Contains(err.Error(), apps[0].ID) {
			t.Fatalf("a full disk was answered with %v", err)
		}
	}
	if status != http.StatusServiceUnavailable && status != http.StatusInsufficientStorage {
		t.Fatalf("a full disk was answered with status %d", status)
	}
	if err := get(url+"/health/live", new(map[string]any)); err != nil {
		t.Errorf("the process does not live: %v", err)
	}
	signalled(syscall.SIGUSR2)
	answers(score(t, url, apps...))

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	mustVerify(t, dir)
	log, err := decisions.OpenReadOnly(decisionsDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, id := range ids {
		if _, _, err := log.Get(id); err != nil {
			t.Errorf("answered decision: %v", err)
		}
	}
	if n := log.Counts("loans").Decisions; n != int64(len(ids)) {
		t.Errorf("%d decisions are in the log, %d were answered", n, len(ids))
	}
}
