package stream

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestBitmapEqualsBools: a bitmap behaves as a slice of booleans, whatever
// stands behind its last bit.
func TestBitmapEqualsBools(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Bool(), 0, 200).Draw(t, "bits")
		m := make(Bitmap, Words(len(want))+1)
		m.Fill(rapid.Bool().Draw(t, "before"))
		for i, v := range want {
			m.Put(i, v)
		}
		var sel []int32
		for i, v := range want {
			if m.Get(i) != v {
				t.Fatalf("bit %d is %v", i, m.Get(i))
			}
			if v {
				sel = append(sel, int32(i))
			}
		}
		if n := m.Count(len(want)); n != len(sel) {
			t.Fatalf("counts %d of %d", n, len(sel))
		}
		if got := m.AppendSet(nil, len(want)); !slices.Equal(got, sel) {
			t.Fatalf("set bits %v, want %v", got, sel)
		}
		if got := m.AppendSet([]int32{-1}, len(want)); got[0] != -1 || len(got) != len(sel)+1 {
			t.Fatalf("AppendSet overwrote what was there: %v", got)
		}
	})
}

func TestBitmapSetAndClearTouchOneBit(t *testing.T) {
	m := make(Bitmap, 3)
	for _, i := range []int{0, 63, 64, 191} {
		m.Set(i)
		if m.Count(192) != 1 || !m.Get(i) {
			t.Errorf("Set(%d) set %d bits", i, m.Count(192))
		}
		m.Clear(i)
		if m.Count(192) != 0 {
			t.Errorf("Clear(%d) left %d bits", i, m.Count(192))
		}
	}
}
