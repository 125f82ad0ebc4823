package over_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/operators/over"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var rows = types.NewSchema(
	types.Field{Name: "k", Type: types.Of(types.Int)},
	types.Field{Name: "t", Type: types.TimestampOf(3)},
	types.Field{Name: "v", Type: types.Of(types.BigInt)},
	types.Field{Name: "s", Type: types.StringType()},
)

var calls = []jobgraph.AggregateCall{
	{Func: "COUNT", Arg: jobgraph.CountStar, Name: "n"},
	{Func: "SUM", Arg: 2, Name: "sum"},
	{Func: "MAX", Arg: 3, Name: "most"},
}

func spec(frame jobgraph.FrameSpec, arrival bool) *jobgraph.OperatorSpec {
	return &jobgraph.OperatorSpec{UID: "over", Body: &jobgraph.OverAggregateSpec{
		Keys: []int{0}, Time: 1, Arrival: arrival, Frame: frame, Aggregates: calls,
	}}
}

func TestOver(t *testing.T) {
	script := `
		1 10 1 'b'
		1 5 2 'c'
		2 5 4 NULL
		1 10 8 'a'
		watermark 9
		1 9 100 'z'
		1 20 16 'a'
		NULL 20 1 'n'
		watermark 10
		end`
	for _, c := range []operatortest.Case{
		{
			Name: "all rows before, in the order of time", Spec: spec(jobgraph.FrameSpec{}, false), Script: script,
			Want: `
				1 5 2 'c' 1 2 'c'
				2 5 4 NULL 1 4 NULL
				1 10 1 'b' 2 3 'c'
				1 10 8 'a' 3 11 'c'
				1 20 16 'a' 4 27 'c'
				NULL 20 1 'n' 1 1 'n'`,
			Counts: &operators.Counts{Folded: 6, Late: 1},
		},
		{
			Name: "a range that is not bounded has all rows of a time", Spec: spec(jobgraph.FrameSpec{Range: true}, false), Script: script,
			Want: `
				1 5 2 'c' 1 2 'c'
				2 5 4 NULL 1 4 NULL
				1 10 1 'b' 3 11 'c'
				1 10 8 'a' 3 11 'c'
				1 20 16 'a' 4 27 'c'
				NULL 20 1 'n' 1 1 'n'`,
		},
		{
			Name: "one row before", Spec: spec(jobgraph.FrameSpec{Bounded: true, Preceding: 1}, false), Script: script,
			Want: `
				1 5 2 'c' 1 2 'c'
				2 5 4 NULL 1 4 NULL
				1 10 1 'b' 2 3 'c'
				1 10 8 'a' 2 9 'b'
				1 20 16 'a' 2 24 'a'
				NULL 20 1 'n' 1 1 'n'`,
		},
		{
			Name: "10 ms before", Spec: spec(jobgraph.FrameSpec{Range: true, Bounded: true, Preceding: 10}, false), Script: script,
			Want: `
				1 5 2 'c' 1 2 'c'
				2 5 4 NULL 1 4 NULL
				1 10 1 'b' 3 11 'c'
				1 10 8 'a' 3 11 'c'
				1 20 16 'a' 3 25 'b'
				NULL 20 1 'n' 1 1 'n'`,
		},
		{
			Name: "10 ms of processing time", Spec: spec(jobgraph.FrameSpec{Range: true, Bounded: true, Preceding: 10}, true),
			Script: "time 100\n1 NULL 1 'a'\n1 NULL 2 'b'\n2 NULL 4 'c'\ntime 110\n1 NULL 8 'a'\ntime 111\n1 NULL 16 'a'\ntime 200\nend",
			Want: `
				1 NULL 1 'a' 1 1 'a'
				1 NULL 2 'b' 2 3 'b'
				2 NULL 4 'c' 1 4 'c'
				1 NULL 8 'a' 3 11 'b'
				1 NULL 16 'a' 2 24 'a'`,
			Counts: &operators.Counts{},
		},
	} {
		c.New, c.Inputs, c.Backend, c.Keys = over.New, []*types.Schema{rows}, columnar.New(), [][]int{{0}}
		operatortest.Run(t, c)
	}
}

