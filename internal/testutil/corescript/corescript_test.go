package corescript_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/internal/testutil/corescript"
)

// text is an effect.
type text string

func (t text) String() string { return string(t) }

// A core that adds up: every event is told as an effect, with the sum so far; a zero has none.
func TestPlay(t *testing.T) {
	sum := int64(0)
	got := corescript.Play("  add 3 for a start\nadd 0\ntwice 2\nshort\n", func(l corescript.Line) []int64 {
		if l.Word(0) == "twice" {
			return []int64{l.Number(1), l.Number(1)}
		}
		if l.Word(1) == "" && l.Rest(1) == "" {
			return nil
		}
		return []int64{l.Number(1)}
	}, func(n int64) []text {
		if sum += n; n == 0 {
			return nil
		}
		return []text{text(fmt.Sprintf("%d makes %d", n, sum))}
	})
	want := "> add 3 for a start\n3 makes 3\n> add 0\n> twice 2\n2 makes 5\n2 makes 7\n> short\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLine(t *testing.T) {
	l := corescript.Line{"fail", "x", "broken", "pipe"}
	if got := fmt.Sprint(l.Rest(2), "|", l.Rest(9), "|", l.Word(4), "|", l.Number(1)); got != "broken pipe|||0" {
		t.Error(got)
	}
}
