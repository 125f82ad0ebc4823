package check_test

import (
	"errors"
	"strings"
	"testing"

	"millrace/internal/invariant"
	"millrace/operators"
	"millrace/operators/check"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var schema = types.NewSchema(
	types.Field{Name: "end", Type: types.TimestampOf(3)},
	types.Field{Name: "i", Type: types.Of(types.Int).NotNull()})

// scripted gives the batches it was told to, whatever it is asked.
type scripted struct {
	out []*stream.Batch
}

func (s *scripted) Open(*operators.Context) error    { return nil }
func (s *scripted) Process(int, *stream.Batch) error { return nil }
func (s *scripted) Advance(stream.Watermark) error   { return nil }
func (s *scripted) Flush() error                     { return nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) Next() (operators.Output, error) {
	if len(s.out) == 0 {
		return operators.Output{}, nil
	}
	b := s.out[0]
	s.out = s.out[1:]
	return operators.Output{Batch: b}, nil
}

// violation runs steps and returns the first that fails, in either kind of build.
func violation(steps ...func() error) (err error) {
	defer func() {
		if v, ok := recover().(*invariant.Violation); ok {
			err = v
		}
	}()
	for _, s := range steps {
		if err := s(); err != nil {
			return err
		}
	}
	return nil
}

func TestViolations(t *testing.T) {
	var pool stream.Pool
	batch := func(rows string) *stream.Batch { return streamtest.Batch(t, &pool, schema, rows) }
	short := batch("1 1\n2 2")
	short.SetLen(1)
	other := pool.NewBatch(types.NewSchema(schema.Fields[0]), 1)
	released := batch("5 5")
	selected := operators.Select(batch("1 1\n2 2"), []int32{1, 0})

	for _, c := range []struct {
		name, want string
		out        []*stream.Batch
		opts       check.Options
		run        func(o *check.Operator, drain func() error) []func() error
	}{
		{name: "nothing wrong", out: []*stream.Batch{batch("1 1"), batch("-D 7 1")}, opts: check.Options{Changelog: true, WindowEnd: -1}},
		{name: "empty batch", want: "0 rows", out: []*stream.Batch{batch("")}},
		{name: "too many rows", want: "3 rows, want 1 to 2", out: []*stream.Batch{batch("1 1\n2 2\n3 3")}},
		{name: "null", want: "column i is NULL", out: []*stream.Batch{batch("1 NULL")}},
		{name: "kind", want: "kind -U", out: []*stream.Batch{batch("-U 1 1")}},
		{name: "length", want: "has 2 rows in a batch of 1", out: []*stream.Batch{short}},
		{name: "schema", want: "batch of schema", out: []*stream.Batch{other}},
		{name: "selection", want: "selection has 0 behind 1", out: []*stream.Batch{selected}},
		{
			name: "late output", want: "behind the forwarded watermark 10", out: []*stream.Batch{nil, batch("5 1")}, opts: check.Options{Changelog: true},
			run: func(o *check.Operator, drain func() error) []func() error {
				return []func() error{drain, func() error { return o.Advance(20) }, drain}
			},
		},
		{
			name: "process before drained", want: "Process when not drained",
			run: func(o *check.Operator, _ func() error) []func() error {
				return []func() error{func() error { return o.Process(0, released) }}
			},
		},
		{
			name: "time goes back", want: "Advance to 10 from 10",
			run: func(o *check.Operator, drain func() error) []func() error {
				return []func() error{drain, func() error { return o.Advance(10) }}
			},
		},
		{
			name: "unasked output", want: "without input", out: []*stream.Batch{nil, batch("1 1")},
			run: func(_ *check.Operator, drain func() error) []func() error { return []func() error{drain, drain} },
		},
		{
			name: "finish early", want: "Finish at watermark 10",
			run: func(o *check.Operator, drain func() error) []func() error {
				return []func() error{drain, o.Finish}
			},
		},
		{
			name: "close twice", want: "Close when closed",
			run: func(o *check.Operator, _ func() error) []func() error { return []func() error{o.Close, o.Close} },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := check.Wrap(&scripted{out: c.out}, c.opts)
			open := func() error {
				return o.Open(&operators.Context{Operator: "op", Inputs: []*types.Schema{schema}, Output: schema, Watermark: 10, RowsMax: 2})
			}
			drain := func() error {
				for {
					if out, err := o.Next(); err != nil || out.Batch == nil {
						return err
					}
				}
			}
			if c.opts == (check.Options{}) {
				c.opts.WindowEnd = -1
				o = check.Wrap(&scripted{out: c.out}, c.opts)
			}
			steps := []func() error{open}
			if c.run != nil {
				steps = append(steps, c.run(o, drain)...)
			} else {
				steps = append(steps, drain)
			}
			err := violation(steps...)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			var v *invariant.Violation
			if err != nil && !errors.As(err, &v) {
				t.Errorf("%T is no violation of an invariant", err)
			}
		})
	}
}
