package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"millrace/cmd/cluster"
	"millrace/connectors/nexmark"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/taskmanager"
	"millrace/types"
)

// workerCommand is the first argument of a process that is one task manager of a
// run of crossing rows.
const workerCommand = "taskmanager"

// order is a line from the measuring process to a worker. The end of the orders
// ends the worker.
type order string

const (
	// startOrder: begin to count.
	startOrder order = "start"
	// openOrder: let the sources through.
	openOrder order = "open"
	// stopOrder: stop counting, and report.
	stopOrder order = "stop"
)

// report is a line from a worker.
type report struct {
	// Ready: the sources that run here have their batches.
	Ready bool `json:"ready,omitempty"`
	// Done is the order that was carried out; Figures follow the last.
	Done    order    `json:"done,omitempty"`
	Figures *figures `json:"figures,omitempty"`
}

// figures are what a worker used between start and stop, and what its sink was given.
type figures struct {
	CPU          time.Duration `json:"cpu"`
	Mallocs      uint64        `json:"mallocs"`
	Collections  uint32        `json:"collections"`
	ResidentMax  int64         `json:"resident_max"`
	RowsReceived int64         `json:"rows_received"` // from other processes
	Rows         int64         `json:"rows"`
	Bids         int64         `json:"bids"`
	Sum          uint64        `json:"sum"`
}

// worker is a task manager of a run of crossing rows, as its own process has it.
type worker struct {
	id, jobManager, dir, blobs string
	profile                    string
	sources                    int
	gate                       *gate
	sink                       *checkedSink
	manager                    *cluster.TaskManager
	start                      usage
	out                        *json.Encoder
}

func work(ctx context.Context, args []string, orders io.Reader, reports io.Writer) error {
	w := &worker{sink: &checkedSink{}, out: json.NewEncoder(reports)}
	f := flag.NewFlagSet("bench "+workerCommand, flag.ContinueOnError)
	f.StringVar(&w.id, "id", "", "id of the task manager")
	f.StringVar(&w.jobManager, "job-manager", "", "address of the job manager")
	f.StringVar(&w.dir, "dir", "", "working folder")
	f.StringVar(&w.blobs, "blobs", "", "folder of the blob store")
	f.StringVar(&w.profile, "cpuprofile", "", "file for the CPU profile")
	f.IntVar(&w.sources, "sources", 1, "source tasks that may run here")
	if err := f.Parse(args); err != nil {
		return err
	}
	w.gate = newGate(w.sources)
	if err := w.run(ctx, orders); err != nil {
		return fmt.Errorf("task manager %s: %w", w.id, err)
	}
	return nil
}

func (w *worker) run(ctx context.Context, orders io.Reader) (err error) {
	storage, err := cluster.OpenStorage(ctx, w.blobs, clock.System(), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, storage.Close()) }()
	registry, err := metrics.New(clock.System())
	if err != nil {
		return err
	}
	wiring := cluster.NewWiring(nil)
	wiring.Connectors.RegisterSource(gatedConnector, w.gate.before(nexmark.Factory))
	wiring.Connectors.RegisterSink(checkedConnector, w.sink.factory())
	w.manager, err = cluster.StartRemoteTaskManager(ctx, []string{w.jobManager}, "127.0.0.1:0", "", taskmanager.Options{
		Cluster: crossingCluster, ID: types.TaskManagerID(w.id), Slots: 1, Operators: wiring.Operators, Functions: wiring.Functions, Connectors: wiring.Connectors,
		Backend: columnar.New(), Store: storage, Pool: &stream.Pool{}, Metrics: registry, Clock: clock.System(),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})), Dir: w.dir,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.manager.Kill()) }()
	return w.obey(ctx, orders)
}

// obey carries orders out until there are no more.
func (w *worker) obey(ctx context.Context, orders io.Reader) error {
	lines := make(chan order)
	go func() { // ends with the orders, and so at the latest with the process that gives them
		defer close(lines)
		for s := bufio.NewScanner(orders); s.Scan(); {
			lines <- order(s.Text())
		}
	}()
	ready := w.gate.ready
	for {
		select {
		case <-ready:
			ready = nil
			if err := w.out.Encode(report{Ready: true}); err != nil {
				return err
			}
		case <-w.manager.Ended():
			return w.manager.Err()
		case <-ctx.Done():
			return ctx.Err()
		case o, more := <-lines:
			if !more {
				return nil
			}
			if err := w.carryOut(o); err != nil {
				return err
			}
		}
	}
}

func (w *worker) carryOut(o order) error {
	done := report{Done: o}
	switch o {
	case startOrder:
		if w.profile != "" {
			if err := startProfile(w.profile); err != nil {
				return err
			}
		}
		runtime.GC()
		w.start = usageNow()
	case openOrder:
		w.gate.open()
	case stopOrder:
		done.Figures = w.figures()
		if w.profile != "" {
			pprof.StopCPUProfile()
		}
	default:
		return fmt.Errorf("unknown order %q", o)
	}
	return w.out.Encode(done)
}

func (w *worker) figures() *figures {
	end := usageNow()
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	return &figures{
		CPU: end.cpu - w.start.cpu, Mallocs: end.mallocs - w.start.mallocs, Collections: end.collections - w.start.collections,
		ResidentMax: end.residentMax, RowsReceived: w.manager.Remote().RowsIn.Load(),
		Rows: w.sink.rows, Bids: w.sink.bids, Sum: w.sink.sum,
	}
}
