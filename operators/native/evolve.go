package native

import (
	"fmt"
	"strings"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// evolution makes rows that were kept with other columns rows of those that are declared, by the rule of tables that evolve (statebackend.Origins): columns are
// found by name, added ones are NULL or zero, and one of a narrower type is converted.
type evolution struct {
	to      *types.Schema
	origins []statebackend.Origin
	casts   []*kernel.Program // nil: the column has its values
}

func newEvolution(had, to *types.Schema) (*evolution, error) {
	origins, _, problems := statebackend.Origins(statebackend.ColumnsOf(had.Fields), statebackend.ColumnsOf(to.Fields), true)
	if len(problems) > 0 {
		return nil, failure.User(failure.Message{
			Primary: fmt.Sprintf("a row had the columns %s when it was kept, and has %s now: %s", had, to, strings.Join(problems, "; ")),
			Hint:    "end the former program by stop --drain, which leaves no rows behind, or give the operator another uid",
		})
	}
	e := &evolution{to: to, origins: origins, casts: make([]*kernel.Program, to.Len())}
	for i, o := range origins {
		if o.Had < 0 || had.Fields[o.Had].Type.EqualIgnoringNull(to.Fields[i].Type) {
			continue
		}
		from := had.Fields[o.Had]
		cast, err := expr.NewCast(&expr.Column{Index: o.Had, Name: from.Name, T: from.Type}, to.Fields[i].Type, false)
		if err == nil {
			e.casts[i], err = kernel.Compile(cast, had, nil)
		}
		if err != nil {
			return nil, failure.Internal(fmt.Errorf("column %s widens: %w", from.Name, err))
		}
	}
	return e, nil
}

// apply returns the rows of b, which it takes over, with the declared columns.
func (e *evolution) apply(pool *stream.Pool, b *stream.Batch) (*stream.Batch, error) {
	defer b.Release()
	out := pool.NewBatch(e.to, b.Len())
	b.ShareRows(out)
	for i, o := range e.origins {
		var to stream.Builder
		to.Init(pool, e.to.Fields[i].Type, b.Len())
		if err := e.column(&to, i, o, pool, b); err != nil {
			to.Close()
			out.Release()
			return nil, err
		}
		out.Columns[i] = to.Finish()
	}
	return out, nil
}

func (e *evolution) column(to *stream.Builder, i int, o statebackend.Origin, pool *stream.Pool, b *stream.Batch) error {
	if o.Had < 0 {
		for range b.Len() {
			appendZero(to, o.Null)
		}
		return nil
	}
	v := &b.Columns[o.Had]
	if cast := e.casts[i]; cast != nil {
		widened, err := cast.Eval(pool, b)
		if err != nil {
			return failure.Internal(fmt.Errorf("column %s widens: %w", e.to.Fields[i].Name, err))
		}
		defer widened.Release()
		v = &widened
	}
	for row := range b.Len() {
		to.AppendFrom(v, row)
	}
	return nil
}

// appendZero appends NULL or what a Go value is that nobody set.
func appendZero(to *stream.Builder, null bool) {
	switch layout := to.Type().Layout(); {
	case null:
		to.AppendNull()
	case layout == types.LayoutBytes:
		to.AppendBytes(nil)
	case layout == types.LayoutBit:
		to.AppendBool(false)
	case layout == types.LayoutList:
		to.AppendList()
	case layout == types.LayoutStruct:
		for i := range to.Children() {
			child := to.Child(i)
			appendZero(child, child.Type().Nullable)
		}
		to.AppendStruct()
	default:
		to.AppendZero()
	}
}
