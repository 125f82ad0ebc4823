package operatortest

import (
	"fmt"
	"strings"
	"testing"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/union"
	"millrace/stream"
	"millrace/types"
)

var schema = types.NewSchema(types.Field{Name: "i", Type: types.Of(types.Int)})

// broken is a union with a planted bug.
type broken struct {
	operators.Operator
	bug   string
	calls int
	held  *stream.Batch
}

func (b *broken) Process(input int, in *stream.Batch) error {
	b.calls++
	switch {
	case b.bug == "loses a batch" && b.calls == 2:
		return nil
	case b.bug == "leaks":
		in.Retain()
	case b.bug == "holds back":
		b.held = in.Retain()
		return nil
	}
	return b.Operator.Process(input, in)
}

func (b *broken) Next() (operators.Output, error) {
	out, err := b.Operator.Next()
	if b.bug == "releases twice" && out.Batch != nil {
		for i := range out.Batch.Columns {
			out.Batch.Columns[i].Release()
		}
	}
	return out, err
}

// stopped is how a run ends that fails.
type stopped struct{ message string }

// recorder is a TB that stops by panic.
type recorder struct{}

func (recorder) Helper() {}
func (recorder) Fatalf(format string, args ...any) {
	panic(stopped{fmt.Sprintf(format, args...)})
}

// failureOf plays the bug and returns what the run says about it.
func failureOf(bug string, v Variant) (message string) {
	defer func() {
		if r := recover(); r != nil {
			message = fmt.Sprint(r)
		}
	}()
	c := &Case{
		Spec:   &jobgraph.OperatorSpec{UID: "u", Body: &jobgraph.UnionSpec{}},
		Inputs: []*types.Schema{schema},
		New: func(o *jobgraph.OperatorSpec) (operators.Operator, error) {
			u, err := union.New(o)
			return &broken{Operator: u, bug: bug}, err
		},
		Script: "1\n2\n3\nwatermark 7\n4\nend",
	}
	Play(recorder{}, c, v)
	return ""
}

func TestPlantedBugsAreFound(t *testing.T) {
	for bug, want := range map[string]string{
		"":               "",
		"loses a batch":  "4 rows went in, 3 came out",
		"leaks":          "leak",
		"holds back":     "4 rows went in, 0 came out",
		"releases twice": "released more often than retained",
	} {
		got := failureOf(bug, Variant{BatchRows: 1, RowsMax: 7})
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: run says %q, want %q", bug, got, want)
		}
	}
}

func TestScriptErrorsNameTheLine(t *testing.T) {
	for script, line := range map[string]string{"watermark x": "line 1", "1\ninput y": "line 2"} {
		if _, err := parseScript(script); err == nil || !strings.Contains(err.Error(), line) {
			t.Errorf("%q: %v", script, err)
		}
	}
}
