package kernel

import (
	"errors"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

var errDivisionByZero = errors.New("division by zero")

// loop computes a strict function: NULL where an argument is. The arguments in
// k are flat with k.n rows or constant and not NULL; out is flat and has the
// arguments' NULLs; the loop may add some with k.null. It is called with out
// nil where the result is of variable width, to be appended to k.builder.
type loop func(k *call, out *stream.Vector) error

// callNode evaluates a strict function. It settles encodings and NULLs.
type callNode struct {
	args []node
	run  loop
	typ  types.Type
	// careful: the loop may fail, or is dear: it looks at k.live.
	careful bool
	// nulls: the loop sees NULLs itself (IS DISTINCT FROM).
	nulls bool
	k     call
}

// call is one run of a loop.
type call struct {
	frame
	scratch
	args []stream.Vector
	// out is the result while the loop fills it: here, since a local variable
	// that a loop is given would be allocated for each batch.
	out stream.Vector
	// live marks the rows that count and have no NULL argument; nil: all do.
	// It is set for careful nodes only.
	live stream.Bitmap
	name expr.Expr // for errors
	// indices: the loop runs over a dictionary's values, which these rows use.
	indices []int32
	notNull stream.Bitmap // the rows that have a value of the dictionary; nil: all
	outer   frame
}

func (c *callNode) guarded() bool {
	if c.careful {
		return true
	}
	for _, a := range c.args {
		if a.guarded() {
			return true
		}
	}
	return false
}

func (c *callNode) eval(f frame) (stream.Vector, error) {
	v, err := stream.Vector{}, c.evalArgs(f)
	if err == nil {
		v, err = c.apply(f)
	}
	c.k.release()
	return v, err
}

// evalArgs puts the arguments' values into the call, which the caller releases, also after an error.
func (c *callNode) evalArgs(f frame) error {
	c.k.args = c.k.args[:0]
	for _, a := range c.args {
		v, err := a.eval(f)
		if err != nil {
			return err
		}
		c.k.args = append(c.k.args, v)
	}
	return nil
}

func (k *call) release() {
	for i := range k.args {
		k.args[i].Release()
		k.args[i] = stream.Vector{}
	}
	k.args = k.args[:0]
	k.indices, k.notNull, k.live = nil, nil, nil
}

// apply picks the form of the run by the encodings of the arguments.
func (c *callNode) apply(f frame) (stream.Vector, error) {
	k := &c.k
	varying, dict := 0, -1
	for i := range k.args {
		v := &k.args[i]
		switch v.Encoding {
		case stream.Constant:
			if !c.nulls && v.IsNull(0) {
				return stream.NullOf(f.pool, c.typ, 1), nil
			}
			continue
		case stream.Dictionary:
			dict = i
		}
		varying++
	}
	switch {
	case varying == 0:
		k.frame, k.outer = frame{pool: f.pool, batch: f.batch, n: 1}, f
		v, err := c.loop()
		v.Encoding = stream.Constant
		return v, err
	case varying == 1 && dict >= 0 && !c.nulls && k.args[dict].Dict().Len() <= f.rows():
		return c.overDictionary(f, dict)
	default:
		for i := range k.args {
			k.args[i] = k.flatten(f, k.args[i])
		}
		k.frame, k.outer = f, f
		return c.loop()
	}
}

// overDictionary runs over the distinct values of argument d, those of them
// that rows use where it matters.
func (c *callNode) overDictionary(f frame, d int) (stream.Vector, error) {
	k := &c.k
	whole := k.args[d]
	dict := whole.Dict()
	if dict.Len() == 0 {
		return stream.NullOf(f.pool, c.typ, 1), nil
	}
	k.frame, k.outer, k.indices = frame{pool: f.pool, batch: f.batch, n: dict.Len()}, f, whole.Indices()
	k.notNull = whole.Valid()
	if c.careful {
		k.sel = k.used(f, &whole)
		if len(k.sel) == 0 {
			return stream.NullOf(f.pool, c.typ, 1), nil
		}
	}
	k.args[d] = *dict
	values, err := c.loop()
	k.args[d] = whole
	if err != nil {
		return stream.Vector{}, err
	}
	return c.spread(f, &whole, values), nil
}

// used returns the dictionary's values that a row that counts has.
func (k *call) used(f frame, v *stream.Vector) []int32 {
	marks := k.word(0, v.Dict().Len())
	marks.Fill(false)
	indices, valid := v.Indices(), v.Valid()
	for i := range f.rows() {
		row := i
		if f.sel != nil {
			row = int(f.sel[i])
		}
		if valid == nil || valid.Get(row) {
			marks.Set(int(indices[row]))
		}
	}
	k.picked = marks.AppendSet(k.picked[:0], v.Dict().Len())
	return k.picked
}

// spread returns a row's value for each row of v, whose dictionary became
// values. It takes over the reference to values.
func (c *callNode) spread(f frame, v *stream.Vector, values stream.Vector) stream.Vector {
	buf := f.pool.Get(f.n * 4)
	copy(stream.Int32s(buf), v.Indices())
	out := stream.DictionaryOf(c.typ, buf, f.n, values)
	if v.Valid() != nil {
		copy(out.WithValidity(f.pool), v.Valid()[:stream.Words(f.n)])
	}
	if c.typ.Layout() == types.LayoutBytes {
		return out
	}
	return c.k.flatten(f, out)
}

// loop runs the loop over k.n rows of k.args.
func (c *callNode) loop() (stream.Vector, error) {
	k := &c.k
	if c.careful {
		k.live = k.liveRows()
	}
	if c.typ.Layout() == types.LayoutBytes {
		k.build(k.frame, c.typ, k.n)
		if err := c.run(k, nil); err != nil {
			k.builder.Close()
			return stream.Vector{}, err
		}
		return k.builder.Finish(), nil
	}
	k.out = stream.NewFixed(k.pool, c.typ, k.n)
	if !c.nulls {
		k.copyNulls(&k.out)
	}
	err := c.run(k, &k.out)
	out := k.out
	k.out = stream.Vector{}
	if err != nil {
		out.Release()
		return stream.Vector{}, err
	}
	return out, nil
}

// copyNulls makes NULL in out what is NULL in an argument.
func (k *call) copyNulls(out *stream.Vector) {
	for i := range k.args {
		if a := &k.args[i]; a.Encoding != stream.Constant && a.Valid() != nil {
			andWords(out.WithValidity(k.pool), a.Valid())
		}
	}
}

// liveRows returns the rows that count and have no NULL argument, nil for all.
func (k *call) liveRows() stream.Bitmap {
	var live stream.Bitmap
	if k.sel != nil {
		live = k.word(1, k.n)
		live.Fill(false)
		for _, i := range k.sel {
			live.Set(int(i))
		}
	}
	for i := range k.args {
		a := &k.args[i]
		if a.Encoding == stream.Constant || a.Valid() == nil {
			continue
		}
		if live == nil {
			live = k.word(1, k.n)
			live.Fill(true)
		}
		andWords(live, a.Valid())
	}
	return live
}

// alive tells whether row i counts and has no NULL argument.
func (k *call) alive(i int) bool { return k.live == nil || k.live.Get(i) }

// null makes row i of out NULL.
func (k *call) null(out *stream.Vector, i int) { out.WithValidity(k.pool).Clear(i) }

// fail is the error of row i of the run, named by a row of the batch.
func (k *call) fail(i int, err error) error {
	return rowError(k.batchRow(i), k.name, err)
}

func (k *call) batchRow(i int) int {
	f := k.outer
	if k.indices == nil {
		if k.n == 1 && f.n != 1 {
			return f.first()
		}
		return i
	}
	for r := range f.rows() {
		row := r
		if f.sel != nil {
			row = int(f.sel[r])
		}
		if int(k.indices[row]) == i && (k.notNull == nil || k.notNull.Get(row)) {
			return row
		}
	}
	return f.first()
}
