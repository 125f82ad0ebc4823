package catalog

import "millrace/types"

// Changelog is what rows a source gives, or what a sink takes.
type Changelog uint8

// The changelogs, each having the kinds of those before it.
const (
	// AppendOnly is +I alone.
	AppendOnly Changelog = iota
	// Upsert is +I, +U and -D by primary key: there is no -U.
	Upsert
	// Retract is +I, -U, +U and -D.
	Retract
)

// SourceTraits is what the planner knows of a table that is read.
type SourceTraits struct {
	Changelog Changelog
	Bounded   bool
	// Metadata are the columns that METADATA may name, by key.
	Metadata []types.Field
	// Fields tells that of a ROW some fields alone may be read: what is not asked for is skipped by name.
	Fields bool
	// Columns is the option that names a table's columns as a record has them, separated by semicolons, which a source must be given that does not read all
	// of them in their order; "": columns are found by name.
	Columns string
	// Lookup tells that rows can be asked for by key (FOR SYSTEM_TIME AS OF a processing time).
	Lookup bool
	// Partitions tells that PARTITIONED BY is understood.
	Partitions bool
}

// SinkTraits is what the planner knows of a table that is written.
type SinkTraits struct {
	// Changelog is the largest that the sink takes. Upsert needs the table's primary key.
	Changelog Changelog
	// Metadata are the columns that METADATA may name, by key.
	Metadata []types.Field
	// Partitions tells that PARTITIONED BY is understood.
	Partitions bool
	// Overwrite tells that INSERT OVERWRITE is.
	Overwrite bool
}

// Connectors describes connectors to those who plan. It reaches out to nothing.
type Connectors interface {
	// Names returns the connectors there are, in order.
	Names() []string
	// Source and Sink return what is known of a table by its options, or what is wrong with them: a user's error, maybe
	// of several problems that each name an option.
	Source(*Table) (SourceTraits, error)
	Sink(*Table) (SinkTraits, error)
}
