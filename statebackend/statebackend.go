package statebackend

import (
	"context"
	"errors"
	"io"

	"millrace/stream"
	"millrace/types"
)

// ErrShape says that a backend does not have a state shape.
var ErrShape = errors.New("state shape is not supported by this backend")

// ErrCorrupt says that a snapshot file is not what was written: truncated,
// changed, or of an unknown version. It wraps the file's name and the reason.
var ErrCorrupt = errors.New("snapshot file is corrupt")

// Backend opens the state of tasks. It is safe for concurrent use.
type Backend interface {
	// Open returns a task's store, restored from the files of spec. A file that
	// can't be read back is an error that wraps ErrCorrupt or the read's error;
	// nothing is left open then.
	Open(ctx context.Context, spec OpenSpec) (Store, error)
	// Merge folds a chain of files, oldest first (a base and the deltas behind
	// it), into one base of the groups, written to w. It runs beside the task
	// that owns the state and shares nothing with it.
	Merge(ctx context.Context, chain []File, groups types.KeyGroupRange, w io.Writer) (FileInfo, error)
}

// OpenSpec says whose state to open.
type OpenSpec struct {
	Task           types.TaskID
	KeyGroups      types.KeyGroupRange
	MaxParallelism int
	// Parallelism is the number of tasks of the vertex. It stands in the files,
	// and deals Lists out when it differs from theirs; 0 is allowed where a
	// store has no Lists or is never rescaled.
	Parallelism int
	Pool        *stream.Pool
	// Restore lists chains of files, each oldest first, that together hold the
	// state of KeyGroups (and maybe of other groups, which are left out). After
	// a rescale there is a chain for each former task that overlaps; where the
	// vertex has Lists, for every former task. A chain begins at its last base.
	Restore [][]File
	// Budget bounds the memory of the store and of others that share it; nil is no
	// bound. Beyond it, calls that add state return its error. Close gives back what
	// the store took.
	Budget *Budget
	// Tier takes rows for which the budget has no room; nil: there is none. A backend
	// may ignore it. Without a Budget rows leave memory at each call, and now and then
	// changed ones too, which only a test wants.
	Tier Tier
	// Home has rows live in the Tier: all that may leave memory do so at each Freeze, and
	// memory has what was asked for since.
	Home bool
	// TierCounts counts what is done with the Tier; nil counts nothing.
	TierCounts *TierCounts
}

// File is a snapshot file that can be opened for reading, by any number of
// readers at once.
type File interface {
	// Name is for messages.
	Name() string
	Open(ctx context.Context) (io.ReadCloser, error)
}

// FileKind tells what a snapshot file needs before it.
type FileKind uint8

// The file kinds. The numbers are durable.
const (
	// Base files stand alone.
	Base FileKind = 1
	// Delta files hold what changed since the file before them.
	Delta FileKind = 2
)

// FileInfo describes a written file.
type FileInfo struct {
	Kind   FileKind
	Bytes  int64
	Rows   int64
	Groups types.KeyGroupRange // of the store, not only of the rows
	Sum    [32]byte            // SHA-256 of the bytes
}

// Store is the state of one task: the tables of its operators.
type Store interface {
	// Value, Timers and List return the table that the spec declares, with the
	// restored content. Declaring it twice is an error; so is a layout that does
	// not fit what was restored (class user: the job changed).
	Value(ValueSpec) (ValueTable, error)
	Timers(TimerSpec) (TimerTable, error)
	List(ListSpec) (ListTable, error)
	Multimap(MultimapSpec) (MultimapTable, error)
	OrderedMap(OrderedMapSpec) (OrderedMapTable, error)
	Broadcast(BroadcastSpec) (BroadcastTable, error)

	// Freeze takes what changed since the last Freeze (with full: everything).
	// It is synchronous, short, and must follow every write of the epoch.
	// Where no chain stands behind the store that a delta could follow (a new
	// job, a rescale, an unfrozen base), a delta asked for becomes a base: the
	// written file's FileInfo.Kind is what counts.
	// A Freeze whose snapshot never became part of a completed checkpoint is not
	// lost: call Unfreeze with it before the next Freeze, and its changes are
	// marked again. Release it afterwards.
	Freeze(full bool) (Snapshot, error)
	Unfreeze(Snapshot) error
	// Undeclared names the operator tables that were in the restored files but were never
	// declared: state that the changed job would drop, and the first Freeze does drop.
	Undeclared() []TableID
	// Evolved tells of the tables that were declared with other columns than those restored, in the order of their
	// ids. The first Freeze behind such a declaration is a base.
	Evolved() []Evolution
	// SizeBytes returns the memory that the tables take.
	SizeBytes() int64
	Close() error
}

