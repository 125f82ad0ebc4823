package sdktest_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// sorted returns rows in the order of their text: tasks of one vertex write in any order.
func sorted[R any](in []R) []R {
	out := slices.Clone(in)
	slices.SortFunc(out, func(a, b R) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return out
}

func same[R any](t *testing.T, what string, got, want R) {
	t.Helper()
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// steps are calls that together make sessions of every sort.
var steps = []func(*sdktest.Pipeline){
	func(p *sdktest.Pipeline) {
		sdktest.Push(p, "clicks", click{"ann", 1, at(1)}, click{"bob", 2, at(3)}, click{"ann", 3, at(2)})
	},
	func(p *sdktest.Pipeline) { sdktest.Push(p, "clicks", click{"cid", 4, at(9)}, click{"ann", 5, at(8)}) },
	func(p *sdktest.Pipeline) { p.Watermark("clicks", at(13)) },
	func(p *sdktest.Pipeline) { sdktest.Push(p, "clicks", click{"bob", 6, at(12)}, click{"bob", 7, at(14)}) },
	func(p *sdktest.Pipeline) { sdktest.Push(p, "clicks", click{"dan", 8, at(31)}) },
	func(p *sdktest.Pipeline) { p.Advance(time.Minute) },
	func(p *sdktest.Pipeline) { p.End() },
}

func wantSessions() []session {
	return sorted([]session{{"ann", 3, "1 3 5"}, {"bob", 1, "2"}, {"cid", 1, "4"}, {"bob", 1, "7"}, {"dan", 1, "8"}})
}

func TestSessions(t *testing.T) {
	p := sdktest.Start(t, sessions, sdktest.Options{})
	for _, step := range steps {
		step(p)
	}
	same(t, "sessions", sdktest.Rows[session](p, "out"), []session{{"bob", 1, "2"}, {"ann", 3, "1 3 5"}, {"cid", 1, "4"}, {"bob", 1, "7"}, {"dan", 1, "8"}})
	same(t, "late", sdktest.Committed[click](p, "late"), []click{{"bob", 6, at(12)}})
}

// A crash, or two, at every step, with a checkpoint before or not, changes nothing of the output.
func TestCrashAtEveryStep(t *testing.T) {
	for _, o := range []sdktest.Options{{}, {Parallelism: 3}, {Parallelism: 2, Seed: 7}} {
		for saved := range steps {
			for crashed := saved; crashed <= len(steps); crashed++ {
				p := sdktest.Start(t, sessions, o)
				for i, step := range steps {
					if i == saved && saved > 0 {
						p.Checkpoint()
					}
					if i == crashed {
						p.Crash()
					}
					step(p)
				}
				if crashed == len(steps) {
					p.Crash()
				}
				what := fmt.Sprintf("%+v, checkpoint at %d, crash at %d", o, saved, crashed)
				same(t, what, sorted(sdktest.Committed[session](p, "out")), wantSessions())
				same(t, what, sdktest.Committed[click](p, "late"), []click{{"bob", 6, at(12)}})
			}
		}
	}
}

func TestUncommittedOutputIsDropped(t *testing.T) {
	p := sdktest.Start(t, doubled, sdktest.Options{})
	sdktest.Push(p, "in", 1, 2)
	same(t, "taken", sdktest.Take[int64](p, "out"), []int64{2, 4})
	same(t, "committed", sdktest.Committed[int64](p, "out"), nil)
	p.Checkpoint()
	same(t, "committed", sdktest.Committed[int64](p, "out"), []int64{2, 4})
	sdktest.Push(p, "in", 3)
	same(t, "taken", sdktest.Take[int64](p, "out"), []int64{6})
	p.Crash()
	same(t, "after a crash", sdktest.Rows[int64](p, "out"), []int64{2, 4, 6})
	same(t, "taken", sdktest.Take[int64](p, "out"), []int64{6})
	same(t, "taken", sdktest.Take[int64](p, "out"), nil)
}

func doubled(e *sdk.Env) {
	sdk.Map(sdk.From[int64](e, "in", anywhere), func(n *int64) (int64, error) { return 2 * *n, nil }).To("out", anywhere)
}
