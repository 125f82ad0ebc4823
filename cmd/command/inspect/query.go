package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"millrace/failure"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/statebackend/columnar/rows"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// Query says which rows are wanted.
type Query struct {
	Vertex string
	// Operator may be empty where one operator of the vertex has the table.
	Operator string
	Table    string
	Limit    int64 // 0: all
	Format   rows.Format
}

// Rows writes the rows of a table, task by task, as a restore would have them: the files of each task are merged, into a
// temporary file, before any row of it is written.
func (s *Source) Rows(ctx context.Context, q Query, w io.Writer) error {
	out, err := rows.NewWriter(w, q.Format, q.Limit)
	if err != nil {
		return err
	}
	v, err := s.find(q.Vertex)
	if err != nil {
		return err
	}
	id, err := s.table(ctx, v, q)
	if err != nil {
		return err
	}
	for i, t := range v.Tasks {
		if len(t.Files) == 0 {
			continue
		}
		err := s.taskRows(ctx, t, id, out)
		if errors.Is(err, rows.ErrEnough) {
			break
		}
		if err != nil {
			return fmt.Errorf("task %s/%d: %w", q.Vertex, i, err)
		}
	}
	return out.Close()
}

func (s *Source) find(id string) (*checkpointv1.VertexState, error) {
	var ids []string
	for _, v := range s.Manifest.Vertices {
		if v.VertexId == id {
			return v, nil
		}
		ids = append(ids, v.VertexId)
	}
	return nil, failure.Userf("no vertex %q is in %s; there are %s", id, s.Location, strings.Join(ids, ", "))
}

// table finds the table that a query means.
func (s *Source) table(ctx context.Context, v *checkpointv1.VertexState, q Query) (statebackend.TableID, error) {
	of, err := s.vertex(ctx, v)
	if err != nil {
		return statebackend.TableID{}, err
	}
	var found []statebackend.TableID
	var names []string
	for _, t := range of.Tables {
		names = append(names, t.Name+" of "+t.Operator)
		if t.Name == q.Table && (q.Operator == "" || q.Operator == t.Operator) {
			found = append(found, statebackend.TableID{Operator: types.OperatorUID(t.Operator), Name: t.Name})
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(names) == 0:
		return statebackend.TableID{}, failure.Userf("vertex %q has no tables", q.Vertex)
	case len(found) > 1:
		return statebackend.TableID{}, failure.Userf("%d operators of vertex %q have a table %q: say which with --operator; there are %s",
			len(found), q.Vertex, q.Table, strings.Join(names, ", "))
	}
	return statebackend.TableID{}, failure.Userf("vertex %q has no table %q; there are %s", q.Vertex, q.Table, strings.Join(names, ", "))
}

// taskRows merges the files of a task, and writes the rows of a table.
func (s *Source) taskRows(ctx context.Context, t *checkpointv1.TaskState, id statebackend.TableID, out *rows.Writer) error {
	merged, err := os.CreateTemp("", "millrace-state-*")
	if err != nil {
		return fmt.Errorf("make a temporary file: %w", err)
	}
	defer func() {
		_ = merged.Close()
		_ = os.Remove(merged.Name())
	}()
	groups := types.KeyGroupRange{First: types.KeyGroup(t.Files[0].FirstKeyGroup), Last: types.KeyGroup(t.Files[0].LastKeyGroup)}
	if _, err := columnar.New().Merge(ctx, upload.Files(s.store, nil, t.Files), groups, merged); err != nil {
		return failure.External(err, failure.Never)
	}
	return columnar.EachRows(ctx, local(merged.Name()), id, out.Add)
}

// local is a file of this machine.
type local string

// Name implements statebackend.File.
func (l local) Name() string { return string(l) }

// Open implements statebackend.File.
func (l local) Open(context.Context) (io.ReadCloser, error) { return os.Open(string(l)) }
