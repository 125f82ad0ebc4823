package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/connectors/nexmark"
	"millrace/stream"
)

// A run from the arguments to the line, with an answer that was checked.
func TestMainJobIsMeasured(t *testing.T) {
	var out bytes.Buffer
	args := []string{"-scenario", "prepared", "-bids", "300000", "-distinct", "40000", "-parallelism", "2", "-rate", "10000", "-checkpoint-interval", "50ms"}
	if err := bench(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var r result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if !r.AnswerChecked || r.Events < 300_000 || r.EventsPerCPUSecond <= 0 || len(r.Checkpoints) == 0 || r.PreAggregation != (i == 0) {
			t.Errorf("run %d: %s", i, line)
		}
	}
}

// The same between processes: every row crosses, or the run is an error.
func TestMainJobIsMeasuredBetweenProcesses(t *testing.T) {
	var out bytes.Buffer
	args := []string{"-scenario", "crossing", "-crossing-bids", "300000", "-distinct", "40000", "-parallelism", "1", "-rate", "10000", "-checkpoint-interval", "50ms"}
	if err := bench(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var r crossingResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if !r.AnswerChecked || r.Processes != 2 || r.RowsCrossed < 300_000 || r.RowsCrossed != r.Events || r.CPUSeconds <= 0 || len(r.Checkpoints) == 0 {
		t.Errorf("%s", out.String())
	}
}

// A task manager is killed, and the job runs again.
func TestRecoveryIsMeasured(t *testing.T) {
	var out bytes.Buffer
	args := []string{
		"-scenario", "recovery", "-parallelism", "2", "-recovery-state", "100000", "-recovery-rate", "20000", "-recovery-checkpoint-interval", "100ms",
	}
	if err := bench(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var r recoveryResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.StateBytes < 100_000 || r.RunningSeconds <= 0 || r.CheckpointSeconds < r.RunningSeconds || r.Restarts != 1 || r.Failure == "" {
		t.Errorf("%s", out.String())
	}
}

// TestMain lets the test's program be a worker, as the program itself may be.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == workerCommand {
		if err := work(context.Background(), os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	m.Run()
}

// The same from a topic of a real broker, with an exactly-once sink.
func TestMainJobOverKafkaIsMeasured(t *testing.T) {
	var out bytes.Buffer
	args := []string{"-scenario", "kafka", "-kafka-bids", "100000", "-parallelism", "2", "-preaggregation", "on", "-checkpoint-interval", "1s"}
	if err := bench(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if !r.AnswerChecked || r.Scenario != "kafka-json" || r.Events < 100_000 || len(r.Checkpoints) == 0 {
		t.Errorf("%s", out.String())
	}
}

// The main job as SQL and from Go gives the same, and is measured in turns.
func TestSDKIsMeasured(t *testing.T) {
	var out bytes.Buffer
	args := []string{"-scenario", "sdk", "-sdk-bids", "50000", "-sdk-rounds", "1", "-parallelism", "2", "-checkpoint-interval", "1s"}
	if err := bench(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var r sdkResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Ways) != len(ways) || r.Events < 50_000 {
		t.Errorf("%s", out.String())
	}
	for _, w := range r.Ways {
		if w.EventsPerCPUSecond <= 0 || w.OfSQL <= 0 {
			t.Errorf("%+v", w)
		}
	}
}

// The direct computation is itself compared with one that reads what the job
// reads, row by row.
func TestExpectedEqualsRowByRow(t *testing.T) {
	r := run{parallelism: 2, bids: 100_000, distinct: 10_000, rate: 3_000}
	got, err := r.expected(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source, err := nexmark.Open(r.source(), bidSchema)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := openReader(t.Context(), source, bidSchema)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	rows := map[[2]int64]row{}
	for b := range batches(t, reader) {
		for i := range b.Rows() {
			at := b.Row(i)
			auction, millis := stream.Value[int64](&b.Columns[auctionColumn], at), stream.Value[int64](&b.Columns[timeColumn], at)
			price := stream.Value[int64](&b.Columns[priceColumn], at)
			key := [2]int64{auction, millis - millis%windowSize.Milliseconds()}
			w := rows[key]
			rows[key] = row{auction, key[1], w.bids + 1, w.total + price, max(w.highest, price)}
		}
	}
	var want answer
	for _, w := range rows {
		want.add(w)
	}
	if got != want {
		t.Errorf("answer %+v, row by row %+v", got, want)
	}
}

func TestArguments(t *testing.T) {
	runs, err := parse([]string{"-scenario", "prepared", "-parallelism", "1,3", "-preaggregation", "off,on"})
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 4 || runs[2].parallelism != 3 || runs[2].preAggregation || !runs[3].preAggregation {
		t.Errorf("runs %v", runs)
	}
	for _, args := range [][]string{{"-parallelism", "0"}, {"-parallelism", "x"}, {"-preaggregation", "maybe"}, {"-bids", "many"}, {"-scenario", "dream"}, {"-scenario", "tier", "-tier-keys", "odd"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}

// batches yields what a reader gives, to its end.
func batches(t *testing.T, r connectors.Reader) iter.Seq[*stream.Batch] {
	t.Helper()
	return func(yield func(*stream.Batch) bool) {
		for {
			b, status, err := r.Read()
			if err != nil {
				t.Fatal(err)
			}
			if b == nil && status == connectors.Done {
				return
			}
			more := b == nil || yield(b)
			b.Release()
			if !more {
				return
			}
		}
	}
}

// Texts that are no SQL are errors, each for its own reason.
func TestRefusalsAreMeasured(t *testing.T) {
	var out bytes.Buffer
	if err := bench(t.Context(), []string{"-scenario", "refusals"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var r refusals
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Texts) != len(badTexts()) {
		t.Errorf("%d texts, want %d", len(r.Texts), len(badTexts()))
	}
	for _, text := range r.Texts {
		if text.Error == "" || text.SlowestMillis < text.Millis {
			t.Errorf("%+v", text)
		}
	}
}
