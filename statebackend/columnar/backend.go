package columnar

import (
	"context"
	"fmt"
	"io"

	"millrace/failure"
	"millrace/internal/invariant"
	"millrace/statebackend"
	"millrace/types"
)

// Backend is statebackend.Backend. The zero value is ready; it keeps nothing.
type Backend struct{}

var _ statebackend.Backend = (*Backend)(nil)

// New returns the backend.
func New() *Backend { return &Backend{} }

// Open implements statebackend.Backend.
func (*Backend) Open(ctx context.Context, spec statebackend.OpenSpec) (statebackend.Store, error) {
	if err := checkOpen(&spec); err != nil {
		return nil, err
	}
	r := restorer{spec: spec, chains: spec.Restore}
	s, err := r.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the state of task %s: %w", spec.Task, err)
	}
	return s, nil
}

func checkOpen(spec *statebackend.OpenSpec) error {
	m := spec.MaxParallelism
	if m < 1 || m > types.MaxMaxParallelism || spec.KeyGroups.First > spec.KeyGroups.Last || int(spec.KeyGroups.Last) >= m {
		return invariant.Failedf("open the state of task %s: key groups %s of %d", spec.Task, spec.KeyGroups, m)
	}
	if len(spec.Restore) > chainsMax {
		return failure.Userf("open the state of task %s: %d chains of files, at most %d", spec.Task, len(spec.Restore), chainsMax)
	}
	for _, c := range spec.Restore {
		if len(c) == 0 || len(c) > chainMax {
			return invariant.Failedf("open the state of task %s: a chain of %d files", spec.Task, len(c))
		}
	}
	return nil
}

// Merge implements statebackend.Backend. It holds a slice of the key groups at
// a time and reads the chain once for each slice.
func (*Backend) Merge(ctx context.Context, chain []statebackend.File, groups types.KeyGroupRange, w io.Writer) (statebackend.FileInfo, error) {
	if len(chain) == 0 || len(chain) > chainMax {
		return statebackend.FileInfo{}, invariant.Failedf("merge of a chain of %d files", len(chain))
	}
	m := merge{chain: chain, groups: groups, w: w, bytesTarget: mergeBytesTarget, memory: newMemory(nil), frozen: newMemory(nil)}
	info, err := m.run(ctx)
	if err != nil {
		return statebackend.FileInfo{}, fmt.Errorf("merge state files up to %s: %w", chain[len(chain)-1].Name(), err)
	}
	return info, nil
}

// merge is a Merge under way. The memory is shared by its slices.
type merge struct {
	chain          []statebackend.File
	groups         types.KeyGroupRange
	w              io.Writer
	bytesTarget    int64 // of a slice
	memory, frozen *memory
	encoder        *encoder
	header         fileHeader
}

func (m *merge) run(ctx context.Context) (statebackend.FileInfo, error) {
	last, err := readHeader(ctx, m.chain[len(m.chain)-1])
	if err != nil {
		return statebackend.FileInfo{}, err
	}
	if int(m.groups.Last) >= last.MaxParallelism || m.groups.First > m.groups.Last {
		return statebackend.FileInfo{}, invariant.Failedf("merge of key groups %s of %d", m.groups, last.MaxParallelism)
	}
	rows, bytes, err := m.size(ctx)
	if err != nil {
		return statebackend.FileInfo{}, err
	}
	slices := int(min(bytes/m.bytesTarget+1, int64(m.groups.Len())))
	m.header = *last
	m.header.Kind, m.header.FirstGroup, m.header.LastGroup = statebackend.Base, m.groups.First, m.groups.Last
	for i := range slices {
		r := types.KeyGroupRange{
			First: m.groups.First + types.KeyGroup(i*m.groups.Len()/slices),
			Last:  m.groups.First + types.KeyGroup((i+1)*m.groups.Len()/slices) - 1,
		}
		if err := m.slice(ctx, r, rows); err != nil {
			return statebackend.FileInfo{}, err
		}
	}
	return m.encoder.finish(&m.header)
}

// size adds up what the headers of the chain say about its rows.
func (m *merge) size(ctx context.Context) (rows map[statebackend.TableID]int64, bytes int64, err error) {
	rows = make(map[statebackend.TableID]int64)
	for _, f := range m.chain {
		h, err := readHeader(ctx, f)
		if err != nil {
			return nil, 0, err
		}
		if h.Kind == statebackend.Base {
			clear(rows)
			bytes = 0
		}
		for i := range h.Tables {
			t := &h.Tables[i]
			n := min(max(t.Rows, 0), 1<<40)
			rows[t.id()] = max(rows[t.id()], n)
			bytes += n * int64(64+16*len(t.Columns))
		}
	}
	return rows, bytes, nil
}

// slice restores some key groups and writes them.
func (m *merge) slice(ctx context.Context, groups types.KeyGroupRange, rows map[statebackend.TableID]int64) error {
	spec := statebackend.OpenSpec{
		Task:      types.TaskID{Vertex: types.VertexID(m.header.Vertex), Subtask: m.header.Subtask},
		KeyGroups: groups, MaxParallelism: m.header.MaxParallelism, Parallelism: m.header.Parallelism,
	}
	r := restorer{spec: spec, chains: [][]statebackend.File{m.chain}, keepLists: true, memory: m.memory, frozen: m.frozen}
	s, err := r.run(ctx)
	if err != nil {
		return err
	}
	for _, t := range s.tables {
		t.declared = true
	}
	x, err := s.Freeze(true)
	if err != nil {
		return err
	}
	defer x.Release()
	s.release()
	p := x.(*snapshot)
	if m.encoder == nil {
		m.encoder = newEncoder(m.w, &m.header)
		for i := range p.tables {
			p.tables[i].info.Rows = rows[p.tables[i].table.id]
		}
		m.encoder.describe(&m.header, p.tables)
	} else {
		for i := range p.tables {
			p.tables[i].entries = nil // lists and broadcast maps are whole in the first slice
			if p.tables[i].table.shape == shapeBroadcast {
				p.tables[i].rows.release()
			}
		}
	}
	for i := range p.tables {
		m.encoder.table(i, &p.tables[i])
	}
	return m.encoder.file.err
}

// readHeader reads what a file says of itself.
func readHeader(ctx context.Context, f statebackend.File) (*fileHeader, error) {
	h, _, err := readVersionedHeader(ctx, f)
	return h, err
}

// readVersionedHeader reads the format version of a file, too.
func readVersionedHeader(ctx context.Context, f statebackend.File) (*fileHeader, uint16, error) {
	r, err := f.Open(ctx)
	if err != nil {
		return nil, 0, named(f.Name(), err)
	}
	defer func() { _ = r.Close() }() // only read from
	fr, err := openFile(r)
	if err != nil {
		return nil, 0, named(f.Name(), err)
	}
	return fr.header, fr.version, nil
}