// TestDistinct: values come into a frame with the first of its rows that has them, and leave with the last. NULL is none, and a FILTER has values of
// its own.
func TestDistinct(t *testing.T) {
	distinct := func(frame jobgraph.FrameSpec, arrival bool) *jobgraph.OperatorSpec {
		s := spec(frame, arrival)
		s.Body.(*jobgraph.OverAggregateSpec).Aggregates = []jobgraph.AggregateCall{
			{Func: "COUNT", Arg: 3, Name: "texts", Distinct: true},
			{Func: "SUM", Arg: 2, Name: "sum", Distinct: true},
			{Func: "SUM", Arg: 2, Name: "admitted", Distinct: true, Filtered: true, Filter: 4},
		}
		return s
	}
	const script = `
		1 10 1 'b' TRUE
		1 5 1 'c' FALSE
		2 5 1 NULL NULL
		1 10 8 'c' FALSE
		watermark 9
		1 9 100 'z' TRUE
		1 20 8 'c' TRUE
		1 21 1 'b' FALSE
		watermark 20
		1 22 NULL 'd' TRUE
		end`
	counts := &operators.Counts{Folded: 7, Late: 1}
	for _, c := range []operatortest.Case{
		{
			Name: "all rows before", Spec: distinct(jobgraph.FrameSpec{}, false), Script: script, Counts: counts,
			Want: `
				1 5 1 'c' FALSE 1 1 NULL
				2 5 1 NULL NULL 0 1 NULL
				1 10 1 'b' TRUE 2 1 1
				1 10 8 'c' FALSE 2 9 1
				1 20 8 'c' TRUE 2 9 9
				1 21 1 'b' FALSE 2 9 9
				1 22 NULL 'd' TRUE 3 9 9`,
		},
		{
			Name: "a range that is not bounded has all rows of a time", Spec: distinct(jobgraph.FrameSpec{Range: true}, false), Script: script,
			Want: `
				1 5 1 'c' FALSE 1 1 NULL
				2 5 1 NULL NULL 0 1 NULL
				1 10 1 'b' TRUE 2 9 1
				1 10 8 'c' FALSE 2 9 1
				1 20 8 'c' TRUE 2 9 9
				1 21 1 'b' FALSE 2 9 9
				1 22 NULL 'd' TRUE 3 9 9`,
		},
		{
			Name: "two rows before", Spec: distinct(jobgraph.FrameSpec{Bounded: true, Preceding: 2}, false), Script: script, Counts: counts,
			Want: `
				1 5 1 'c' FALSE 1 1 NULL
				2 5 1 NULL NULL 0 1 NULL
				1 10 1 'b' TRUE 2 1 1
				1 10 8 'c' FALSE 2 9 1
				1 20 8 'c' TRUE 2 9 9
				1 21 1 'b' FALSE 2 9 8
				1 22 NULL 'd' TRUE 3 9 8`,
		},
		{
			Name: "10 ms before", Spec: distinct(jobgraph.FrameSpec{Range: true, Bounded: true, Preceding: 10}, false), Script: script,
			Want: `
				1 5 1 'c' FALSE 1 1 NULL
				2 5 1 NULL NULL 0 1 NULL
				1 10 1 'b' TRUE 2 9 1
				1 10 8 'c' FALSE 2 9 1
				1 20 8 'c' TRUE 2 9 9
				1 21 1 'b' FALSE 2 9 8
				1 22 NULL 'd' TRUE 3 9 8`,
		},
		{
			Name: "10 ms of processing time", Spec: distinct(jobgraph.FrameSpec{Range: true, Bounded: true, Preceding: 10}, true),
			Script: "time 100\n1 NULL 1 'a' TRUE\n1 NULL 1 'b' TRUE\n2 NULL 4 'c' TRUE\ntime 110\n1 NULL 8 'a' TRUE\ntime 111\n1 NULL 8 'a' NULL\ntime 200\nend",
			Want: `
				1 NULL 1 'a' TRUE 1 1 1
				1 NULL 1 'b' TRUE 2 1 1
				2 NULL 4 'c' TRUE 1 4 4
				1 NULL 8 'a' TRUE 2 9 9
				1 NULL 8 'a' NULL 1 8 8`,
		},
		{
			Name: "all rows before, by arrival", Spec: distinct(jobgraph.FrameSpec{}, true),
			Script: "1 NULL 1 'a' NULL\n1 NULL 1 'b' TRUE\n2 NULL 1 'a' TRUE\n1 NULL 2 'a' TRUE\nend",
			Want: `
				1 NULL 1 'a' NULL 1 1 NULL
				1 NULL 1 'b' TRUE 2 1 1
				2 NULL 1 'a' TRUE 1 1 1
				1 NULL 2 'a' TRUE 2 3 3`,
		},
	} {
		c.New, c.Inputs, c.Backend, c.Keys = over.New, []*types.Schema{flagged}, columnar.New(), [][]int{{0}}
		operatortest.Run(t, c)
	}
}

