package kernel

import (
	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// Functions whose kernels are still to come: Compile refuses them.

func refuseCall(e *expr.Call, _ []node) (node, error) { return nil, noKernel(e) }

var (
	bindCharLength, bindCaseChange, bindConcat, bindSubstring      = refuseCall, refuseCall, refuseCall, refuseCall
	bindDecimalSum, bindDecimalProduct, bindDecimalQuotient        = refuseCall, refuseCall, refuseCall
	bindDecimalRemainder, bindDecimalRounding, bindTimeShift       = refuseCall, refuseCall, refuseCall
	negWideLoop, absWideLoop                                  loop = nil, nil
)

func compareDecimals(r relation, a, b types.Type) loop {
	return compareRows(r, func(k *call, i int) int { return 0 })
}

var _ stream.Vector
