package kernel

import (
	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

var nestedBinders = map[string]binder{
	"GET": bindGet, "CARDINALITY": bindCardinality, "AT": bindAt, "ELEMENT": bindElement,
	"ROW": bindRow, "ARRAY": bindArray, "SPLIT": bindSplit,
}

// fieldView is GET: a view of a ROW's field.
type fieldView struct {
	row   node
	index int
	typ   types.Type
}

func bindGet(e *expr.Call, args []node) (node, error) {
	index := e.Args[1].(*expr.Literal).Value.(int64)
	return &fieldView{row: args[0], index: int(index), typ: e.T}, nil
}

func (n *fieldView) guarded() bool { return n.row.guarded() }

func (n *fieldView) eval(f frame) (stream.Vector, error) {
	row, err := n.row.eval(f)
	if err != nil {
		return stream.Vector{}, err
	}
	v := row.Field(f.pool, n.index)
	row.Release()
	v.Type = n.typ
	return v, nil
}

// offsetsOf reads the spans of a flat or constant ARRAY or MAP argument.
func offsetsOf(v *stream.Vector) (offsets []int32, mask int) {
	if v.Encoding == stream.Constant {
		return v.Offsets(), 0
	}
	return v.Offsets(), -1
}

func bindCardinality(e *expr.Call, args []node) (node, error) {
	return strict(e, args, func(k *call, out *stream.Vector) error {
		offsets, o := k.args[0].Offsets(), stream.Values[int32](out)
		for i := range o {
			o[i] = offsets[i+1] - offsets[i]
		}
		return nil
	}), nil
}

// bindAt binds array[position], counted from 1: NULL beyond the end. A
// position below 1 fails.
func bindAt(e *expr.Call, args []node) (node, error) {
	return elements(e, args, func(k *call, i int, lo, hi int32) (int32, error) {
		position := operandOf[int32](&k.args[1])
		at := position.at(i)
		if at < 1 {
			return 0, errPosition
		}
		if at > hi-lo {
			return -1, nil
		}
		return lo + at - 1, nil
	}), nil
}

// bindElement binds ELEMENT: the only element of an array, NULL of an empty one.
func bindElement(e *expr.Call, args []node) (node, error) {
	return elements(e, args, func(_ *call, _ int, lo, hi int32) (int32, error) {
		switch hi - lo {
		case 0:
			return -1, nil
		case 1:
			return lo, nil
		default:
			return 0, errElements
		}
	}), nil
}

// picker returns the position of the element that a row with the elements lo to
// hi takes, negative for NULL.
type picker func(k *call, i int, lo, hi int32) (int32, error)

// elementNode gives each row an element of its array.
type elementNode struct {
	callNode
	pick picker
	b    stream.Builder
}

func elements(e *expr.Call, args []node, pick picker) node {
	n := &elementNode{pick: pick}
	n.callNode = callNode{args: args, typ: e.T, careful: true}
	n.k.name = e
	n.k.args = make([]stream.Vector, 0, len(args))
	return n
}

func (n *elementNode) guarded() bool { return true }

func (n *elementNode) eval(f frame) (stream.Vector, error) {
	k := &n.k
	defer k.release()
	if err := n.evalArgs(f); err != nil {
		return stream.Vector{}, err
	}
	for i := range k.args {
		if v := &k.args[i]; v.Encoding == stream.Constant && v.IsNull(0) {
			return stream.NullOf(f.pool, n.typ, 1), nil
		}
		k.args[i] = k.flatten(f, k.args[i])
	}
	k.frame, k.outer = f, f
	k.live = k.liveRows()
	return n.gather(f)
}

func (n *elementNode) gather(f frame) (stream.Vector, error) {
	k := &n.k
	n.b.Init(f.pool, n.typ, f.n)
	offsets, mask := offsetsOf(&k.args[0])
	from := k.args[0].Child(0)
	for i := range f.n {
		if !k.alive(i) {
			n.b.AppendNull()
			continue
		}
		at, err := n.pick(k, i, offsets[i&mask], offsets[i&mask+1])
		if err != nil {
			n.b.Close()
			return stream.Vector{}, k.fail(i, err)
		}
		if at < 0 {
			n.b.AppendNull()
		} else {
			n.b.AppendFrom(from, int(at))
		}
	}
	return n.b.Finish(), nil
}
