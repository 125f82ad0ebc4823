// Package connectors is the contract of sources and sinks. A connector has up
// to four parts:
//
//   - a Reader runs in every source task and turns its splits into batches;
//   - an Enumerator runs in one coordinator task of the source's vertex: it
//     finds splits and assigns them to readers;
//   - a Writer runs in every sink task and makes what it wrote ready to commit
//     at each barrier;
//   - a Committer runs in one coordinator task of the sink's vertex: it commits
//     after a checkpoint is complete, and again at every restore.
//
// Coordinator tasks run in slots of task managers; what passes between them,
// readers and writers is opaque bytes that the job manager carries and stores.
//
// # Exactly once
//
// A reader's splits and positions, and the event time of each split, are in the
// task's snapshot. A split that the enumerator knows and no reader's snapshot
// holds begins at its start position, because nothing of it was read before the
// barrier. A writer's committables are in the task's snapshot; once the
// checkpoint is complete, Commit must make them visible sooner or later, any
// number of times, in this process or in another; they are carried over into
// later checkpoints until the committer has confirmed them.
//
// Readers and writers are owned by the task's goroutine and never block: work
// with the network happens behind them, and Wake says when to look again.
//
// # Errors
//
// The class of an error (package failure) says what comes of it. In an
// enumerator or a committer failure.Backoff has the call made again, for as
// long as it takes; anywhere else it is a failure of the task. failure.Restart
// restarts what is concerned from the last checkpoint, failure.Never ends the
// job. An error without a class restarts.
package connectors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"millrace/exchange"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/jobgraph"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

// SplitID names a split of a source, for ever: "bids-3".
type SplitID string

// SplitState is a split with the position from which to read on, in the
// connector's own bytes.
type SplitState struct {
	ID    SplitID
	State []byte
	// Watermark is the event time that the split has reached. The engine
	// maintains it; connectors leave it alone.
	Watermark stream.Watermark
}

// Identity says for which part of a job a connector's part works.
type Identity struct {
	Cluster     string
	Job         types.JobID
	Attempt     types.Attempt
	Operator    types.OperatorUID
	Subtask     int32
	Parallelism int32
}

// Source is an opened description of a source, made by a SourceFactory from its
// options. It is immutable and safe for concurrent use.
type Source interface {
	// Reader makes the part that runs in a source task.
	Reader(ReaderContext) (Reader, error)
	// Enumerator makes the part that runs in the coordinator task.
	Enumerator(EnumeratorContext) (Enumerator, error)
}

// Trouble takes what an external system refuses at the moment and is tried
// again, in words for people: where, what, why. The empty message says that all
// is well again. It is safe for concurrent use and does not block.
type Trouble func(message string)

// Say says it; a nil Trouble listens to nothing.
func (t Trouble) Say(message string) {
	if t != nil {
		t(message)
	}
}

// ReaderContext is what a Reader is given.
type ReaderContext struct {
	Identity
	Schema *types.Schema // the columns to give, in order
	Pool   *stream.Pool
	Clock  clock.Clock
	Waker  exchange.Waker
	// Dead takes records that can't be decoded where on-error says so.
	Dead DeadLetters
	// RowsMax is the largest batch to give.
	RowsMax int
	Metrics *metrics.Task
	Trouble Trouble // of the reader's
}

// ReadStatus is the outcome of a Read.
type ReadStatus uint8

// The outcomes.
const (
	// More: a batch came, or calling again at once is worth while.
	More ReadStatus = iota
	// Dry: nothing now; the Waker says when to look again.
	Dry
	// Done: every split is at its end and NoMoreSplits was said.
	Done
)

// Reader reads splits.
type Reader interface {
	// Assign adds splits, with the positions at which to begin.
	Assign(splits []SplitState) error
	// NoMoreSplits says that no Assign follows.
	NoMoreSplits()
	// Read gives the next batch, nil if none, of one split: Batch.Split is the
	// ordinal of that split in the order of Assign calls, from 0. The batch is
	// the caller's. The position of the split is behind the batch from then on.
	Read() (*stream.Batch, ReadStatus, error)
	// Finished returns the ordinals of the splits that came to their end since
	// the last call: event time no longer waits for them.
	Finished() []int32
	// Positions appends the state of every split that was assigned and is not at
	// its end, in the order of ordinals; a finished split keeps its entry where
	// forgetting it would read it again.
	Positions(dst []SplitState) []SplitState
	// CheckpointComplete says that positions as of then are safe, for offsets
	// that are published for monitoring. It never fails a job.
	CheckpointComplete(id types.CheckpointID)
	Close() error
}

// Locator is a Reader that can tell people what it gave.
type Locator interface {
	// Began returns where the first row of the batch that Read gave last stands, in the words of PositionError; "" before the first.
	Began() string
}