// TestFunctions has the functions that go by the order of rows, and deviations.
func TestFunctions(t *testing.T) {
	functions := func(frame jobgraph.FrameSpec) *jobgraph.OperatorSpec {
		s := spec(frame, false)
		s.Body.(*jobgraph.OverAggregateSpec).Aggregates = []jobgraph.AggregateCall{
			{Func: "FIRST_VALUE", Arg: 3, Name: "first"},
			{Func: "LAST_VALUE", Arg: 3, Name: "last"},
			{Func: "LISTAGG", Arg: 3, Name: "list", Separator: ""},
			{Func: "SUM0", Arg: 2, Name: "sum"},
			{Func: "VAR_SAMP", Arg: 2, Name: "var"},
			{Func: "STDDEV_POP", Arg: 2, Name: "dev"},
		}
		return s
	}
	const script = "1 5 3 'c'\n1 1 NULL NULL\n1 2 9 'a'\n1 7 3 'b'\nend"
	for _, c := range []operatortest.Case{
		{
			Name: "all rows before", Spec: functions(jobgraph.FrameSpec{}), Script: script,
			Want: `
				1 1 NULL NULL NULL NULL NULL 0 NULL NULL
				1 2 9 'a' 'a' 'a' 'a' 9 NULL 0
				1 5 3 'c' 'a' 'c' 'ac' 12 18 3
				1 7 3 'b' 'a' 'b' 'acb' 15 12 2`,
		},
		{
			Name: "a row before", Spec: functions(jobgraph.FrameSpec{Bounded: true, Preceding: 1}), Script: script,
			Want: `
				1 1 NULL NULL NULL NULL NULL 0 NULL NULL
				1 2 9 'a' 'a' 'a' 'a' 9 NULL 0
				1 5 3 'c' 'a' 'c' 'ac' 12 18 3
				1 7 3 'b' 'c' 'b' 'cb' 6 0 0`,
		},
	} {
		c.New, c.Inputs, c.Backend, c.Keys = over.New, []*types.Schema{rows}, columnar.New(), [][]int{{0}}
		operatortest.Run(t, c)
	}
}

// placeCalls are the functions that go by the place of a row: values of fixed and of variable length, NULLs among them, and what stands for
// rows that are not there.
func placeCalls() []jobgraph.AggregateCall {
	return []jobgraph.AggregateCall{
		{Func: "RANK", Arg: jobgraph.CountStar, Name: "rank"},
		{Func: "DENSE_RANK", Arg: jobgraph.CountStar, Name: "dense"},
		{Func: "LAG", Arg: 2, Name: "before", Offset: 1},
		{Func: "LAG", Arg: 3, Name: "text", Offset: 2},
		{Func: "LAG", Arg: 2, Name: "or own key", Offset: 2, Defaulted: true, Default: 2},
		{Func: "LAG", Arg: 3, Name: "own", Offset: 0},
	}
}

