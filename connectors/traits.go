package connectors

import (
	"millrace/failure"
	"millrace/options"
	"millrace/types"
)

// Changelog is which rows a source gives, or a sink takes.
type Changelog uint8

// The changelogs, each having the kinds of those before it.
const (
	// AppendOnly is +I alone.
	AppendOnly Changelog = iota
	// Upsert is +I, +U and -D by primary key: there is no -U. Planners see to that: a -U that is the only news of a row that is gone
	// comes as a -D.
	Upsert
	// Retract is +I, -U, +U and -D.
	Retract
)

// SourceTraits is what whoever plans a query has to know of a source.
type SourceTraits struct {
	Changelog Changelog
	Bounded   bool
	// Metadata are the columns that come from around the record, by key.
	Metadata []types.Field
	// Fields tells that of a ROW some fields alone may be read.
	Fields bool
	// Columns is the option that names the columns of a record, in their order, where not all of them are read; "": they are found by name.
	Columns string
	// Partitions tells that the source takes PartitionKeys.
	Partitions bool
}

// SinkTraits is what whoever plans a query has to know of a sink.
type SinkTraits struct {
	// Changelog is the largest that the sink takes.
	Changelog Changelog
	// Metadata are the columns that go around the record, by key.
	Metadata []types.Field
	// Partitions tells that the sink takes PartitionKeys.
	Partitions bool
	// Overwrite tells that what is written may take the place of what is there.
	Overwrite bool
}

// PartitionKeys is the option that names the columns by whose values a table's
// rows lie apart: those of PARTITIONED BY, in order.
var PartitionKeys = options.Option{
	Key: "partition.keys", Type: options.List, Example: "dt;hm",
	Doc: "The columns by whose values the rows lie apart, in order. Of a table in SQL they are those of PARTITIONED BY.",
}

// StaticPartition is the option that names the partition into which all rows of an INSERT go.
var StaticPartition = options.Option{
	Key: "partition.static", Example: `["2024-01-01","12:00"]`,
	Doc: "The partition that is replaced even where no row comes, for a sink that overwrites: a JSON array of the values of all partition columns, in order. " +
		"Of a statement they are those of PARTITION (...); no table has the option.",
}

// SourceTraits returns what is known of a source by its options, which it checks.
func (r *Registry) SourceTraits(connector string, given map[string]string) (SourceTraits, error) {
	f, ok := r.sources[connector]
	if !ok {
		return SourceTraits{}, failure.Userf("no source connector is named %q", connector)
	}
	return traitsOf(f.Options, f.Traits, given)
}

// SinkTraits returns what is known of a sink by its options, which it checks.
func (r *Registry) SinkTraits(connector string, given map[string]string) (SinkTraits, error) {
	f, ok := r.sinks[connector]
	if !ok {
		return SinkTraits{}, failure.Userf("no sink connector is named %q", connector)
	}
	return traitsOf(f.Options, f.Traits, given)
}

func traitsOf[T any](declared func(map[string]string) (options.Spec, error), of func(options.Values) T, given map[string]string) (none T, err error) {
	spec := options.Spec{}
	if declared != nil {
		if spec, err = declared(given); err != nil {
			return none, err
		}
	}
	v, err := options.Parse(spec, given)
	if err != nil || of == nil {
		return none, err
	}
	return of(v), nil
}
