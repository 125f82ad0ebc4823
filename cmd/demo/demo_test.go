package demo_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/cmd/command/config"
	"millrace/cmd/command/standalone"
	"millrace/cmd/demo"
	"millrace/internal/testutil/realkafka"
	"millrace/types"
)

// TestOnARealBroker: the demo runs on a broker that is somebody's, under topics of its own, and verifies its result.
func TestOnARealBroker(t *testing.T) {
	broker, err := realkafka.Launch(t.Context(), filepath.Join(t.TempDir(), "kafka"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	cluster := start(t, config.Brokers+"="+broker.Addr())
	var out bytes.Buffer
	if err := demo.Run(t.Context(), demo.Options{Bids: 1_000_000, Out: &out, Cluster: cluster}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	says(t, out.String(), "into topic bids-demo-", "into topic bids-per-auction-demo-", "Verified")
}

// TestGenerationRestarts: a loss while the input is generated makes no bid late, so the result is verified all the same.
func TestGenerationRestarts(t *testing.T) {
	cluster := start(t)
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- demo.Run(t.Context(), demo.Options{Bids: 2_000_000, Out: &out, Cluster: cluster}) }()
	loseGenerator(t, cluster)
	if err := <-done; err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	says(t, out.String(), "Verified")
}

// loseGenerator ends the task manager that generates bids, when it has written some of them, and brings it back.
func loseGenerator(t *testing.T, cluster *standalone.Standalone) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		jobs, err := cluster.Client().List(t.Context()) // fails until somebody leads
		if len(jobs) > 1 {
			t.Fatalf("jobs %v: want the one that generates", jobs)
		}
		if err == nil && len(jobs) == 1 {
			job, err := cluster.Client().Describe(t.Context(), jobs[0].JobId)
			if err != nil {
				t.Fatal(err)
			}
			if len(job.Tasks) > 0 && job.Tasks[0].GetProgress().GetRecordsIn() > 0 {
				victim := types.TaskManagerID(job.Tasks[0].TaskManagerId)
				if err := errors.Join(cluster.KillTaskManager(victim), cluster.StartTaskManager(victim)); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
		<-again.C
	}
}

func start(t *testing.T, dynamic ...string) *standalone.Standalone {
	t.Helper()
	c, err := config.Load(config.Sources{Dynamic: dynamic})
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := standalone.Start(t.Context(), standalone.Options{
		Dir: t.TempDir(), Address: "127.0.0.1:0", Config: c, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

func says(t *testing.T, out string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("the output does not say %q:\n%s", want, out)
		}
	}
}
