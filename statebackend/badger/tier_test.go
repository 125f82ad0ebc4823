package badger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"

	"millrace/failure"
	"millrace/internal/testutil/matrix"
	"millrace/statebackend/columnar"
	"millrace/statebackend/fault"
	"millrace/statebackend/statetest"
)

func open(t *testing.T) *Tier {
	t.Helper()
	tier, err := Open(Options{Dir: filepath.Join(t.TempDir(), "tier")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tier.Close(); err != nil {
			t.Error(err)
		}
	})
	return tier
}

func TestTier(t *testing.T) { statetest.RunTier(t, open(t)) }

// TestConformance has every row that did not change leave memory at every call, behind a faulty
// twin whose plan never fires. A sample of it, unless everything is asked for: each row is
// written again and again.
func TestConformance(t *testing.T) {
	b, err := fault.Wrap(columnar.New(), "")
	if err != nil {
		t.Fatal(err)
	}
	run := statetest.RunSample
	if matrix.All() {
		run = statetest.Run
	}
	run(t, statetest.Tiered(b, open(t)))
}

// TestNothingOutlivesTheProcess opens the database that an unclean stop left.
func TestNothingOutlivesTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tier")
	left, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := left.Put([][]byte{[]byte("former")}); err != nil {
		t.Fatal(err)
	}
	if err := left.mu.db.Close(); err != nil { // the files stay, as after a kill
		t.Fatal(err)
	}
	tier, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := tier.Get([]uint64{1}, func(int, []byte) error { return nil }); err == nil {
		t.Error("a block of a former process is there")
	}
	if first, err := tier.Put([][]byte{[]byte("fresh")}); err != nil || first != 1 {
		t.Errorf("first block is %d, %v", first, err)
	}
	if err := tier.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is there after a clean stop: %v", err)
	}
	if _, err := tier.Put(nil); err == nil {
		t.Error("a closed tier takes blocks")
	}
}

// TestDiskPressure asks for refusal before the disk is full, with a remedy.
func TestDiskPressure(t *testing.T) {
	tier := open(t)
	tier.free = func(string) (uint64, uint64, error) { return 9 << 30, 100 << 30, nil }
	_, err := tier.Put([][]byte{[]byte("x")})
	if err == nil || !strings.Contains(err.Error(), "DISK_PRESSURE") || failure.ClassOf(err).Domain != failure.DomainExternal {
		t.Errorf("nine of a hundred free: %v", err)
	}
	tier.free = func(string) (uint64, uint64, error) { return 11 << 30, 100 << 30, nil }
	if _, err := tier.Put([][]byte{[]byte("x")}); err != nil {
		t.Error(err)
	}
}

// TestChangedBlocksAreFound damages a block, and puts one under another's number.
func TestChangedBlocksAreFound(t *testing.T) {
	tier := open(t)
	if _, err := tier.Put([][]byte{[]byte("one"), []byte("two")}); err != nil {
		t.Fatal(err)
	}
	damaged := seal(1, []byte("one"))
	damaged[len(damaged)-1] ^= 1
	for what, bytes := range map[string][]byte{"a bit flipped": damaged, "another block": seal(2, []byte("two")), "cut short": damaged[:3]} {
		err := tier.flush(tier.mu.db, func(b *badgerdb.WriteBatch) error { return b.Set(keyOf(1), bytes) })
		if err != nil {
			t.Fatal(err)
		}
		if err := tier.Get([]uint64{1}, func(int, []byte) error { return nil }); err == nil || !strings.Contains(err.Error(), "block 1") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