// EnumeratorContext is what an Enumerator is given.
type EnumeratorContext struct {
	Identity // Subtask is 0
	Clock    clock.Clock
	// Restored is the enumerator's own state in the checkpoint, nil in a new job.
	Restored []byte
	// Splits are those of every reader in the checkpoint, at whatever
	// parallelism it was taken: the enumerator assigns them anew.
	Splits []SplitState
}

// Assignment is what an enumerator tells a reader.
type Assignment struct {
	Subtask int32
	Splits  []SplitState
	// NoMore says that no split follows for this subtask.
	NoMore bool
}

// Enumerator finds splits and assigns them. It runs on a goroutine of its own
// and may block; one goroutine calls it.
type Enumerator interface {
	// Start resolves what there is to read (offsets that are named by words or
	// times become concrete here, once) and returns the first assignments, every
	// restored split that is still to be read among them. What it resolved is in
	// its state: the caller stores Snapshot before it hands
	// the assignments on.
	Start(ctx context.Context) ([]Assignment, error)
	// Discover looks for splits that were not there before. It is called every
	// DiscoveryInterval, where that is positive.
	Discover(ctx context.Context) ([]Assignment, error)
	DiscoveryInterval() (every int64) // milliseconds; 0 never
	// Snapshot returns the state: the splits it knows with their start positions.
	Snapshot() ([]byte, error)
	Close() error
}

// Sink is an opened description of a sink. It is immutable and safe for
// concurrent use.
type Sink interface {
	Writer(WriterContext) (Writer, error)
	// Committer makes the part that runs in the coordinator task; nil where the
	// sink has nothing to commit.
	Committer(CommitterContext) (Committer, error)
}

// Overwriter is a Sink that can have what is written take the place of what is there: of all of it, or of the partitions into which
// rows go. What is there stays until all of the input is committed.
type Overwriter interface {
	Sink
	// Overwriting returns the sink that does so.
	Overwriting() Sink
}

// WriterContext is what a Writer is given.
type WriterContext struct {
	Identity
	Schema *types.Schema
	Pool   *stream.Pool
	Clock  clock.Clock
	Waker  exchange.Waker
	// Restored is the checkpoint from which the task restores; 0 in a new job.
	// Everything up to it is committed before the writer is made.
	Restored types.CheckpointID
	Metrics  *metrics.Task
	Trouble  Trouble // of the writer's
}

// Writer writes batches.
type Writer interface {
	// Ready tells whether Write may be called; the Waker says when it became so.
	Ready() bool
	// Write takes the batch's selected rows; the batch is borrowed for the call.
	Write(b *stream.Batch) error
	// Prepare ends the epoch at a barrier: what was written since the last one
	// will be committed with this checkpoint. Rows of the next epoch may be
	// written at once.
	Prepare(id types.CheckpointID) error
	// Prepared returns the committables of an epoch once everything in it is
	// safe with the external system; done is false until then. Errors of the
	// epoch's writes appear here at the latest.
	Prepared(id types.CheckpointID) (committables [][]byte, done bool, err error)
	// CheckpointComplete and CheckpointAborted end the writer's interest in a
	// checkpoint. What was prepared for an aborted one is carried over: the engine
	// puts its committables into the next.
	CheckpointComplete(id types.CheckpointID)
	CheckpointAborted(id types.CheckpointID)
	Close() error
}

// Timed is a Writer that is told event time.
type Timed interface {
	// Advance says that the rows to come are not earlier, late ones aside: stream.MaxWatermark, that there
	// are none, which is so at the end of the input and not when event time alone has ended. It comes behind all rows before
	// it, and grows from call to call. An attempt begins without.
	Advance(to stream.Watermark)
}

// CommitterContext is what a Committer is given.
type CommitterContext struct {
	Identity
	Clock clock.Clock
	// Parallelisms are those at which the sink ever ran, in the checkpoint's history: ids of
	// subtasks up to the largest may have something open.
	MaxParallelism int32
	// Trouble is for what is tried again within a call.
	Trouble Trouble
}

// Committer makes committables visible. It runs on a goroutine of its own and
// may block; one goroutine calls it.
type Committer interface {
	// Recover runs at every restore before any task: it commits everything in
	// the checkpoint and then ends whatever else attempts before this one may
	// have left open. Where output of a later checkpoint is visible already, since
	// that one is damaged and the job has fallen back behind it, the error wraps
	// ErrAhead: going on would write that output again. It is found before
	// anything is ended, so that the later checkpoint can still be restored, and
	// looked for once more when nobody can commit any longer.
	Recover(ctx context.Context, id types.CheckpointID, committables [][]byte) error
	// Commit makes the committables of a complete checkpoint visible. It is
	// idempotent and retries until it knows the outcome; an error says that
	// something is lost, and names it.
	Commit(ctx context.Context, id types.CheckpointID, committables [][]byte) error
	Close() error
}

// ErrAhead says that more is visible than what the restored checkpoint knows of.
var ErrAhead = errors.New("output of a later checkpoint is committed already")

