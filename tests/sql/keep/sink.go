package keep

import (
	"context"
	"encoding/json"
	"sync/atomic"

	"millrace/cmd/command/script"
	"millrace/connectors"
	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

// Name is the connector's name in a table's options.
const Name = "keep"

// The options that a test sets for the table: its name, and the columns of its primary key.
const (
	KeyTable = "table"
	KeyKey   = "key"
)

const keyChangelog = "changelog"

// Spec declares the options.
var Spec = options.Spec{Name: Name, Options: []options.Option{
	{Key: KeyTable, Required: true, Doc: "The name of the rows."},
	{Key: KeyKey, Type: options.List, Doc: "The columns of the primary key."},
	{Key: keyChangelog, Type: options.Enum, Values: []string{"append", "upsert", "retract"}, Default: "append", Doc: "Which changes are taken."},
}}

var changelogs = map[string]connectors.Changelog{"append": connectors.AppendOnly, "upsert": connectors.Upsert, "retract": connectors.Retract}

// Factory returns the factory of sinks that write into tables. The functions are those that make texts of values.
func (t *Tables) Factory(functions *expr.Registry) connectors.SinkFactory {
	return connectors.SinkFactory{
		Options: func(map[string]string) (options.Spec, error) { return Spec, nil },
		Open: func(given map[string]string, schema *types.Schema) (connectors.Sink, error) {
			v, err := options.Parse(Spec, given)
			if err != nil {
				return nil, err
			}
			s := &sink{table: t.Table(v.Text(KeyTable)), takes: changelogs[v.Text(keyChangelog)], functions: functions}
			for _, name := range v.List(KeyKey) {
				at := schema.Index(name)
				if at < 0 {
					return nil, failure.Userf("%s: the rows have no column %s", KeyKey, name)
				}
				s.key = append(s.key, at)
			}
			return s, nil
		},
		Traits: func(v options.Values) connectors.SinkTraits {
			return connectors.SinkTraits{Changelog: changelogs[v.Text(keyChangelog)]}
		},
	}
}

type sink struct {
	table     *Table
	takes     connectors.Changelog
	key       []int
	functions *expr.Registry
}

// Writer implements connectors.Sink.
func (s *sink) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	texts, err := script.NewTexts(ctx.Schema, s.functions, kernel.Session{})
	return &writer{sink: s, texts: texts, prepared: make(map[types.CheckpointID][][]byte)}, err
}

// Committer implements connectors.Sink.
func (s *sink) Committer(connectors.CommitterContext) (connectors.Committer, error) {
	return &committer{s}, nil
}

// numbers are those of committables: a later one of a writer has a higher one.
var numbers atomic.Int64

// committable is what a writer was given between two barriers.
type committable struct {
	Number  int64
	Changes []row
}

type writer struct {
	*sink
	texts    *script.Texts
	changes  []row
	prepared map[types.CheckpointID][][]byte
}

// Ready implements connectors.Writer: always.
func (*writer) Ready() bool { return true }

// Write implements connectors.Writer.
func (w *writer) Write(b *stream.Batch) error {
	return w.texts.Each(b, func(k stream.RowKind, cells []*string) error {
		key := make([]*string, len(w.key))
		for i, at := range w.key {
			key[i] = cells[at]
		}
		w.changes = append(w.changes, row{Kind: k, Key: line(key), Text: line(cells)})
		return nil
	})
}

// Prepare implements connectors.Writer.
func (w *writer) Prepare(id types.CheckpointID) error {
	w.prepared[id] = nil
	if len(w.changes) == 0 {
		return nil
	}
	p, err := json.Marshal(committable{numbers.Add(1), w.changes})
	w.prepared[id], w.changes = [][]byte{p}, nil
	return err
}

// Prepared implements connectors.Writer: at once. What it returned is forgotten.
func (w *writer) Prepared(id types.CheckpointID) ([][]byte, bool, error) {
	p := w.prepared[id]
	delete(w.prepared, id)
	return p, true, nil
}

// CheckpointComplete implements connectors.Writer.
func (*writer) CheckpointComplete(types.CheckpointID) {}

// CheckpointAborted implements connectors.Writer: the engine carries over what was prepared.
func (*writer) CheckpointAborted(types.CheckpointID) {}

// Close implements connectors.Writer.
func (*writer) Close() error { return nil }

type committer struct{ *sink }

// Recover implements connectors.Committer.
func (c *committer) Recover(ctx context.Context, id types.CheckpointID, committables [][]byte) error {
	return c.Commit(ctx, id, committables)
}

// Commit implements connectors.Committer.
func (c *committer) Commit(_ context.Context, _ types.CheckpointID, committables [][]byte) error {
	for _, p := range committables {
		var m committable
		if err := json.Unmarshal(p, &m); err != nil {
			return failure.Internal(err)
		}
		c.table.take(m.Number, c.takes, m.Changes)
	}
	return nil
}

// Close implements connectors.Committer.
func (*committer) Close() error { return nil }
