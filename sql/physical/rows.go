package physical

import (
	"millrace/catalog"
	"millrace/sql/plan"
	"millrace/types"
)

// Rows tells what comes to the Collect sink of a query.
type Rows struct {
	Schema *types.Schema
	// Changelog is AppendOnly or Retract.
	Changelog catalog.Changelog
	// Key are columns by which rows that follow one another are told apart; nil where none are known, and none at all where there is one row.
	Key []int
	// Times are the columns that are event time.
	Times []int
}

// Rows returns what the job's query gives; ok is false where the job only writes tables.
func (j *Job) Rows() (out Rows, ok bool) {
	for _, s := range j.steps {
		n, is := s.of.(*plan.Collect)
		if _, end := s.operator.(*sink); !is || !end {
			continue
		}
		in := s.inputs[0]
		out = Rows{Schema: in.out}
		for i, c := range n.Schema() {
			if c.Time == plan.EventTime {
				out.Times = append(out.Times, i)
			}
		}
		if !in.appends() {
			out.Changelog = catalog.Retract
		}
		if len(in.upsert) > 0 {
			out.Key = append([]int{}, in.upsert[0]...)
		}
		return out, true
	}
	return Rows{}, false
}
