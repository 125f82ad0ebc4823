package stream

import (
	"testing"

	"millrace/types"
)

func strs(p *Pool, values ...string) Vector {
	b := NewBuilder(p, types.StringType(), len(values))
	for _, s := range values {
		if s == "NULL" {
			b.AppendNull()
		} else {
			b.AppendString(s)
		}
	}
	return b.Finish()
}

func indices(p *Pool, at ...int32) *Buffer {
	buf := p.Get(4 * len(at))
	copy(Int32s(buf), at)
	return buf
}

// TestDictionaryHasTwoPlacesForNull: its own bitmap and the dictionary's.
func TestDictionaryHasTwoPlacesForNull(t *testing.T) {
	var pool Pool
	v := DictionaryOf(types.StringType(), indices(&pool, 2, 0, 1, 0), 4, strs(&pool, "a", "NULL", "c"))
	v.WithValidity(&pool).Clear(3)
	for i, want := range []string{"c", "a", "NULL", "NULL"} {
		got := "NULL"
		if !v.IsNull(i) {
			got = string(v.Bytes(i))
		}
		if got != want {
			t.Errorf("row %d is %s, want %s", i, got, want)
		}
	}
	copied := NewBuilder(&pool, v.Type, 1)
	for i := range v.Len() {
		copied.AppendFrom(&v, i)
	}
	flat := copied.Finish()
	for i := range v.Len() {
		if a, b := v.IsNull(i), flat.IsNull(i); a != b || !a && string(v.Bytes(i)) != string(flat.Bytes(i)) {
			t.Errorf("row %d is copied wrongly", i)
		}
	}
	v.Retain()
	v.Release()
	if string(v.Bytes(0)) != "c" {
		t.Error("a retained dictionary was released")
	}
	v.Release()
	flat.Release()
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}

func TestDictionaryOfEveryFixedAccess(t *testing.T) {
	var pool Pool
	dict := NewFixed(&pool, types.Of(types.BigInt), 2)
	copy(Values[int64](&dict), []int64{7, 9})
	v := DictionaryOf(dict.Type, indices(&pool, 1, 1, 0), 3, dict)
	defer v.Release()
	if Value[int64](&v, 0) != 9 || Value[int64](&v, 2) != 7 || v.IsNull(1) {
		t.Error("values are read through the wrong index")
	}
	bits := NewFixed(&pool, types.Of(types.Boolean), 2)
	bits.Bits().Put(0, false)
	bits.Bits().Put(1, true)
	b := DictionaryOf(bits.Type, indices(&pool, 1, 0), 2, bits)
	defer b.Release()
	if !b.Bool(0) || b.Bool(1) {
		t.Error("booleans are read through the wrong index")
	}
}

func TestConstantOfAnyEncoding(t *testing.T) {
	var pool Pool
	flat := strs(&pool, "a", "NULL", "c")
	dict := DictionaryOf(flat.Type, indices(&pool, 2, 1), 2, strs(&pool, "a", "NULL", "c"))
	for _, c := range []struct {
		v    *Vector
		row  int
		want string
	}{{&flat, 2, "c"}, {&flat, 1, "NULL"}, {&dict, 0, "c"}, {&dict, 1, "NULL"}} {
		k := ConstantOf(&pool, c.v, c.row, 1000)
		again := ConstantOf(&pool, &k, 999, 3)
		for _, v := range []*Vector{&k, &again} {
			last := v.Len() - 1
			if v.Encoding != Constant || v.IsNull(last) != (c.want == "NULL") || !v.IsNull(last) && string(v.Bytes(last)) != c.want {
				t.Errorf("constant of row %d is not %s", c.row, c.want)
			}
			v.Release()
		}
	}
	none := ConstantOf(&pool, &flat, 0, 0)
	if none.Len() != 0 || none.Encoding != Flat {
		t.Errorf("a constant of no rows has %d, encoding %d", none.Len(), none.Encoding)
	}
	none.Release()
	flat.Release()
	dict.Release()
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}

func TestNullOfEveryType(t *testing.T) {
	var pool Pool
	for _, typ := range []types.Type{
		types.Of(types.Boolean), types.Of(types.Int), types.DecimalOf(38, 1), types.StringType(),
		types.ArrayOf(types.Of(types.Int)), types.RowOf(types.Field{Name: "a", Type: types.Of(types.Int)}), types.Of(types.Null),
	} {
		for _, n := range []int{0, 1, 70} {
			v := NullOf(&pool, typ, n)
			if v.Len() != n {
				t.Errorf("%s: %d rows, want %d", typ, v.Len(), n)
			}
			for i := range n {
				if !v.IsNull(i) {
					t.Errorf("%s: row %d is not NULL", typ, i)
				}
			}
			v.Release()
		}
	}
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}

func TestNewFixedIsValidUntilSaidOtherwise(t *testing.T) {
	var pool Pool
	v := NewFixed(&pool, types.Of(types.SmallInt), 130)
	defer v.Release()
	if v.HasNulls() {
		t.Error("carries NULLs from the start")
	}
	v.WithValidity(&pool).Clear(129)
	v.WithValidity(&pool) // a second call must not reset the first's
	if v.IsNull(128) || !v.IsNull(129) || v.Valid().Count(130) != 129 {
		t.Error("the bitmap is wrong")
	}
}