// Ahead returns the error of Recover for output of checkpoint later in a place,
// when the job restores an earlier one.
func Ahead(place string, later, restored types.CheckpointID) error {
	return failure.External(fmt.Errorf("%w: %s has that of checkpoint %d, and the job would go on from checkpoint %d and write it again; "+
		"bring back what is missing of the later checkpoint, or cancel the job; a sink with %s = true writes again",
		ErrAhead, place, later, restored, RepeatOnFallback.Key), failure.Restart)
}

// RepeatOnFallback is the option by which a sink with a Committer does not
// return ErrAhead.
var RepeatOnFallback = options.Option{
	Key: "sink.repeat-on-fallback", Type: options.Bool, Default: "false",
	Doc: "What a job does that must restore an older checkpoint than the one whose output is committed, because that one is damaged: " +
		"true writes the output between the two again, false waits until the damaged checkpoint is whole again or somebody cancels the job.",
}

// DeadLetter is a record that can't be processed.
type DeadLetter struct {
	Split    SplitID
	Position string // in the connector's words: "topic bids, partition 3, offset 17"
	Raw      []byte // borrowed for the call
	Reason   string
}

// DeadLetters takes records aside. They leave the source task through its
// dead-letter port as rows of jobgraph.DeadLetterSchema, in the order of
// reading, so that whatever the job does with them (a topic of their own) is
// committed with the same checkpoint as the rest.
type DeadLetters interface {
	Put(DeadLetter)
}

// PositionError is an error at a position of a source. Repeated failures at one
// position are a poison record and not bad luck.
type PositionError struct {
	Position string
	Err      error
}

// Error prints the position and the error.
func (e *PositionError) Error() string { return e.Position + ": " + e.Err.Error() }

// Unwrap returns the error.
func (e *PositionError) Unwrap() error { return e.Err }

// SourcePosition returns the position.
func (e *PositionError) SourcePosition() string { return e.Position }

// SourceFactory makes a source from its options.
type SourceFactory struct {
	// Options declares every key the connector (with its formats) knows.
	Options func(given map[string]string) (options.Spec, error)
	// Open checks the options and the schema, without reaching out.
	Open func(given map[string]string, schema *types.Schema) (Source, error)
	// Traits tells what a planner has to know of a source with these options; nil
	// stands for the zero traits.
	Traits func(options.Values) SourceTraits
}

// SinkFactory makes a sink from its options.
type SinkFactory struct {
	Options func(given map[string]string) (options.Spec, error)
	Open    func(given map[string]string, schema *types.Schema) (Sink, error)
	Traits  func(options.Values) SinkTraits // nil stands for the zero traits
}

// Registry knows the connectors of a process. It is filled by wiring before
// use and read-only afterwards.
type Registry struct {
	sources map[string]SourceFactory
	sinks   map[string]SinkFactory
	lookups map[string]LookupFactory
}

// RegisterSource adds a source connector. Adding a name twice panics.
func (r *Registry) RegisterSource(name string, f SourceFactory) {
	if r.sources == nil {
		r.sources = make(map[string]SourceFactory)
	}
	if _, ok := r.sources[name]; ok {
		panic(fmt.Sprintf("connectors: source %s registered twice", name))
	}
	r.sources[name] = f
}

// RegisterSink adds a sink connector. Adding a name twice panics.
func (r *Registry) RegisterSink(name string, f SinkFactory) {
	if r.sinks == nil {
		r.sinks = make(map[string]SinkFactory)
	}
	if _, ok := r.sinks[name]; ok {
		panic(fmt.Sprintf("connectors: sink %s registered twice", name))
	}
	r.sinks[name] = f
}

// Sources returns the names of the source connectors, sorted.
func (r *Registry) Sources() []string { return slices.Sorted(maps.Keys(r.sources)) }

// Sinks returns the names of the sink connectors, sorted.
func (r *Registry) Sinks() []string { return slices.Sorted(maps.Keys(r.sinks)) }

// Source opens a source.
func (r *Registry) Source(connector string, given map[string]string, schema *types.Schema) (Source, error) {
	f, ok := r.sources[connector]
	if !ok {
		return nil, failure.Userf("no source connector is named %q", connector)
	}
	return f.Open(given, schema)
}

// Sink opens the sink of a graph, over the schema of its rows.
func (r *Registry) Sink(spec *jobgraph.SinkSpec, schema *types.Schema) (Sink, error) {
	f, ok := r.sinks[spec.Connector]
	if !ok {
		return nil, failure.Userf("no sink connector is named %q", spec.Connector)
	}
	s, err := f.Open(spec.Options, schema)
	if err != nil || !spec.Overwrite {
		return s, err
	}
	o, ok := s.(Overwriter)
	if !ok {
		return nil, failure.Userf("the connector %q can't overwrite", spec.Connector)
	}
	return o.Overwriting(), nil
}
