package workflow

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/engineering/serve"
)

// never fails the test if a server gets ready that should not.
func never(t *testing.T) func(string) {
	return func(url string) { t.Errorf("it is served on %s", url) }
}

// A second server of the same project is told which process the first one is,
// on the same port or another, and the first one goes on.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	cmd, url := serving(t, dir)
	for _, address := range []string{"127.0.0.1:0", strings.TrimPrefix(url, "http://")} {
		err := Up(t.Context(), dir, UpOptions{Address: address, Ready: never(t)})
		if err == nil || !strings.Contains(err.Error(), "in use by process "+strconv.Itoa(cmd.Process.Pid)) {
			t.Errorf("up on %s: %v, want the process %d named", address, err, cmd.Process.Pid)
		}
	}
	score(t, url, after(historyRows, 1)...)
	// Looking is allowed beside it.
	if v := champion(t, dir); v != 1 {
		t.Errorf("version %d is the champion", v)
	}
	mustVerify(t, dir)
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	for address, want := range map[string]string{
		taken:            "listen on " + taken + ": the port is in use",
		"127.0.0.1":      `address "127.0.0.1"`,
		"127.0.0.1:http": `address "127.0.0.1:http"`,
	} {
		if err := Up(t.Context(), dir, UpOptions{Address: address, Ready: never(t)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("up on %s: %v, want %q", address, err, want)
		}
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.org:0"} {
		if err := Up(t.Context(), dir, UpOptions{Address: address, Ready: never(t)}); !errors.Is(err, serve.ErrNotLoopback) {
			t.Errorf("up on %s: %v, want ErrNotLoopback", address, err)
		}
	}
	// A refusal leaves nothing locked.
	up(t, dir, nil)
}

// A file where the state folder should be.
func TestStateThatIsNoFolder(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	removeAll(t, stateDir(dir))
	if err := os.WriteFile(stateDir(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := Up(t.Context(), dir, UpOptions{Address: "127.0.0.1:0", Ready: never(t)})
	if err == nil || !strings.Contains(err.Error(), `open the state of project "loans"`) || !strings.Contains(err.Error(), stateDir(dir)) {
		t.Errorf("up: %v, want an error that names %s", err, stateDir(dir))
	}
}

// A project that was never up has no models, no status and nothing to renew.
func TestNothingYet(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	removeAll(t, stateDir(dir))
	if _, err := StatusOf(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "no models yet") {
		t.Errorf("status: %v", err)
	}
	if _, err := VerifyProject(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "no models yet") {
		t.Errorf("verify: %v", err)
	}
	if _, err := Retrain(t.Context(), dir, RetrainOptions{}); err == nil || !strings.Contains(err.Error(), "no decisions yet") {
		t.Errorf("retrain: %v", err)
	}
	if _, err := os.Stat(stateDir(dir)); err == nil {
		t.Error("looking made a state folder")
	}
}

// A log whose middle was changed is not served over, and verify says where.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	dir := lived(t)
	segment := filepath.Join(decisionsDir(dir), "00000001.seg")
	content, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/3] ^= 1
	if err := os.WriteFile(segment, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyProject(t.Context(), dir); !errors.Is(err, ErrNotHeld) || !strings.Contains(fmt.Sprint(err), "00000001.seg") {
		t.Errorf("verify: %v, want ErrNotHeld and the place", err)
	}
	if err := Up(t.Context(), dir, UpOptions{Address: "127.0.0.1:0", Ready: never(t)}); err == nil || !strings.Contains(err.Error(), "00000001.seg") {
		t.Errorf("up: %v, want the place of the damage", err)
	}
}
