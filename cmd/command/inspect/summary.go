package inspect

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"millrace/blobstore"
	"millrace/checkpoint"
	"millrace/failure"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/taskmanager/upload"
)

// Summary is what is in a checkpoint or savepoint. Its JSON is what state inspect gives.
type Summary struct {
	Location      string    `json:"location"`
	Savepoint     bool      `json:"savepoint"`
	Kind          string    `json:"kind"`
	Job           string    `json:"job"`
	Checkpoint    uint64    `json:"checkpoint"`
	Previous      uint64    `json:"previous,omitempty"`
	Triggered     time.Time `json:"triggered"`
	FormatVersion uint32    `json:"format_version"`
	Bytes         int64     `json:"bytes"` // of all files
	Vertices      []Vertex  `json:"vertices"`
}

// Vertex is the part of a vertex.
type Vertex struct {
	ID                 string `json:"id"`
	Parallelism        int    `json:"parallelism"`
	LargestParallelism int32  `json:"largest_parallelism"`
	MaxParallelism     int32  `json:"max_parallelism"`
	// KeyGroups are those that the files hold, of all of MaxParallelism; empty where there are no files.
	KeyGroups    string      `json:"key_groups,omitempty"`
	Files        int         `json:"files"`
	Bytes        int64       `json:"bytes"`
	Committables int         `json:"committables"`
	Enumerator   string      `json:"enumerator,omitempty"`
	Tables       []Table     `json:"tables,omitempty"`
	Positions    []Position  `json:"positions,omitempty"`
	Watermarks   []Watermark `json:"watermarks,omitempty"`
}

// Table is a table of an operator, over all tasks.
type Table struct {
	Operator   string   `json:"operator"`
	Name       string   `json:"name"`
	Shape      string   `json:"shape"`
	Namespaced bool     `json:"namespaced,omitempty"`
	Keys       []string `json:"keys,omitempty"`
	Columns    []string `json:"columns,omitempty"` // name and type
	Entries    []string `json:"entries,omitempty"` // what is in the bytes of a list or a broadcast map, where its operator says it
	Rows       int64    `json:"rows"`
	// Exact tells that Rows is no upper bound: no task has more than one file.
	Exact bool `json:"exact"`
}

// Position is where a split of a source is read on, in the connector's words.
type Position struct {
	Split     string `json:"split"`
	State     string `json:"state"`
	Watermark *int64 `json:"watermark,omitempty"` // milliseconds
}

// Watermark is the least event time of an operator's tasks, in milliseconds.
type Watermark struct {
	Operator string `json:"operator"`
	Millis   int64  `json:"millis"`
}

// Summary reads the headers of all files, and nothing behind them.
func (s *Source) Summary(ctx context.Context) (*Summary, error) {
	m := s.Manifest
	out := &Summary{
		Location: s.Location, Savepoint: s.Savepoint, Kind: checkpoint.KindOf(m.Kind).String(), Job: m.JobId, Checkpoint: m.CheckpointId,
		Previous: m.PreviousCheckpointId, Triggered: time.UnixMilli(m.TriggeredUnixMillis).UTC(), FormatVersion: m.FormatVersion,
	}
	for _, v := range m.Vertices {
		of, err := s.vertex(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("vertex %s: %w", v.VertexId, err)
		}
		out.Bytes += of.Bytes
		out.Vertices = append(out.Vertices, of)
	}
	return out, nil
}

func (s *Source) vertex(ctx context.Context, v *checkpointv1.VertexState) (Vertex, error) {
	out := Vertex{
		ID: v.VertexId, Parallelism: len(v.Tasks), LargestParallelism: v.LargestParallelism, MaxParallelism: v.MaxParallelism,
		Enumerator: text(v.Enumerator),
	}
	splits := v.Unassigned
	least, seen := make(map[string]int64), []string(nil)
	for _, t := range v.Tasks {
		out.Files += len(t.Files)
		out.Committables += len(t.Committables)
		for _, f := range t.Files {
			out.Bytes += f.Bytes
		}
		splits = append(slices.Clip(splits), t.Splits...)
		for _, w := range t.Watermarks {
			if had, ok := least[w.Uid]; !ok || w.Watermark < had {
				if !ok {
					seen = append(seen, w.Uid)
				}
				least[w.Uid] = w.Watermark
			}
		}
		if err := s.addTables(ctx, &out, t); err != nil {
			return out, err
		}
	}
	if out.Files > 0 { // a manifest whose files leave a key group out is none
		out.KeyGroups = fmt.Sprintf("0 to %d, all", v.MaxParallelism-1)
	}
	for _, sp := range splits {
		p := Position{Split: sp.Id, State: text(sp.State)}
		if sp.HasWatermark {
			p.Watermark = &sp.Watermark
		}
		out.Positions = append(out.Positions, p)
	}
	for _, uid := range seen {
		out.Watermarks = append(out.Watermarks, Watermark{uid, least[uid]})
	}
	return out, nil
}