func TestPlaces(t *testing.T) {
	places := func(arrival bool) *jobgraph.OperatorSpec {
		s := spec(jobgraph.FrameSpec{}, arrival)
		s.Body.(*jobgraph.OverAggregateSpec).Aggregates = placeCalls()
		return s
	}
	for _, c := range []operatortest.Case{
		{
			Name: "in the order of time", Spec: places(false), Script: `
				1 10 1 'b'
				1 5 2 'c'
				2 5 4 NULL
				1 10 NULL ''
				watermark 9
				1 9 100 'z'
				1 20 16 'a long text'
				1 10 3 NULL
				watermark 10
				1 20 17 'y'
				NULL 20 1 'n'
				end`,
			Want: `
				1 5 2 'c' 1 1 NULL NULL 2 'c'
				2 5 4 NULL 1 1 NULL NULL 4 NULL
				1 10 1 'b' 2 2 2 NULL 1 'b'
				1 10 NULL '' 2 2 1 'c' 2 ''
				1 10 3 NULL 2 2 NULL 'b' 1 NULL
				1 20 16 'a long text' 5 3 3 '' NULL 'a long text'
				1 20 17 'y' 5 3 16 NULL 3 'y'
				NULL 20 1 'n' 1 1 NULL NULL 1 'n'`,
			Counts: &operators.Counts{Folded: 8, Late: 1},
		},
		{
			Name: "by arrival no row is another's peer", Spec: places(true), Script: "1 NULL 1 'a'\n2 NULL NULL 'b'\n1 NULL 2 'c'\n1 NULL 3 NULL\n2 NULL 9 NULL\nend",
			Want: `
				1 NULL 1 'a' 1 1 NULL NULL 1 'a'
				2 NULL NULL 'b' 1 1 NULL NULL NULL 'b'
				1 NULL 2 'c' 2 2 1 NULL 2 'c'
				1 NULL 3 NULL 3 3 2 'a' 1 NULL
				2 NULL 9 NULL 2 2 NULL NULL 9 NULL`,
		},
	} {
		c.New, c.Inputs, c.Backend, c.Keys = over.New, []*types.Schema{rows}, columnar.New(), [][]int{{0}}
		operatortest.Run(t, c)
	}
}

// TestLagOfLayouts: a value comes out of the queue as it went in, whatever its type.
func TestLagOfLayouts(t *testing.T) {
	for _, c := range []struct {
		of     types.Type
		values [3]string
	}{
		{types.Of(types.Boolean), [3]string{"TRUE", "FALSE", "TRUE"}},
		{types.Of(types.TinyInt), [3]string{"-3", "127", "0"}},
		{types.Of(types.SmallInt), [3]string{"-300", "7", "0"}},
		{types.Of(types.Float), [3]string{"-0.5", "1.25", "0.0"}},
		{types.Of(types.Double), [3]string{"-0.5", "1e300", "0.0"}},
		{types.DecimalOf(10, 2), [3]string{"-1.25", "99999999.99", "0.00"}},
		{types.DecimalOf(38, 2), [3]string{"-123456789012345678901234567890.25", "1.00", "0.00"}},
		{types.Of(types.Date), [3]string{"19000", "-1", "0"}},
	} {
		in := types.NewSchema(types.Field{Name: "v", Type: c.of})
		v := c.values
		operatortest.Run(t, operatortest.Case{
			Name: c.of.String(), New: over.New, Inputs: []*types.Schema{in}, Keys: [][]int{{}}, Backend: columnar.New(),
			Spec: &jobgraph.OperatorSpec{UID: "over", Body: &jobgraph.OverAggregateSpec{
				Arrival: true, Aggregates: []jobgraph.AggregateCall{{Func: "LAG", Arg: 0, Name: "before", Offset: 1}},
			}},
			Script: v[0] + "\n" + v[1] + "\nNULL\n" + v[2] + "\nend",
			Want:   v[0] + " NULL\n" + v[1] + " " + v[0] + "\nNULL " + v[1] + "\n" + v[2] + " NULL",
		})
	}
}

// flagged are rows with a column for FILTER behind them.
var flagged = types.NewSchema(append(slices.Clone(rows.Fields), types.Field{Name: "b", Type: types.Of(types.Boolean)})...)

// modelCalls are what models answer: calls, and the values of a frame once each.
var modelCalls = append(slices.Clone(calls),
	jobgraph.AggregateCall{Func: "COUNT", Arg: 3, Name: "texts", Distinct: true},
	jobgraph.AggregateCall{Func: "SUM", Arg: 2, Name: "once", Distinct: true},
	jobgraph.AggregateCall{Func: "COUNT", Arg: 2, Name: "admitted", Distinct: true, Filtered: true, Filter: 4},
	jobgraph.AggregateCall{Func: "LISTAGG", Arg: 3, Name: "list", Distinct: true, Separator: ""},
	ownCalls[0], ownCalls[1], ownCalls[2], ownCalls[3])

// slidingCalls are those of them that a slider answers.
var slidingCalls = append(append(slices.Clone(modelCalls[:2]), modelCalls[3:6]...), ownCalls...)

