package upload_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"syscall"
	"testing"
	"time"

	"millrace/blobstore"
	"millrace/blobstore/localfs"
	"millrace/internal/clock"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/taskmanager/cache"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// BenchmarkRestore restores about 300 MB of state, six million keys with a count
// and a sum each, from a store on the same disk, from one at the end of a line of
// 1 Gbit/s, and from the cache.
func BenchmarkRestore(b *testing.B) {
	state := sixMillionKeys(b)
	folder, err := localfs.Open(b.TempDir(), localfs.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := folder.Create(b.Context(), "chunk", blobstore.Bytes(state)); err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256(state)
	chain := []*checkpointv1.StateFile{{Sha256: sum[:], Bytes: int64(len(state)), At: &checkpointv1.StateFile_Object{Object: "chunk"}}}
	distant := line{folder, 125_000_000}
	for _, c := range []struct {
		name  string
		store blobstore.Store
		keep  bool
		warm  bool
	}{
		{"disk", folder, false, false},
		{"line", distant, false, false},
		{"line/kept", distant, true, false},
		{"cache", distant, true, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(state)))
			local := openLocal(b, c.keep)
			if c.warm {
				restore(b, c.store, local, chain)
			}
			before := cpu(b)
			for b.Loop() {
				if c.keep && !c.warm {
					b.StopTimer()
					local = openLocal(b, true)
					b.StartTimer()
				}
				restore(b, c.store, local, chain)
			}
			b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func openLocal(b *testing.B, keep bool) *cache.Cache {
	b.Helper()
	if !keep {
		return nil
	}
	c, err := cache.Open(cache.Options{Dir: b.TempDir(), BytesMax: 1 << 30, Clock: clock.System()})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func restore(b *testing.B, store blobstore.Store, c *cache.Cache, chain []*checkpointv1.StateFile) {
	b.Helper()
	s := openStore(b, [][]statebackend.File{upload.Files(store, c, chain)})
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func openStore(b *testing.B, restored [][]statebackend.File) statebackend.Store {
	b.Helper()
	s, err := columnar.New().Open(b.Context(), statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: types.AllKeyGroups(128), MaxParallelism: 128, Parallelism: 1,
		Pool: &stream.Pool{}, Restore: restored,
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// sixMillionKeys returns a state file.
func sixMillionKeys(b *testing.B) []byte {
	b.Helper()
	number := types.Of(types.BigInt)
	s := openStore(b, nil)
	table, err := s.Value(statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: "o", Name: "v"}, Keys: []types.Type{number},
		Columns: []statebackend.ColumnSpec{{Name: "count", Type: number}, {Name: "sum", Type: number}, {Name: "highest", Type: number}, {Name: "first", Type: number}, {Name: "last", Type: number}},
	})
	if err != nil {
		b.Fatal(err)
	}
	fill(b, table.Part(0, true), 6_000_000)
	x, err := s.Freeze(true)
	if err != nil {
		b.Fatal(err)
	}
	defer x.Release()
	var out bytes.Buffer
	if _, err := x.Write(&out); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// line is a store at the end of a line of so many bytes a second.
type line struct {
	blobstore.Store
	bytesPerSecond int64
}

func (l line) ReadRange(ctx context.Context, key string, off, n int64) ([]byte, error) {
	arrived := clock.System().After(time.Duration(n) * time.Second / time.Duration(l.bytesPerSecond))
	data, err := l.Store.ReadRange(ctx, key, off, n)
	<-arrived
	return data, err
}

// fill gives n keys values that hardly compress.
func fill(b *testing.B, p statebackend.Part, n int) {
	b.Helper()
	keys := stream.Keys{Hashes: make([]uint64, 1024), Fixed: make([]int64, 1024)}
	slots := make([]statebackend.Slot, 1024)
	for from := 0; from < n; from += len(slots) {
		for i := range slots {
			keys.Fixed[i] = int64(from + i)
			keys.Hashes[i] = stream.HashUint64(uint64(from + i))
		}
		if _, err := p.Upsert(&keys, slots); err != nil {
			b.Fatal(err)
		}
		for i, s := range slots {
			for k, row := 0, p.Rows().At(s); k < len(row); k++ {
				row[k] = stream.HashUint64(keys.Hashes[i] + uint64(k))
			}
		}
	}
}
