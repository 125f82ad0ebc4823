package badger

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/crash"
	"millrace/statebackend"
)

// Options say where a tier is and what it may take.
type Options struct {
	// Dir is a folder of its own: what is in it is removed.
	Dir string
	// Managed is the memory for state of the task manager, of which PlanMemory is the
	// tier's. 0 takes the largest plan.
	Managed int64
	// DiskBytes bounds the files; 0: the disk's watermark alone does.
	DiskBytes int64
	Clock     clock.Clock
	// Pressure is told of DISK_PRESSURE when it begins, and of "" when it is over; nil does
	// not listen. It must be quick.
	Pressure func(trouble string)
}

// Tier is statebackend.Tier. It is safe for concurrent use.
type Tier struct {
	opts  Options
	plan  plan
	free  func(dir string) (free, total uint64, err error)
	watch watch
	count counters
	users sync.WaitGroup // calls that use db
	mu    struct {
		sync.Mutex
		closed  bool
		db      *badgerdb.DB // nil before the first Put
		next    uint64       // number of the next block
		commit  uint64       // timestamp of the last flush
		trouble string       // DISK_PRESSURE, in words
		// size is what the files took when unseen bytes had been written less.
		size, unseen int64
	}
}

var _ statebackend.Tier = (*Tier)(nil)

// Open makes an empty tier in a folder of its own, whatever was there before. The
// database begins with the first block, so that who never needs it pays nothing.
// Close ends it.
func Open(o Options) (*Tier, error) {
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, failure.Externalf(failure.Never, "the folder of the state tier: %w", err)
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		return nil, failure.Externalf(failure.Backoff, "wipe the state tier: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, failure.Externalf(failure.Backoff, "make the folder of the state tier: %w", err)
	}
	if o.Managed == 0 {
		o.Managed = math.MaxInt64
	}
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	t := &Tier{opts: o, plan: planOf(o.Managed), free: diskFree}
	t.mu.next = 1
	return t, nil
}

func (p plan) options(dir string) badgerdb.Options {
	o := badgerdb.DefaultOptions(dir).
		WithMemTableSize(p.memtable).WithNumMemtables(memtables).WithBaseTableSize(p.table()).
		WithNumCompactors(compactors).WithNumLevelZeroTables(levelZero).WithNumLevelZeroTablesStall(levelZeroStall).WithNumGoroutines(1).
		WithValueThreshold(valueThreshold).WithValueLogFileSize(valueLogBytes).
		WithBlockCacheSize(0).WithIndexCacheSize(p.indexCache()).WithCompression(options.None).
		WithDetectConflicts(false).WithMetricsEnabled(false).WithSyncWrites(false).WithCompactL0OnClose(false).WithLogger(nil)
	o.TableSizeMultiplier = 1 // a compaction holds several tables that it builds
	return o
}

// Close ends the database and removes it.
func (t *Tier) Close() error {
	t.mu.Lock()
	was, db := t.mu.closed, t.mu.db
	t.mu.closed = true
	t.mu.Unlock()
	if was {
		return nil
	}
	t.users.Wait()
	t.watch.end()
	var err error
	if db != nil {
		err = db.Close()
	}
	if err := errors.Join(err, os.RemoveAll(t.opts.Dir)); err != nil {
		return fmt.Errorf("close the state tier: %w", err)
	}
	return nil
}

// errClosed is inside the error of a call behind Close.
var errClosed = errors.New("the state tier is closed")

// use returns the database, begun if it is to be, until done is called.
func (t *Tier) use(begin bool) (db *badgerdb.DB, done func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed {
		return nil, nil, failure.External(errClosed, failure.Never)
	}
	if t.mu.db == nil && begin { // once in a process's life; everybody waits for it
		if t.mu.db, err = badgerdb.OpenManaged(t.plan.options(t.opts.Dir)); err != nil {
			return nil, nil, failure.Externalf(failure.Backoff, "open the state tier in %s: %w", t.opts.Dir, err)
		}
		t.watch.begin(t.opts.Clock, t.opts.Dir)
	}
	t.users.Add(1)
	return t.mu.db, t.users.Done, nil
}

// Put implements statebackend.Tier.
func (t *Tier) Put(blocks [][]byte) (uint64, error) {
	size := 0
	for _, b := range blocks {
		if len(b) > statebackend.TierBlockMax {
			return 0, failure.Internalf("a block of %d bytes for the state tier, at most %d", len(b), statebackend.TierBlockMax)
		}
		size += len(b)
	}
	if err := t.admit(size); err != nil {
		return 0, err
	}
	db, done, err := t.use(true)
	if err != nil {
		return 0, err
	}
	defer done()
	t.mu.Lock()
	first := t.mu.next
	t.mu.next += uint64(len(blocks))
	t.mu.Unlock()
	crash.Here(crash.BeforeTierFlush)
	err = t.flush(db, func(b *badgerdb.WriteBatch) error {
		for i, block := range blocks {
			if i == len(blocks)/2 {
				crash.Here(crash.InTierFlush)
			}
			id := first + uint64(i)
			if err := b.Set(keyOf(id), seal(id, block)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, failure.Externalf(failure.Backoff, "write %d blocks to the state tier: %w", len(blocks), err)
	}
	crash.Here(crash.AfterTierFlush)
	t.count.blocksWritten.Add(int64(len(blocks)))
	t.count.bytesWritten.Add(int64(size))
	return first, nil
}

// flush writes a batch under a timestamp of its own, and lets older versions go: a
// number is put once, so that no reader wants one.
func (t *Tier) flush(db *badgerdb.DB, fill func(*badgerdb.WriteBatch) error) error {
	t.mu.Lock()
	t.mu.commit++
	at := t.mu.commit
	t.mu.Unlock()
	b := db.NewWriteBatchAt(at)
	defer b.Cancel()
	if err := fill(b); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	db.SetDiscardTs(at)
	return nil
}

// Get implements statebackend.Tier.
func (t *Tier) Get(ids []uint64, visit func(i int, block []byte) error) error {
	db, done, err := t.use(false)
	if err != nil {
		return err
	}
	defer done()
	if db == nil && len(ids) > 0 {
		return failure.Internalf("read block %d of the state tier: nothing was ever put", ids[0])
	}
	if db == nil {
		return nil
	}
	txn := db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	for i, id := range ids {
		item, err := txn.Get(keyOf(id))
		if err != nil {
			return failure.Externalf(failure.Backoff, "read block %d of the state tier: %w", id, err)
		}
		err = item.Value(func(v []byte) error {
			t.count.blocksRead.Add(1)
			t.count.bytesRead.Add(int64(len(v)))
			block, err := unseal(id, v)
			if err != nil {
				return err
			}
			return visit(i, block)
		})
		if err != nil {
			return fmt.Errorf("read block %d of the state tier: %w", id, err)
		}
	}
	return nil
}

// Delete implements statebackend.Tier.
func (t *Tier) Delete(ids []uint64) error {
	db, done, err := t.use(false)
	if errors.Is(err, errClosed) {
		return nil
	} else if err != nil {
		return err
	}
	defer done()
	if db == nil || len(ids) == 0 {
		return nil
	}
	err = t.flush(db, func(b *badgerdb.WriteBatch) error {
		for _, id := range ids {
			if err := b.Delete(keyOf(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return failure.Externalf(failure.Backoff, "delete %d blocks of the state tier: %w", len(ids), err)
	}
	t.count.blocksDeleted.Add(int64(len(ids)))
	return nil
}
