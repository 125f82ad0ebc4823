package task

import (
	"millrace/operators"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// ledger accounts for every row of a task, by additions once a batch. It is a part of the task's snapshot, and goes on from
// the one that was restored: so over a restart each row is in it once.
type ledger struct {
	inputs, outputs []int64
	operators       []operatorLedger
}

type operatorLedger struct {
	uid     types.OperatorUID
	in, out int64
	counts  operators.Counts
}

func newLedger(chain []Link, restored *checkpointv1.Ledger) *ledger {
	l := &ledger{inputs: restored.GetInputs(), outputs: restored.GetOutputs(), operators: make([]operatorLedger, len(chain))}
	before := make(map[string]*checkpointv1.OperatorLedger)
	for _, o := range restored.GetOperators() {
		before[o.Uid] = o
	}
	for i, link := range chain {
		o := before[string(link.UID)]
		l.operators[i] = operatorLedger{
			uid: link.UID, in: o.GetRowsIn(), out: o.GetRowsOut(),
			counts: operators.Counts{Filtered: o.GetFiltered(), Folded: o.GetFolded(), Late: o.GetLate(), Expired: o.GetExpired()},
		}
	}
	return l
}

// entered and left count the rows of a batch that came in or went out.
func (l *ledger) entered(input, rows int) { add(&l.inputs, input, rows) }
func (l *ledger) left(port, rows int)     { add(&l.outputs, port, rows) }

func add(to *[]int64, at, rows int) {
	for len(*to) <= at {
		*to = append(*to, 0)
	}
	(*to)[at] += int64(rows)
}

// counted adds what an operator has counted since it was asked last.
func (l *ledger) counted(i int, c operators.Counts) {
	of := &l.operators[i].counts
	of.Filtered += c.Filtered
	of.Folded += c.Folded
	of.Late += c.Late
	of.Expired += c.Expired
}

// state returns the ledger as a snapshot has it.
func (l *ledger) state() *checkpointv1.Ledger {
	out := &checkpointv1.Ledger{Inputs: append([]int64(nil), l.inputs...), Outputs: append([]int64(nil), l.outputs...)}
	for _, o := range l.operators {
		out.Operators = append(out.Operators, &checkpointv1.OperatorLedger{
			Uid: string(o.uid), RowsIn: o.in, RowsOut: o.out,
			Filtered: o.counts.Filtered, Folded: o.counts.Folded, Late: o.counts.Late, Expired: o.counts.Expired,
		})
	}
	return out
}
