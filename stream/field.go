package stream

// Field returns field i of a ROW vector as a vector of its own, under any
// encoding: NULL where the ROW is. It shares the ROW's memory and holds
// references of its own; only where both the ROW and the field have NULLs, a
// bitmap is made.
func (v *Vector) Field(p *Pool, i int) Vector {
	if v.Encoding == Dictionary {
		dict := v.dict.Field(p, i)
		out := Vector{
			Type: dict.Type, Encoding: Dictionary, n: v.n, valid: v.valid, data: v.data,
			dict: &dict, validBuf: v.validBuf, dataBuf: v.dataBuf,
		}
		v.validBuf.Retain()
		v.dataBuf.Retain()
		return out
	}
	out := v.children[i]
	out.Retain()
	if v.Encoding == Constant {
		return out.constantField(p, v)
	}
	if v.valid == nil {
		return out
	}
	if out.Encoding == Constant {
		out = out.repeated(p)
	}
	out.restrict(p, v)
	return out
}

// constantField makes a constant of the field v of the constant ROW row.
func (v *Vector) constantField(p *Pool, row *Vector) Vector {
	if row.IsNull(0) || v.IsNull(0) {
		t := v.Type
		v.Release()
		return NullOf(p, t, row.n)
	}
	if v.Encoding == Dictionary {
		out := ConstantOf(p, v, 0, row.n)
		v.Release()
		return out
	}
	v.Encoding, v.n = Constant, row.n
	return *v
}

// repeated makes a dictionary of the constant v, whose reference it takes
// over, so that each row has a validity of its own.
func (v *Vector) repeated(p *Pool) Vector {
	n := v.n
	one := *v
	one.n = 1
	one.Encoding = Flat
	buf := p.Get(n * 4)
	clear(buf.data[:n*4])
	return DictionaryOf(v.Type, buf, n, one)
}

// restrict makes NULL in v what is NULL in the ROW of which it is a field.
func (v *Vector) restrict(p *Pool, row *Vector) {
	if v.valid == nil {
		v.valid, v.validBuf = row.valid, row.validBuf
		if v.validBuf == nil {
			v.validBuf = row.dataBuf // VectorOver's owner of all parts
		}
		v.validBuf.Retain()
		return
	}
	own, ownBuf := v.valid, v.validBuf
	v.valid, v.validBuf = nil, nil
	both := v.WithValidity(p)
	for w := range both {
		both[w] = own[w] & row.valid[w]
	}
	ownBuf.Release()
}
