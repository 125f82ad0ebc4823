package stream

import (
	"testing"

	"millrace/types"
)

// TestAppendAllGrows: slices of any length, before and behind single values and
// NULLs.
func TestAppendAllGrows(t *testing.T) {
	var pool Pool
	b := NewBuilder(&pool, types.Of(types.BigInt), 2)
	AppendAll(b, []int64{})
	AppendAll(b, []int64{0, 1, 2})
	b.AppendNull()
	long := make([]int64, 1000)
	for i := range long {
		long[i] = int64(i + 4)
	}
	AppendAll(b, long)
	b.AppendInt64(1004)
	v := b.Finish()
	for i, x := range Values[int64](&v) {
		if null := i == 3; v.IsNull(i) != null || !null && x != int64(i) {
			t.Errorf("row %d is %d, NULL %t", i, x, v.IsNull(i))
		}
	}
	if v.Len() != 1005 {
		t.Errorf("%d rows, want 1005", v.Len())
	}
	v.Release()
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}

// TestKeysOfEveryWidthComeBack: Append64s of a type equals Append64 of each.
func TestKeysOfEveryWidthComeBack(t *testing.T) {
	var pool Pool
	for _, typ := range []types.Type{types.Of(types.BigInt), types.Of(types.Int), types.Of(types.SmallInt), types.Of(types.TinyInt)} {
		k := NewKeyBuilder(&pool, []types.Type{typ}, 1)
		k.Append64s([]int64{-3, 7})
		k.Append64(0, true)
		k.Append64s([]int64{100})
		got := k.Finish(0)
		for _, x := range []int64{-3, 7} {
			k.Append64(x, false)
		}
		k.Append64(0, true)
		k.Append64(100, false)
		want := k.Finish(0)
		if string(got.Data()) != string(want.Data()) || !got.IsNull(2) || got.IsNull(3) {
			t.Errorf("%s: %x, want %x", typ, got.Data(), want.Data())
		}
		got.Release()
		want.Release()
	}
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}

// TestNullSharesNoHashWithZero: tables of 64-bit keys tell NULL, which they store
// as 0, from 0 by the upper half of the hash alone.
func TestNullSharesNoHashWithZero(t *testing.T) {
	if HashNull()>>32 == HashUint64(0)>>32 {
		t.Error("the upper halves are equal")
	}
}
