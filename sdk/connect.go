package sdk

import (
	"maps"
	"slices"
	"strings"
	"time"

	"millrace/connectors"
	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sdk/rows"
	"millrace/types"
)

// Connector says where rows are, outside: Kafka, or any Connect.
type Connector interface {
	// connect returns the connector's name and options.
	connect() (string, map[string]string)
}

// Connect is any connector with its options, as WITH (...) has them in SQL.
type Connect struct {
	Name    string
	Options map[string]string
}

func (c Connect) connect() (string, map[string]string) { return c.Name, c.Options }

// Kafka is topics of a Kafka cluster.
type Kafka struct {
	// Brokers are addresses, separated by commas; "" leaves them to the configuration.
	Brokers string
	// Topic is one topic or several, separated by semicolons.
	Topic string
	// Format of the records; "" is json.
	Format string
	// From says where a new job begins to read: earliest-offset (also ""), latest-offset, timestamp, specific-offsets.
	From string
	// Bounded reads up to what there is when the job begins, and ends.
	Bounded bool
	// Options are further ones of the connector, as in SQL.
	Options map[string]string
}

func (k Kafka) connect() (string, map[string]string) {
	out := map[string]string{"topic": k.Topic, "format": "json"}
	if k.Format != "" {
		out["format"] = k.Format
	}
	if k.Brokers != "" {
		out["properties.bootstrap.servers"] = k.Brokers
	}
	maps.Copy(out, k.Options)
	return "kafka", out
}

// read returns the options for reading.
func (k Kafka) read() (string, map[string]string) {
	name, out := k.connect()
	if k.From != "" {
		out["scan.startup.mode"] = k.From
	} else if _, said := out["scan.startup.mode"]; !said {
		out["scan.startup.mode"] = "earliest-offset"
	}
	if k.Bounded {
		out["scan.bounded.mode"] = "latest-offset"
	}
	return name, out
}

// Watermark says how a source tells event time: for each split, the latest rowtime so far, less the delay, which is 0 without the option. Event time of the source is that of the
// split that is the furthest behind.
func Watermark(delay time.Duration) Option {
	return func(n *node) {
		if n.timed("Watermark") {
			n.source.Watermark.Delay = delay
		}
	}
}

// Idle says after how long without rows, in processing time, a split of a source holds event time back no longer. Without the option it does for ever.
func Idle(after time.Duration) Option {
	return func(n *node) {
		if n.timed("Idle") {
			n.source.Watermark.IdleTimeout = after
		}
	}
}

// timed tells whether the node makes event time, and notes that an option has no meaning otherwise.
func (n *node) timed(option string) bool {
	if n.source != nil && n.source.Watermark != nil {
		return true
	}
	n.refuse("the option "+option+" has no meaning for the "+n.what+" "+string(n.uid), "it is for a source whose type has a field tagged `millrace:\",rowtime\"`")
	return false
}

// From reads rows of T. The columns are T's; a record's field is found by its name. A source keeps its positions, so it has a uid. If T has a rowtime, event time is made of it (see Watermark).
func From[T any](e *Env, uid string, c Connector, options ...Option) *Stream[T] {
	m := mappingOf[T](e)
	if m == nil {
		return broken[T](e)
	}
	name, given := c.connect()
	if k, is := c.(Kafka); is {
		name, given = k.read()
	}
	spec := &jobgraph.SourceSpec{Connector: name, Options: given, Schema: m.Schema}
	if m.Rowtime != rows.NoRowtime {
		spec.Watermark = &jobgraph.WatermarkSpec{Column: m.Rowtime}
	}
	n := e.stateful("source", uid, append([]Option{func(n *node) { n.source = spec }}, options...))
	return streamOf[T](n, 0, m)
}

