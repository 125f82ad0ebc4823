package sdktest_test

import (
	"fmt"
	"testing"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// TestMapsChangeWhileTheyAreRead: a function may change a map, and read it otherwise, while it goes over it: each entry that was there comes once, as it was or as it has become.
func TestMapsChangeWhileTheyAreRead(t *testing.T) {
	const entries, moved = 700, 10_000
	p := sdktest.Start(t, func(e *sdk.Env) {
		in := sdk.KeyBy(sdk.From[int64](e, "in", anywhere), func(*int64) int64 { return 0 })
		sdk.KeyedProcess(in, "maps", func(s *sdk.Setup) sdk.Processor[int64, int64, string] {
			m := sdk.NewMap[int64, string](s, "map")
			return sdk.Processor[int64, int64, string]{Row: func(c *sdk.Context[int64, string], n *int64) error {
				if *n >= 0 {
					m.Put(*n, fmt.Sprint(*n))
					return nil
				}
				last := int64(-1)
				for k, v := range m.All() {
					if k <= last || v != fmt.Sprint(k) {
						return fmt.Errorf("%d: %s comes behind %d", k, v, last)
					}
					if got, ok := m.Get(k); !ok || got != v {
						return fmt.Errorf("%d is %s, %t while it is at hand", k, got, ok)
					}
					last = k
					m.Delete(k)
					if k < moved {
						c.Collect(v)
						m.Put(k+moved, fmt.Sprint(k+moved))
						m.Put(0, "0") // is behind those to come
						m.Delete(0)
					}
				}
				return nil
			}}
		}).To("out", anywhere)
	}, sdktest.Options{})
	for n := range int64(entries) {
		sdktest.Push(p, "in", n)
	}
	sdktest.Push(p, "in", int64(-1))
	var want []string
	for n := range entries {
		want = append(want, fmt.Sprint(n))
	}
	same(t, "entries", sdktest.Rows[string](p, "out"), want)
}
