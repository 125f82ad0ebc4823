package cluster_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"millrace/connectors"
	"millrace/options"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// collect is a transactional sink in memory: what it commits appears once,
// however often it is committed.
type collect struct {
	mu struct {
		sync.Mutex
		committed map[string]string // by committable's id: its rows
		newest    map[types.JobID]types.CheckpointID
	}
}

func newCollect() *collect {
	c := &collect{}
	c.mu.committed, c.mu.newest = make(map[string]string), make(map[types.JobID]types.CheckpointID)
	return c
}

// clone returns a sink that has committed the same.
func (c *collect) clone() *collect {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := newCollect()
	maps.Copy(out.mu.committed, c.mu.committed)
	maps.Copy(out.mu.newest, c.mu.newest)
	return out
}

func (c *collect) factory() connectors.SinkFactory {
	return connectors.SinkFactory{
		Options: func(map[string]string) (options.Spec, error) { return options.Spec{Name: "collected"}, nil },
		Open:    func(map[string]string, *types.Schema) (connectors.Sink, error) { return c, nil },
	}
}

func (c *collect) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	return &collectWriter{ctx: ctx, prepared: make(map[types.CheckpointID][]byte)}, nil
}

func (c *collect) Committer(ctx connectors.CommitterContext) (connectors.Committer, error) {
	return collectCommitter{c, ctx.Job}, nil
}

// rows returns the text of every committed row.
func (c *collect) rows() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]int)
	for _, text := range c.mu.committed {
		for _, line := range splitLines(text) {
			out[line]++
		}
	}
	return out
}

func splitLines(s string) []string {
	var out []string
	for start, i := 0, 0; i < len(s); i++ {
		if s[i] == '\n' {
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return out
}

type collectWriter struct {
	ctx      connectors.WriterContext
	open     []byte
	prepared map[types.CheckpointID][]byte
}

func (w *collectWriter) Ready() bool { return true }

func (w *collectWriter) Write(b *stream.Batch) error {
	w.open = append(w.open, strings.Join(streamtest.Rows(b), "\n")+"\n"...)
	return nil
}

func (w *collectWriter) Prepare(id types.CheckpointID) error {
	if len(w.open) > 0 {
		head := fmt.Sprintf("%s/%d/%d/%d\n", w.ctx.Job, w.ctx.Attempt, w.ctx.Subtask, id)
		w.prepared[id] = append([]byte(head), w.open...)
		w.open = nil
	}
	return nil
}

func (w *collectWriter) Prepared(id types.CheckpointID) ([][]byte, bool, error) {
	if p, ok := w.prepared[id]; ok {
		return [][]byte{p}, true, nil
	}
	return nil, true, nil
}

func (w *collectWriter) CheckpointComplete(id types.CheckpointID) { delete(w.prepared, id) }
func (w *collectWriter) CheckpointAborted(types.CheckpointID)     {}
func (w *collectWriter) Close() error                             { return nil }

type collectCommitter struct {
	c   *collect
	job types.JobID
}

func (k collectCommitter) Recover(ctx context.Context, id types.CheckpointID, committables [][]byte) error {
	k.c.mu.Lock()
	newest := k.c.mu.newest[k.job]
	k.c.mu.Unlock()
	if newest > id {
		return connectors.Ahead("the collection", newest, id)
	}
	return k.Commit(ctx, id, committables)
}

func (k collectCommitter) Commit(_ context.Context, id types.CheckpointID, committables [][]byte) error {
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	if len(committables) > 0 {
		k.c.mu.newest[k.job] = max(k.c.mu.newest[k.job], id)
	}
	for _, p := range committables {
		lines := splitLines(string(p))
		k.c.mu.committed[lines[0]] = string(p[len(lines[0])+1:])
	}
	return nil
}

func (k collectCommitter) Close() error { return nil }
