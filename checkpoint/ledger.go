package checkpoint

import (
	"fmt"

	"millrace/jobgraph"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// Audit adds up the ledgers of a manifest: what the tasks before an edge gave must be what those behind it took, and what went
// into an operator must be what came out of it, was filtered, was folded into state or was late. Barriers cut all tasks at the
// same rows (what they overtook counts as taken: it will be), so that the sums must meet exactly, whatever was restarted or rescaled before. It returns a sentence for each
// that does not, which is a bug of the engine, or state that was changed by hand. A manifest without ledgers has nothing to
// add up.
func Audit(g *jobgraph.Graph, m *checkpointv1.Manifest) (discrepancies []string) {
	waiting := make(map[types.VertexID][]int64) // by input: in flight
	sums, widths := make(map[types.VertexID]*checkpointv1.Ledger), make(map[types.VertexID]int64)
	for _, v := range m.GetVertices() {
		id := types.VertexID(v.VertexId)
		sums[id], widths[id] = sumLedgers(v.Tasks), int64(len(v.Tasks))
		for _, t := range v.Tasks {
			waiting[id] = plus(waiting[id], t.GetInFlightRows())
		}
		if sums[id] == nil {
			return nil
		}
	}
	for i := range g.Vertices {
		v := &g.Vertices[i]
		discrepancies = append(discrepancies, auditInputs(g, v, sums, widths, waiting[v.ID])...)
		for k := range v.Operators {
			discrepancies = append(discrepancies, auditOperator(&v.Operators[k], sums[v.ID])...)
		}
	}
	return discrepancies
}

// auditInputs compares each input of a vertex with what its edges brought.
func auditInputs(g *jobgraph.Graph, v *jobgraph.Vertex, sums map[types.VertexID]*checkpointv1.Ledger, widths map[types.VertexID]int64, waiting []int64) (out []string) {
	brought := make(map[int]int64)
	for _, e := range g.Edges {
		if e.To != v.ID {
			continue
		}
		if e.Port == jobgraph.DeadLetterPort {
			return nil // dead letters are no rows of the chain, and are not in its ledger
		}
		rows := at(sums[e.From].GetOutputs(), e.Port)
		if e.Kind == jobgraph.Broadcast {
			rows *= widths[v.ID]
		}
		brought[e.Input] += rows
	}
	for input := range len(brought) {
		took, more, flying := at(sums[v.ID].GetInputs(), input), "", at(waiting, input)
		if flying > 0 {
			more = fmt.Sprintf(", %d more were in flight", flying)
		}
		if took+flying != brought[input] {
			out = append(out, fmt.Sprintf("vertex %s took %d rows by input %d%s, its edges brought %d", v.ID, took, input, more, brought[input]))
		}
	}
	return out
}

// auditOperator compares what went into an operator with what became of it. Behind a pre-aggregation a window counts the
// rows that its rows stand for: there the edge is all that can be compared.
func auditOperator(spec *jobgraph.OperatorSpec, of *checkpointv1.Ledger) []string {
	for _, o := range of.GetOperators() {
		if o.Uid != string(spec.UID) {
			continue
		}
		var rows int64
		switch body := spec.Body.(type) {
		case *jobgraph.CalcSpec:
			rows = o.RowsOut + o.Filtered
		case *jobgraph.UnionSpec:
			rows = o.RowsOut
		case *jobgraph.RankSpec, *jobgraph.DeduplicateSpec, *jobgraph.ChangelogNormalizeSpec, *jobgraph.SinkMaterializeSpec, *jobgraph.SortSpec:
			rows = o.Folded + o.Late
		case *jobgraph.LimitSpec, *jobgraph.DropUpdateBeforeSpec:
			rows = o.RowsOut + o.Filtered
		case *jobgraph.ExpandSpec:
			rows = o.RowsOut / int64(len(body.Sets))
		case *jobgraph.OverAggregateSpec:
			switch {
			case len(body.Order) > 0:
				rows = o.Folded
			case body.Arrival:
				rows = o.RowsOut
			default:
				rows = o.Folded + o.Late
			}
		case *jobgraph.WindowAssignSpec:
			if body.Window.Kind == jobgraph.Cumulating {
				return nil // in how many windows a row is, its time decides
			}
			rows = o.RowsOut/body.Window.Parts() + o.Filtered
		case *jobgraph.GroupAggregateSpec:
			if body.Partial {
				return nil
			}
			rows = o.Folded + o.Expired
		case *jobgraph.LocalAggregateSpec, *jobgraph.LocalGroupAggregateSpec:
			rows = o.RowsOut + o.Folded
		case *jobgraph.WindowAggregateSpec:
			if body.Partial {
				return nil
			}
			rows = o.Folded + o.Late
		case *jobgraph.JoinSpec, *jobgraph.IntervalJoinSpec, *jobgraph.TemporalJoinSpec, *jobgraph.LookupJoinSpec, *jobgraph.CorrelateSpec:
			rows = o.Folded + o.Filtered
		case *jobgraph.WindowJoinSpec:
			rows = o.Folded + o.Filtered + o.Late
		default:
			return nil
		}
		if rows != o.RowsIn {
			return []string{fmt.Sprintf("operator %s took %d rows, %d are accounted for", spec.UID, o.RowsIn, rows)}
		}
	}
	return nil
}

func at(list []int64, i int) int64 {
	if i < len(list) {
		return list[i]
	}
	return 0
}

// sumLedgers adds the ledgers of a vertex' tasks; nil where none has one.
func sumLedgers(tasks []*checkpointv1.TaskState) *checkpointv1.Ledger {
	var sum *checkpointv1.Ledger
	for _, t := range tasks {
		l := t.GetLedger()
		if l == nil {
			continue
		}
		if sum == nil {
			sum = &checkpointv1.Ledger{}
		}
		sum.Inputs, sum.Outputs = plus(sum.Inputs, l.Inputs), plus(sum.Outputs, l.Outputs)
		for _, o := range l.Operators {
			addOperator(sum, o)
		}
	}
	return sum
}

func plus(a, b []int64) []int64 {
	for len(a) < len(b) {
		a = append(a, 0)
	}
	for i, n := range b {
		a[i] += n
	}
	return a
}

func addOperator(to *checkpointv1.Ledger, o *checkpointv1.OperatorLedger) {
	for _, s := range to.Operators {
		if s.Uid == o.Uid {
			s.RowsIn += o.RowsIn
			s.RowsOut += o.RowsOut
			s.Filtered += o.Filtered
			s.Folded += o.Folded
			s.Late += o.Late
			s.Expired += o.Expired
			return
		}
	}
	to.Operators = append(to.Operators, &checkpointv1.OperatorLedger{
		Uid: o.Uid, RowsIn: o.RowsIn, RowsOut: o.RowsOut, Filtered: o.Filtered, Folded: o.Folded, Late: o.Late, Expired: o.Expired,
	})
}
