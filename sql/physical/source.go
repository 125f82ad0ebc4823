package physical

import (
	"maps"
	"slices"
	"strings"
	"time"

	"millrace/catalog"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/options"
	"millrace/sql/plan"
	"millrace/types"
)

// Options of a table that are not its connector's.
const (
	connectorOption = "connector"
	scanParallelism = "scan.parallelism"
	sinkParallelism = "sink.parallelism"
	scanIdleTimeout = "scan.watermark.idle-timeout"
	lookupCache     = "lookup.cache"
)

// partitionKeys is the option of a connector that names the columns of PARTITIONED BY. No table's own options have it.
const partitionKeys = "partition.keys"

// staticPartition is that which names the values of PARTITION (...), where INSERT OVERWRITE has them all.
const staticPartition = "partition.static"

// TableSpec has what any table's options may have beside those of its connector.
var TableSpec = options.Spec{Name: "table", Options: []options.Option{
	{Key: scanParallelism, Type: options.Int, Min: "1", Max: "32768", Doc: "The parallelism of reading; without it that of the job."},
	{Key: sinkParallelism, Type: options.Int, Min: "1", Max: "32768", Doc: "The parallelism of writing; without it that of what is written."},
	{Key: scanIdleTimeout, Type: options.Duration, Min: "0 ms", Doc: "A split that gave no row for so long holds the watermark back no longer. Without it table.exec.source.idle-timeout applies."},
	{Key: lookupCache, Type: options.Enum, Values: []string{"FULL"}, Default: "FULL", Doc: "What a join FOR SYSTEM_TIME AS OF processing time keeps of a table in which it looks rows up: each task reads all of it when it starts, and looks at it no more."},
}}

// source reads a table, and is the beginning of a vertex.
type source struct {
	spec        jobgraph.SourceSpec
	changelog   catalog.Changelog
	bounded     bool
	parallelism int
	path        catalog.Path
}

// name is the table's path, or what stands where there is none.
func (s *source) name() string {
	if s.path == valuesPath {
		return s.path.Name
	}
	return s.path.String()
}

func (*source) title() string                    { return "Source" }
func (*source) asks(*step, int) bool             { return false }
func (s *source) keeps(*step) bool               { return s.changelog == catalog.Retract }
func (*source) spread(*step, int) spread         { return anywhere }
func (*source) passes(*step, int) (int, bool)    { return 0, false }
func (*source) body(*step) jobgraph.OperatorBody { return nil }

// watermark makes one source of a scan, the columns computed of it and the event time.
func (p *planner) watermark(n *plan.Watermark) *step {
	switch in := n.Input.(type) {
	case *plan.Scan:
		return p.source(in, nil, n)
	case *plan.Project:
		if scan, ok := in.Input.(*plan.Scan); ok {
			return p.source(scan, in, n)
		}
	}
	p.fail(failure.Internalf("event time is made of %s, which is not read from a table", plan.Line(n.Input)))
	return nil
}

// source reads a table; computed and mark, the columns computed of it and its event time, may be nil.
func (p *planner) source(scan *plan.Scan, computed *plan.Project, mark *plan.Watermark) *step {
	table, own := p.tableOptions(scan.Path, scan.Table, scan.Hints)
	traits, err := p.Connectors.Source(table)
	if err != nil {
		p.failTable(scan.Path, err)
		return nil
	}
	src := &source{changelog: traits.Changelog, bounded: traits.Bounded, parallelism: int(own.Int(scanParallelism)), path: scan.Path}
	src.spec = jobgraph.SourceSpec{Connector: table.Options[connectorOption], Options: ofConnector(table, traits.Partitions), Schema: scan.Result.Types()}
	if traits.Columns != "" {
		p.positions(src.spec.Options, scan, traits)
	}
	src.spec.PrimaryKey = keyColumns(scan.Table.PrimaryKey, src.spec.Schema)
	src.spec.Metadata = metadataOf(scan.Table, scan.Columns)
	p.batchNeedsBounds(src)
	n := plan.Node(scan)
	if computed != nil {
		n = computed
		names := computed.Result.Types()
		for i, e := range computed.Columns {
			src.spec.Computed = append(src.spec.Computed, jobgraph.Projection{Name: names.Fields[i].Name, Expr: p.retyped(e, src.spec.Schema)})
		}
	}
	if mark != nil {
		n = mark
		src.spec.Watermark = &jobgraph.WatermarkSpec{Column: mark.Column, Delay: mark.Delay, IdleTimeout: p.idleTimeout(own)}
	}
	s := &step{operator: src, of: n, out: src.spec.Output(), paired: true}
	if traits.Changelog != catalog.AppendOnly {
		s.changes = updates | deletes
	}
	if key := keyColumns(scan.Table.PrimaryKey, s.out); key != nil {
		s.upsert = [][]int{key}
	}
	p.add(s)
	src.spec.UID = s.uid
	return p.normalized(s, scan)
}

