package command

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startEndless submits an endless job to a cluster and returns its id behind a checkpoint.
func startEndless(t *testing.T, l *local) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "endless.json")
	if err := os.WriteFile(file, []byte(strings.Replace(endless, "BROKERS", l.kafka, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(millrace(t, "run", "--cluster", l.jobs, "--detached", file))
	awaitCheckpoint(t, l.jobs, id)
	return id
}

// host returns a task manager that runs a task of a job. The other one may have come too late for it.
func host(t *testing.T, l *local, id string) string {
	t.Helper()
	show := millrace(t, "job", "show", id, "--cluster", l.jobs)
	for _, name := range []string{"tm-1", "tm-2"} {
		if strings.Contains(show, " "+name+"/") {
			return name
		}
	}
	t.Fatalf("no task manager has a task: %s", show)
	return ""
}

// killProcess is kill -9.
func killProcess(t *testing.T, id int) {
	t.Helper()
	p, err := os.FindProcess(id)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatalf("kill process %d: %v", id, err)
	}
}

// awaitGone waits until processes run no longer.
func awaitGone(t *testing.T, ids map[string]int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for name, id := range ids {
		for runs(t, id) {
			select {
			case <-ctx.Done():
				t.Fatalf("%s, process %d, outlives its parent", name, id)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

// runs tells whether a process has anything to run. One that nobody waits for keeps its id for a while.
func runs(t *testing.T, id int) bool {
	t.Helper()
	command, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(id), "cmdline"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
	return len(bytes.Trim(command, "\x00")) > 0
}

// TestLocalProcesses: a role that is killed is started again and the job goes on; the end of the cluster, and its death,
// leave no process behind, and the next one on the folder goes on with the job.
func TestLocalProcesses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("children die with their parent on Linux only")
	}
	data := filepath.Join(t.TempDir(), "data")
	first := startLocal(t, "--processes", "--dir", data, "--topics", "bids")
	_, port, _ := strings.Cut(first.kafka, ":")
	if roles := []string{"etcd", "jm-1", "tm-1", "tm-2"}; len(first.processes) != len(roles) {
		t.Fatalf("processes %v, want %v", first.processes, roles)
	}
	id := startEndless(t, first)
	killProcess(t, first.processes[host(t, first, id)])
	awaitCheckpoint(t, first.jobs, id)
	awaitRestarts(t, first, id, 1)
	killProcess(t, first.cmd.Process.Pid)
	_ = first.cmd.Wait()
	awaitGone(t, first.processes)

	second := startLocal(t, "--processes", "--dir", data, "-D", "kafka.embedded.port="+port)
	awaitCheckpoint(t, second.jobs, id)
	if err := second.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := second.cmd.Wait(); err != nil {
		t.Errorf("a terminated cluster ends with %v", err)
	}
	awaitGone(t, second.processes)
	for _, role := range []string{"etcd", "jm-1", "tm-1", "tm-2"} {
		if _, err := os.Stat(filepath.Join(data, "logs", role+".log")); err != nil {
			t.Errorf("log of %s: %v", role, err)
		}
	}
}

// awaitRestarts waits until a job has restarted so often and runs.
func awaitRestarts(t *testing.T, l *local, id string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		show := strings.Fields(millrace(t, "job", "show", id, "--cluster", l.jobs))
		at := slices.Index(show, "restarts")
		if restarts, _ := strconv.Atoi(show[at+1]); restarts >= n && slices.Contains(show, "RUNNING") {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the job does not restart: %v", show)
		}
	}
	awaitCheckpoint(t, l.jobs, id)
}
