package command

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"millrace/internal/crash"
	"millrace/internal/testutil/matrix"
)

// submitEndless starts the endless job and returns its id.
func submitEndless(t *testing.T, l *local, text string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "job.json")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "BROKERS", l.kafka)), 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(millrace(t, append([]string{"run", "--cluster", l.jobs, "--detached", file}, args...)...))
}

// fails runs a command that must fail, and returns what it says.
func fails(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "millrace", args...).CombinedOutput()
	if err == nil {
		t.Fatalf("millrace %s succeeded: %s", strings.Join(args, " "), out)
	}
	return string(out)
}

// Commands of savepoints, as a user gives them: take one, stop into one, start from either, also with another graph.
func TestSavepointCommands(t *testing.T) {
	dir := t.TempDir()
	l := startLocal(t, "--dir", dir, "--topics", "bids")
	id := submitEndless(t, l, endless)
	awaitCheckpoint(t, l.jobs, id)
	taken := strings.TrimSpace(millrace(t, "job", "savepoint", "--cluster", l.jobs, id))
	if !strings.HasPrefix(taken, filepath.Join(dir, "blobs", id, "savepoint")) {
		t.Errorf("the savepoint is at %s", taken)
	}
	stopped := strings.TrimSpace(millrace(t, "job", "stop", "--savepoint", "--cluster", l.jobs, id))
	if shown := millrace(t, "job", "show", "--cluster", l.jobs, id); !strings.Contains(shown, taken) || !strings.Contains(shown, stopped) {
		t.Errorf("job show does not name %s and %s:\n%s", taken, stopped, shown)
	}
	if said := fails(t, "job", "savepoint", "--cluster", l.jobs, id); !strings.Contains(said, "has ended") {
		t.Errorf("a savepoint of a stopped job: %s", said)
	}
	if said := millrace(t, "state", "inspect", "--verify", stopped); !strings.Contains(said, "vertex bids: parallelism 2") || !strings.Contains(said, "split nexmark-0/2") {
		t.Errorf("state inspect:\n%s", said)
	}
	key := strings.TrimPrefix(stopped, filepath.Join(dir, "blobs")+"/")
	said := millrace(t, "state", "inspect", "--json", "-D", "execution.checkpointing.dir="+filepath.Join(dir, "blobs"), key)
	if !strings.Contains(said, `"kind": "suspend"`) {
		t.Errorf("state inspect --json:\n%s", said)
	}
	if next := submitEndless(t, l, endless, "-s", stopped, "--parallelism", "1"); next == id {
		t.Error("it is the same job")
	}
	renamed := strings.Replace(endless, `"id": "bids"`, `"id": "others"`, 1)
	renamed = strings.Replace(renamed, `"vertices": [{`, `"vertices": [{"id": "bids", "source": {"uid": "b", "connector": "nexmark", "options": {"event-type": "bid"},
		"schema": {"fields": [{"name": "auction", "type": {"kind": "TYPE_KIND_BIGINT"}}]}}, "sink": {"uid": "s", "connector": "blackhole"}}, {`, 1)
	file := filepath.Join(dir, "renamed.json")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(renamed, "BROKERS", l.kafka)), 0o600); err != nil {
		t.Fatal(err)
	}
	said = millrace(t, "run", "--cluster", l.jobs, "--dry-run", "--fromSavepoint", taken, file)
	for _, want := range []string{`kept +bids +- +positions`, `new +others +- +positions`} {
		if !regexp.MustCompile(want).MatchString(said) {
			t.Errorf("no %q in:\n%s", want, said)
		}
	}
}

// Wherever the process dies that makes a savepoint, the job goes on when it is there again, is stopped into another, and goes
// on from that at another parallelism: each bid is counted once, over all of it.
func TestSavepointCrashes(t *testing.T) {
	for _, point := range matrix.Sample(t, 2, crash.SavepointPoints) {
		t.Run(point, func(t *testing.T) {
			dir, out := t.TempDir(), t.TempDir()
			graph := strings.ReplaceAll(counting, "OUT", out)
			t.Setenv(crash.Env, point)
			l := startLocal(t, "--dir", dir)
			id := submitEndless(t, l, graph)
			awaitCheckpoint(t, l.jobs, id)
			fails(t, "job", "savepoint", "--cluster", l.jobs, id)
			_ = l.cmd.Wait()
			t.Setenv(crash.Env, "")
			l = startLocal(t, "--dir", dir)
			awaitCheckpoint(t, l.jobs, id)
			whole := strings.Contains(millrace(t, "job", "show", "--cluster", l.jobs, id), "/savepoint/")
			if whole != (point == crash.AfterSavepoint) {
				t.Errorf("the job shows a savepoint: %v", whole)
			}
			stopped := strings.TrimSpace(millrace(t, "job", "stop", "--savepoint", "--cluster", l.jobs, id))
			file := filepath.Join(dir, "next.json")
			if err := os.WriteFile(file, []byte(strings.Replace(graph, `"parallelism": 2`, `"parallelism": 3`, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			millrace(t, "run", "--cluster", l.jobs, "--from-savepoint", stopped, file)
			if got := counted(t, out); got != countingEvents*46/50 {
				t.Errorf("%d bids are counted, want %d", got, countingEvents*46/50)
			}
		})
	}
}

// counting is a job that counts bids by auction, with enough state for files of its own, and writes exactly once.
const (
	countingEvents = 60_000
	counting       = `{
  "name": "counting", "parallelism": 2, "checkpoint": {"interval": "0.1s", "tolerable_failures": 3},
  "vertices": [{
    "id": "bids",
    "source": {
      "uid": "bids-source", "connector": "nexmark",
      "options": {"event-type": "bid", "events.num": "60000", "first-event.rate": "10000", "rate.limited": "true", "bid.hot-ratio.auctions": "1"},
      "schema": {"fields": [
        {"name": "auction", "type": {"kind": "TYPE_KIND_BIGINT"}}, {"name": "dateTime", "type": {"kind": "TYPE_KIND_TIMESTAMP", "precision": 3}}
      ]},
      "watermark": {"column": 1, "delay": "1s"}
    }
  }, {
    "id": "windows",
    "operators": [{"uid": "window", "window_aggregate": {
      "keys": [0], "time": 1, "window": {"size": "1s"}, "aggregates": [{"func": "COUNT", "arg": -1, "name": "bids"}]
    }}],
    "sink": {"uid": "sink", "connector": "filesystem", "options": {"path": "OUT", "format": "json"}}
  }],
  "edges": [{"from": "bids", "to": "windows", "partitioning": "PARTITIONING_KIND_HASH", "keys": [0]}]
}`
)

// counted adds up what is in the files that are committed.
func counted(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var row struct{ Bids int }
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatalf("%s: %v in %q", file, err, line)
			}
			sum += row.Bids
		}
	}
	return sum
}
