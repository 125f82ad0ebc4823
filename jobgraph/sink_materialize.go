package jobgraph

import (
	"time"

	"millrace/types"
)

// SinkMaterializeSpec makes an upsert changelog by a sink's primary key of one whose rows are told apart otherwise: of the
// rows with one primary key the one that arrived last counts, and when it goes, the one before it.
type SinkMaterializeSpec struct {
	Keys []int // the sink's primary key
	// UpsertKey tells the input's rows apart; none: the whole row does.
	UpsertKey []int
	// TTL is how long a row is kept; 0: for ever.
	TTL time.Duration
}

func (*SinkMaterializeSpec) kind() OperatorKind { return KindSinkMaterialize }

func (*SinkMaterializeSpec) inputs() (least, most int) { return 1, 1 }

func (*SinkMaterializeSpec) output(in []*types.Schema) (*types.Schema, error) { return in[0], nil }

func (*SinkMaterializeSpec) passes(column int) (input, from int, ok bool) { return 0, column, true }

func (s *SinkMaterializeSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	c.keys(c.id, c.at("keys"), s.Keys, in[0])
	if len(s.Keys) == 0 {
		c.addf("keys", "there are none: a sink without a primary key needs no sink-materialize")
		return in[0]
	}
	c.keys(c.id, c.at("upsert_key"), s.UpsertKey, in[0])
	c.storable(in[0])
	c.ttl("ttl", s.TTL)
	c.keyed(0, s.Keys, s.Keys)
	return in[0]
}

func (s *SinkMaterializeSpec) explain(e *explainer, in []*types.Schema) {
	e.line(2, "primary key (%s)", columnNames(in[0], s.Keys))
	if len(s.UpsertKey) > 0 {
		e.line(2, "rows are told apart by (%s)", columnNames(in[0], s.UpsertKey))
	}
	e.changes(false, false, s.TTL)
}
