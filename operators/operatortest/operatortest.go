package operatortest

import (
	"fmt"
	"testing"

	"millrace/expr"
	"millrace/internal/testutil/matrix"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// Case is an operator with an input and the output it must give.
type Case struct {
	Name   string
	Spec   *jobgraph.OperatorSpec
	New    operators.Factory
	Inputs []*types.Schema
	// Keys are, for each input, the columns by which its rows are dealt out to
	// tasks; nil: the operator always runs in one task.
	Keys [][]int
	// Backend holds the state. Without one the operator has none, and freezes
	// only try that nothing is held back.
	Backend statebackend.Backend
	// Functions are those that the program of the operator's job adds; nil: none.
	Functions *expr.Registry

	Script string
	// Want and Late are the rows of the main output and of side output 1.
	Want, Late string
	// Ordered says that the order of rows counts (within one task).
	Ordered bool
	// Normalize turns the rows of a port into a form that does not depend on
	// batches, where theirs does.
	Normalize func(port int, rows []string) []string
	// Counts are compared where set, Folded only where the operator folds into state.
	Counts *operators.Counts
}

// Freeze says how a variant freezes.
type Freeze uint8

// The ways to freeze.
const (
	NoFreeze Freeze = iota
	FullFreeze
	DeltaFreeze // a base, then deltas behind it
)

// Variant is a way to run a case.
type Variant struct {
	BatchRows int // rows an input batch; 0: as many as there are
	RowsMax   int // rows an output batch
	Reencode  bool
	Freeze    Freeze
	Rescale   bool // 1 → 2 → 3 → 1 tasks at each freeze
	Seed      uint64
}

// String prints the variant as a test's name.
func (v Variant) String() string {
	return fmt.Sprintf("batch=%d,out=%d,reencode=%v,freeze=%d,rescale=%v", v.BatchRows, v.RowsMax, v.Reencode, v.Freeze, v.Rescale)
}

// Variants returns every way to run the case.
func (c *Case) Variants() []Variant {
	var all []Variant
	rescales := []bool{false}
	if c.Keys != nil && c.Backend != nil {
		rescales = []bool{false, true}
	}
	for _, batch := range []int{0, 1, 3} {
		for _, out := range []int{stream.RowsMax, 1, 2, 7} {
			for _, reencode := range []bool{false, true} {
				for _, freeze := range []Freeze{NoFreeze, FullFreeze, DeltaFreeze} {
					for _, rescale := range rescales {
						if rescale && freeze == NoFreeze {
							continue
						}
						all = append(all, Variant{BatchRows: batch, RowsMax: out, Reencode: reencode, Freeze: freeze, Rescale: rescale})
					}
				}
			}
		}
	}
	return all
}

// sampled is how many variants a short run takes.
const sampled = 16

// Run runs the case in a sample of its variants, in all with MILLRACE_TEST=all.
func Run(t *testing.T, c Case) {
	t.Helper()
	t.Run(c.Name, func(t *testing.T) {
		for _, v := range matrix.Sample(t, sampled, c.Variants()) {
			v.Seed = matrix.Seed()
			t.Run(v.String(), func(t *testing.T) { c.check(t, v) })
		}
	})
}

func (c *Case) check(t *testing.T, v Variant) {
	out := Play(t, c, v)
	want := [2]string{c.Want, c.Late}
	for port, schema := range []*types.Schema{out.Schema, c.sideSchema()} {
		if schema == nil {
			continue
		}
		wanted, got := streamtest.Canonical(t, schema, want[port]), out.Rows[port]
		if c.Normalize != nil {
			wanted, got = c.Normalize(port, wanted), c.Normalize(port, got)
		}
		if diff := streamtest.Diff(wanted, got, c.Ordered && !v.Rescale); diff != "" {
			t.Errorf("port %d (-want +got):\n%s", port, diff)
		}
	}
	if c.Counts != nil && out.Counts != *c.Counts {
		t.Errorf("counts %+v, want %+v", out.Counts, *c.Counts)
	}
}

func (c *Case) sideSchema() *types.Schema {
	if sides := jobgraph.SideSchemas(c.Spec, c.Inputs); len(sides) > 0 {
		return sides[0]
	}
	return nil
}
