package statebackend_test

import (
	"strings"
	"testing"

	"millrace/failure"
	"millrace/statebackend"
)

func TestBudget(t *testing.T) {
	b := statebackend.NewBudget(100, "raise some.option")
	if err := b.Take(60); err != nil {
		t.Fatal(err)
	}
	err := b.Take(41)
	if err == nil || !strings.Contains(err.Error(), "raise some.option") || !strings.Contains(err.Error(), "its budget is 100 bytes") {
		t.Errorf("41 bytes beside 60 of 100: %v", err)
	}
	if c := failure.ClassOf(err); c.Domain != failure.DomainExternal || c.Retry != failure.Never {
		t.Errorf("class %s", c)
	}
	if got := b.Used(); got != 60 {
		t.Errorf("%d bytes are used after a refusal, want 60", got)
	}
	b.Force(50)
	if err := b.Take(1); err == nil || b.Used() != 110 {
		t.Errorf("beyond the bound: %v, %d used", err, b.Used())
	}
	b.Force(-50)
	if err := b.Take(40); err != nil {
		t.Error(err)
	}
}

func TestNoBudgetHasNoBound(t *testing.T) {
	b := statebackend.NewBudget(0, "")
	if err := b.Take(1 << 60); err != nil || b != nil || b.Used() != 0 {
		t.Errorf("%v, %v, %d used", b, err, b.Used())
	}
	b.Force(-1)
}
