package kernel

import (
	"bytes"
	"unicode/utf8"

	"millrace/expr"
	"millrace/stream"
)

// rowNode makes a ROW of its arguments, whose vectors become the fields.
type rowNode struct {
	args []node
	e    *expr.Call
	flat scratch
}

func bindRow(e *expr.Call, args []node) (node, error) { return &rowNode{args: args, e: e}, nil }

func (n *rowNode) guarded() bool { return anyGuarded(n.args) }

func anyGuarded(nodes []node) bool {
	for _, n := range nodes {
		if n.guarded() {
			return true
		}
	}
	return false
}

func (n *rowNode) eval(f frame) (stream.Vector, error) {
	children := make([]stream.Vector, 0, len(n.args))
	release := func() {
		for i := range children {
			children[i].Release()
		}
	}
	for _, a := range n.args {
		v, err := a.eval(f)
		if err != nil {
			release()
			return stream.Vector{}, err
		}
		children = append(children, n.flat.spreadOut(f, v))
	}
	v, err := stream.VectorOver(n.e.T, stream.Parts{Rows: f.n, Children: children})
	if err != nil {
		release()
		return stream.Vector{}, rowError(f.first(), n.e, err)
	}
	return v, nil
}

// spreadOut returns v, whose reference it takes over, as a flat vector of f.n
// rows.
func (s *scratch) spreadOut(f frame, v stream.Vector) stream.Vector {
	if v.Encoding == stream.Flat {
		return v
	}
	b := s.build(f, v.Type, f.n)
	for i := range f.n {
		b.AppendFrom(&v, i)
	}
	v.Release()
	return b.Finish()
}

// listNode makes an ARRAY a row.
type listNode struct {
	callNode
	// row appends the elements of row i to the builder's child.
	row func(k *call, b *stream.Builder, i int) error
	b   stream.Builder
}

func lists(e *expr.Call, args []node, nulls bool, row func(k *call, b *stream.Builder, i int) error) node {
	n := &listNode{row: row}
	n.callNode = callNode{args: args, typ: e.T, careful: true, nulls: nulls}
	n.k.name = e
	n.k.args = make([]stream.Vector, 0, len(args))
	return n
}

func (n *listNode) guarded() bool { return true }

func (n *listNode) eval(f frame) (stream.Vector, error) {
	k := &n.k
	defer k.release()
	if err := n.evalArgs(f); err != nil {
		return stream.Vector{}, err
	}
	k.frame, k.outer = f, f
	n.b.Init(f.pool, n.typ, f.n)
	for i := range f.n {
		if !n.nulls && k.nullArg(i) {
			n.b.AppendNull()
			continue
		}
		if err := n.row(k, &n.b, i); err != nil {
			n.b.Close()
			return stream.Vector{}, k.fail(i, err)
		}
		n.b.AppendList()
	}
	return n.b.Finish(), nil
}

// bindArray binds ARRAY[...].
func bindArray(e *expr.Call, args []node) (node, error) {
	return lists(e, args, true, func(k *call, b *stream.Builder, i int) error {
		for a := range k.args {
			b.Child(0).AppendFrom(&k.args[a], i)
		}
		return nil
	}), nil
}

// bindSplit binds SPLIT(text, delimiter).
func bindSplit(e *expr.Call, args []node) (node, error) {
	return lists(e, args, false, func(k *call, b *stream.Builder, i int) error {
		p, delimiter := k.args[0].Bytes(i), k.args[1].Bytes(i)
		parts := b.Child(0)
		for {
			at, size := bytes.Index(p, delimiter), len(delimiter)
			if size == 0 {
				_, at = utf8.DecodeRune(p)
			}
			if at < 0 || size == 0 && at == len(p) {
				parts.AppendBytes(p)
				return nil
			}
			parts.AppendBytes(p[:at])
			p = p[at+size:]
		}
	}), nil
}
