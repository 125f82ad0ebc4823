package physical

import (
	"fmt"
	"slices"
	"time"

	"millrace/catalog"
	"millrace/expr"
	"millrace/jobgraph"
	"millrace/sql/plan"
)

// sink writes a table, and is the end of a vertex.
type sink struct {
	plain
	spec        jobgraph.SinkSpec
	changelog   catalog.Changelog
	key         []int // the primary key
	parallelism int
	name        string
	before      bool // wants -U
}

func (*sink) title() string                    { return "Sink" }
func (k *sink) asks(*step, int) bool           { return k.before }
func (*sink) keeps(*step) bool                 { return false }
func (*sink) body(*step) jobgraph.OperatorBody { return nil }

func (p *planner) sink(n *plan.Sink) *step {
	in := p.named(n)
	table, own := p.tableOptions(n.Path, n.Table, n.Hints)
	traits, err := p.Connectors.Sink(table)
	if err != nil {
		p.failTable(n.Path, err)
		return nil
	}
	k := &sink{changelog: traits.Changelog, parallelism: int(own.Int(sinkParallelism)), name: n.Path.String(), key: keyColumns(n.Table.PrimaryKey, in.out)}
	k.spec = jobgraph.SinkSpec{
		Connector: table.Options[connectorOption], Options: ofConnector(table, traits.Partitions), PrimaryKey: k.key,
		Metadata: metadataOf(n.Table, n.Columns), Overwrite: n.Overwrite,
	}
	if n.Overwrite && !p.overwrites(k, n) || !p.sinkTakes(k, in) {
		return nil
	}
	in = p.materialized(k, in, n)
	s := p.add(&step{operator: k, of: n, inputs: []*step{in}, out: in.out, changes: in.changes})
	k.spec.UID = s.uid
	return s
}

// overwrites refuses what would never come to take the place of what is there, and says which partition is replaced in any case.
func (p *planner) overwrites(k *sink, n *plan.Sink) bool {
	if !p.settings.batch {
		p.refuse("set execution.runtime-mode to batch, or write INSERT INTO",
			"INSERT OVERWRITE of table %s needs an end of its rows, and execution.runtime-mode is streaming", k.name)
		return false
	}
	row := make([]*expr.Literal, len(n.Partition))
	for i, e := range n.Partition {
		l, ok := e.(*expr.Literal)
		if !ok {
			p.refuse("write a literal", "the value of column %s in PARTITION of table %s is no constant of type %s", n.Table.PartitionedBy[i], k.name, e.Type())
			return false
		}
		row[i] = l
	}
	if len(row) == 0 {
		return true
	}
	text, err := jobgraph.EncodeRow(row)
	if err != nil {
		p.fail(err)
		return false
	}
	k.spec.Options[staticPartition] = text
	return true
}

// named returns what a sink writes, under the names of its columns.
func (p *planner) named(n *plan.Sink) *step {
	names := make([]string, len(n.Columns))
	for i, column := range n.Columns {
		names[i] = n.Table.Columns[column].Name
	}
	return p.renamed(n, n.Input, names)
}

// collectName is what the end of a query is called that writes to no table, and its job.
const collectName = "collect"

// collect gives rows to whoever asked.
func (p *planner) collect(n *plan.Collect) *step {
	if p.Collect == nil {
		p.refuse("write INSERT INTO a table in front of it", "the rows of the query go nowhere")
		return nil
	}
	names := n.Schema().Types()
	columns := make([]string, names.Len())
	for i, f := range names.Fields {
		columns[i] = f.Name
	}
	in := p.renamed(n, n.Input, columns)
	k := &sink{spec: *p.Collect, changelog: catalog.Retract, name: collectName, before: true}
	s := p.add(&step{operator: k, of: n, inputs: []*step{in}, out: in.out, changes: in.changes})
	k.spec.UID = s.uid
	return s
}

// renamed returns the step of an input of a node, with other names for its columns: if nobody else reads it, a calc that is there
// names them so itself.
func (p *planner) renamed(n, input plan.Node, names []string) *step {
	in := p.step(input)
	columns := passing(in.out)
	same := true
	for i, name := range names {
		columns[i].Name = name
		same = same && name == in.out.Fields[i].Name
	}
	c, last := in.operator.(*calc)
	switch {
	case same:
		return in
	case last && p.readers[input] == 1:
		for i, name := range names {
			c.columns[i].Name = name
		}
		in.out = nil
		return p.add(in)
	default:
		return p.calc(n, in, nil, columns)
	}
}

