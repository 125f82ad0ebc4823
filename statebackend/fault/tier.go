package fault

import (
	"fmt"

	"millrace/failure"
	"millrace/internal/faultplan"
	"millrace/statebackend"
)

// TierVocabulary lists what a plan for a tier may order:
//
//	put     err=full         nothing is stored; an external error that says DISK_PRESSURE
//	get     err=unavailable  no block is read, an external error
//	        err=corrupt      no block is read, an internal error
//	delete  err=unavailable  nothing is deleted
//
// Calls have no key.
var TierVocabulary = faultplan.Vocabulary{
	"put": {"err=full"}, "get": {"err=unavailable", "err=corrupt"}, "delete": {"err=unavailable"},
}

// Tier is a statebackend.Tier that fails by plan. It is safe for concurrent use.
type Tier struct {
	tier    statebackend.Tier
	counter *faultplan.Counter
}

var _ statebackend.Tier = (*Tier)(nil)

// WrapTier parses the plan and returns t with its faults.
func WrapTier(t statebackend.Tier, plan string) (*Tier, error) {
	rules, err := faultplan.Parse(plan, TierVocabulary)
	if err != nil {
		return nil, fmt.Errorf("tier fault plan: %w", err)
	}
	return &Tier{tier: t, counter: faultplan.NewCounter(rules, TierVocabulary)}, nil
}

// FiredTotal returns how many calls met a rule.
func (t *Tier) FiredTotal() int { return t.counter.FiredTotal() }

func (t *Tier) fault(op string) error {
	switch action := t.counter.Action(op, ""); action {
	case "":
		return nil
	case "err=full":
		return failure.Externalf(failure.Backoff, "DISK_PRESSURE: %s: %w", op, ErrInjected)
	case "err=corrupt":
		return failure.Internalf("%s of the tier: %w", op, ErrInjected)
	default:
		return failure.Externalf(failure.Backoff, "%s of the tier, %s: %w", op, action, ErrInjected)
	}
}

// Put implements statebackend.Tier.
func (t *Tier) Put(blocks [][]byte) (uint64, error) {
	if err := t.fault("put"); err != nil {
		return 0, err
	}
	return t.tier.Put(blocks)
}

// Get implements statebackend.Tier.
func (t *Tier) Get(ids []uint64, visit func(i int, block []byte) error) error {
	if err := t.fault("get"); err != nil {
		return err
	}
	return t.tier.Get(ids, visit)
}

// Delete implements statebackend.Tier.
func (t *Tier) Delete(ids []uint64) error {
	if err := t.fault("delete"); err != nil {
		return err
	}
	return t.tier.Delete(ids)
}
