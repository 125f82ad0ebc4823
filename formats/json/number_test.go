package json

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// smallInt against strconv, wherever the number stands and whatever follows.
func TestSmallIntIsParseInt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,20}`).Draw(t, "number")
		tail := rapid.SampledFrom([]string{"", "}", ",", `,"key":"longer"`, ".5", "e3", "\xff\xff\xff\xff\xff\xff\xff\xff", "::::::::", "////////"}).Draw(t, "tail")
		got, next := smallInt([]byte(text+tail), 0)
		want, err := strconv.ParseInt(text, 10, 64)
		digits := len(text)
		if text[0] == '-' {
			digits--
		}
		simple := err == nil && digits <= digitsFast && (digits == 1 || text[len(text)-digits] != '0') && tail != ".5" && tail != "e3"
		if simple != (next != stop) || (simple && (got != want || next != len(text))) {
			t.Fatalf("%q is %d, %d; want %d, fast %v", text+tail, got, next, want, simple)
		}
	})
}