// To writes the stream's rows, one column for each field of T. A sink has transactions under its uid. A stream with updates needs a sink that takes them; where that goes by
// a key, see PrimaryKey. A stream may have any number of sinks.
func (s *Stream[T]) To(uid string, c Connector, options ...Option) {
	if !s.ok() {
		return
	}
	plain := s.plain()
	name, given := c.connect()
	spec := &jobgraph.SinkSpec{Connector: name, Options: given}
	n := s.env.stateful("sink", uid, append([]Option{func(n *node) { n.sink = spec }}, options...), plain.forward())
	for _, column := range n.primaryKey {
		at := plain.schema.Index(column)
		if at < 0 {
			n.refuse("the primary key of sink "+uid+" has the column "+column+", which is not among "+strings.Join(plain.mapping.Names(), ", "), "name columns of the stream")
			continue
		}
		spec.PrimaryKey = append(spec.PrimaryKey, at)
	}
	if plain.changes {
		if k, is := c.(Kafka); is && k.Brokers == "" { // they are the cluster's, and say nothing of what the sink takes
			k.Brokers = "configured"
			name, given = k.connect()
		}
		n.takesUpdates(name, given, plain.forward())
	}
}

// takesUpdates refuses a sink that does not take the updates of the stream in front. A connector that is not known here says so itself.
func (n *node) takesUpdates(connector string, given map[string]string, front input) {
	traits, err := n.env.own.wiring().Connectors.SinkTraits(connector, given)
	switch {
	case err != nil:
	case traits.Changelog == connectors.AppendOnly:
		n.refuse("the stream has updates, and a sink of "+connector+" takes rows that only come", "use a sink that takes them, or make rows of them by their kinds in a Process")
	case traits.Changelog == connectors.Upsert && len(n.primaryKey) == 0:
		n.refuse("the stream has updates, and a sink of "+connector+" tells rows apart by their key", "name its columns: sdk.PrimaryKey(...)")
	case traits.Changelog == connectors.Upsert:
		n.withoutBefore(front)
	}
}

// withoutBefore leaves -U out in front of a sink that replaces rows by their key; one that is the only news that a row is gone comes as a -D. The changes of a key come to one task,
// in their order.
func (n *node) withoutBefore(front input) {
	front.kind, front.keys = jobgraph.Hash, n.sink.PrimaryKey
	d := n.env.add("drop-update-before", []Option{UID(string(n.uid) + "-changes")}, front)
	d.body, d.at, d.parallelism, d.group = &jobgraph.DropUpdateBeforeSpec{Keys: n.sink.PrimaryKey}, n.at, n.parallelism, n.group
	n.inputs = []input{{from: d}}
	last := len(n.env.nodes) - 1
	n.env.nodes[last-1], n.env.nodes[last] = d, n // nodes stand behind those that they read
}

// PrimaryKey names the columns of a sink by which rows replace each other. A stream with updates needs it where the connector's trait is connectors.Upsert: it gets no -U then, and
// changes of a key come to one of its tasks, in their order.
func PrimaryKey(columns ...string) Option {
	return func(n *node) {
		if n.primaryKey = columns; n.sink == nil {
			n.refuse("the option PrimaryKey has no meaning for the "+n.what+" "+string(n.uid), "it is for sinks")
		}
	}
}

// plain returns the stream with no other columns than those of T, in their order.
func (s *Stream[T]) plain() *Stream[T] {
	if s.schema.Len() == s.mapping.Schema.Len() && (s.at == nil || slices.IsSorted(s.at)) {
		return s
	}
	calc := &jobgraph.CalcSpec{}
	for i, f := range s.mapping.Schema.Fields {
		at := s.column(i)
		calc.Columns = append(calc.Columns, jobgraph.Projection{Name: f.Name, Expr: &expr.Column{Index: at, Name: s.schema.Fields[at].Name, T: s.schema.Fields[at].Type}})
	}
	n := s.env.add("columns", nil, s.forward())
	n.parallelism, n.body = s.node.parallelism, calc
	out := streamOf[T](n, 0, s.mapping)
	out.schema, out.changes = columnsOf(s.schema, s.mapping, s.at), s.changes
	return out
}

// columnsOf returns the columns of a schema in which a mapping stands.
func columnsOf(s *types.Schema, m *rows.Mapping, at []int) *types.Schema {
	fields := make([]types.Field, m.Schema.Len())
	for i, f := range m.Schema.Fields {
		from := i
		if at != nil {
			from = at[i]
		}
		fields[i] = types.Field{Name: f.Name, Type: s.Fields[from].Type}
	}
	return types.NewSchema(fields...)
}

// refuse notes what is wrong with a node. Its rows go nowhere then, which need not be said too.
func (n *node) refuse(primary, hint string) {
	n.meant = true
	n.env.problems.Add(failure.Message{Primary: n.at + ": " + primary, Hint: hint})
}
