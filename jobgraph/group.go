package jobgraph

import (
	"fmt"
	"slices"
	"time"

	"millrace/types"
)

// GroupAggregateSpec aggregates rows by key for ever.
//
// Its output has the key columns, then a column an aggregate, and is a changelog: +I for a key's first row,
// +U for what changes, -D where no row is left behind a key. No rows mean none of a key: an aggregate without
// keys has no row either before the first comes. A LocalGroupAggregate of the same keys and aggregates in
// front of the exchange gives partial rows instead (GroupPartialSchema), and the GroupAggregate behind it sets
// Partial.
type GroupAggregateSpec struct {
	Keys       []int // columns of the input; none: all rows are one group
	Aggregates []AggregateCall
	// Retract says that the input may take rows back.
	Retract bool
	// UpdateBefore has a -U in front of each +U. Without it the output is an upsert by the keys.
	UpdateBefore bool
	// TTL is for how long after its last row a key is kept, in processing time; 0: for ever.
	TTL time.Duration
	// FinalOnly has the output at the end of bounded input: each key once, as +I; without keys one row,
	// also where no row came.
	FinalOnly bool
	// Partial says that the input is a LocalGroupAggregate's. Keys and the aggregates' columns then still
	// count the columns of that one's input, whose schema Input has.
	Partial bool
	Input   *types.Schema
}

// LocalGroupAggregateSpec is the first phase of a GroupAggregateSpec, in front of the exchange.
type LocalGroupAggregateSpec struct {
	Keys       []int
	Aggregates []AggregateCall
	Retract    bool // the input may take rows back
}

// Local returns the first phase of the aggregate.
func (s *GroupAggregateSpec) Local() *LocalGroupAggregateSpec {
	return &LocalGroupAggregateSpec{Keys: s.Keys, Aggregates: s.Aggregates, Retract: s.Retract}
}

func (*GroupAggregateSpec) kind() OperatorKind { return KindGroupAggregate }

func (*GroupAggregateSpec) inputs() (least, most int) { return 1, 1 }

func (s *GroupAggregateSpec) output(in []*types.Schema) (*types.Schema, error) {
	return s.schema(s.raw(in[0]))
}

