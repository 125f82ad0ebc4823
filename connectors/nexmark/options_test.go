package nexmark

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/failure"
	"millrace/types"
)

func TestSpecIsValid(t *testing.T) {
	if err := Spec.Validate(); err != nil {
		t.Error(err)
	}
}

func TestBadOptionsAndColumns(t *testing.T) {
	bids := map[string]string{"event-type": "bid"}
	column := func(name string, typ types.Type) *types.Schema {
		return types.NewSchema(types.Field{Name: name, Type: typ})
	}
	for _, c := range []struct {
		name   string
		given  map[string]string
		schema *types.Schema
		want   string
	}{
		{"unknown", map[string]string{"first-event.rat": "1"}, nestedSchema(), "first-event.rate"},
		{"no events", map[string]string{"person.proportion": "0", "auction.proportion": "0", "bid.proportion": "0"}, nestedSchema(), "there are no events"},
		{"no rows", map[string]string{"bid.proportion": "0", "event-type": "bid"}, schemaOf(bid), "there are no rows"},
		{"base time", map[string]string{"base-time": "today"}, nestedSchema(), "base-time"},
		{"prepared and uneven", map[string]string{"event-type": "bid", "prepared-batches": "1", "next-event.rate": "3"}, schemaOf(bid), "one rate"},
		{"prepared and shuffled", map[string]string{"event-type": "bid", "prepared-batches": "1", "out-of-order.group-size": "3"}, schemaOf(bid), "in order"},
		{"prepared and nested", map[string]string{"prepared-batches": "1"}, nestedSchema(), "one type"},
		{"no such column", bids, column("bids", types.Of(types.BigInt)), "no such column"},
		{"wrong type", bids, column("price", types.Of(types.Int)), "can't be INT"},
		{"wrong precision", bids, column("dateTime", types.TimestampOf(6)), "can't be TIMESTAMP(6)"},
		{"not a row", nil, column("bid", types.Of(types.BigInt)), "must be a ROW"},
		{"row never NULL", nil, column("bid", types.RowOf(schemaOf(bid).Fields...).NotNull()), "must be a ROW that may be NULL"},
		{"field never NULL", nil, column("bid", types.RowOf(types.Field{Name: "price", Type: types.Of(types.BigInt).NotNull()})), "must be nullable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(c.given, c.schema)
			if err == nil || !strings.Contains(err.Error(), c.want) || failure.ClassOf(err).Domain != failure.DomainUser {
				t.Errorf("error %v, want one of the user with %q", err, c.want)
			}
		})
	}
}

func TestBaseTime(t *testing.T) {
	for text, want := range map[string]int64{"2015-07-15 00:00:00": 1436918400000, "1970-01-01 00:00:01.250": 1250} {
		if c := configOf(t, map[string]string{"base-time": text}); c.base != want {
			t.Errorf("%s is %d, want %d", text, c.base, want)
		}
	}
}

// TestStopAt stops where the first of two options says, and goes on where a job is restored with a larger number.
func TestStopAt(t *testing.T) {
	for _, c := range []struct {
		given map[string]string
		want  int
	}{
		{map[string]string{"stop-at": "120"}, 120},
		{map[string]string{"stop-at": "120", "events.num": "90"}, 90},
		{map[string]string{"stop-at": "120", "events.num": "150"}, 120},
		{map[string]string{"stop-at": "-1", "events.num": "150"}, 150},
		{map[string]string{"stop-at": "0"}, 0},
	} {
		if got := len(rowsOf(t, c.given, nestedSchema())); got != c.want {
			t.Errorf("%v: %d events, want %d", c.given, got, c.want)
		}
	}
}

// TestLaterName asks for the time by its other name, in a row and beside it.
func TestLaterName(t *testing.T) {
	given := map[string]string{"events.num": "100"}
	named := func(name string) *types.Schema {
		at := types.Field{Name: name, Type: types.TimestampOf(3)}
		return types.NewSchema(types.Field{Name: "bid", Type: types.RowOf(at)}, at)
	}
	if diff := cmp.Diff(rowsOf(t, given, named("dateTime")), rowsOf(t, given, named("customTime"))); diff != "" {
		t.Error(diff)
	}
}

func FuzzSplitState(f *testing.F) {
	whole := split{origin: origin{splits: 3, start: 1, base: -5}, index: 2, next: 1234}
	f.Add(whole.encode())
	f.Add(whole.origin.encode())
	f.Fuzz(func(t *testing.T, p []byte) {
		if o, err := decodeOrigin(p); err == nil {
			if again, err := decodeOrigin(o.encode()); err != nil || again != o {
				t.Errorf("origin %v comes back as %v, %v", o, again, err)
			}
		}
		s, err := decodeSplit(connectors.SplitState{ID: "x", State: p})
		if err != nil {
			return
		}
		if again, err := decodeSplit(s.state()); err != nil || again != s {
			t.Errorf("split %v comes back as %v, %v", s, again, err)
		}
	})
}
