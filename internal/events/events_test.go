package events_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
	"millrace/internal/events"
)

var task = events.TaskRef{Vertex: "window", Index: 1, Attempt: 3}

// samples holds one Info of each kind, in the order of the listener's fields, with the line and the level it has.
var samples = []struct {
	info  events.Info
	line  string
	level string
}{
	{
		events.JobStateInfo{Job: "j", From: "running", To: "failed", Err: failure.Userf("no column c")},
		"job j: running -> failed: no column c [user/never]", "ERROR",
	},
	{
		events.TaskStateInfo{Job: "j", Task: task, From: "deploying", To: "running", On: "tm-1"},
		"job j: task window/1#3: deploying -> running on tm-1", "DEBUG",
	},
	{
		events.CheckpointTriggeredInfo{Job: "j", Checkpoint: 7, Kind: "checkpoint", Tasks: 4},
		"job j: checkpoint 7 triggered, 4 tasks", "DEBUG",
	},
	{
		events.CheckpointCompletedInfo{Job: "j", Checkpoint: 7, Duration: 1234567 * time.Microsecond, Bytes: 10, FullBytes: 99},
		"job j: checkpoint 7 completed in 1.235s, 10 bytes written of 99", "DEBUG",
	},
	{
		events.CheckpointFailedInfo{Job: "j", Checkpoint: 8, Err: failure.External(io.ErrUnexpectedEOF, failure.Backoff), InARow: 2},
		"job j: checkpoint 8 failed, 2 in a row: unexpected EOF [external/backoff]", "WARN",
	},
	{
		events.CheckpointDeclinedInfo{Job: "j", Checkpoint: 8, Task: task, Err: errors.New("two\n lines")},
		"job j: checkpoint 8 declined by window/1#3: two lines [internal/restart]", "WARN",
	},
	{
		events.RestartInfo{Job: "j", Attempt: 4, Tasks: 2, Checkpoint: 7, Delay: time.Second, Reason: errors.New("lost tm-1")},
		"job j: restart of 2 tasks from checkpoint 7 as attempt 4 after 1s: lost tm-1 [internal/restart]", "WARN",
	},
	{
		events.DeadLetterInfo{Job: "j", Task: task, Split: "bids-0", Position: "17", Reason: failure.Userf("not JSON")},
		"job j: task window/1#3: dead letter from bids-0 at 17: not JSON [user/never]", "WARN",
	},
	{
		events.TaskManagerTroubleInfo{TaskManager: "tm-1", Trouble: "DISK_PRESSURE"},
		"task manager tm-1: DISK_PRESSURE", "WARN",
	},
}

// tell calls each function of l with its sample.
func tell(t *testing.T, l events.Listener) {
	t.Helper()
	v := reflect.ValueOf(l)
	if v.NumField() != len(samples) {
		t.Fatalf("the listener has %d functions, there are %d samples", v.NumField(), len(samples))
	}
	for i, s := range samples {
		v.Field(i).Call([]reflect.Value{reflect.ValueOf(s.info)})
	}
}

// recorder returns a listener that appends each line to lines, made by reflection so that it knows every field.
func recorder(lines *[]string) events.Listener {
	var l events.Listener
	v := reflect.ValueOf(&l).Elem()
	for i := range v.NumField() {
		v.Field(i).Set(reflect.MakeFunc(v.Type().Field(i).Type, func(args []reflect.Value) []reflect.Value {
			*lines = append(*lines, args[0].Interface().(events.Info).String())
			return nil
		}))
	}
	return l
}

func TestLinesReadAloud(t *testing.T) {
	for _, s := range samples {
		if diff := cmp.Diff(s.line, s.info.String()); diff != "" {
			t.Error(diff)
		}
		if attrs := s.info.Attrs(); attrs[0].Key != "job" && attrs[0].Key != "tm" {
			t.Errorf("%T: the first field is %s", s.info, attrs[0].Key)
		}
	}
}

func TestEnsureDefaultsFillsEveryFunction(t *testing.T) {
	tell(t, events.Listener{}.EnsureDefaults()) // panics on a function that stayed nil
}

func TestEnsureDefaultsKeepsWhatListens(t *testing.T) {
	var lines []string
	tell(t, recorder(&lines).EnsureDefaults())
	if len(lines) != len(samples) {
		t.Errorf("heard %d of %d", len(lines), len(samples))
	}
}

func TestTeeTellsAllInOrder(t *testing.T) {
	var both []string
	one := recorder(&both)
	tell(t, events.Tee(one, events.Listener{}, one))
	var want []string
	for _, s := range samples {
		want = append(want, s.line, s.line)
	}
	if diff := cmp.Diff(want, both); diff != "" {
		t.Error(diff)
	}
	tell(t, events.Tee())
}

func TestLogLevels(t *testing.T) {
	var out bytes.Buffer
	tell(t, events.Log(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(samples) {
		t.Fatalf("%d lines of %d:\n%s", len(lines), len(samples), out.String())
	}
	for i, s := range samples {
		if !strings.Contains(lines[i], "level="+s.level+" ") || !strings.Contains(lines[i], " job=j") && !strings.Contains(lines[i], " tm=tm-1") {
			t.Errorf("want level %s in %s", s.level, lines[i])
		}
	}
	if !strings.Contains(lines[0], "class=user/never") {
		t.Errorf("the class is missing in %s", lines[0])
	}
}
