package json

import (
	"millrace/stream"
)

// object decodes the object whose brace opens before i into row `row` of cols,
// one column a field of the plan.
func (d *Decoder) object(o *object, cols []stream.Builder, row int, p []byte, i int) int {
	if !d.enter(i) {
		return stop
	}
	if d.careful {
		return d.lastOfEach(o, cols, row, p, i)
	}
	start, found := i, 0
	i = skipSpace(p, i)
	if i < len(p) && p[i] == '}' {
		return d.complete(o, cols, row, i+1)
	}
	for k := 0; ; k++ {
		var f int32
		if k < len(o.order) && o.order[k].at(p, i) {
			f = o.order[k].field
			i += len(o.order[k].token)
		} else if f, k, i = d.strangeKey(o, k, p, i); i == stop {
			return stop
		}
		if i < len(p) && p[i] <= ' ' {
			i = skipSpace(p, i)
		}
		if f == unwanted {
			i = d.skip(p, i)
		} else {
			b := &cols[f]
			if b.Len() != row {
				return d.lastOfEach(o, cols, row, p, start)
			}
			found++
			i = d.value(&o.fields[f].value, b, p, i)
		}
		if i == stop {
			if f != unwanted {
				d.within(o.fields[f].name)
			}
			return stop
		}
		if i < len(p) && p[i] <= ' ' {
			i = skipSpace(p, i)
		}
		if i < len(p) && p[i] == ',' {
			if i++; i < len(p) && p[i] <= ' ' {
				i = skipSpace(p, i)
			}
			continue
		}
		if i >= len(p) || p[i] != '}' {
			return d.broken(i, "expected , or } in an object")
		}
		break
	}
	if found == len(o.fields) {
		d.depth--
		return i + 1
	}
	return d.complete(o, cols, row, i+1)
}

// complete ends an object: fields that it lacks become NULL.
func (d *Decoder) complete(o *object, cols []stream.Builder, row int, i int) int {
	d.depth--
	for f := range o.fields {
		b := &cols[f]
		if b.Len() != row {
			continue
		}
		if d.opts.FailOnMissingField {
			d.refuse(i-1, "field is missing")
			return d.within(o.fields[f].name)
		}
		if !o.fields[f].nullable {
			d.refuse(i-1, "field is missing and its column is NOT NULL")
			return d.within(o.fields[f].name)
		}
		b.AppendNull()
	}
	return i
}

// strangeKey reads a key that is not the one the record before had in its
// place. It returns the field and which place of the order the key takes.
func (d *Decoder) strangeKey(o *object, k int, p []byte, i int) (f int32, place, next int) {
	f, next = d.key(o, p, i)
	if next == stop {
		return f, k, stop
	}
	token := p[i:next]
	for q := k + 1; q < len(o.order) && f != unwanted; q++ {
		if o.order[q].field == f && o.order[q].at(p, i) {
			return f, q, next // keys between were left out of this record
		}
	}
	o.learn(k, token, f)
	return f, k, next
}

// learn remembers a key as the k-th.
func (o *object) learn(k int, token []byte, f int32) {
	if k >= orderMax || len(token) > tokenMax {
		return
	}
	if k == len(o.order) {
		o.order = append(o.order, guess{})
	}
	if k < len(o.order) {
		o.order[k].set(token, f)
	}
}

// key reads a key and its colon and looks the key up.
func (d *Decoder) key(o *object, p []byte, i int) (f int32, next int) {
	if i >= len(p) || p[i] != '"' {
		return unwanted, d.broken(i, "expected a key")
	}
	name, i := d.text(p, i)
	if i == stop {
		return unwanted, stop
	}
	if i = d.colon(p, i); i == stop {
		return unwanted, stop
	}
	if f, ok := o.index[string(name)]; ok {
		return f, i
	}
	return unwanted, i
}

func (d *Decoder) colon(p []byte, i int) int {
	i = skipSpace(p, i)
	if i >= len(p) || p[i] != ':' {
		return d.broken(i, "expected : behind a key")
	}
	return i + 1
}

// lastOfEach decodes an object anew in which a key stands more than once: the
// last one counts. It notes where the last value of each field begins, then
// decodes those. Such objects are rare, so it may allocate. The rest of the
// record is decoded this way at once: trying the other way first would double
// the work with each level.
func (d *Decoder) lastOfEach(o *object, cols []stream.Builder, row int, p []byte, i int) int {
	d.careful = true
	last := make([]int, len(o.fields))
	end := d.eachMember(p, i, func(name []byte, at int) {
		if f, ok := o.index[string(name)]; ok {
			last[f] = at
		}
	})
	if end == stop {
		return stop
	}
	for f := range o.fields {
		cols[f].Truncate(row)
		if last[f] == 0 {
			continue
		}
		if d.value(&o.fields[f].value, &cols[f], p, last[f]) == stop {
			return d.within(o.fields[f].name)
		}
	}
	return d.complete(o, cols, row, end)
}

// eachMember calls visit with each key of the object whose brace opens before i
// and the position of its value, which is skipped. It returns the position
// behind the object.
func (d *Decoder) eachMember(p []byte, i int, visit func(name []byte, at int)) int {
	i = skipSpace(p, i)
	if i < len(p) && p[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(p) || p[i] != '"' {
			return d.broken(i, "expected a key")
		}
		name, j := d.text(p, i)
		if j == stop {
			return stop
		}
		if j = d.colon(p, j); j == stop {
			return stop
		}
		at := skipSpace(p, j)
		visit(name, at)
		if i = d.skip(p, at); i == stop {
			return stop
		}
		i = skipSpace(p, i)
		if i >= len(p) || (p[i] != ',' && p[i] != '}') {
			return d.broken(i, "expected , or } in an object")
		}
		if p[i] == '}' {
			return i + 1
		}
		i = skipSpace(p, i+1)
	}
}
