package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"millrace/internal/failure"
	"millrace/statebackend"
)

// Tier is statebackend.Tier. It is safe for concurrent use.
type Tier struct {
	dir  string
	db   *badgerdb.DB
	free func(dir string) (free, total uint64, err error)
	mu   struct {
		sync.Mutex
		closed bool
		next   uint64 // number of the next block
		commit uint64 // timestamp of the last flush
		moved  int64  // bytes written and read since the last trim
	}
}

var _ statebackend.Tier = (*Tier)(nil)

// Open makes an empty database in a folder of its own, whatever was there before.
// Close ends it.
func Open(dir string) (*Tier, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, failure.Externalf(failure.Never, "the folder of the state tier: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, failure.Externalf(failure.Backoff, "wipe the state tier: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, failure.Externalf(failure.Backoff, "make the folder of the state tier: %w", err)
	}
	db, err := badgerdb.OpenManaged(badgerdb.DefaultOptions(dir).
		WithMemTableSize(memtableBytes).WithNumMemtables(memtables).WithBaseTableSize(tableBytes).
		WithNumCompactors(compactors).WithNumLevelZeroTables(levelZero).WithNumLevelZeroTablesStall(levelZeroStall).WithNumGoroutines(1).
		WithValueThreshold(1 << 20).WithValueLogFileSize(valueLogBytes). // the threshold's maximum: no value leaves the tree
		WithBlockCacheSize(0).WithIndexCacheSize(indexCacheBytes).WithCompression(options.None).
		WithDetectConflicts(false).WithMetricsEnabled(false).WithSyncWrites(false).WithCompactL0OnClose(false).WithLogger(nil))
	if err != nil {
		return nil, failure.Externalf(failure.Backoff, "open the state tier in %s: %w", dir, err)
	}
	t := &Tier{dir: dir, db: db, free: diskFree}
	t.mu.next = 1
	return t, nil
}

// Close ends the database and removes it.
func (t *Tier) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed {
		return nil
	}
	t.mu.closed = true
	if err := errors.Join(t.db.Close(), os.RemoveAll(t.dir)); err != nil {
		return fmt.Errorf("close the state tier: %w", err)
	}
	return nil
}

// header is in front of a block: its number, its length, CRC-32C of both and of the block.
const headerBytes = 8 + 4 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func seal(id uint64, block []byte) []byte {
	b := make([]byte, headerBytes, headerBytes+len(block))
	binary.LittleEndian.PutUint64(b, id)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(block)))
	binary.LittleEndian.PutUint32(b[12:], crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, block))
	return append(b, block...)
}

// unseal returns the block inside, or what is wrong with it.
func unseal(id uint64, b []byte) ([]byte, error) {
	if len(b) < headerBytes {
		return nil, failure.Internalf("block %d of the state tier has %d bytes", id, len(b))
	}
	block := b[headerBytes:]
	sum := crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, block)
	if binary.LittleEndian.Uint64(b) != id || int(binary.LittleEndian.Uint32(b[8:])) != len(block) || binary.LittleEndian.Uint32(b[12:]) != sum {
		return nil, failure.Internalf("block %d of the state tier is not what was written: wrong checksum", id)
	}
	return block, nil
}

func keyOf(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// Put implements statebackend.Tier.
func (t *Tier) Put(blocks [][]byte) (uint64, error) {
	size := 0
	for _, b := range blocks {
		if len(b) > statebackend.TierBlockMax {
			return 0, failure.Internalf("a block of %d bytes for the state tier, at most %d", len(b), statebackend.TierBlockMax)
		}
		size += len(b)
	}
	if err := t.admit(); err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed {
		return 0, errClosed()
	}
	first := t.mu.next
	err := t.flush(func(b *badgerdb.WriteBatch) error {
		for i, block := range blocks {
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
	t.mu.next += uint64(len(blocks))
	t.count(size)
	return first, nil
}

// errClosed is the error of a call behind Close.
func errClosed() error { return failure.Externalf(failure.Never, "the state tier is closed") }

// flush writes a batch under a timestamp of its own, and lets older versions
// go. It needs the lock.
func (t *Tier) flush(fill func(*badgerdb.WriteBatch) error) error {
	t.mu.commit++
	b := t.db.NewWriteBatchAt(t.mu.commit)
	defer b.Cancel()
	if err := fill(b); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	t.db.SetDiscardTs(t.mu.commit)
	return nil
}

// admit refuses while the disk is too full.
func (t *Tier) admit() error {
	free, total, err := t.free(t.dir)
	if err != nil {
		return failure.Externalf(failure.Backoff, "ask for the free space of the state tier: %w", err)
	}
	if least := max(total/freeShare, 4*memtables*memtableBytes); free < least {
		return failure.External(failure.Message{
			Primary: fmt.Sprintf("DISK_PRESSURE: the disk of the state tier in %s has %d bytes free, it needs %d", t.dir, free, least),
			Hint:    "free space there, or put process.working-dir on a larger disk",
		}, failure.Backoff)
	}
	return nil
}

// Get implements statebackend.Tier.
func (t *Tier) Get(ids []uint64, visit func(i int, block []byte) error) error {
	t.mu.Lock()
	closed, at := t.mu.closed, t.mu.commit
	t.mu.Unlock()
	if closed {
		return errClosed()
	}
	txn := t.db.NewTransactionAt(at, false)
	defer txn.Discard()
	size := 0
	for i, id := range ids {
		item, err := txn.Get(keyOf(id))
		if err != nil {
			return failure.Externalf(failure.Backoff, "read block %d of the state tier: %w", id, err)
		}
		err = item.Value(func(v []byte) error {
			size += len(v)
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
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(size)
	return nil
}

// Delete implements statebackend.Tier.
func (t *Tier) Delete(ids []uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed || len(ids) == 0 {
		return nil
	}
	err := t.flush(func(b *badgerdb.WriteBatch) error {
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
	return nil
}

// count counts bytes that went through mapped files. It needs the lock.
func (t *Tier) count(n int) {
	if t.mu.moved += int64(n); t.mu.moved > trimEvery {
		t.mu.moved = 0
		t.trim()
	}
}
