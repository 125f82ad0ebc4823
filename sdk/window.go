package sdk

import (
	"fmt"
	"strings"
	"time"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/types"
)

// Window says how windows lie in time. Times are event time, from the rowtime field of the rows.
type Window struct{ spec jobgraph.WindowSpec }

// Tumble is windows of a size, one after the other: from each multiple of the size since 1970, in UTC, to the next, but for an Offset.
func Tumble(size time.Duration) Window {
	return Window{jobgraph.WindowSpec{Kind: jobgraph.Tumbling, Size: size}}
}

// Hop is windows of a size, one every slide: a row is in size / slide of them, which has to be a whole number.
func Hop(size, slide time.Duration) Window {
	return Window{jobgraph.WindowSpec{Kind: jobgraph.Hopping, Size: size, Slide: slide}}
}

// Cumulate is windows from the start of a span of a size to each step in it: a row is in that of its step, and in all behind it in the span. The size is a multiple of the step.
func Cumulate(size, step time.Duration) Window {
	return Window{jobgraph.WindowSpec{Kind: jobgraph.Cumulating, Size: size, Slide: step}}
}

// Session is windows that last as long as rows of the key come no more than a gap after each other: a session ends the gap behind its last row.
func Session(gap time.Duration) Window {
	return Window{jobgraph.WindowSpec{Kind: jobgraph.Session, Size: gap}}
}

// Offset moves the windows in time: they begin so much later, or earlier, than they would. It is less than their size, or their slide or step, either way. Sessions take none.
func (w Window) Offset(d time.Duration) Window {
	w.spec.Offset = d
	return w
}

// Windowed is a keyed stream cut into windows.
type Windowed[K, T any] struct {
	*Keyed[K, T]
	window   Window
	late     bool
	lateness time.Duration // allowed
}

// Windows cuts a keyed stream into windows, which close when event time has passed their end. Rows that come later are counted and dropped, or kept aside by KeepLate, but for those that
// AllowedLateness still takes. A row is late when all of its windows are closed; for a session that is the one that there would be with the row.
func Windows[K, T any](k *Keyed[K, T], w Window) *Windowed[K, T] {
	out := &Windowed[K, T]{Keyed: k, window: w}
	if k.ok() && k.changes {
		k.env.problem(failure.Message{Primary: "windows take rows that only come, and the stream has updates", Hint: "aggregate it in SQL, or in a KeyedProcess by the rows' kinds"})
		k.node.meant = true
		out.Keyed = &Keyed[K, T]{Stream: broken[T](k.env)}
		return out
	}
	if k.ok() && k.rowtime() < 0 {
		k.env.problem(failure.Message{Primary: fmt.Sprintf("%s has no event time, and windows go by it", k.mapping.Go), Hint: "tag its time.Time with `millrace:\",rowtime\"`"})
		k.node.meant = true
		out.Keyed = &Keyed[K, T]{Stream: broken[T](k.env)}
	}
	return out
}

// KeepLate gives the rows that came too late to Late.
func (w *Windowed[K, T]) KeepLate() *Windowed[K, T] {
	out := *w
	out.late = true
	return &out
}

// AllowedLateness has Aggregate keep windows for so long, in event time, when they have closed. A row that comes for such a window is added to what it has, and the window gives its new
// result at once: a result for each row, in the order of the rows, whatever else came with them. A session that such a row makes end behind event time gives its result when
// event time is there, and again for rows after that. So of one window there may be several results, of which the last counts: whoever
// keeps them replaces by key and window. A session that has grown has another Start or End than those that it was made of, and stands for them; nothing takes their results back.
//
// Rows that come later still are late. Windows that are kept take as much state as open ones. A job that goes on from a savepoint with more lateness keeps what is there
// for longer; a row for a window that was forgotten begins it anew, as if no other had come.
func (w *Windowed[K, T]) AllowedLateness(d time.Duration) *Windowed[K, T] {
	if w.ok() && (d < 0 || d%time.Millisecond != 0) {
		w.env.Problemf("an allowed lateness of %s must be whole milliseconds, and not less than 0", d)
	}
	out := *w
	out.lateness = d
	return &out
}

// Late returns the rows that came too late for the windows of which a stream was made, as they came, where KeepLate has asked for them. T is their type: that of the stream in front
// of the windows.
func Late[T, Out any](of *Stream[Out]) *Stream[T] {
	if !of.ok() {
		return broken[T](of.env)
	}
	late, ok := of.node.late.(*Stream[T])
	if !ok {
		of.refused()
		of.env.problem(failure.Message{Primary: fmt.Sprintf("the %s %s keeps no late rows of that type", of.node.what, of.node.uid), Hint: "ask for them by KeepLate in front of it, and give Late the type of its input"})
		return broken[T](of.env)
	}
	return late
}

// keepLate notes the stream of late rows of a node, which leave it as they came.
func (w *Windowed[K, T]) keepLate(n *node) {
	if w.late {
		late := *w.Stream
		late.node, late.port = n, 1
		n.late = &late
	}
}

