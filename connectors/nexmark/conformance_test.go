package nexmark

import (
	"testing"

	"go.uber.org/goleak"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func schemaOf(k kind) *types.Schema {
	s := types.NewSchema()
	for _, f := range fields[k] {
		t := types.Of(f.kind)
		if f.kind == types.Timestamp {
			t = types.TimestampOf(3)
		}
		if f.text() {
			t = types.StringType()
		}
		s.Fields = append(s.Fields, types.Field{Name: f.name, Type: t})
	}
	return s
}

func nestedSchema() *types.Schema {
	s := types.NewSchema(types.Field{Name: "event_type", Type: types.Of(types.Int)})
	for k := range kinds {
		s.Fields = append(s.Fields, types.Field{Name: kindNames[k], Type: types.RowOf(schemaOf(k).Fields...)})
	}
	s.Fields = append(s.Fields, types.Field{Name: "dateTime", Type: types.TimestampOf(3)})
	return s
}

// project keeps some columns of a schema, in the order given.
func project(s *types.Schema, names ...string) *types.Schema {
	out := types.NewSchema()
	for _, n := range names {
		out.Fields = append(out.Fields, s.Fields[s.Index(n)])
	}
	return out
}

var cases = []struct {
	name    string
	options map[string]string
	schema  *types.Schema
}{
	{"nested", map[string]string{"events.num": "333"}, nestedSchema()},
	{"nested, some columns", map[string]string{"events.num": "200", "splits": "3"}, project(nestedSchema(), "dateTime", "bid")},
	{"people", map[string]string{"events.num": "2000", "event-type": "person", "splits": "2"}, schemaOf(person)},
	{"auctions", map[string]string{"events.num": "1000", "event-type": "auction", "splits": "3"}, schemaOf(auction)},
	{"bids", map[string]string{"events.num": "777", "event-type": "bid", "splits": "2"}, schemaOf(bid)},
	{"out of order", map[string]string{"events.num": "700", "out-of-order.group-size": "70", "event-type": "bid", "splits": "4"}, schemaOf(bid)},
	{"more splits than epochs", map[string]string{"events.num": "120", "splits": "5"}, project(nestedSchema(), "event_type", "dateTime")},
	{"only bids", map[string]string{"events.num": "120", "person.proportion": "0", "auction.proportion": "0"}, project(nestedSchema(), "event_type", "bid")},
	{"limited", map[string]string{"events.num": "300", "first-event.rate": "20000", "rate.limited": "true"}, project(nestedSchema(), "event_type", "dateTime")},
}

func TestConformance(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { connectortest.RunSource(t, sourceCase(t, c.options, c.schema)) })
	}
}

func sourceCase(t *testing.T, given map[string]string, s *types.Schema) connectortest.SourceCase {
	t.Helper()
	source, err := Open(given, s)
	if err != nil {
		t.Fatal(err)
	}
	return connectortest.SourceCase{
		Open:    func(*testing.T) connectors.Source { return source },
		Schema:  s,
		Ordered: true,
	}
}

// Prepared batches of 20 rows: the suite sees several cycles.
func TestConformanceOfPreparedBatches(t *testing.T) {
	given := map[string]string{"events.num": "1111", "event-type": "bid", "splits": "3", "prepared-batches": "5"}
	c, err := parseConfig(given)
	if err != nil {
		t.Fatal(err)
	}
	c.preparedRows = 20
	source := newSource(c)
	connectortest.RunSource(t, connectortest.SourceCase{
		Open: func(*testing.T) connectors.Source { return source }, Schema: schemaOf(bid), Ordered: true,
	})
}