// answerOf returns what modelCalls, or slidingCalls, are over rows.
func answerOf(frame [][]string, sliding bool) string {
	sum, some, most := int64(0), "NULL", "NULL"
	texts, once, admitted, list := map[string]bool{}, map[string]bool{}, map[string]bool{}, ""
	total, all := int64(0), "NULL"
	for _, r := range frame {
		if v := r[2]; v != "NULL" {
			sum += number(v)
			some = strconv.FormatInt(sum, 10)
			if !once[v] {
				total += number(v)
				all = strconv.FormatInt(total, 10)
			}
			once[v] = true
			if r[4] == "TRUE" {
				admitted[v] = true
			}
		}
		if s := r[3]; s != "NULL" {
			if most == "NULL" || s > most {
				most = s
			}
			if !texts[s] {
				list += strings.Trim(s, "'")
			}
			texts[s] = true
		}
	}
	if sliding {
		return fmt.Sprintf("%d %s %d %s %d %s", len(frame), some, len(texts), all, len(admitted), ownOf(frame))
	}
	if list != "" {
		list = "'" + list + "'"
	} else {
		list = "NULL"
	}
	return fmt.Sprintf("%d %s %s %d %s %d %s %s", len(frame), some, most, len(texts), all, len(admitted), list, ownOf(frame))
}

// placesOf returns what placeCalls are of the last of some rows, of which peers have the same value in a column.
func placesOf(up [][]string, order int) string {
	row, rank, dense := up[len(up)-1], 0, 0
	for i, r := range up {
		if i == 0 || r[order] != up[i-1][order] {
			rank, dense = i+1, dense+1
		}
	}
	back := func(n, column int, instead string) string {
		if len(up) <= n {
			return instead
		}
		return up[len(up)-1-n][column]
	}
	return fmt.Sprintf(" %d %d %s %s %s %s", rank, dense, back(1, 2, "NULL"), back(2, 3, "NULL"), back(2, 2, row[2]), row[3])
}

