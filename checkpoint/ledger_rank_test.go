package checkpoint

import (
	"fmt"
	"testing"

	"millrace/jobgraph"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
)

// TestAuditOfRanked has operators whose rows come from state, and such as pass rows on.
func TestAuditOfRanked(t *testing.T) {
	folding := &checkpointv1.OperatorLedger{Uid: "o", RowsIn: 10, RowsOut: 3, Folded: 8, Late: 2, Expired: 5}
	passing := &checkpointv1.OperatorLedger{Uid: "o", RowsIn: 10, RowsOut: 3, Filtered: 7}
	for body, right := range map[jobgraph.OperatorBody]*checkpointv1.OperatorLedger{
		&jobgraph.RankSpec{}: folding, &jobgraph.DeduplicateSpec{}: folding, &jobgraph.ChangelogNormalizeSpec{}: folding,
		&jobgraph.SinkMaterializeSpec{}: folding, &jobgraph.SortSpec{}: folding, &jobgraph.LimitSpec{}: passing, &jobgraph.DropUpdateBeforeSpec{}: passing,
	} {
		spec := &jobgraph.OperatorSpec{UID: "o", Body: body}
		t.Run(fmt.Sprint(spec.Kind()), func(t *testing.T) {
			of := &checkpointv1.Ledger{Operators: []*checkpointv1.OperatorLedger{right}}
			if found := auditOperator(spec, of); found != nil {
				t.Errorf("found %q", found)
			}
			lost := &checkpointv1.Ledger{Operators: []*checkpointv1.OperatorLedger{{
				Uid: "o", RowsIn: 11, RowsOut: right.RowsOut, Folded: right.Folded, Late: right.Late, Filtered: right.Filtered,
			}}}
			if found := auditOperator(spec, lost); len(found) != 1 {
				t.Errorf("a lost row is not found: %q", found)
			}
		})
	}
}