func (s *GroupAggregateSpec) schema(raw *types.Schema) (*types.Schema, error) {
	fields := keyFields(s.Keys, raw)
	for i := range s.Aggregates {
		f, err := s.Aggregates[i].field(raw)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return types.NewSchema(fields...), nil
}

// raw returns the schema of the rows that are aggregated, in two phases or one.
func (s *GroupAggregateSpec) raw(in *types.Schema) *types.Schema {
	if s.Partial {
		return s.Input
	}
	return in
}

func (s *GroupAggregateSpec) passes(column int) (input, from int, ok bool) {
	if column < 0 || column >= len(s.Keys) {
		return 0, 0, false
	}
	if s.Partial {
		return 0, column, true
	}
	return 0, s.Keys[column], true
}

func (s *GroupAggregateSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	raw := in[0]
	if s.Partial {
		raw = c.groupPartial(s, in[0])
	}
	if s.TTL < 0 || s.TTL > IntervalMax || s.TTL%time.Millisecond != 0 {
		c.addf("ttl", "%s is not a whole number of milliseconds from 0 to %s", s.TTL, IntervalMax)
	}
	if !c.group(s.Keys, s.Aggregates, raw, callsCheck{retract: s.Retract, partial: s.Partial}) || raw == nil {
		return nil
	}
	if s.Partial {
		c.keyed(0, s.Keys, count(len(s.Keys)))
	} else {
		c.keyed(0, s.Keys, s.Keys)
	}
	return c.schemaOf(s.schema(raw))
}

// group checks what both phases share against the raw input's schema, nil where that is not known, and
// reports whether it stands.
func (c *operatorCheck) group(keys []int, calls []AggregateCall, raw *types.Schema, of callsCheck) bool {
	found := c.problems.Len()
	c.keys(c.id, c.at("keys"), keys, raw)
	if len(keys) == 0 && len(calls) == 0 {
		c.addf("aggregates", "there are none, and no keys")
	}
	c.aggregates("aggregates", calls, raw, of)
	return c.problems.Len() == found
}

// groupPartial checks what goes with Partial and returns the raw input's schema.
func (c *operatorCheck) groupPartial(s *GroupAggregateSpec, in *types.Schema) *types.Schema {
	if !c.schema(c.id, c.at("input"), s.Input) {
		return nil
	}
	found := c.problems.Len()
	for _, p := range c.producers(c.vertex, c.operator, make(map[spot]bool)) {
		o := p.operator(c.g)
		var local *LocalGroupAggregateSpec
		if o != nil {
			local, _ = o.Body.(*LocalGroupAggregateSpec)
		}
		switch {
		case local == nil:
			c.addf("partial", "the input from %s is not of a local group aggregate", c.g.Vertices[p.vertex].ID)
		case !slices.Equal(local.Keys, s.Keys) || local.Retract != s.Retract || !sameCalls(local.Aggregates, s.Aggregates):
			c.addf("partial", "keys, aggregates or retract differ from those of the local group aggregate %s", o.UID)
		}
	}
	quiet := &operatorCheck{validator: &validator{g: c.g, known: c.known, calls: c.calls}}
	if in == nil || c.problems.Len() > found || !quiet.group(s.Keys, s.Aggregates, s.Input, callsCheck{retract: s.Retract, partial: true}) {
		return s.Input
	}
	if want, err := GroupPartialSchema(s.Local(), s.Input); err == nil && !want.Equal(in) {
		c.addf("input", "a local group aggregate over it gives %s, but what comes is %s", want, in)
	}
	return s.Input
}

func (s *GroupAggregateSpec) explain(e *explainer, in []*types.Schema) {
	raw := s.raw(in[0])
	explainGroup(e, s.Keys, s.Aggregates, raw)
	out := "upserts by key"
	switch {
	case s.FinalOnly:
		out = "rows at the end"
	case s.UpdateBefore:
		out = "a changelog"
	}
	from := "rows"
	switch {
	case s.Partial:
		from = "partial rows"
	case s.Retract:
		from = "a changelog"
	}
	e.line(2, "from %s to %s%s", from, out, ttlText(s.TTL))
}

func ttlText(ttl time.Duration) string {
	if ttl == 0 {
		return ""
	}
	return fmt.Sprintf(", state kept for %s", ttl)
}

func explainGroup(e *explainer, keys []int, calls []AggregateCall, raw *types.Schema) {
	e.line(2, "keys (%s)", columnNames(raw, keys))
	for i := range calls {
		e.line(2, "%s", calls[i].text(raw))
	}
}

// GroupPartialSchema returns the schema of a LocalGroupAggregate's output: the keys, for each aggregate its
// accumulator columns, and PartialRows.
func GroupPartialSchema(s *LocalGroupAggregateSpec, in *types.Schema) (*types.Schema, error) {
	partial, err := partialFields(s.Aggregates, in, s.Retract)
	if err != nil {
		return nil, err
	}
	return types.NewSchema(append(keyFields(s.Keys, in), partial...)...), nil
}

func (*LocalGroupAggregateSpec) kind() OperatorKind { return KindLocalGroupAggregate }

func (*LocalGroupAggregateSpec) inputs() (least, most int) { return 1, 1 }

func (s *LocalGroupAggregateSpec) output(in []*types.Schema) (*types.Schema, error) {
	return GroupPartialSchema(s, in[0])
}

func (s *LocalGroupAggregateSpec) passes(column int) (input, from int, ok bool) {
	if column < 0 || column >= len(s.Keys) {
		return 0, 0, false
	}
	return 0, s.Keys[column], true
}

func (s *LocalGroupAggregateSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if !c.group(s.Keys, s.Aggregates, in[0], callsCheck{retract: s.Retract, partial: true}) || in[0] == nil {
		return nil
	}
	return c.schemaOf(GroupPartialSchema(s, in[0]))
}

func (s *LocalGroupAggregateSpec) explain(e *explainer, in []*types.Schema) {
	explainGroup(e, s.Keys, s.Aggregates, in[0])
}
