package supervise

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"millrace/internal/clock"
)

// roleVariable makes the test binary a role: what it does, and where it served before.
const roleVariable = "MILLRACE_SUPERVISE_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "" {
		os.Exit(m.Run())
	}
	does, served := os.Args[1], os.Args[2]
	switch {
	case does == "refuses":
		fmt.Fprintln(os.Stderr, "millrace: it is your fault")
		os.Exit(exitUser)
	case does == "serves once" && served != "":
		fmt.Fprintln(os.Stderr, "its last words")
		os.Exit(1)
	case served == "":
		served = "address-1"
	}
	fmt.Fprintln(os.Stderr, "all is well")
	fmt.Printf("a role\n  jobs  %s\n  metrics  m\n", served)
	<-time.After(time.Hour) // it is killed before; with nothing to wait for the runtime would end it
}

// told collects what people are told.
type told struct{ lines chan string }

func (w told) Write(text []byte) (int, error) {
	w.lines <- string(text)
	return len(text), nil
}

func start(t *testing.T, does string, c clock.Clock) (*Supervisor, *Role, told, error) {
	t.Helper()
	w := told{make(chan string, 1000)}
	s, err := New(Options{Program: os.Args[0], Env: append(os.Environ(), roleVariable+"=1"), Dir: t.TempDir(), Out: w, Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	r, err := s.Start(t.Context(), Spec{
		Name: "role", Labels: []string{"jobs", "metrics"},
		Arguments: func(serves func(string) string) []string { return []string{does, serves("jobs")} },
	})
	return s, r, w, err
}

func expectSays(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("it is not said that %q in:\n%s", w, got)
		}
	}
}

func kill(t *testing.T, r *Role) {
	t.Helper()
	p, err := os.FindProcess(r.PID())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestKilledRoleRunsAgain where it served before.
func TestKilledRoleRunsAgain(t *testing.T) {
	_, r, w, err := start(t, "serves", clock.System())
	if err != nil {
		t.Fatal(err)
	}
	first := r.PID()
	kill(t, r)
	expectSays(t, <-w.lines, fmt.Sprintf("role (process %d) ended: signal: killed; it is started again in 200ms", first), "  all is well")
	expectSays(t, <-w.lines, "role runs again")
	if r.PID() == first || r.Serves("jobs") != "address-1" {
		t.Errorf("process %d of before serves at %s", r.PID(), r.Serves("jobs"))
	}
	log, err := os.ReadFile(r.Log())
	if err != nil || strings.Count(string(log), "  jobs  address-1\n") != 2 {
		t.Errorf("the log of two processes, %v:\n%s", err, log)
	}
	r.Stop(time.Minute)
	if err := r.child.Err; err == nil || err.Error() != "signal: terminated" {
		t.Errorf("a role that is stopped ends by %v", err)
	}
}

// TestRoleThatDiesAgainAndAgain is given up, with what it said.
func TestRoleThatDiesAgainAndAgain(t *testing.T) {
	now := clock.NewManual(time.UnixMilli(0))
	s, r, _, err := start(t, "serves once", now)
	if err != nil {
		t.Fatal(err)
	}
	kill(t, r)
	for wait := restartMin; ; wait = min(2*wait, restartMax) {
		given := make(chan struct{})
		waits := make(chan bool, 1)
		go func() { waits <- now.AwaitRunning(1, given) }()
		select {
		case <-waits:
			now.Advance(wait)
		case err := <-s.Failed():
			close(given)
			<-waits
			expectSays(t, err.Error(), fmt.Sprintf("role died %d times in a row: ended: exit status 1", restartsMax+1), "its last words")
			return
		}
	}
}

func TestRoleThatCantStart(t *testing.T) {
	_, _, _, err := start(t, "refuses", clock.System())
	if err == nil {
		t.Fatal("a role starts that refuses to")
	}
	expectSays(t, err.Error(), "role ended: exit status 2; it said at last:", "  millrace: it is your fault")
}
