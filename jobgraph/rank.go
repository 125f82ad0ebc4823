package jobgraph

import (
	"fmt"
	"strconv"
	"time"

	"millrace/types"
)

// NoColumn stands where a description may name a column and names none.
const NoColumn = -1

// RankStrategy says what a rank may take for granted of its input, by Flink's names.
type RankStrategy uint8

// The strategies. The numbers are durable.
const (
	// AppendFast has an input of +I only. State is what is in the ranks.
	AppendFast RankStrategy = 1
	// UpdateFast has an input of +I and +U by UniqueKey, and a row's order gets only better. State is what is in the ranks.
	UpdateFast RankStrategy = 2
	// Retract has any input that takes back whole rows. State is every row.
	Retract RankStrategy = 3
)

// String returns Flink's name.
func (s RankStrategy) String() string {
	switch s {
	case AppendFast:
		return "AppendFast"
	case UpdateFast:
		return "UpdateFast"
	case Retract:
		return "Retract"
	default:
		return fmt.Sprintf("RankStrategy(%d)", uint8(s))
	}
}

// RankSpec keeps the rows of each partition whose ROW_NUMBER is in a range: Top-N. Rows that Order does not tell apart are
// ranked as they arrived.
//
// Its output has the input's columns, and behind them RankNumber. With it, the upsert key is Keys and the rank;
// without it, that of the input (UniqueKey), and a change gives only the rows that enter or leave the range.
type RankSpec struct {
	Keys     []int        // PARTITION BY, columns of the input; none: all rows are one partition
	Order    []SortColumn // none: by arrival
	Strategy RankStrategy
	// From and To are the first and last rank given, counted from 1. Where ToColumn names a column of BIGINT, or another
	// integer, To is that of the first row of each partition, and From is 1.
	From, To int64
	ToColumn int // NoColumn: To holds
	// RankNumber names the column of the rank; "" leaves it out.
	RankNumber string
	UniqueKey  []int // of UpdateFast, Keys among them
	// UpdateBefore gives a -U in front of each +U.
	UpdateBefore bool
	// WindowEnd is the column of the end of the window, TIMESTAMP(0..3), in which rows are ranked: a partition's windows are
	// ranked apart, and given when the watermark closes them, as +I. It needs AppendFast. NoColumn: no windows.
	WindowEnd int
	// FinalOnly gives the ranks once, at the end of bounded input, as +I.
	FinalOnly bool
	// TTL is how long a partition is kept that does not change; 0: for ever.
	TTL time.Duration
}

// rankType is the type of the rank's column, Flink's.
var rankType = types.Of(types.BigInt).NotNull()

func (*RankSpec) kind() OperatorKind { return KindRank }

func (*RankSpec) inputs() (least, most int) { return 1, 1 }

func (s *RankSpec) output(in []*types.Schema) (*types.Schema, error) {
	if s.RankNumber == "" {
		return in[0], nil
	}
	fields := make([]types.Field, 0, in[0].Len()+1)
	fields = append(fields, in[0].Fields...)
	return types.NewSchema(append(fields, types.Field{Name: s.RankNumber, Type: rankType})...), nil
}

func (*RankSpec) passes(column int) (input, from int, ok bool) { return 0, column, true }

func (s *RankSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	c.keys(c.id, c.at("keys"), s.Keys, in[0])
	c.sortColumns("order", s.Order, in[0])
	c.storable(in[0])
	c.ttl("ttl", s.TTL)
	s.checkRange(c, in[0])
	switch s.Strategy {
	case AppendFast, Retract:
		if len(s.UniqueKey) > 0 {
			c.addf("unique_key", "only strategy UpdateFast has one")
		}
	case UpdateFast:
		c.keys(c.id, c.at("unique_key"), s.UniqueKey, in[0])
		if len(s.UniqueKey) == 0 {
			c.addf("unique_key", "strategy UpdateFast needs one")
		}
	default:
		c.addf("strategy", "unknown strategy %d", s.Strategy)
	}
	c.windowEnd("window_end", s.WindowEnd, in[0])
	if s.WindowEnd != NoColumn && (s.Strategy != AppendFast || s.FinalOnly || s.TTL > 0) {
		c.addf("window_end", "within windows only strategy AppendFast ranks, and neither final_only nor ttl goes with it")
	}
	c.keyed(0, s.Keys, s.Keys)
	if in[0] == nil {
		return nil
	}
	return c.schemaOf(s.output(in))
}

func (s *RankSpec) checkRange(c *operatorCheck, in *types.Schema) {
	switch {
	case s.ToColumn != NoColumn:
		if s.From != 1 || s.To != 0 {
			c.addf("to_column", "goes with from 1 and without to")
		}
		if in != nil && c.column(c.id, c.at("to_column"), s.ToColumn, in) && !isInteger(in.Fields[s.ToColumn].Type) {
			c.addf("to_column", "column %s must be an integer, not %s", in.Fields[s.ToColumn].Name, in.Fields[s.ToColumn].Type)
		}
	case s.From < 1 || s.To < s.From:
		c.addf("from", "ranks %d to %d are no range that begins at 1 or behind it", s.From, s.To)
	}
}

func isInteger(t types.Type) bool { return t.Kind >= types.TinyInt && t.Kind <= types.BigInt }

// ttl checks how long state is kept.
func (c *operatorCheck) ttl(field string, ttl time.Duration) {
	if ttl < 0 || ttl%time.Millisecond != 0 || ttl > IntervalMax {
		c.addf(field, "%s is not a whole number of milliseconds from 0 to %s", ttl, IntervalMax)
	}
}

// windowEnd checks the column of the end of a window that rows have already, NoColumn for none.
func (c *operatorCheck) windowEnd(field string, column int, in *types.Schema) {
	if column == NoColumn || in == nil || !c.column(c.id, c.at(field), column, in) {
		return
	}
	if f := in.Fields[column]; !isEventTime(f.Type) {
		c.addf(field, "column %s must be a TIMESTAMP of precision 0 to 3, not %s", f.Name, f.Type)
	}
}

// isEventTime tells whether values of a type are event times: in milliseconds.
func isEventTime(t types.Type) bool {
	return (t.Kind == types.Timestamp || t.Kind == types.TimestampLTZ) && t.Unit() == types.Millis
}

func (s *RankSpec) explain(e *explainer, in []*types.Schema) {
	to := strconv.FormatInt(s.To, 10)
	if s.ToColumn != NoColumn {
		to = in[0].Fields[s.ToColumn].Name
	}
	e.line(2, "%s, keys (%s), order by %s, ranks %d to %s", s.Strategy, columnNames(in[0], s.Keys), sortText(in[0], s.Order), s.From, to)
	if s.WindowEnd != NoColumn {
		e.line(2, "in windows that end at %s", in[0].Fields[s.WindowEnd].Name)
	}
	if len(s.UniqueKey) > 0 {
		e.line(2, "rows are told apart by (%s)", columnNames(in[0], s.UniqueKey))
	}
	e.changes(s.UpdateBefore, s.FinalOnly, s.TTL)
}

// changes tells how an operator gives its result.
func (e *explainer) changes(updateBefore, finalOnly bool, ttl time.Duration) {
	if updateBefore {
		e.line(2, "gives -U")
	}
	if finalOnly {
		e.line(2, "gives its result at the end")
	}
	if ttl > 0 {
		e.line(2, "state lives %s", ttl)
	}
}
