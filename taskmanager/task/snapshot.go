package task

import (
	"fmt"
	"time"

	"millrace/connectors"
	"millrace/failure"
	"millrace/internal/crash"
	"millrace/internal/mutant"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/stream"
	"millrace/types"
)

// pendingSnapshot is a checkpoint in which this task took part and that it has
// not acknowledged: the upload or the sink is still at it. Snapshots are
// acknowledged in order; that of an aborted checkpoint is only awaited.
type pendingSnapshot struct {
	id       types.CheckpointID
	state    *checkpointv1.TaskState
	figures  *controlv1.SnapshotFigures
	uploaded bool
	prepared bool
	aborted  bool
	// recording: not all is known that the barrier overtook. stored: it is safe, or there
	// is nothing.
	recording bool
	stored    bool
}

// epoch is what the sink prepared for one checkpoint.
type epoch struct {
	id           types.CheckpointID
	committables [][]byte
}

// noteStartDelay publishes how long a barrier took from its trigger to here. Clocks
// of machines differ: none comes before it was triggered.
func (t *Task) noteStartDelay(b stream.Barrier) {
	if b.Triggered != 0 {
		t.Metrics.StartDelayNanos.Set(max(0, t.Clock.Now().UnixNano()-b.Triggered))
	}
}

// noteAlignment publishes how old a barrier was when it came on the first channel,
// and how long it took from then to the last one. It is called behind each Poll.
func (t *Task) noteAlignment(e stream.Element) {
	if e.Kind == stream.BarrierElement {
		took := int64(0)
		if t.aligning == e.Barrier.ID {
			took = t.Clock.Now().Sub(t.aligningSince).Nanoseconds()
		} else {
			t.noteStartDelay(e.Barrier)
		}
		t.alignmentTook = took
		t.Metrics.AlignmentNanos.Set(took)
	}
	b, aligning := t.Gate.Aligning()
	if aligning && b.ID != t.aligning {
		t.aligning, t.aligningSince = b.ID, t.Clock.Now()
		t.noteStartDelay(b)
	}
}

// snapshot takes the task's part in a checkpoint and passes the barrier on.
func (t *Task) snapshot(b stream.Barrier) error {
	if t.Source != nil {
		t.noteStartDelay(b) // from the trigger to the end of the chain: it waits for rows that nobody takes
	}
	t.Report.Passed(b.ID)
	if b.Kind == stream.Suspend {
		t.suspended = true
	}
	if len(t.pending) >= pendingSnapshotsMax {
		if t.Gate != nil {
			t.Gate.Forget(b.ID)
		}
		t.control(stream.BarrierOf(b))
		t.Report.Declined(b.ID, failure.External(
			fmt.Errorf("%d snapshots await their upload: the blob store does not keep up", len(t.pending)), failure.Backoff))
		return nil
	}
	start := t.Clock.Now()
	frozen, err := t.Store.Freeze(t.FullSnapshot)
	if err != nil {
		return fmt.Errorf("freeze state for checkpoint %d: %w", b.ID, err)
	}
	t.FullSnapshot = false
	p := &pendingSnapshot{id: b.ID, state: t.state(), figures: &controlv1.SnapshotFigures{StateBytes: t.Store.SizeBytes()}}
	p.recording = b.ID == t.barrier.overtook
	p.stored = !p.recording
	p.figures.Unaligned, p.figures.AlignmentMicros = p.recording, t.alignmentTook/int64(time.Microsecond)
	p.figures.FreezeMicros = t.Clock.Now().Sub(start).Microseconds()
	t.pending = append(t.pending, p)
	t.Uploads.Submit(b.ID, frozen)
	t.control(stream.BarrierOf(b))
	if t.Sink == nil {
		p.prepared = true
		return nil
	}
	crash.Here(crash.BeforePrepare)
	if err := t.Sink.Prepare(b.ID); err != nil {
		return fmt.Errorf("prepare sink for checkpoint %d: %w", b.ID, err)
	}
	return t.pollPrepared()
}

