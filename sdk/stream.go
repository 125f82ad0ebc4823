package sdk

import (
	"reflect"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sdk/rows"
	"millrace/types"
)

// Stream is rows of T that flow. It is a handle: the rows flow where the job runs.
type Stream[T any] struct {
	env     *Env
	node    *node // nil: it could not be made, and why is noted
	port    int
	mapping *rows.Mapping // how T stands in the columns
	at      []int         // where
	schema  *types.Schema // of all columns
	// changes tells that rows may be updates and deletions of others.
	changes bool
}

// streamOf returns the stream of a port of a node whose columns are those of T.
func streamOf[T any](n *node, port int, m *rows.Mapping) *Stream[T] {
	return &Stream[T]{env: n.env, node: n, port: port, mapping: m, schema: m.Schema}
}

// broken returns a stream that could not be made.
func broken[T any](e *Env) *Stream[T] { return &Stream[T]{env: e} }

// ok tells whether the stream can be used: otherwise a problem was noted where it was made.
func (s *Stream[T]) ok() bool { return s.node != nil }

// refused notes that something was said of what is made of the stream: that its rows go nowhere then need not be said too.
func (s *Stream[T]) refused() {
	if s.ok() {
		s.node.meant = true
	}
}

// forward is the edge to whoever reads the stream where it is.
func (s *Stream[T]) forward() input { return input{from: s.node, port: s.port} }

// input is what a native operator says of the stream.
func (s *Stream[T]) input() jobgraph.NativeInput { return jobgraph.NativeInput{Schema: s.schema} }

func (s *Stream[T]) tile() *rows.Tile[T] { return rows.NewTile[T](s.mapping, s.at) }

// mappingOf returns how T stands in columns; nil notes why it can't.
func mappingOf[T any](e *Env) *rows.Mapping {
	m, err := rows.Of(reflect.TypeFor[T]())
	if err != nil {
		e.problem(failure.Message{Primary: err.Error()})
		return nil
	}
	return m
}

// Env returns the job of the stream.
func (s *Stream[T]) Env() *Env { return s.env }

// Schema returns the columns in which the stream's rows stand, nil where the stream could not be made.
func (s *Stream[T]) Schema() *types.Schema { return s.schema }

// rowtime returns the column of event time, -1 where T has none.
func (s *Stream[T]) rowtime() int {
	if s.mapping == nil || s.mapping.Rowtime == rows.NoRowtime {
		return -1
	}
	return s.column(s.mapping.Rowtime)
}

// column returns where a column of the mapping stands.
func (s *Stream[T]) column(i int) int {
	if s.at == nil {
		return i
	}
	return s.at[i]
}
