package stream

import (
	"fmt"
	"testing"

	"millrace/types"
)

// rowVector has four rows of ROW<a BIGINT, s STRING>: a value, a NULL ROW, a
// ROW of which a is NULL, a value. Its children hold values where the ROW is
// NULL, as a decoder may leave them.
func rowVector(p *Pool) Vector {
	typ := types.RowOf(types.Field{Name: "a", Type: types.Of(types.BigInt)}, types.Field{Name: "s", Type: types.StringType()})
	a := NewFixed(p, types.Of(types.BigInt), 4)
	copy(Values[int64](&a), []int64{1, 2, 3, 4})
	a.WithValidity(p).Clear(2)
	valid := p.Get(8)
	bitmapOf(valid.data, 4)[0] = 0b1101
	v, err := VectorOver(typ, Parts{Rows: 4, Valid: valid.data, Children: []Vector{a, strs(p, "w", "x", "y", "z")}, Owner: valid})
	if err != nil {
		panic(err)
	}
	return v
}

func TestFieldOfEveryEncoding(t *testing.T) {
	var pool Pool
	for _, c := range []struct {
		name string
		make func() Vector
		want string
	}{
		{"flat", func() Vector { return rowVector(&pool) }, "1w NULL NULLy 4z"},
		{"dictionary", func() Vector {
			row := rowVector(&pool)
			v := DictionaryOf(row.Type, indices(&pool, 3, 1, 0, 2, 3), 5, row)
			v.WithValidity(&pool).Clear(4)
			return v
		}, "4z NULL 1w NULLy NULL"},
		{"constant", func() Vector {
			row := rowVector(&pool)
			defer row.Release()
			return ConstantOf(&pool, &row, 2, 2)
		}, "NULLy NULLy"},
		{"constant NULL", func() Vector {
			row := rowVector(&pool)
			defer row.Release()
			return ConstantOf(&pool, &row, 1, 2)
		}, "NULL NULL"},
		{"constant field", func() Vector {
			row := rowVector(&pool)
			one := ConstantOf(&pool, &row.children[1], 3, 4)
			row.children[1].Release()
			row.children[1] = one
			return row
		}, "1z NULL NULLz 4z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := c.make()
			a, s := v.Field(&pool, 0), v.Field(&pool, 1)
			n := v.Len()
			v.Release()
			got := ""
			for i := range n {
				cell := ""
				if !a.IsNull(i) {
					cell = fmt.Sprint(Value[int64](&a, i))
				}
				switch {
				case s.IsNull(i):
					cell = "NULL"
				case a.IsNull(i):
					cell = "NULL" + string(s.Bytes(i))
				default:
					cell += string(s.Bytes(i))
				}
				got += cell + " "
			}
			if got != c.want+" " {
				t.Errorf("fields are %s, want %s", got, c.want)
			}
			a.Release()
			s.Release()
			if pool.Live() != 0 {
				t.Errorf("%d buffers leak", pool.Live())
			}
		})
	}
}

// TestFieldSharesMemory: the values of a field are the ROW's.
func TestFieldSharesMemory(t *testing.T) {
	var pool Pool
	v := rowVector(&pool)
	live := pool.Live()
	s := v.Field(&pool, 1)
	if pool.Live() != live || &s.data[0] != &v.children[1].data[0] {
		t.Error("the field was copied")
	}
	s.Release()
	v.Release()
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}