// state describes the task but for its files and committables.
func (t *Task) state() *checkpointv1.TaskState {
	s := &checkpointv1.TaskState{Ended: t.ended, Ledger: t.ledger.state()}
	if t.Source != nil {
		for _, p := range t.Source.positions() {
			s.Splits = append(s.Splits, SplitToProto(p))
		}
	}
	s.Watermarks = append(s.Watermarks, &checkpointv1.OperatorWatermark{Uid: string(t.ID.Vertex), Watermark: int64(t.input)})
	for i, l := range t.Chain {
		s.Watermarks = append(s.Watermarks, &checkpointv1.OperatorWatermark{Uid: string(l.UID), Watermark: int64(t.chain.watermarks[i])})
	}
	return s
}

// SplitToProto and SplitFromProto convert the state of a split.
func SplitToProto(p connectors.SplitState) *checkpointv1.SplitState {
	return &checkpointv1.SplitState{
		Id: string(p.ID), State: p.State, Watermark: int64(p.Watermark), HasWatermark: p.Watermark != stream.NoWatermark,
	}
}

// SplitFromProto is the inverse of SplitToProto.
func SplitFromProto(p *checkpointv1.SplitState) connectors.SplitState {
	s := connectors.SplitState{ID: connectors.SplitID(p.Id), State: p.State, Watermark: stream.NoWatermark}
	if p.HasWatermark {
		s.Watermark = stream.Watermark(p.Watermark)
	}
	return s
}

// pollPrepared asks the sink for what it promised, in the order of checkpoints.
func (t *Task) pollPrepared() error {
	for _, p := range t.pending {
		if p.prepared {
			continue
		}
		committables, done, err := t.Sink.Prepared(p.id)
		if err != nil {
			return fmt.Errorf("prepare sink for checkpoint %d: %w", p.id, err)
		}
		if !done {
			return nil
		}
		p.prepared = true
		crash.Here(crash.AfterPrepare)
		if len(committables) > 0 {
			t.epochs = append(t.epochs, epoch{p.id, committables})
		}
	}
	t.acknowledge()
	return nil
}

func (t *Task) uploaded(u Uploaded) error {
	for _, p := range t.pending {
		if p.id != u.ID {
			continue
		}
		if u.Err != nil {
			return fmt.Errorf("upload state for checkpoint %d: %w", u.ID, u.Err)
		}
		p.uploaded = true
		p.state.Files = u.Files
		p.figures.UploadMicros += u.Micros
		p.figures.WrittenBytes += u.Bytes
	}
	t.acknowledge()
	return nil
}

// acknowledge reports every snapshot that is safe, oldest first: one that is
// not holds back those behind it, whose chains and committables include it.
func (t *Task) acknowledge() {
	for len(t.pending) > 0 {
		p := t.pending[0]
		if !p.uploaded || !p.prepared || !p.stored {
			return
		}
		t.pending = t.pending[1:]
		if p.aborted {
			continue
		}
		for _, e := range t.epochs {
			if e.id == p.id || e.id < p.id && !mutant.On(mutant.CarryOverLost) {
				p.state.Committables = append(p.state.Committables, e.committables...)
			}
		}
		if t.Source != nil && mutant.On(mutant.SnapshotLate) {
			p.state.Splits = t.state().Splits
		}
		t.Metrics.PersistedBytes.Set(p.figures.InFlightBytes)
		t.Metrics.CheckpointBytes.Set(p.figures.WrittenBytes)
		t.Metrics.CheckpointMillis.Set((p.figures.FreezeMicros + p.figures.UploadMicros) / int64(time.Millisecond/time.Microsecond))
		t.Report.Snapshotted(p.id, p.state, p.figures)
	}
}

// completed forgets what a complete checkpoint has made certain.
func (t *Task) completed(id types.CheckpointID) {
	kept := t.epochs[:0]
	for _, e := range t.epochs {
		if e.id > id {
			kept = append(kept, e)
		}
	}
	t.epochs = kept
	if t.Sink != nil {
		t.Sink.CheckpointComplete(id)
	}
	if t.Source != nil {
		t.Source.reader.CheckpointComplete(id)
	}
}

func (t *Task) aborted(id types.CheckpointID) {
	t.giveUp(id)
	for _, p := range t.pending {
		if p.id == id {
			p.aborted = true
		}
	}
	if t.Sink != nil {
		t.Sink.CheckpointAborted(id)
	}
}