// positions names the columns of a record, which its format finds by their places, where not just these are read.
func (p *planner) positions(given map[string]string, scan *plan.Scan, traits catalog.SourceTraits) {
	option := traits.Columns
	var stored, read []string
	inRecord := func(c *catalog.Column) bool {
		apart := traits.Partitions && slices.Contains(scan.Table.PartitionedBy, c.Name)
		return c.Kind == catalog.Physical && !apart
	}
	for i := range scan.Table.Columns {
		if c := &scan.Table.Columns[i]; inRecord(c) {
			stored = append(stored, c.Name)
		}
	}
	for _, i := range scan.Columns {
		if c := &scan.Table.Columns[i]; inRecord(c) {
			read = append(read, c.Name)
		}
	}
	if _, is := given[option]; is || slices.Equal(read, stored) {
		return
	}
	for _, name := range stored {
		if strings.Contains(name, ";") || strings.TrimSpace(name) != name {
			p.refuse("read all columns, or give the column another name", "table %s: the option %s can't name its column %s", scan.Path, option, catalog.Quoted(name))
			return
		}
	}
	given[option] = strings.Join(stored, ";")
}

func (p *planner) idleTimeout(own options.Values) time.Duration {
	if own.IsGiven(scanIdleTimeout) {
		return own.Duration(scanIdleTimeout)
	}
	return p.settings.idleTimeout
}

// batchNeedsBounds refuses to wait for the end of what has none.
func (p *planner) batchNeedsBounds(s *source) {
	if p.settings.batch && !s.bounded {
		p.refuse("bound what is read of it (of Kafka: scan.bounded.mode), or set execution.runtime-mode to streaming",
			"table %s is read without end, and execution.runtime-mode is batch", s.name())
	}
}

// tableOptions returns the table with the options that a query gives it, those of the connector alone, and the others.
func (p *planner) tableOptions(path catalog.Path, t *catalog.Table, hints map[string]string) (*catalog.Table, options.Values) {
	c, own := connectorTable(t, hints)
	v, err := options.Parse(TableSpec, own)
	if err != nil {
		p.failTable(path, err)
	}
	return c, v
}

// connectorTable returns a table, with the options that a query gives it, as its connector knows it, and the options of TableSpec, which it does not.
func connectorTable(t *catalog.Table, hints map[string]string) (of *catalog.Table, own map[string]string) {
	c := *t
	c.Options, own = make(map[string]string), make(map[string]string)
	maps.Copy(c.Options, t.Options)
	maps.Copy(c.Options, hints)
	for _, o := range TableSpec.Options {
		if v, given := c.Options[o.Key]; given {
			own[o.Key] = v
			delete(c.Options, o.Key)
		}
	}
	return &c, own
}

// failTable notes what is wrong with a table's options.
func (p *planner) failTable(path catalog.Path, err error) {
	var all failure.Problems
	all.AddError(err)
	for _, m := range all.All() {
		m.Primary = "table " + path.String() + ": " + m.Primary
		p.problems.Add(m)
	}
}

// ofConnector returns the options that a connector is given, with the columns of PARTITIONED BY where it knows what they are.
func ofConnector(t *catalog.Table, partitions bool) map[string]string {
	out := maps.Clone(t.Options)
	delete(out, connectorOption)
	if partitions && len(t.PartitionedBy) > 0 {
		out[partitionKeys] = strings.Join(t.PartitionedBy, ";")
	}
	return out
}

// keyColumns returns where the columns of a primary key stand, nil where there is none or one is missing.
func keyColumns(names []string, in *types.Schema) (out []int) {
	for _, name := range names {
		i := in.Index(name)
		if i < 0 {
			return nil
		}
		out = append(out, i)
	}
	return out
}

// metadataOf returns which of a table's columns are metadata, by their places.
func metadataOf(t *catalog.Table, columns []int) (out []jobgraph.MetadataColumn) {
	for i, c := range columns {
		if column := &t.Columns[c]; column.Kind == catalog.Metadata {
			key := column.MetadataKey
			if key == "" {
				key = column.Name
			}
			out = append(out, jobgraph.MetadataColumn{Column: i, Key: key})
		}
	}
	return out
}

// normalize makes whole rows of changes by key, and forgets those that are said twice.
type normalize struct {
	stateful
	keys  []int
	final bool
	ttl   time.Duration
}

func (*normalize) title() string { return "ChangelogNormalize" }

// asks for no -U: it knows what was there.
func (*normalize) asks(*step, int) bool { return false }

func (n *normalize) spread(*step, int) spread { return by(n.keys) }

func (n *normalize) body(s *step) jobgraph.OperatorBody {
	return &jobgraph.ChangelogNormalizeSpec{Keys: n.keys, UpdateBefore: s.before, EachChange: s.versions, FinalOnly: n.final, TTL: n.ttl}
}

// normalized puts a normalize behind a source whose changes are by key alone, or may come twice.
func (p *planner) normalized(s *step, scan *plan.Scan) *step {
	src := s.operator.(*source)
	twice := src.changelog == catalog.Retract && p.settings.cdcDuplicates
	if src.changelog != catalog.Upsert && !twice {
		return s
	}
	if len(s.upsert) == 0 {
		p.refuse("declare it: PRIMARY KEY (...) NOT ENFORCED", "table %s gives changes by key, and has no primary key", scan.Path)
		return nil
	}
	n := &normalize{keys: s.upsert[0], final: p.settings.batch, ttl: p.settings.ttl}
	out := &step{operator: n, of: s.of, inputs: []*step{s}, changes: updates | deletes, paired: true, upsert: [][]int{n.keys}}
	if n.final {
		out.changes = inserts
	}
	return p.add(out)
}
