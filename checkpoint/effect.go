package checkpoint

import (
	"fmt"
	"strconv"
	"strings"

	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// Effect is something that the shell is to do, or to tell. The set is sealed: the types below are all there are. Effects
// are carried out in the order in which Step returns them.
type Effect interface {
	fmt.Stringer
	isEffect()
}

// AllotIDs asks that the ids up to Through, inclusive, be this coordinator's: the shell writes the next free id (Through
// + 1) by a fenced transaction and answers with IDsAllotted. Ids that a crash leaves unused stay unused.
type AllotIDs struct{ Through types.CheckpointID }

// Trigger tells all source tasks to send a barrier.
type Trigger struct {
	ID   types.CheckpointID
	Kind Kind
}

// Persist makes the checkpoint complete: write the manifest under a key of its own by a conditional put, then the fenced
// transaction {leader alive, latest == Previous} → latest. The value of latest lists Retain and then this checkpoint as
// retained. In the same transaction goes the intent to delete what Drop names (RELIABILITY: delete only what a fenced
// intent names). The shell may give up and answer PersistFailed once Deadline has passed, as long as the transaction
// has not been sent, or is known not to have happened.
type Persist struct {
	ID       types.CheckpointID
	Manifest *checkpointv1.Manifest // the shell's; do not change it
	Previous Pointer                // zero: there is none, latest does not exist
	Retain   []Pointer              // oldest first, without this one
	Drop     []Pointer              // oldest first
	Deadline int64                  // milliseconds, of Tick's clock
}

// Commit tells a sink's committer to commit. What it is to commit stands in the permit.
type Commit struct{ Permit CommitPermit }

// NotifyComplete tells the tasks of the vertices that the checkpoint is complete and, of a sink, that everything up to it
// is committed.
type NotifyComplete struct {
	ID       types.CheckpointID
	Vertices []types.VertexID // in order; never empty
}

// NotifyAborted tells all tasks that the checkpoint will never be complete.
type NotifyAborted struct{ ID types.CheckpointID }

// Retire says that the manifests of Dropped count no more, which the transaction of the Persist before has made durable:
// the shell deletes what Unreferenced(dropped, retained) names, then the manifests themselves, then the intent.
type Retire struct {
	Dropped  []Pointer // oldest first
	Retained []Pointer // oldest first, the latest last
}

// Completed reports a complete checkpoint.
type Completed struct {
	ID                types.CheckpointID
	Kind              Kind
	TriggeredAt       int64 // milliseconds
	DurationMillis    int64
	WrittenBytes      int64 // written for this checkpoint, the manifest not counted
	StateBytes        int64
	AwaitsCommits     bool // CommitsConfirmed follows
	ManifestKey       string
	SlowestAlignMicro int64
	UnalignedTasks    int32 // in which the barrier overtook rows
	InFlightBytes     int64 // of WrittenBytes, those rows
}

// CommitsConfirmed reports that all sinks have confirmed a checkpoint.
type CommitsConfirmed struct{ ID types.CheckpointID }

// Failed reports a checkpoint that failed. ID is 0 where it was refused before it had one.
type Failed struct {
	ID     types.CheckpointID
	Kind   Kind
	Reason string
}

// FailJob asks for a restart of the job from its last checkpoint: too many checkpoints failed in a row. The coordinator
// does nothing more until it is closed.
type FailJob struct{ Reason string }

// StepDown says that the leadership is over: the process acts no more for the job, and tells tasks nothing.
type StepDown struct{ Reason string }

// FinalComplete says that the final or suspending checkpoint is complete and that every sink has confirmed everything:
// the job may finish.
type FinalComplete struct {
	ID   types.CheckpointID
	Kind Kind
}

// CopyState asks that the state of tasks at a complete checkpoint be copied into a savepoint: the files of each folded into
// one, under a key in the savepoint's folder or in the answer itself. StateCopied answers for each task. It may come again
// for tasks whose answer was a failure. The checkpoint's files stay until the savepoint is whole or given up.
type CopyState struct {
	ID    types.CheckpointID
	Tasks []StateCopy // in order; never empty
}

// StateCopy is what is to be copied of one task.
type StateCopy struct {
	Task  types.TaskID
	Files []*checkpointv1.StateFile // shared; do not change them
}

// PersistSavepoint makes a savepoint whole: write the manifest into its folder by a conditional put, then the fenced
// transaction that names it. Its checkpoint is complete, and all sinks have confirmed it. Deadline is as in Persist; 0 is
// none. SavepointPersisted or SavepointPersistFailed answers.
type PersistSavepoint struct {
	ID       types.CheckpointID
	Manifest *checkpointv1.Manifest // do not change it
	Bytes    int64                  // of its files
	Deadline int64
}

// SavepointCompleted reports that a savepoint is whole. Request is 0 where it is of the job's last checkpoint.
type SavepointCompleted struct {
	Request     uint64
	ID          types.CheckpointID
	Kind        Kind  // of its checkpoint
	TriggeredAt int64 // milliseconds
	ManifestKey string
	Bytes       int64
}

// SavepointFailed reports that there will be no savepoint for a request. With Request 0 it is of the job's last checkpoint,
// and is tried again.
type SavepointFailed struct {
	Request uint64
	ID      types.CheckpointID // 0: its checkpoint was not triggered
	Reason  string
}

// Quiet says that no checkpoint is under way, nor will be before TasksRunning. It answers RegionsStopped.
type Quiet struct{}

// Closed says that nothing of the coordinator is under way any more. It answers Close, once.
type Closed struct{}

func (AllotIDs) isEffect()         {}
func (Quiet) isEffect()            {}
func (Trigger) isEffect()          {}
func (Persist) isEffect()          {}
func (Commit) isEffect()           {}
func (NotifyComplete) isEffect()   {}
func (NotifyAborted) isEffect()    {}
func (Retire) isEffect()           {}
func (Completed) isEffect()        {}
func (CommitsConfirmed) isEffect() {}
func (Failed) isEffect()           {}
func (FailJob) isEffect()          {}
func (StepDown) isEffect()         {}
func (FinalComplete) isEffect()    {}
func (Closed) isEffect()           {}

func (CopyState) isEffect()          {}
func (PersistSavepoint) isEffect()   {}
func (SavepointCompleted) isEffect() {}
func (SavepointFailed) isEffect()    {}

// CommitPermit proves that a checkpoint is complete. Only this package makes one; the zero value permits nothing.
type CommitPermit struct {
	vertex       types.VertexID
	id           types.CheckpointID
	committables [][]byte
}

// Vertex returns the sink's vertex.
func (p CommitPermit) Vertex() types.VertexID { return p.vertex }

// ID returns the complete checkpoint; 0 for the zero permit.
func (p CommitPermit) ID() types.CheckpointID { return p.id }

// Committables returns what is to be committed: subtask by subtask, each in the order of its acknowledgement, which has
// carried-over ones first; repeated bytes once. It may be empty. The slices are shared; do not change them.
func (p CommitPermit) Committables() [][]byte { return p.committables }

// String prints the effect on one line.
func (e AllotIDs) String() string { return fmt.Sprintf("allot-ids through=%d", e.Through) }

// String prints the effect on one line.
func (e Trigger) String() string { return fmt.Sprintf("trigger id=%d kind=%s", e.ID, e.Kind) }

// String prints the effect on one line, with the shape of the manifest.
func (e Persist) String() string {
	return fmt.Sprintf("persist id=%d kind=%s previous=%d retain=%s drop=%s manifest={%s}", e.ID, KindOf(e.Manifest.Kind),
		e.Previous.ID, pointerIDs(e.Retain), pointerIDs(e.Drop), Describe(e.Manifest))
}

// String prints the effect on one line.
func (e Commit) String() string {
	return fmt.Sprintf("commit %s id=%d committables=%s", e.Permit.vertex, e.Permit.id, quoted(e.Permit.committables))
}

// String prints the effect on one line.
func (e NotifyComplete) String() string {
	return fmt.Sprintf("notify-complete id=%d vertices=%v", e.ID, e.Vertices)
}

// String prints the effect on one line.
func (e NotifyAborted) String() string { return fmt.Sprintf("notify-aborted id=%d", e.ID) }

// String prints the effect on one line.
func (e Retire) String() string {
	return fmt.Sprintf("retire dropped=%s retained=%s", pointerIDs(e.Dropped), pointerIDs(e.Retained))
}

// String prints the effect on one line.
func (e Completed) String() string {
	return fmt.Sprintf("completed id=%d kind=%s duration=%d written=%d state=%d awaits-commits=%v", e.ID, e.Kind,
		e.DurationMillis, e.WrittenBytes, e.StateBytes, e.AwaitsCommits)
}

// String prints the effect on one line.
func (e CommitsConfirmed) String() string { return fmt.Sprintf("commits-confirmed id=%d", e.ID) }

// String prints the effect on one line.
func (e Failed) String() string {
	return fmt.Sprintf("failed id=%d kind=%s reason=%q", e.ID, e.Kind, e.Reason)
}

// String prints the effect on one line.
func (e FailJob) String() string { return fmt.Sprintf("fail-job reason=%q", e.Reason) }

// String prints the effect on one line.
func (e StepDown) String() string { return fmt.Sprintf("step-down reason=%q", e.Reason) }

// String prints the effect on one line.
func (e FinalComplete) String() string {
	return fmt.Sprintf("final-complete id=%d kind=%s", e.ID, e.Kind)
}

// String prints the effect on one line.
func (e Quiet) String() string { return "quiet" }

// String prints the effect on one line.
func (e Closed) String() string { return "closed" }

// String prints the effect on one line.
func (e CopyState) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "copy-state id=%d", e.ID)
	for _, t := range e.Tasks {
		fmt.Fprintf(&text, " %s(files=%d)", t.Task, len(t.Files))
	}
	return text.String()
}

// String prints the effect on one line, with the shape of the manifest.
func (e PersistSavepoint) String() string {
	return fmt.Sprintf("persist-savepoint id=%d bytes=%d manifest={%s}", e.ID, e.Bytes, Describe(e.Manifest))
}

// String prints the effect on one line.
func (e SavepointCompleted) String() string {
	return fmt.Sprintf("savepoint-completed request=%d id=%d kind=%s key=%s bytes=%d", e.Request, e.ID, e.Kind, e.ManifestKey, e.Bytes)
}

// String prints the effect on one line.
func (e SavepointFailed) String() string {
	return fmt.Sprintf("savepoint-failed request=%d id=%d reason=%q", e.Request, e.ID, e.Reason)
}

func pointerIDs(ps []Pointer) string {
	ids := make([]string, len(ps))
	for i, p := range ps {
		ids[i] = strconv.FormatUint(uint64(p.ID), 10)
	}
	return "[" + strings.Join(ids, " ") + "]"
}

func quoted(list [][]byte) string {
	words := make([]string, len(list))
	for i, b := range list {
		words[i] = fmt.Sprintf("%q", b)
	}
	return "[" + strings.Join(words, " ") + "]"
}