// addTables adds the tables of a task to those of its vertex.
func (s *Source) addTables(ctx context.Context, v *Vertex, t *checkpointv1.TaskState) error {
	if len(t.Files) == 0 {
		return nil
	}
	had, err := columnar.ReadLayout(ctx, upload.Files(s.store, nil, t.Files))
	if err != nil {
		return failure.External(err, failure.Never)
	}
	rows, err := s.rows(ctx, t.Files, had.Tables)
	if err != nil {
		return err
	}
	for _, l := range had.Tables {
		i := 0
		for i < len(v.Tables) && (v.Tables[i].Operator != string(l.ID.Operator) || v.Tables[i].Name != l.ID.Name) {
			i++
		}
		if i == len(v.Tables) {
			of := Table{Operator: string(l.ID.Operator), Name: l.ID.Name, Shape: l.Shape, Namespaced: l.Namespaced, Exact: true}
			for _, k := range l.Keys {
				of.Keys = append(of.Keys, k.String())
			}
			of.Columns, of.Entries = texts(l.Columns), texts(l.Entries)
			v.Tables = append(v.Tables, of)
		}
		v.Tables[i].Rows += rows[l.ID]
		v.Tables[i].Exact = v.Tables[i].Exact && len(t.Files) == 1
	}
	return nil
}

// texts is columns for people. Those that tell of NULL stand in the types of others.
func texts(columns []statebackend.ColumnSpec) (out []string) {
	flagged, described := make(map[string]bool), false
	for _, c := range columns {
		flagged[c.NullOf] = true
		described = described || c.NullOf != ""
	}
	for _, c := range columns {
		switch {
		case c.NullOf != "":
			continue
		case flagged[c.Name]:
			c.Type = c.Type.AsNullable()
		case described:
			c.Type = c.Type.NotNull()
		}
		out = append(out, c.Name+" "+c.Type.String())
	}
	return out
}

// rows adds up what files put into tables: with one file that is what they hold.
func (s *Source) rows(ctx context.Context, files []*checkpointv1.StateFile, tables []columnar.TableLayout) (map[statebackend.TableID]int64, error) {
	out := make(map[statebackend.TableID]int64)
	for i, f := range files {
		own := tables
		if i < len(files)-1 {
			had, err := columnar.ReadLayout(ctx, upload.Files(s.store, nil, files[i:i+1]))
			if err != nil {
				return nil, failure.External(err, failure.Never)
			}
			own = had.Tables
		}
		n, err := columnar.PutRows(ranges{ctx, s.store, f}, f.Bytes, len(own))
		if err != nil {
			return nil, failure.External(fmt.Errorf("file %s: %w", f.GetObject(), err), failure.Never)
		}
		for k, t := range own {
			out[t.ID] += n[k]
		}
	}
	return out, nil
}

// ranges reads a file at any place. It holds the context of the one call that reads.
type ranges struct {
	ctx   context.Context
	store blobstore.Store
	file  *checkpointv1.StateFile
}

// ReadAt implements io.ReaderAt.
func (r ranges) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	if r.file.GetObject() == "" {
		return bytes.NewReader(r.file.GetInline()).ReadAt(p, off)
	}
	got, err := r.store.ReadRange(r.ctx, r.file.GetObject(), off, int64(len(p)))
	if err == nil && len(got) < len(p) {
		err = io.ErrUnexpectedEOF
	}
	return copy(p, got), err
}

// text is what bytes of a connector say, where that is text.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return hex.EncodeToString(b)
}