// sinkTakes refuses changes that a table does not take.
func (p *planner) sinkTakes(k *sink, in *step) bool {
	switch {
	case in.appends():
		return true
	case k.changelog == catalog.AppendOnly:
		p.refuse("write to a table whose connector takes updates, or aggregate by windows, whose results are final",
			"table %s doesn't support consuming %s changes, which are produced by %s", k.name, changesText(in.changes), p.blame(in))
		return false
	case k.changelog == catalog.Upsert && len(k.key) == 0:
		p.refuse("declare one of its columns: PRIMARY KEY (...) NOT ENFORCED",
			"table %s takes updates by primary key and has none, and updates are produced by %s", k.name, p.blame(in))
		return false
	default:
		return true
	}
}

func changesText(c changes) string {
	switch c {
	case updates:
		return "update"
	case deletes:
		return "delete"
	default:
		return "update and delete"
	}
}

// blame names the operator that is the first to make a changelog of rows that were none.
func (p *planner) blame(s *step) string {
	for {
		next := slices.IndexFunc(s.inputs, func(in *step) bool { return !in.appends() })
		if next < 0 {
			break
		}
		s = s.inputs[next]
	}
	if src, ok := s.operator.(*source); ok {
		return fmt.Sprintf("table %s", src.path)
	}
	return plan.Line(s.of)
}

// materialize keeps all rows of a primary key, so that the last counts.
type materialize struct {
	stateful
	keys, told []int
	ttl        time.Duration
}

func (*materialize) title() string { return "SinkMaterializer" }

func (m *materialize) spread(*step, int) spread { return by(m.keys) }

func (*materialize) keeps(*step) bool { return false }

func (m *materialize) body(*step) jobgraph.OperatorBody {
	return &jobgraph.SinkMaterializeSpec{Keys: m.keys, UpsertKey: m.told, TTL: m.ttl}
}

// dropBefore leaves -U out where a +U says by its key what it replaces. With keys, a -U may be the only news that a row of theirs is gone,
// and becomes a -D then.
type dropBefore struct {
	plain
	keys []int
}

func (*dropBefore) title() string          { return "DropUpdateBefore" }
func (d *dropBefore) asks(*step, int) bool { return len(d.keys) > 0 }
func (*dropBefore) keeps(*step) bool       { return false }
func (d *dropBefore) body(*step) jobgraph.OperatorBody {
	return &jobgraph.DropUpdateBeforeSpec{Keys: d.keys}
}

// materialized decides how a changelog comes to a sink. By the primary key, the rows of an upsert sink are told apart: where other
// columns tell those that come apart, the changes of one primary key may overtake each other, and what comes last need not be
// what counts. Where fewer columns do, an update may change the primary key, and only its -U says that of the old one. Such a sink gets no
// -U: one that is alone becomes a -D.
func (p *planner) materialized(k *sink, in *step, n *plan.Sink) *step {
	if k.changelog != catalog.Upsert || in.appends() {
		k.before = k.changelog == catalog.Retract
		return in
	}
	same := slices.ContainsFunc(in.upsert, func(u []int) bool { return sameSet(u, k.key) })
	some := slices.ContainsFunc(in.upsert, func(u []int) bool { return within(u, k.key) })
	if p.settings.materialize == "FORCE" || p.settings.materialize == "AUTO" && !some {
		m := &materialize{keys: k.key, ttl: p.settings.ttl}
		if told := in.told(k.key); len(told) > 0 {
			m.told = told[0]
		}
		return p.add(&step{operator: m, of: n, inputs: []*step{in}, changes: updates | deletes, paired: true, upsert: [][]int{k.key}})
	}
	if !same || !in.paired {
		return p.add(&step{operator: &dropBefore{keys: k.key}, of: n, inputs: []*step{in}, changes: in.changes | deletes, paired: true, upsert: [][]int{k.key}})
	}
	return p.withoutBefore(in)
}

// withoutBefore leaves out the -U of rows that others ask for them.
func (p *planner) withoutBefore(in *step) *step {
	return p.add(&step{operator: &dropBefore{}, of: in.of, inputs: []*step{in}, changes: in.changes, paired: true, upsert: in.upsert})
}
