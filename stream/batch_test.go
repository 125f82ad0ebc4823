package stream

import (
	"slices"
	"testing"
	"unsafe"

	"millrace/types"
)

var oneInt = types.NewSchema(types.Field{Name: "i", Type: types.Of(types.BigInt)})

// intBatch has the rows 0, 10, 20, ...
func intBatch(p *Pool, n int) *Batch {
	b := p.NewBatch(oneInt, n)
	b.Columns[0] = NewFixed(p, oneInt.Fields[0].Type, n)
	for i := range n {
		Values[int64](&b.Columns[0])[i] = int64(i) * 10
	}
	return b
}

func choose(b *Batch, rows ...int32) {
	buf := b.Pool().Get(4 * len(rows))
	copy(Int32s(buf), rows)
	b.SetSel(buf, len(rows))
}

func selectedInts(b *Batch) []int64 {
	var out []int64
	for i := range b.Rows() {
		out = append(out, Value[int64](&b.Columns[0], b.Row(i)))
	}
	return out
}

// TestShareIsIndependentOfItsOrigin: another selection, other kinds and an
// earlier release of the one do not reach the other.
func TestShareIsIndependentOfItsOrigin(t *testing.T) {
	var pool Pool
	a := intBatch(&pool, 5)
	a.Split = 7
	a.MakeKinds()[4] = Delete
	choose(a, 1, 4)
	b := a.Share()
	if b.Split != 7 || !slices.Equal(b.Sel(), a.Sel()) || b.Kind(4) != Delete || b.Kind(0) != Insert {
		t.Errorf("share has split %d, selection %v, kinds %v", b.Split, b.Sel(), b.Kinds())
	}
	choose(b, 0, 2, 3)
	if got := selectedInts(a); !slices.Equal(got, []int64{10, 40}) {
		t.Errorf("origin became %v", got)
	}
	a.Release()
	if got := selectedInts(b); !slices.Equal(got, []int64{0, 20, 30}) {
		t.Errorf("share became %v", got)
	}
	b.Release()
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}

func TestShareRowsOfOtherColumns(t *testing.T) {
	var pool Pool
	a := intBatch(&pool, 3)
	choose(a, 2)
	c := pool.NewBatch(oneInt, a.Len())
	c.Columns[0] = NullOf(&pool, oneInt.Fields[0].Type, a.Len())
	a.ShareRows(c)
	a.Release()
	if c.Rows() != 1 || c.Row(0) != 2 || !c.Columns[0].IsNull(c.Row(0)) {
		t.Errorf("%d rows, first at %d", c.Rows(), c.Row(0))
	}
	c.Release()
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}

func TestEmptySelectionIsNoRow(t *testing.T) {
	var pool Pool
	b := intBatch(&pool, 3)
	defer b.Release()
	choose(b)
	if b.Rows() != 0 || b.Len() != 3 {
		t.Errorf("%d rows of %d", b.Rows(), b.Len())
	}
}

func TestRetainKeepsABatchForEachOwner(t *testing.T) {
	var pool Pool
	b := intBatch(&pool, 1)
	b.Retain()
	b.Release()
	if pool.Live() == 0 || Values[int64](&b.Columns[0])[0] != 0 {
		t.Error("released with an owner left")
	}
	b.Release()
	if pool.Live() != 0 || pool.LiveBytes() != 0 {
		t.Errorf("%d buffers and %d bytes live", pool.Live(), pool.LiveBytes())
	}
	defer func() {
		if recover() == nil {
			t.Error("one release too many does not panic")
		}
	}()
	b.Release()
}

func TestSizeBytesCountsWhatIsUsed(t *testing.T) {
	var pool Pool
	small, large := intBatch(&pool, 0), intBatch(&pool, 1000)
	defer small.Release()
	defer large.Release()
	if small.SizeBytes() < 1 {
		t.Errorf("an empty batch costs %d", small.SizeBytes())
	}
	if d := large.SizeBytes() - small.SizeBytes(); d != 8000 {
		t.Errorf("1000 BIGINTs cost %d", d)
	}
}

func TestBuffersAreAlignedAndReused(t *testing.T) {
	var pool Pool
	for _, n := range []int{0, 1, 255, 256, 257, 1 << 16, 1<<maxClassBits + 1} {
		b := pool.Get(n)
		if len(b.Bytes()) < n || uintptr(unsafe.Pointer(unsafe.SliceData(b.Bytes())))%Alignment != 0 {
			t.Errorf("buffer of %d has %d bytes at %p", n, len(b.Bytes()), b.Bytes())
		}
		first := unsafe.SliceData(b.Bytes())
		b.Release()
		c := pool.Get(n)
		if n <= 1<<maxClassBits && unsafe.SliceData(c.Bytes()) != first {
			t.Errorf("buffer of %d is not reused", n)
		}
		c.Release()
	}
}
