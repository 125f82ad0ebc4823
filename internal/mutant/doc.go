// Package mutant has the switches of planted bugs: places in the engine where the simulator's tests make it break its
// protocol on purpose, to prove that their oracle notices. A switch is a call of On with one of the names below. Without
// the build tag simmutants On is false whatever it is asked, so that the compiler removes what stands behind it; with the
// tag Use chooses at run time. Nothing but tests is built with the tag.
package mutant

// Name is the name of a planted bug.
type Name string

// The planted bugs: what the engine does wrong while one is on.
const (
	AckBeforeUpload      Name = "ack-before-upload"            // a task acknowledges a file that is not in the store yet
	AdoptedCompleted     Name = "adopted-checkpoint-completed" // a new leader takes a checkpoint that was under way for complete
	AlignmentSkipped     Name = "alignment-skipped"            // a barrier is complete though one channel's has not come
	BarrierOvertakes     Name = "barrier-overtakes-rows"       // a barrier goes ahead of the rows that a partitioner holds
	CarryOverLost        Name = "carry-over-lost"              // committables of failed checkpoints are in no later one
	CheckpointIDReused   Name = "checkpoint-id-reused"         // an attempt counts from the last complete checkpoint
	CommitBeforeManifest Name = "commit-before-manifest"       // sinks are told to commit when all tasks acknowledged
	CommitterNoRecovery  Name = "committer-no-recovery"        // a committer is ready without having recovered
	DrainEndRestored     Name = "drain-end-restored"           // a job begins at the end of event time that a drain made
	DrainReadsOn         Name = "drain-reads-on"               // sources of a job that is drained read more behind a restart
	DuplicateTaken       Name = "duplicate-message-taken"      // a message of a session that comes twice is carried out twice
	ExistsIsFailure      Name = "exists-is-failure"            // an object of the writer's own is taken for another's
	FinalNotAwaited      Name = "final-commit-not-awaited"     // a job ends before the commits of its last checkpoint
	FlushErrorIgnored    Name = "flush-error-ignored"          // rows whose produce failed are taken for written
	GroupDealtTwice      Name = "key-group-dealt-twice"        // rows of one key group go to two tasks
	DeltaSkipped         Name = "last-delta-skipped"           // a restore reads all files of a chain but the last
	LatestAgain          Name = "latest-resolved-again"        // a restore begins at the latest offsets
	MarkerOmitted        Name = "marker-omitted"               // a prepared transaction has no marker
	NoLeaderCompare      Name = "no-leader-compare"            // a transaction does not compare the leader's key
	NotifyBeforeCommit   Name = "notify-before-commit"         // writers are told of a commit before it happened
	OldestRestored       Name = "oldest-restored"              // a restore takes the oldest retained checkpoint
	OvertakenLost        Name = "overtaken-rows-lost"          // rows that a barrier overtook are not stored
	ReplayNotFiltered    Name = "replay-not-filtered"          // a stored row is given to every task that reads its file
	RetentionDropsLatest Name = "retention-drops-latest"       // the new checkpoint is deleted in the place of the oldest
	SavepointCollected   Name = "savepoint-collected"          // the collector of garbage takes what is in the folders of savepoints
	SavepointCommits     Name = "savepoint-commits-again"      // a savepoint has the committables of its checkpoint
	SavepointIncomplete  Name = "savepoint-delta-skipped"      // a copy leaves out the last file of a chain
	SavepointEarly       Name = "savepoint-not-confirmed"      // and is whole before sinks have committed that
	SavepointShares      Name = "savepoint-shares-chunks"      // it names files of its checkpoint instead of copies
	MessageDropped       Name = "session-message-dropped"      // a stream that resumes leaves out what comes first
	SettleBeforeCommit   Name = "settle-before-commit"         // a committer initialises all ids before it commits
	SnapshotLate         Name = "snapshot-of-wrong-epoch"      // positions are those of the acknowledgement, not of the barrier
	SplitsTwice          Name = "splits-assigned-twice"        // a restored split is given to two readers
	StaleAttempt         Name = "stale-attempt-accepted"       // what an attempt sent reaches the next one
	StaleTerm            Name = "stale-term-accepted"          // a task manager obeys a leader whose term is over
	TakeoverNoCommits    Name = "takeover-forgets-commits"     // a new leader does not have the last checkpoint committed
	TakeoverNoSplits     Name = "takeover-forgets-splits"      // nor passes on the splits that the one before had stored
	TakeoverIDReused     Name = "takeover-id-reused"           // it counts checkpoints from the last complete one
	TakeoverRestarts     Name = "takeover-restarts-tasks"      // it deploys again what runs
	TombstoneDropped     Name = "tombstone-dropped"            // removed rows are not in deltas
	TransactionIDReused  Name = "transaction-id-reused"        // a writer takes an id again before it is confirmed
	UnassignedLeftOut    Name = "unassigned-left-out"          // splits that no reader has yet are in no checkpoint
	WatermarkNotRestored Name = "watermark-not-restored"       // operators restore without event time
	WatermarkFromAny     Name = "watermark-of-any-channel"     // event time follows the fastest channel
	ZombieCollects       Name = "zombie-garbage-collection"    // a leader deletes before its transaction says that it leads
)

// All lists every name, in order.
var All = []Name{
	AckBeforeUpload, AdoptedCompleted, AlignmentSkipped, BarrierOvertakes, CarryOverLost, CheckpointIDReused, CommitBeforeManifest,
	CommitterNoRecovery, DrainEndRestored, DrainReadsOn, DuplicateTaken, ExistsIsFailure, FinalNotAwaited, FlushErrorIgnored,
	GroupDealtTwice, DeltaSkipped, LatestAgain, MarkerOmitted, NoLeaderCompare, NotifyBeforeCommit, OldestRestored, OvertakenLost,
	ReplayNotFiltered, RetentionDropsLatest, SavepointCollected, SavepointCommits, SavepointIncomplete, SavepointEarly,
	SavepointShares, MessageDropped, SettleBeforeCommit, SnapshotLate, SplitsTwice, StaleAttempt, StaleTerm, TakeoverNoCommits,
	TakeoverNoSplits, TakeoverIDReused, TakeoverRestarts, TombstoneDropped, TransactionIDReused, UnassignedLeftOut,
	WatermarkNotRestored, WatermarkFromAny, ZombieCollects,
}