// model answers rows from plain lists.
type model struct {
	frame   jobgraph.FrameSpec
	sliding bool
	arrival bool
	past    map[string][][]string
	waiting [][]string
	out     []string
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// answer answers a row that is the last of its key, or one of the last with its time.
func (m *model) answer(row []string) {
	all := m.past[row[0]]
	if !m.frame.Range || m.arrival {
		i := slices.IndexFunc(all, func(r []string) bool { return &r[0] == &row[0] })
		all = all[:i+1]
	}
	if m.frame.Bounded && !m.frame.Range {
		all = all[max(0, len(all)-1-int(m.frame.Preceding)):]
	}
	var frame [][]string
	for _, r := range all {
		if !m.frame.Range || !m.frame.Bounded || number(r[1]) >= number(row[1])-m.frame.Preceding {
			frame = append(frame, r)
		}
	}
	places := ""
	if m.frame == (jobgraph.FrameSpec{}) {
		order := 1
		if m.arrival {
			order = arrived
		}
		places = placesOf(frame, order)
	}
	m.out = append(m.out, strings.Join(row[:arrived], " ")+" "+answerOf(frame, m.sliding)+places)
}

// arrived is where a model's row has a number that no other has, behind the columns.
const arrived = 5

// pass answers the rows that waited for a watermark.
func (m *model) pass(w int64) {
	slices.SortStableFunc(m.waiting, func(a, b []string) int { return int(number(a[1]) - number(b[1])) })
	for len(m.waiting) > 0 && number(m.waiting[0][1]) <= w {
		n := 0
		for n < len(m.waiting) && m.waiting[n][1] == m.waiting[0][1] {
			m.past[m.waiting[n][0]] = append(m.past[m.waiting[n][0]], m.waiting[n])
			n++
		}
		for _, r := range m.waiting[:n] {
			m.answer(r)
		}
		m.waiting = m.waiting[n:]
	}
}

func TestOverEqualsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		m := &model{past: map[string][][]string{}, arrival: r.IntN(3) == 0}
		m.frame = jobgraph.FrameSpec{Range: r.IntN(2) == 0, Bounded: r.IntN(3) > 0}
		if m.frame.Bounded {
			m.frame.Preceding = int64(r.IntN(8))
		}
		m.sliding = m.frame.Bounded && !m.frame.Range && r.IntN(3) == 0
		if m.sliding {
			m.frame.Preceding = int64(32 + r.IntN(10))
		}
		m.arrival = m.arrival && !m.frame.Range // its time is not a column's
		var script []string
		at, watermark, late := int64(0), int64(-1<<62), int64(0)
		keys, least, most, period := []string{"1", "2", "NULL"}, 0, 60, 0
		if m.sliding { // values come again about when they leave a frame
			keys, least, most, period = keys[:1], 40, 200, int(m.frame.Preceding)+r.IntN(4)
		}
		for i := range rapid.IntRange(least, most).Draw(t, "rows") {
			at += int64(r.IntN(4))
			pick := func(of ...string) string { return of[r.IntN(len(of))] }
			row := []string{pick(keys...), strconv.FormatInt(at-int64(r.IntN(6)), 10), pick("NULL", "1", "2", "40"), pick("NULL", "'a'", "'b'"), pick("NULL", "TRUE", "FALSE")}
			if m.sliding {
				row[2] = strconv.Itoa(i % period)
			}
			script = append(script, strings.Join(row, " "))
			row = append(row, strconv.Itoa(i))
			switch {
			case m.arrival:
				m.past[row[0]] = append(m.past[row[0]], row)
				m.answer(row)
			case number(row[1]) <= watermark:
				late++
			default:
				m.waiting = append(m.waiting, row)
			}
			if r.IntN(5) == 0 && at-3 > watermark {
				watermark = at - 3
				script = append(script, "watermark "+strconv.FormatInt(watermark, 10))
				m.pass(watermark)
			}
		}
		m.pass(1 << 62)
		of := spec(m.frame, m.arrival)
		of.Body.(*jobgraph.OverAggregateSpec).Aggregates = modelCalls
		if m.frame == (jobgraph.FrameSpec{}) {
			of.Body.(*jobgraph.OverAggregateSpec).Aggregates = append(slices.Clone(modelCalls), placeCalls()...)
		}
		if m.sliding { // no extremes and lists, which can't be taken back
			of.Body.(*jobgraph.OverAggregateSpec).Aggregates = slidingCalls
		}
		c := &operatortest.Case{
			Spec: of, New: over.New, Inputs: []*types.Schema{flagged}, Keys: [][]int{{0}}, Backend: columnar.New(), Functions: ownFunctions,
			Script: strings.Join(append(script, "end"), "\n"),
		}
		all := c.Variants()
		v := all[rapid.IntRange(0, len(all)-1).Draw(t, "variant")]
		v.Seed = r.Uint64()
		out := operatortest.Play(t, c, v)
		if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, strings.Join(m.out, "\n")), out.Rows[0], false); diff != "" {
			t.Fatalf("%+v, by arrival %v\n%s\n(-model +operator):\n%s", m.frame, m.arrival, c.Script, diff)
		}
		if out.Counts.Late != late {
			t.Fatalf("%d rows late, want %d", out.Counts.Late, late)
		}
	})
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*jobgraph.OverAggregateSpec)
	}{
		{"frame", "begins -1 preceding", func(s *jobgraph.OverAggregateSpec) { s.Frame = jobgraph.FrameSpec{Bounded: true, Preceding: -1} }},
		{"time", "time column v", func(s *jobgraph.OverAggregateSpec) { s.Time = 2 }},
		{"distinct", "needs a column", func(s *jobgraph.OverAggregateSpec) {
			s.Aggregates = []jobgraph.AggregateCall{{Func: "COUNT", Arg: jobgraph.CountStar, Name: "x", Distinct: true}}
		}},
		{"rank over a slider", "RANK goes by all rows", func(s *jobgraph.OverAggregateSpec) {
			s.Frame = jobgraph.FrameSpec{Bounded: true, Preceding: 100}
			s.Aggregates = []jobgraph.AggregateCall{{Func: "RANK", Arg: jobgraph.CountStar, Name: "x"}}
		}},
		{"rows behind", "LEAD needs the rows behind a row", func(s *jobgraph.OverAggregateSpec) {
			s.Aggregates = []jobgraph.AggregateCall{{Func: "LEAD", Arg: 2, Name: "x", Offset: 1}}
		}},
		{"no tiles", "NTILE of 0 tiles", func(s *jobgraph.OverAggregateSpec) {
			s.Order, s.FinalOnly = []jobgraph.SortColumn{{Column: 2}}, true
			s.Aggregates = []jobgraph.AggregateCall{{Func: "NTILE", Arg: jobgraph.CountStar, Name: "x"}}
		}},
		{"offset", "LAG of a row -1 in front", func(s *jobgraph.OverAggregateSpec) {
			s.Aggregates = []jobgraph.AggregateCall{{Func: "LAG", Arg: 2, Name: "x", Offset: -1}}
		}},
		{"default", "no column 9", func(s *jobgraph.OverAggregateSpec) {
			s.Aggregates = []jobgraph.AggregateCall{{Func: "LAG", Arg: 2, Name: "x", Offset: 1, Defaulted: true, Default: 9}}
		}},
		{"type of the default", "what stands for rows that are not there is STRING", func(s *jobgraph.OverAggregateSpec) {
			s.Aggregates = []jobgraph.AggregateCall{{Func: "LAG", Arg: 2, Name: "x", Offset: 1, Defaulted: true, Default: 3}}
		}},
	} {
		o := spec(jobgraph.FrameSpec{}, false)
		c.change(o.Body.(*jobgraph.OverAggregateSpec))
		op, err := over.New(o)
		if err == nil {
			err = op.Open(&operators.Context{Operator: "over", Inputs: []*types.Schema{rows}, RowsMax: 1, Counts: &operators.Counts{}})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// BenchmarkOver answers full batches of 1,000 keys by arrival.
func BenchmarkOver(b *testing.B) {
	for _, c := range []struct {
		name  string
		frame jobgraph.FrameSpec
	}{
		{"all rows", jobgraph.FrameSpec{}},
		{"10 rows", jobgraph.FrameSpec{Bounded: true, Preceding: 10}},
		{"1000 rows", jobgraph.FrameSpec{Bounded: true, Preceding: 1000}},
	} {
		for _, distinct := range []bool{false, true} {
			name := c.name
			if distinct {
				name += ", distinct"
			}
			b.Run(name, func(b *testing.B) {
				benchmarkOver(b, c.frame, jobgraph.AggregateCall{Func: "SUM", Arg: 1, Name: "x", Distinct: distinct})
			})
		}
	}
	for _, rows := range []int64{1, 100} {
		b.Run(fmt.Sprintf("lag %d", rows), func(b *testing.B) {
			benchmarkOver(b, jobgraph.FrameSpec{}, jobgraph.AggregateCall{Func: "LAG", Arg: 1, Name: "x", Offset: rows})
		})
	}
}

func benchmarkOver(b *testing.B, frame jobgraph.FrameSpec, call jobgraph.AggregateCall) {
	var pool stream.Pool
	store, err := columnar.New().Open(b.Context(), statebackend.OpenSpec{MaxParallelism: 128, KeyGroups: types.AllKeyGroups(128), Pool: &pool})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	s := types.NewSchema(types.Field{Name: "k", Type: types.Of(types.BigInt)}, types.Field{Name: "v", Type: types.Of(types.BigInt)})
	o := &jobgraph.OperatorSpec{UID: "over", Body: &jobgraph.OverAggregateSpec{
		Keys: []int{0}, Arrival: true, Frame: frame, Aggregates: []jobgraph.AggregateCall{call},
	}}
	out, _ := jobgraph.OutputSchema(o, []*types.Schema{s})
	op, err := over.New(o)
	if err != nil {
		b.Fatal(err)
	}
	defer op.Close()
	if err := op.Open(&operators.Context{
		Operator: "over", Inputs: []*types.Schema{s}, Output: out, Pool: &pool, State: store, Time: &operators.Time{},
		Watermark: stream.NoWatermark, RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	}); err != nil {
		b.Fatal(err)
	}
	in := pool.NewBatch(s, stream.RowsMax)
	for i, f := range s.Fields {
		in.Columns[i] = stream.NewFixed(&pool, f.Type, stream.RowsMax)
	}
	r := rand.New(rand.NewPCG(7, 7))
	for i := range stream.RowsMax {
		stream.Values[int64](&in.Columns[0])[i], stream.Values[int64](&in.Columns[1])[i] = r.Int64N(1000), r.Int64N(1000)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := op.Process(0, in); err != nil {
			b.Fatal(err)
		}
		for {
			out, err := op.Next()
			if err != nil {
				b.Fatal(err)
			}
			if out.Batch == nil {
				break
			}
			out.Batch.Release()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
}
