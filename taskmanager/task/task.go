package task

import (
	"fmt"
	"time"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/operators"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Progress is what a Step came to.
type Progress uint8

// The progresses.
const (
	// Worked: call again at once.
	Worked Progress = iota
	// Starved: there is no input.
	Starved
	// Congested: there is output that nobody takes now.
	Congested
	// Waiting: an operator is full, and waits for something outside of the engine.
	Waiting
	// Finished: the task is over; Close it.
	Finished
)

// Reporter carries what a task has to say to the job manager. Its methods do
// not block and may be called from the task's goroutine only.
type Reporter interface {
	// Ended says that the task has taken its last row.
	Ended()
	// Passed says that the barrier of a checkpoint is on its way out of the task.
	Passed(id types.CheckpointID)
	// Snapshotted acknowledges a checkpoint.
	Snapshotted(id types.CheckpointID, state *checkpointv1.TaskState, figures *controlv1.SnapshotFigures)
	// Declined says that the task can't take part in a checkpoint.
	Declined(id types.CheckpointID, reason error)
}

// Uploads writes frozen snapshots out, in the order of submission, and posts
// Uploaded for each. It takes the snapshot over.
type Uploads interface {
	Submit(id types.CheckpointID, s statebackend.Snapshot)
}

// Link is an operator of the chain with its name and counts.
type Link struct {
	UID      types.OperatorUID
	Operator operators.Operator
	Counts   *operators.Counts
	// Native operators call functions of the user's.
	Native bool
}

// Parts are what a task is made of. The task owns all of it and closes it.
type Parts struct {
	ID     types.TaskID
	Source *Source       // nil: Gate is set
	Gate   exchange.Gate // nil: Source is set
	Chain  []Link
	// Time is that of the chain's operators; nil where none asks.
	Time *operators.Time
	// Outlets by output port; empty for a sink.
	Outlets [][]exchange.Outlet
	// Dead collects what a source could not decode, for DeadOutlets.
	Dead        *DeadLetters
	DeadOutlets []exchange.Outlet
	Sink        connectors.Writer
	Store       statebackend.Store
	Uploads     Uploads
	Report      Reporter
	Metrics     *metrics.Task
	Clock       clock.Clock
	// Unaligned says when barriers overtake rows. Where they do, InFlights stores them.
	Unaligned Unaligned
	InFlights InFlights
	// Replay is what was in flight to the task at the checkpoint that is restored; nil:
	// nothing. The task takes it over.
	Replay *exchange.Replay
	// BufferTimeout is how long rows may be held back.
	BufferTimeout time.Duration
	// FullSnapshot makes the first snapshot a base: the restored files are not
	// this task's own chain.
	FullSnapshot bool
	// Watermarks are those of the restored operators, and of the task's input
	// under the vertex's id.
	Watermarks map[types.OperatorUID]stream.Watermark
	// Ledger is what the task's own goes on from; nil for nothing.
	Ledger *checkpointv1.Ledger
}

// Task is one parallel instance of a vertex. Only Post and Wake may be called
// from other goroutines.
type Task struct {
	*mailbox
	Parts
	chain  *chain
	ledger *ledger

	triggers []Trigger
	// aligning is the checkpoint whose barrier came on some channels last, and since when.
	aligning      types.CheckpointID
	aligningSince time.Time
	alignmentTook int64 // of the last barrier, in nanoseconds
	barrier       waiting
	urgent        bool // a barrier presses
	pieces        bool // the gate gives pieces of batches
	pending       []*pendingSnapshot
	epochs        []epoch // prepared and not known to be committed
	input         stream.Watermark

	unflushed   bool  // rows went in since the last flush
	unflushedAt int64 // when the first of them did
	ended       bool
	suspended   bool
	finishing   bool
	now         int64
}

// New makes a task of its parts. The operators are open.
func New(p Parts, box *Mailbox) *Task {
	t := &Task{mailbox: box.mailbox, Parts: p, input: stream.NoWatermark}
	if w, ok := p.Watermarks[types.OperatorUID(p.ID.Vertex)]; ok {
		t.input = w
	}
	if p.Gate != nil {
		p.Gate.Restore(t.input)
		if p.Replay != nil {
			p.Gate.Replay(p.Replay)
		}
		if p.Unaligned.Enabled {
			p.Gate.Watch()
		}
	}
	ops := make([]operators.Operator, len(p.Chain))
	for i, l := range p.Chain {
		ops[i] = l.Operator
	}
	t.ledger = newLedger(p.Chain, p.Ledger)
	t.chain = newChain(ops, t, t.ledger, t.arrived)
	t.chain.panicked, t.chain.failed = t.panicked, t.failed
	t.chain.restore(p.Chain, p.Watermarks)
	return t
}

// Mailbox is where a task's commands and wake-ups go. It exists before the
// task, since the task's parts need it.
type Mailbox struct{ *mailbox }

// NewMailbox returns an empty mailbox.
func NewMailbox() *Mailbox { return &Mailbox{newMailbox()} }

// Post gives the task a command.
func (m *Mailbox) Post(c Command) error {
	if !m.post(c) {
		return failure.Internal(fmt.Errorf("mailbox is full: %T is lost", c))
	}
	return nil
}

// Step does a bounded amount of work. With Starved, Congested and Waiting the task wants
// to be called again after a wake-up, or at the time wakeAt (milliseconds of
// the engine's clock) where that is not 0. After an error the task is only good
// to be closed.
func (t *Task) Step(now int64) (p Progress, wakeAt int64, err error) {
	t.now = now
	if t.Time != nil {
		t.Time.Pass(now)
	}
	if err := t.takeCommands(); err != nil {
		return Finished, 0, err
	}
	if err := t.pollPrepared(); err != nil {
		return Finished, 0, err
	}
	t.pollRecorded()
	worked := false
	for range stepBatches {
		p, wakeAt, err = t.advance()
		if err != nil || p != Worked {
			break
		}
		worked = true
	}
	if err != nil {
		return Finished, 0, err
	}
	t.cutPieces(p)
	if worked && p != Finished {
		return Worked, 0, nil
	}
	return p, wakeAt, nil
}

// advance moves the chain, or gives it the next element.
func (t *Task) advance() (Progress, int64, error) {
	t.urgent = t.pressing()
	if !t.chain.idle() {
		return t.pump()
	}
	if t.finishing && len(t.pending) == 0 {
		return Finished, 0, nil
	}
	if t.urgent {
		if took, err := t.overtake(); took || err != nil {
			return Worked, 0, err
		}
	}
	if t.flushDue() {
		t.chain.flush()
		return Worked, 0, nil
	}
	if woke, err := t.chain.wake(t.now, 0); woke || err != nil {
		t.given()
		return Worked, 0, err
	}
	if len(t.Chain) == 0 && !t.ready() {
		return Congested, t.overtakeAt(), nil
	}
	if t.chain.full(0) && len(t.triggers) == 0 { // what a source has cut must go in front of the barrier that it was asked for
		return Waiting, t.wakeAt(0), nil
	}
	took, wakeAt, err := t.take()
	if err != nil {
		return Finished, 0, err
	}
	if took {
		return Worked, 0, nil
	}
	return Starved, t.wakeAt(wakeAt), nil
}

// pump moves the chain.
func (t *Task) pump() (Progress, int64, error) {
	worked, err := t.chain.pump(t.now, t.urgent)
	switch {
	case err != nil:
		return Finished, 0, err
	case worked:
		return Worked, 0, nil
	case !t.chain.waits:
		return Congested, t.overtakeAt(), nil
	}
	if t.flushDue() { // operators can't be asked in the middle of something, but what has left them need not wait
		t.unflushedAt = t.now
		t.eachOutlet(exchange.Outlet.Flush)
	}
	return Waiting, t.wakeAt(0), nil
}

// take gives the chain the next element of the input.
func (t *Task) take() (bool, int64, error) {
	if t.Source != nil {
		return t.takeSource()
	}
	input, e, ok := t.Gate.Poll()
	t.noteAlignment(e)
	if e.Kind == stream.BarrierElement {
		t.passed(e.Barrier)
	}
	if !ok {
		if id, broken := t.Gate.Broken(); broken && !t.ended {
			return false, 0, failure.External(fmt.Errorf("channel from subtask %d of edge %d %w", id.From, id.Edge, exchange.ErrBroken), failure.Restart)
		}
		return false, 0, nil
	}
	return true, 0, t.accept(input, e)
}

func (t *Task) takeSource() (bool, int64, error) {
	if len(t.triggers) > 0 && !t.Source.midBatch() {
		return true, 0, t.trigger()
	}
	if t.suspended {
		return false, 0, nil
	}
	e, wakeAt, err := t.Source.next(t.now)
	if derr := t.sendDead(); derr != nil && err == nil {
		err = derr
	}
	if err != nil {
		return false, 0, err
	}
	if e.Kind == 0 {
		return false, wakeAt, nil
	}
	return true, 0, t.accept(0, e)
}

// trigger sends the barrier that was asked for first.
func (t *Task) trigger() error {
	c := t.triggers[0]
	t.triggers = t.triggers[1:]
	return t.accept(0, stream.BarrierOf(c.barrier()))
}

// accept starts an element on its way.
func (t *Task) accept(input int, e stream.Element) error {
	if e.Kind != stream.RowsElement {
		if e.Kind == stream.WatermarkElement {
			t.input = e.Watermark
			t.Metrics.InputWatermark.Set(int64(e.Watermark))
		}
		t.chain.send(e)
		return nil
	}
	t.ledger.entered(input, e.Batch.Rows())
	t.Metrics.RecordsIn.Add(int64(e.Batch.Rows()))
	t.Metrics.BytesIn.Add(int64(e.Batch.SizeBytes()))
	t.given()
	return t.chain.process(input, e.Batch)
}

// given notes that an operator may hold something back from now on.
func (t *Task) given() {
	if !t.unflushed {
		t.unflushed, t.unflushedAt = true, t.now
	}
}

func (t *Task) flushDue() bool {
	return t.unflushed && t.now-t.unflushedAt >= t.BufferTimeout.Milliseconds()
}

// wakeAt is the earliest of what the source and the operators asked for, the flush, and when a barrier
// overtakes.
func (t *Task) wakeAt(source int64) int64 {
	at := earlier(earlier(source, t.overtakeAt()), t.chain.wakeAt(t.chain.deepest+1))
	if t.unflushed {
		at = earlier(at, t.unflushedAt+t.BufferTimeout.Milliseconds())
	}
	return at
}

// earlier returns the earlier of two times, of which 0 is never.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// ready implements terminal.
func (t *Task) ready() bool {
	if t.Sink != nil {
		return t.Sink.Ready()
	}
	for _, port := range t.Outlets {
		for _, o := range port {
			if !o.Ready() && (!t.urgent || !o.Overdraw()) {
				return false
			}
		}
	}
	return true
}

// rows implements terminal.
func (t *Task) rows(port int, b *stream.Batch) error {
	t.ledger.left(port, b.Rows())
	t.Metrics.RecordsOut.Add(int64(b.Rows()))
	t.Metrics.BytesOut.Add(int64(b.SizeBytes()))
	if t.Sink != nil && port == operators.MainPort {
		err := t.Sink.Write(b)
		b.Release()
		return err
	}
	if port >= len(t.Outlets) || len(t.Outlets[port]) == 0 {
		b.Release() // a side output that nobody reads
		return nil
	}
	outlets := t.Outlets[port]
	for _, o := range outlets[1:] {
		if err := o.Rows(b.Share()); err != nil {
			b.Release()
			return err
		}
	}
	return outlets[0].Rows(b)
}

// arrived takes what comes out of the chain behind the rows; whole says that it went through all of it.
func (t *Task) arrived(e stream.Element, whole bool) error {
	t.publishCounts()
	if whole && e.Kind != stream.StatusElement {
		t.unflushed = false
	}
	switch e.Kind {
	case 0:
		t.eachOutlet(exchange.Outlet.Flush)
	case stream.WatermarkElement:
		t.Metrics.OutputWatermark.Set(int64(e.Watermark))
		t.control(e)
		// Operators that give rows at the end of the input give them behind the last watermark, and there may be a checkpoint between.
		t.tellSink(min(e.Watermark, stream.MaxWatermark-1))
	case stream.BarrierElement:
		return t.snapshot(e.Barrier)
	case stream.EndElement:
		t.control(e)
		t.tellSink(stream.MaxWatermark)
		t.ended = true
		t.Report.Ended()
	default:
		t.control(e)
	}
	return nil
}

// tellSink tells a sink that asks for it how far event time is.
func (t *Task) tellSink(w stream.Watermark) {
	if s, ok := t.Sink.(connectors.Timed); ok {
		s.Advance(w)
	}
}

func (t *Task) control(e stream.Element) {
	t.eachOutlet(func(o exchange.Outlet) { o.Control(e) })
}

func (t *Task) eachOutlet(f func(exchange.Outlet)) {
	for _, port := range t.Outlets {
		for _, o := range port {
			f(o)
		}
	}
	for _, o := range t.DeadOutlets {
		f(o)
	}
}

func (t *Task) publishCounts() {
	for i, l := range t.Chain {
		c := l.Counts
		t.ledger.counted(i, *c)
		t.Metrics.Filtered.Add(c.Filtered)
		t.Metrics.Folded.Add(c.Folded)
		t.Metrics.LateDropped.Add(c.Late)
		t.Metrics.Expired.Add(c.Expired)
		*c = operators.Counts{}
	}
}

// takeCommands carries out what others asked for.
func (t *Task) takeCommands() error {
	for _, c := range t.mailbox.take() {
		if err := t.command(c); err != nil {
			return err
		}
	}
	return nil
}

func (t *Task) command(c Command) error {
	switch c := c.(type) {
	case Trigger:
		if t.Source != nil {
			t.triggers = append(t.triggers, c)
		}
	case Assign:
		return t.Source.assign(c)
	case Drain:
		t.Source.drain()
	case Uploaded:
		return t.uploaded(c)
	case Stored:
		return t.stored(c)
	case Completed:
		t.completed(c.ID)
	case Aborted:
		t.aborted(c.ID)
	case Rewrite:
		t.FullSnapshot = true
	case Finish:
		t.finishing = true
	}
	return nil
}

// Close closes every part. It is called once, by the goroutine that stepped.
func (t *Task) Close() error {
	var errs []error
	errs = append(errs, t.chain.close())
	if t.Source != nil {
		errs = append(errs, t.Source.close())
	}
	if t.Dead != nil {
		t.Dead.close()
	}
	if t.Gate != nil {
		t.Gate.Close()
	}
	t.eachOutlet(func(o exchange.Outlet) { o.Close() })
	if t.Sink != nil {
		errs = append(errs, t.Sink.Close())
	}
	errs = append(errs, t.Store.Close())
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("close task %s: %w", t.ID, err)
		}
	}
	return nil
}
