package sdktest

import (
	"fmt"
	"strings"
	"testing"

	"millrace/sdk"
)

// listener is a test that goes on whatever it is told.
type listener struct {
	texts []string
	ends  []func()
}

func (*listener) Helper() {}
func (l *listener) Errorf(format string, args ...any) {
	l.texts = append(l.texts, fmt.Sprintf(format, args...))
}
func (l *listener) Fatalf(format string, args ...any) { l.Errorf(format, args...) }
func (l *listener) Cleanup(f func())                  { l.ends = append(l.ends, f) }

func (l *listener) heard(t *testing.T, want string) {
	t.Helper()
	for _, end := range l.ends {
		end()
	}
	if got := strings.Join(l.texts, "\n"); !strings.Contains(got, want) {
		t.Errorf("the test is told %q, not %q", got, want)
	}
}

// restless gives a row for each timer, which sets itself again for the time that has come.
func restless(e *sdk.Env) {
	numbers := sdk.From[int64](e, "in", sdk.Connect{Name: "none"})
	same := sdk.KeyBy(numbers, func(n *int64) int64 { return *n })
	sdk.KeyedProcess(same, "restless", func(*sdk.Setup) sdk.Processor[int64, int64, int64] {
		again := func(c *sdk.Context[int64, int64]) error {
			c.Collect(c.Key())
			c.SetClockTimer(c.Now())
			return nil
		}
		return sdk.Processor[int64, int64, int64]{
			Row:   func(c *sdk.Context[int64, int64], _ *int64) error { return again(c) },
			Timer: func(c *sdk.Context[int64, int64], _ sdk.Timer) error { return again(c) },
		}
	}).To("out", sdk.Connect{Name: "none"})
}

func TestAJobMustComeToRest(t *testing.T) {
	l := &listener{}
	p := Start(l, restless, Options{Seed: 1})
	p.steps = 100
	Push(p, "in", int64(1))
	l.heard(t, "does not come to rest")
}

func TestLeaksAreFound(t *testing.T) {
	l := &listener{}
	p := Start(l, restless, Options{})
	b := p.pool.Get(8)
	defer b.Release()
	l.heard(t, "1 buffers of rows were not given back")
}

// BenchmarkPipeline is what a test costs that does little: start, a row, a checkpoint, a crash, the end.
func BenchmarkPipeline(b *testing.B) {
	for b.Loop() {
		l := &listener{}
		p := Start(l, func(e *sdk.Env) {
			numbers := sdk.From[int64](e, "in", sdk.Connect{Name: "none"})
			sdk.Map(numbers, func(n *int64) (int64, error) { return *n, nil }).To("out", sdk.Connect{Name: "none"})
		}, Options{Parallelism: 2})
		Push(p, "in", int64(1))
		p.Checkpoint()
		p.Crash()
		p.End()
		l.ends[0]()
		if len(l.texts) > 0 {
			b.Fatal(l.texts)
		}
	}
}
