package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"millrace/connectors"
	"millrace/failure"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

var journalSpec = options.Spec{Name: "journal", Options: []options.Option{
	{Key: "folder", Required: true, Doc: "Where the pages go, a folder that all task managers share."},
}}

// journal is a sink of lines. What a task writes between two checkpoints is a page: a file that is called .pending until the checkpoint is complete, and by its final name from then on.
var journal = connectors.SinkFactory{
	Options: func(map[string]string) (options.Spec, error) { return journalSpec, nil },
	Open: func(given map[string]string, columns *types.Schema) (connectors.Sink, error) {
		v, err := options.Parse(journalSpec, given)
		if err != nil {
			return nil, err
		}
		return pages(v.Text("folder")), oneText(columns)
	},
}

type pages string

func (folder pages) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	return &writer{ctx: ctx, folder: string(folder)}, external(os.MkdirAll(string(folder), 0o755))
}

func (folder pages) Committer(ctx connectors.CommitterContext) (connectors.Committer, error) {
	return committer{ctx, string(folder)}, external(os.MkdirAll(string(folder), 0o755))
}

// external is the class of what the disk says: a restart may help.
func external(err error) error { return failure.External(err, failure.Restart) }

const (
	pending = ".pending"
	// pageName has the job, the checkpoint and the subtask: ids of checkpoints are never used twice.
	pageName = "%s-%012d-%d"
)

// writer collects lines.
type writer struct {
	ctx      connectors.WriterContext
	folder   string
	page     []byte
	prepared map[types.CheckpointID][][]byte
}

func (w *writer) Ready() bool { return true }

func (w *writer) Write(b *stream.Batch) error {
	for i := range b.Rows() {
		w.page = append(append(w.page, b.Columns[0].Bytes(b.Row(i))...), '\n')
	}
	return nil
}

// Prepare writes the page down: it is safe then, and nobody takes it for one that counts.
func (w *writer) Prepare(id types.CheckpointID) error {
	if len(w.page) == 0 {
		return nil
	}
	name := fmt.Sprintf(pageName, w.ctx.Job, id, w.ctx.Subtask)
	f, err := os.Create(filepath.Join(w.folder, name+pending))
	if err != nil {
		return external(err)
	}
	_, err = f.Write(w.page)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return external(err)
	}
	if w.prepared == nil {
		w.prepared = make(map[types.CheckpointID][][]byte)
	}
	w.prepared[id], w.page = [][]byte{[]byte(name)}, w.page[:0]
	return nil
}

func (w *writer) Prepared(id types.CheckpointID) ([][]byte, bool, error) {
	names := w.prepared[id]
	delete(w.prepared, id)
	return names, true, nil
}

func (*writer) CheckpointComplete(types.CheckpointID) {}
func (*writer) CheckpointAborted(types.CheckpointID)  {}
func (*writer) Close() error                          { return nil }

// committer gives pages their names.
type committer struct {
	ctx    connectors.CommitterContext
	folder string
}

// Recover commits what the checkpoint has, and deletes the pages of checkpoints that came to nothing.
func (c committer) Recover(ctx context.Context, id types.CheckpointID, names [][]byte) error {
	found, err := filepath.Glob(filepath.Join(c.folder, string(c.ctx.Job)+"-*"))
	if err != nil {
		return external(err)
	}
	for _, path := range found {
		var later types.CheckpointID
		_, number, _ := strings.Cut(filepath.Base(path), "-")
		if _, err := fmt.Sscanf(number, "%d", &later); err == nil && later > id && !strings.HasSuffix(path, pending) {
			return connectors.Ahead(c.folder, later, id)
		}
	}
	if err := c.Commit(ctx, id, names); err != nil {
		return err
	}
	for _, path := range found {
		if !strings.HasSuffix(path, pending) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return external(err)
		}
	}
	return nil
}

// Commit may be called again: a page that has its name has been committed.
func (c committer) Commit(_ context.Context, _ types.CheckpointID, names [][]byte) error {
	for _, name := range names {
		path := filepath.Join(c.folder, string(name))
		if err := os.Rename(path+pending, path); errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(path); err != nil {
				return external(fmt.Errorf("the page %s is lost: %w", name, err))
			}
		} else if err != nil {
			return external(err)
		}
	}
	return nil
}

func (committer) Close() error { return nil }
