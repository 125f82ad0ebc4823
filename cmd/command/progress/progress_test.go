package progress_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"millrace/cmd/command/progress"
	apiv1 "millrace/proto/millrace/api/v1"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int, e *apiv1.WatchJobResponse) *apiv1.WatchJobResponse {
	e.Time = timestamppb.New(start.Add(time.Duration(seconds) * time.Second))
	return e
}

func figures(seconds int, in, out, watermark int64) *apiv1.WatchJobResponse {
	return at(seconds, &apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_Progress{Progress: &apiv1.Progress{
		SourceRecords: in, SinkRecords: out, Watermark: watermark,
	}}})
}

func state(seconds int, s apiv1.JobState, reason string) *apiv1.WatchJobResponse {
	return at(seconds, &apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_State{State: &apiv1.JobStateChanged{State: s, Reason: reason}}})
}

func TestLine(t *testing.T) {
	var f progress.Figures
	f.Observe(state(0, apiv1.JobState_JOB_STATE_RUNNING, ""))
	f.Observe(figures(1, 1000, 10, math.MinInt64))
	lag := start.Add(3*time.Second - 4200*time.Millisecond).UnixMilli()
	f.Observe(figures(3, 2_469_000, 2010, lag))
	f.Observe(at(3, &apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_CheckpointCompleted{
		CheckpointCompleted: &apiv1.CheckpointDescription{CheckpointId: 7, DurationMillis: 1234, WrittenBytes: 3 << 20},
	}}))
	want := "RUNNING  in 2.47 M (1.23 M/s)  out 2.01 K (1.00 K/s)  watermark lag 4.2 s  checkpoint 7 (1.2 s, 3.00 MiB)  restarts 0"
	if diff := cmp.Diff(want, f.Line()); diff != "" {
		t.Error(diff)
	}
}

func TestWatermarks(t *testing.T) {
	for watermark, want := range map[int64]string{
		math.MinInt64: "no watermark", math.MaxInt64: "watermark at the end",
		time.Date(2015, 7, 15, 0, 1, 2, 0, time.UTC).UnixMilli(): "watermark 2015-07-15 00:01:02",
		start.Add(time.Hour).UnixMilli():                         "watermark 2026-03-01 13:00:00",
		start.UnixMilli():                                        "watermark lag 0 ms",
		start.Add(-61 * time.Second).UnixMilli():                 "watermark lag 1m1s",
	} {
		var f progress.Figures
		f.Observe(figures(0, 0, 0, watermark))
		if !strings.Contains(f.Line(), "  "+want+"  ") {
			t.Errorf("%d: %s, want %s", watermark, f.Line(), want)
		}
	}
}

// Counters begin anew with an attempt; that is no negative rate.
func TestRatesAfterARestart(t *testing.T) {
	var f progress.Figures
	f.Observe(figures(0, 5000, 0, 0))
	f.Observe(figures(1, 100, 0, 0))
	if !strings.Contains(f.Line(), "in 100 (0/s)") {
		t.Error(f.Line())
	}
}

// Where nothing is written over: what happened at once, figures every few seconds, the last figures at the end.
func TestScreenWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	s := progress.NewScreen(&out)
	events := []*apiv1.WatchJobResponse{
		state(0, apiv1.JobState_JOB_STATE_RUNNING, ""), figures(1, 10, 0, 0), figures(2, 20, 0, 0), figures(4, 40, 0, 0),
		state(4, apiv1.JobState_JOB_STATE_RUNNING, ""),
		at(5, &apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_Restarted{Restarted: &apiv1.Restarted{Reason: "tm-1 is lost"}}}),
		at(5, &apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_CheckpointFailed{
			CheckpointFailed: &apiv1.CheckpointFailed{CheckpointId: 3, Reason: "disk full"},
		}}),
		state(6, apiv1.JobState_JOB_STATE_FINISHED, ""), figures(6, 60, 6, math.MaxInt64), figures(6, 60, 6, math.MaxInt64),
	}
	for _, e := range events {
		if err := s.See(e); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	want := []string{
		"RUNNING", "RUNNING  in 10 (0/s)", "RUNNING  in 40 (10/s)", "restarts from the last checkpoint: tm-1 is lost",
		"checkpoint 3 failed: disk full", "FINISHED", "FINISHED  in 60 (10/s)",
	}
	var got []string
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		_, text, _ := strings.Cut(line, "  ")
		if i < len(want) && strings.HasPrefix(text, want[i]) {
			text = want[i]
		}
		got = append(got, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s\n%s", diff, out.String())
	}
}
