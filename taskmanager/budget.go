package taskmanager

import "millrace/statebackend"

// budgetRemedy is what helps a job whose state is too large for its slots.
const budgetRemedy = "raise taskmanager.memory.managed.size, which the slots of a task manager share evenly, " +
	"or run the job with a higher parallelism on more slots"

// SlotStateBytes returns what the state of a slot may take; 0 is no bound.
func (o *Options) SlotStateBytes() int64 {
	if o.Slots == 0 {
		return 0
	}
	return o.StateBytes / int64(o.Slots)
}

// budget returns what the tasks in a slot share. It is the attempt's: the stores
// of one that is ending don't count against the next.
func (a *attempt) budget(slot int32) *statebackend.Budget {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, known := a.mu.budgets[slot]
	if !known {
		b = statebackend.NewBudget(a.tm.SlotStateBytes(), budgetRemedy)
		a.mu.budgets[slot] = b
	}
	return b
}