// Snapshot is a frozen set of changes.
type Snapshot interface {
	// Write writes the snapshot as one file. It may run on another goroutine
	// beside processing and be called again after an error, with the same bytes
	// as the outcome.
	Write(w io.Writer) (FileInfo, error)
	// Empty tells that nothing changed; Write would write a file without rows.
	Empty() bool
	// Release gives the memory back. The snapshot is unusable afterwards.
	Release()
}

// TableID names a table in a store, in files and in messages.
type TableID struct {
	Operator types.OperatorUID
	Name     string
}

// Slot is the position of a row in a table (or in a namespace of it). It is
// stable until the row is deleted; where the store has a Tier, until the next Upsert,
// Find or Scan of any of its tables, and the next Freeze, which may move rows out of memory. A scan of a namespace
// keeps its rows in memory until its end.
type Slot = int32

// NoSlot stands for a key without a row.
const NoSlot Slot = -1

// ValueSpec declares a Value table: for each key, in each namespace, one row of
// columns. Value columns have no NULL: an operator that needs one keeps a flag
// (ColumnSpec.NullOf) or a count beside it.
type ValueSpec struct {
	ID   TableID
	Keys []types.Type // the key's columns; stream.KeyLayoutOf gives the layout
	// Namespaced tables keep a set of rows for each namespace, an int64 such as
	// a window's end. Others have the one namespace 0.
	Namespaced bool
	Columns    []ColumnSpec
	// Evolves lets what was restored have other columns than those declared: its rows are converted, as
	// Origins says, or the declaration is refused (class user). Keys never evolve.
	Evolves bool
}

// ColumnSpec is a column of a table.
type ColumnSpec struct {
	Name string
	Type types.Type // a fixed-width or bytes layout; Nullable is ignored
	// NullOf makes a BOOLEAN column say whether the column of that name is NULL in the same row. To the backend it
	// is a column as any other, but where the table evolves, and for who looks into files: in a new row it is
	// 0, like every column, and whoever wants NULL there sets it.
	NullOf string
}

// ColumnsOf returns columns for the fields of rows.
func ColumnsOf(fields []types.Field) []ColumnSpec {
	columns := make([]ColumnSpec, len(fields))
	for i, f := range fields {
		columns[i] = ColumnSpec{Name: f.Name, Type: f.Type}
	}
	return columns
}

// ValueTable holds rows by (namespace, key).
type ValueTable interface {
	// Part returns the rows of a namespace; nil where it has none and create is false.
	Part(namespace int64, create bool) Part
	// Namespaces appends the namespaces that have rows, ascending.
	Namespaces(dst []int64) []int64
	// Drop forgets a namespace with all its rows, at a cost that does not
	// depend on their number in the next delta.
	Drop(namespace int64)
	// Len returns the number of rows in all namespaces.
	Len() int
}

// Part is the rows of one namespace of a ValueTable.
type Part interface {
	// Upsert finds or adds the row of every key and puts its slot into slots,
	// which has the length of keys. A new row's columns are zero (bytes: empty).
	// Every row found or added counts as changed. It returns the first slot that did not
	// exist before: slots at or above it are new. Below it only a table whose
	// rows are deleted one by one has new rows: they take the slots of deleted
	// ones, and are told by their zero columns.
	Upsert(keys *stream.Keys, slots []Slot) (firstNew Slot, err error)
	// Find puts the slot of every key, or NoSlot, into slots. Where the store has
	// a Tier that can't be read, a key may seem to be missing; the next Freeze fails then.
	Find(keys *stream.Keys, slots []Slot)
	// Touch counts rows as changed.
	Touch(slots []Slot)
	// Delete removes rows. Their slots may be reused by the next Upsert.
	Delete(slots []Slot)

	// Len returns the number of rows; Slots the bound of slot numbers in use.
	Len() int
	Slots() Slot
	// Scan fills slots with live rows' slots from the slot on, 0 at the start, ascending, and
	// returns how many and where to go on; n is 0 at the end. Where the store has a Tier, rows
	// out of it follow in any order, some at a time: who deletes what it was shown needs no room for all.
	Scan(from Slot, slots []Slot) (n int, next Slot)
	// AppendKeys appends the keys of rows to a builder of the table's key types.
	AppendKeys(slots []Slot, to *stream.KeyBuilder) error

	// Rows gives access to the rows' words by slot, until the next Upsert.
	Rows() Rows
	// Bytes returns the value of a bytes column; it aliases the table until the
	// next call that changes it.
	Bytes(column int, slot Slot) []byte
	SetBytes(column int, slot Slot, value []byte) error
}

