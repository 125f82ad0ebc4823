package cluster

import (
	"maps"
	"slices"

	"millrace/catalog"
	"millrace/connectors"
	"millrace/failure"
	"millrace/sql/physical"
)

const connectorOption = "connector"

// Catalog returns the connectors as planners know them.
func (w *Wiring) Catalog() catalog.Connectors { return described{w.Connectors} }

// described implements catalog.Connectors: a connector may not know the catalog, so what it says of itself is
// translated here.
type described struct{ known *connectors.Registry }

// Names implements catalog.Connectors.
func (d described) Names() []string {
	names := slices.Concat(d.known.Sources(), d.known.Sinks())
	slices.Sort(names)
	return slices.Compact(names)
}

// Source implements catalog.Connectors.
func (d described) Source(t *catalog.Table) (catalog.SourceTraits, error) {
	name, given, err := connectorOf(t)
	if err != nil {
		return catalog.SourceTraits{}, err
	}
	s, err := d.known.SourceTraits(name, given)
	if err != nil {
		return catalog.SourceTraits{}, err
	}
	return catalog.SourceTraits{
		Changelog: changelogs[s.Changelog], Bounded: s.Bounded, Metadata: s.Metadata, Fields: s.Fields, Columns: s.Columns,
		Lookup: slices.Contains(d.known.Lookups(), name), Partitions: s.Partitions,
	}, nil
}

// Sink implements catalog.Connectors.
func (d described) Sink(t *catalog.Table) (catalog.SinkTraits, error) {
	name, given, err := connectorOf(t)
	if err != nil {
		return catalog.SinkTraits{}, err
	}
	s, err := d.known.SinkTraits(name, given)
	if err != nil {
		return catalog.SinkTraits{}, err
	}
	return catalog.SinkTraits{Changelog: changelogs[s.Changelog], Metadata: s.Metadata, Partitions: s.Partitions, Overwrite: s.Overwrite}, nil
}

var changelogs = map[connectors.Changelog]catalog.Changelog{
	connectors.AppendOnly: catalog.AppendOnly, connectors.Upsert: catalog.Upsert, connectors.Retract: catalog.Retract,
}

// connectorOf returns which connector a table has, and the options that are the connector's own.
func connectorOf(t *catalog.Table) (name string, given map[string]string, err error) {
	name = t.Options[connectorOption]
	if name == "" {
		return "", nil, failure.User(failure.Message{
			Field: connectorOption, Primary: "missing", Hint: "the option connector of a table says where its rows are, as in 'connector' = 'kafka'",
		})
	}
	if t.Options[connectors.PartitionKeys.Key] != "" {
		return "", nil, failure.User(failure.Message{
			Field: connectors.PartitionKeys.Key, Primary: "is no option of a table in SQL", Hint: "PARTITIONED BY (...) behind the columns of CREATE TABLE says it",
		})
	}
	given = maps.Clone(t.Options)
	delete(given, connectorOption)
	for _, key := range physical.TableSpec.Keys() { // who plans reads them
		delete(given, key)
	}
	return name, given, nil
}
