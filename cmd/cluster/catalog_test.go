package cluster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/catalog"
	"millrace/failure"
)

func tableOf(given ...string) *catalog.Table {
	t := &catalog.Table{Options: map[string]string{}}
	for i := 0; i < len(given); i += 2 {
		t.Options[given[i]] = given[i+1]
	}
	return t
}

func TestWhatPlannersKnowOfSources(t *testing.T) {
	known := NewWiring(nil).Catalog()
	for _, c := range []struct {
		name  string
		table *catalog.Table
		want  catalog.SourceTraits
	}{
		{"kafka", tableOf("connector", "kafka", "topic", "t", "format", "json", "properties.bootstrap.servers", "b:1", "scan.parallelism", "3"), catalog.SourceTraits{Fields: true}},
		{"kafka to an end", tableOf("connector", "kafka", "topic", "t", "format", "json", "properties.bootstrap.servers", "b:1", "scan.bounded.mode", "latest-offset"), catalog.SourceTraits{Bounded: true, Fields: true}},
		{"nexmark", tableOf("connector", "nexmark"), catalog.SourceTraits{Fields: true}},
		{"nexmark to an end", tableOf("connector", "nexmark", "events.num", "10"), catalog.SourceTraits{Bounded: true, Fields: true}},
		{"nexmark beyond its end", tableOf("connector", "nexmark", "events.num", "10", "keep-alive", "true"), catalog.SourceTraits{Fields: true}},
		{"datagen", tableOf("connector", "datagen"), catalog.SourceTraits{}},
		{"datagen to an end", tableOf("connector", "datagen", "number-of-rows", "5"), catalog.SourceTraits{Bounded: true}},
		{"values", tableOf("connector", "values", "rows.0", "[[1]]"), catalog.SourceTraits{Bounded: true}},
		{"filesystem", tableOf("connector", "filesystem", "path", "/data", "format", "json", "lookup.cache", "FULL"), catalog.SourceTraits{Bounded: true, Partitions: true, Fields: true, Lookup: true}},
		{"records without names", tableOf("connector", "filesystem", "path", "/data", "format", "csv"), catalog.SourceTraits{Bounded: true, Partitions: true, Columns: "csv.columns", Lookup: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := known.Source(c.table)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v, %s", err, diff)
			}
		})
	}
}

func TestWhatPlannersKnowOfSinks(t *testing.T) {
	known := NewWiring(nil).Catalog()
	for _, c := range []struct {
		name  string
		table *catalog.Table
		want  catalog.SinkTraits
	}{
		{"kafka", tableOf("connector", "kafka", "topic", "t", "format", "json", "properties.bootstrap.servers", "b:1"), catalog.SinkTraits{}},
		{"print", tableOf("connector", "print", "sink.parallelism", "1"), catalog.SinkTraits{Changelog: catalog.Retract}},
		{"blackhole", tableOf("connector", "blackhole"), catalog.SinkTraits{Changelog: catalog.Retract}},
		{"filesystem", tableOf("connector", "filesystem", "path", "/data", "format", "csv", "sink.partition-commit.policy.kind", "success-file"), catalog.SinkTraits{Partitions: true, Overwrite: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := known.Sink(c.table)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v, %s", err, diff)
			}
		})
	}
}

func TestTablesThatNoConnectorTakes(t *testing.T) {
	known := NewWiring(nil).Catalog()
	source := func(t *catalog.Table) error { _, err := known.Source(t); return err }
	sink := func(t *catalog.Table) error { _, err := known.Sink(t); return err }
	for _, c := range []struct {
		name, want string
		ask        func(*catalog.Table) error
		table      *catalog.Table
	}{
		{"no connector", "connector: missing", source, tableOf()},
		{"no such source", `no source connector is named "print"`, source, tableOf("connector", "print")},
		{"no such sink", `no sink connector is named "nexmark"`, sink, tableOf("connector", "nexmark")},
		{"keys beside PARTITIONED BY", "partition.keys: is no option of a table in SQL", sink, tableOf("connector", "filesystem", "path", "/data", "format", "csv", "partition.keys", "dt")},
		{"an unknown option", `did you mean "print-identifier"?`, sink, tableOf("connector", "print", "print-identifie", "x")},
		{"a format that nobody knows", `no format is named "xml"`, source, tableOf("connector", "kafka", "format", "xml")},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.ask(c.table)
			if err == nil || !strings.Contains(err.Error(), c.want) || failure.ClassOf(err).Domain != failure.DomainUser {
				t.Errorf("error %v, want one of the user with %q", err, c.want)
			}
		})
	}
}

func TestNamesOfConnectors(t *testing.T) {
	names := NewWiring(nil).Catalog().Names()
	for i, n := range names {
		if i > 0 && names[i-1] >= n {
			t.Errorf("%s stands behind %s", n, names[i-1])
		}
	}
	for _, n := range []string{"kafka", "print", "nexmark"} {
		if !strings.Contains(strings.Join(names, " "), n) {
			t.Errorf("%s is not among %v", n, names)
		}
	}
}
