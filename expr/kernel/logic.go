package kernel

import (
	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// junction is AND or OR over three truth values. It keeps which rows are TRUE
// and which FALSE; the others are NULL.
type junction struct {
	args  []node
	typ   types.Type
	isOr  bool
	flat  scratch // words 0 and 1: the rows that are TRUE, FALSE
	rest  []int32
	heavy []bool // the argument is guarded: show it only rows that matter
}

func bindAnd(e *expr.Call, args []node) (node, error) { return newJunction(e, args, false), nil }
func bindOr(e *expr.Call, args []node) (node, error)  { return newJunction(e, args, true), nil }

func newJunction(e *expr.Call, args []node, isOr bool) node {
	j := &junction{args: args, typ: e.T, isOr: isOr, heavy: make([]bool, len(args))}
	for i, a := range args {
		j.heavy[i] = i > 0 && a.guarded()
	}
	return j
}

func (j *junction) guarded() bool {
	for _, a := range j.args {
		if a.guarded() {
			return true
		}
	}
	return false
}

func (j *junction) eval(f frame) (stream.Vector, error) {
	isTrue, isFalse := j.flat.word(0, f.n), j.flat.word(1, f.n)
	isTrue.Fill(!j.isOr)
	isFalse.Fill(j.isOr)
	nulls := false
	for i, a := range j.args {
		g := f
		if j.heavy[i] {
			g = f.within(j.undecided(f, isTrue, isFalse))
			if len(g.sel) == 0 {
				continue
			}
		}
		v, err := a.eval(g)
		if err != nil {
			return stream.Vector{}, err
		}
		v = j.flat.flatten(f, v)
		nulls = nulls || v.Valid() != nil
		j.merge(isTrue, isFalse, &v)
		v.Release()
	}
	return j.result(f, isTrue, isFalse, nulls), nil
}

// undecided returns the rows whose result the next argument can change.
func (j *junction) undecided(f frame, isTrue, isFalse stream.Bitmap) []int32 {
	decided := isFalse
	if j.isOr {
		decided = isTrue
	}
	j.rest = j.rest[:0]
	if cap(j.rest) < f.rows() {
		j.rest = make([]int32, 0, max(f.rows(), stream.RowsMax))
	}
	for i := range f.rows() {
		row := i
		if f.sel != nil {
			row = int(f.sel[i])
		}
		if !decided.Get(row) {
			j.rest = append(j.rest, int32(row))
		}
	}
	return j.rest
}

// merge adds an argument. What it says of rows that it was not shown does not
// count: one truth value has decided them.
func (j *junction) merge(isTrue, isFalse stream.Bitmap, v *stream.Vector) {
	bits := v.Bits()
	for w := range isTrue {
		b := bits[min(w, len(bits)-1)]
		if v.Encoding == stream.Constant {
			b = -bit(bits.Get(0))
		}
		valid := validWord(v, w)
		if j.isOr {
			isTrue[w] |= b & valid
			isFalse[w] &= ^b & valid
		} else {
			isTrue[w] &= b & valid
			isFalse[w] |= ^b & valid
		}
	}
}

func (j *junction) result(f frame, isTrue, isFalse stream.Bitmap, nulls bool) stream.Vector {
	out := stream.NewFixed(f.pool, j.typ, f.n)
	copy(out.Bits(), isTrue)
	if nulls {
		valid := out.WithValidity(f.pool)
		for w := range isTrue {
			valid[w] = isTrue[w] | isFalse[w]
		}
	}
	return out
}

func bindNot(e *expr.Call, args []node) (node, error) {
	return strict(e, args, func(k *call, out *stream.Vector) error {
		bits := out.Bits()
		copy(bits, k.args[0].Bits())
		invert(bits)
		return nil
	}), nil
}

// truthTest is IS [NOT] TRUE and IS [NOT] FALSE.
func bindTruthTest(e *expr.Call, args []node) (node, error) {
	wantTrue := e.Func == "IS TRUE" || e.Func == "IS NOT TRUE"
	negated := e.Func == "IS NOT TRUE" || e.Func == "IS NOT FALSE"
	run := func(k *call, out *stream.Vector) error {
		v, bits := &k.args[0], out.Bits()
		for w, b := range v.Bits() {
			if !wantTrue {
				b = ^b
			}
			bits[w] = b & validWord(v, w)
		}
		if negated {
			invert(bits)
		}
		return nil
	}
	return newCall(&callNode{args: args, run: run, typ: e.T, nulls: true}, e), nil
}

// nullTest is IS [NOT] NULL and IS [NOT] UNKNOWN, of any type and encoding.
type nullTest struct {
	x    node
	typ  types.Type
	want bool // IS NULL
}

func bindNullTest(e *expr.Call, args []node) (node, error) {
	return &nullTest{x: args[0], typ: e.T, want: e.Func == "IS NULL" || e.Func == "IS UNKNOWN"}, nil
}

func (t *nullTest) guarded() bool { return t.x.guarded() }

func (t *nullTest) eval(f frame) (stream.Vector, error) {
	v, err := t.x.eval(f)
	if err != nil {
		return stream.Vector{}, err
	}
	defer v.Release()
	n := f.n
	if v.Encoding == stream.Constant {
		n = 1
	}
	out := stream.NewFixed(f.pool, t.typ, n)
	bits := out.Bits()
	for w := range bits {
		bits[w] = validWord(&v, w)
	}
	if v.Encoding == stream.Dictionary && v.Dict().Valid() != nil {
		dict, indices := v.Dict().Valid(), v.Indices()
		for i := range n {
			if bits.Get(i) && !dict.Get(int(indices[i])) {
				bits.Clear(i)
			}
		}
	}
	if t.want {
		invert(bits)
	}
	if v.Encoding == stream.Constant {
		out.Encoding = stream.Constant
	}
	return out, nil
}