// BlockRows is how many rows stand in one block of a Part: memory grows by
// blocks and is never copied to grow.
const BlockRows = 1 << blockShift

const blockShift = 16

// Rows addresses the fixed-width columns of a Part. The columns of a row stand
// together, so that touching a row costs one cache miss whatever its width:
// each column takes one 64-bit word (a DECIMAL above 18 digits takes two), in
// the order of the spec. Integers are sign-extended, floats are their bits, a
// bytes column's word is the table's own.
type Rows struct {
	// Blocks hold BlockRows rows of Stride words each; that of a small Part is shorter.
	Blocks [][]uint64
	Stride int // words from a row to the next
	Offset int // words in front of the columns in a row: the backend's own
	Width  int // words of the columns
}

// At returns the words of a row's columns, addressed as WordOf says.
func (r Rows) At(s Slot) []uint64 {
	i := int(s&(BlockRows-1))*r.Stride + r.Offset
	return r.Blocks[s>>blockShift][i : i+r.Width]
}

// WordOf returns the first word of each column, and the words of a whole row.
func WordOf(columns []ColumnSpec) (words []int, width int) {
	words = make([]int, len(columns))
	for i, c := range columns {
		words[i] = width
		width++
		if c.Type.Layout() == types.LayoutInt128 {
			width++
		}
	}
	return words, width
}

// TimerSpec declares a table of event-time timers, each (time, namespace, key),
// at most one for each such triple.
type TimerSpec struct {
	ID   TableID
	Keys []types.Type
}

// TimerTable holds timers in the order of their times.
type TimerTable interface {
	// Register adds a timer for every key, where it is not there yet.
	Register(keys *stream.Keys, namespaces, times []int64) error
	// Unregister removes them, where they are there.
	Unregister(keys *stream.Keys, namespaces, times []int64)
	// Next returns the earliest time; ok is false without any timer.
	Next() (time int64, ok bool)
	// Pop takes up to max timers at or before the time out of the table, in the
	// order of (time, namespace, key), and appends them to due. A popped timer is
	// gone from the state: the rows it causes must leave in the same epoch.
	Pop(upTo int64, max int, due *Due) (n int, err error)
	Len() int
}

// Due receives popped timers.
type Due struct {
	Keys       *stream.KeyBuilder
	Raw        stream.Keys // the same keys, with hashes, for look-ups in tables
	Namespaces []int64
	Times      []int64
}

// Redistribution tells how a List is dealt out at a rescale, in Flink's terms.
type Redistribution uint8

// The redistributions. The numbers are durable.
const (
	// SplitEven deals the entries out round robin in the order of former tasks.
	SplitEven Redistribution = 1
	// Union gives every task all entries.
	Union Redistribution = 2
)

// ListSpec declares operator state that is not keyed.
type ListSpec struct {
	ID             TableID
	Redistribution Redistribution
	// Entries says what the bytes of an entry hold, in the caller's own encoding; nil says nothing. It stands in
	// files and is compared with what stands in those restored (nothing in either: it fits), as Evolves and Origins
	// say. The bytes are restored as they were: who declares other entries finds in Evolved what they held, and
	// sets all of them anew before the next Freeze.
	Entries []ColumnSpec
	Evolves bool
}

// ListTable holds entries in order.
type ListTable interface {
	// Get returns the entries; they alias the table until the next Set.
	Get() [][]byte
	// Set replaces the entries; the bytes are copied. Every snapshot holds all of them.
	Set(entries [][]byte) error
}