// Aggregation is an aggregate function over a column, and what its result is called. Results have the types that they have in SQL; of a column that may be NULL, all but counts may be, too.
type Aggregation struct {
	function, column, as string
}

// Count counts rows.
func Count(as string) Aggregation { return Aggregation{"COUNT", "", as} }

// CountOf counts the rows in which a column is not NULL.
func CountOf(column, as string) Aggregation { return Aggregation{"COUNT", column, as} }

// Sum adds a column up.
func Sum(column, as string) Aggregation { return Aggregation{"SUM", column, as} }

// Min is the least value of a column.
func Min(column, as string) Aggregation { return Aggregation{"MIN", column, as} }

// Max is the greatest value of a column.
func Max(column, as string) Aggregation { return Aggregation{"MAX", column, as} }

// Avg is the average of a column, of its own type, as in SQL.
func Avg(column, as string) Aggregation { return Aggregation{"AVG", column, as} }

// FirstValue is the value of a column in the first row that came.
func FirstValue(column, as string) Aggregation { return Aggregation{"FIRST_VALUE", column, as} }

// LastValue is the value of a column in the last row that came.
func LastValue(column, as string) Aggregation { return Aggregation{"LAST_VALUE", column, as} }

// keyColumn is what the column of a key is called that a function made and that is no struct.
const keyColumn = "key"

// AggregateColumns aggregates columns of each key and window by the engine's own functions: no Go runs for a row. The columns of Out are found by name: the
// key's, window_start and window_end (time.Time), and what the aggregations are called. A key by a function has the names of its fields, or "key".
func AggregateColumns[Out, K, T any](w *Windowed[K, T], uid string, of ...Aggregation) *Stream[Out] {
	if !w.ok() {
		return broken[Out](w.env)
	}
	if w.lateness != 0 {
		w.env.problem(failure.Message{
			Primary: "aggregates of columns give a window once, and have no allowed lateness",
			Hint:    "use Aggregate with functions in Go, or have windows close later by the Watermark of the source",
		})
	}
	m := mappingOf[Out](w.env)
	calls, ok := w.calls(of)
	if m == nil || !ok {
		return broken[Out](w.env)
	}
	spec := &jobgraph.WindowAggregateSpec{Keys: w.by, Time: w.rowtime(), Window: w.window.spec, Aggregates: calls, LateOutput: w.late}
	in := w.hash()
	if !w.late && splits(spec) {
		in = w.local(uid, spec)
	}
	n := w.env.stateful("window-aggregate", uid, nil, in)
	n.body = spec
	schema, err := jobgraph.OutputSchema(&jobgraph.OperatorSpec{UID: n.uid, Body: spec}, []*types.Schema{w.schema})
	if err != nil {
		n.refuse(err.Error(), "")
		return broken[Out](w.env)
	}
	over, at, err := m.Over(unprefixed(schema))
	if err != nil {
		n.refuse(err.Error(), "")
		return broken[Out](w.env)
	}
	w.keepLate(n)
	return &Stream[Out]{env: w.env, node: n, mapping: over, at: at, schema: schema}
}

// calls resolves the columns of aggregations.
func (w *Windowed[K, T]) calls(of []Aggregation) (calls []jobgraph.AggregateCall, ok bool) {
	ok = true
	for _, a := range of {
		call := jobgraph.AggregateCall{Func: a.function, Arg: jobgraph.CountStar, Name: a.as}
		if a.column != "" {
			i := w.mapping.Column(a.column)
			if i < 0 {
				w.env.problem(failure.Message{Primary: fmt.Sprintf("%s has no column %q", w.mapping.Go, a.column), Hint: "its columns are " + list(w.mapping.Names())})
				ok = false
				continue
			}
			call.Arg = w.column(i)
		}
		calls = append(calls, call)
	}
	return calls, ok
}

// splits tells whether rows may be aggregated in part in front of the exchange.
func splits(s *jobgraph.WindowAggregateSpec) bool {
	if s.Window.Kind == jobgraph.Session {
		return false
	}
	for _, a := range s.Aggregates {
		if jobgraph.GoesByOrder(a.Func) {
			return false
		}
	}
	return true
}

// local puts the first phase in front of the exchange.
func (w *Windowed[K, T]) local(uid string, spec *jobgraph.WindowAggregateSpec) input {
	first := jobgraph.LocalAggregateSpec(*spec)
	n := w.env.stateful("local-aggregate", uid+"-local", nil, w.forward())
	n.parallelism, n.group, n.body = w.node.parallelism, w.node.group, &first
	spec.Partial, spec.Input = true, w.schema
	in := input{from: n, kind: jobgraph.Hash}
	for i := range w.by {
		in.keys = append(in.keys, i)
	}
	return in
}

// unprefixed returns a schema in which the columns of keys are called as people know them.
func unprefixed(s *types.Schema) *types.Schema {
	fields := make([]types.Field, s.Len())
	for i, f := range s.Fields {
		if name, is := strings.CutPrefix(f.Name, keyPrefix); is {
			if f.Name = name; name == "value" {
				f.Name = keyColumn
			}
		}
		fields[i] = f
	}
	return types.NewSchema(fields...)
}
