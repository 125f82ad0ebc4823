package task

import (
	"fmt"
	"runtime/debug"

	"millrace/connectors"
	"millrace/failure"
)

// panicked is the failure of a task in which something panicked, for the deferred function that recovered it. In a function of the
// user's it is the user's failure, and says which operator and which rows; anywhere else it is ours, with the whole stack.
func (t *Task) panicked(thrown any) error {
	if of, ok := thrown.(thrownByUser); ok {
		return of.error
	}
	i := t.chain.calls
	if i < 0 || !t.Chain[i].Native {
		trace := debug.Stack()
		return failure.Internal(fmt.Errorf("task %s panicked: %v\n%s", t.ID, thrown, trace[:min(len(trace), traceBytesMax)]))
	}
	return t.blamed(threw(thrown, "operator", t.Chain[i].UID))
}

// failed is the failure of a task whose operator returned an error: that of a function of the user's, whatever class the function gave it, says which rows it is about.
func (t *Task) failed(err error) error {
	if i := t.chain.calls; i < 0 || !t.Chain[i].Native || failure.ClassOf(err).Domain == failure.DomainInternal {
		return err
	}
	return t.blamed(err)
}

// blamed adds where the rows stand that the chain is about.
func (t *Task) blamed(err error) error {
	rows := t.chain.held[0]
	if rows == nil || t.chain.aside != outside { // a watermark, a timer or an answer: no row that is at hand is to blame
		return err
	}
	if t.Source != nil {
		if where := t.Source.where(rows.Split); where != "" {
			return &connectors.PositionError{Position: where, Err: fmt.Errorf("in %d rows from there on: %w", rows.Rows(), err)}
		}
	}
	// The ledger goes on over restarts, so the numbers are those of the job.
	last := t.ledger.operators[0].in
	return fmt.Errorf("rows %d to %d of the task's input: %w", last-int64(rows.Rows())+1, last, err)
}
