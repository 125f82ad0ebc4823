package join_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/join"
	"millrace/operators/operatortest"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var (
	timedLeft = types.NewSchema(
		field("k", types.Of(types.Int)), field("v", types.StringType()), field("t", types.TimestampOf(3)))
	timedRight = types.NewSchema(
		field("k", types.Of(types.Int)), field("w", types.StringType()), field("t", types.TimestampOf(3)))
	timedInputs = []*types.Schema{timedLeft, timedRight}

	intervals = join.IntervalFactory(expr.Builtins())
	windows   = join.WindowFactory(expr.Builtins())
	temporals = join.TemporalFactory(expr.Builtins())
)

// stamped writes the last number of each row, and that in the middle of a pair, as a time.
func ts(ms int) string { return "1970-01-01 00:00:00." + fmt.Sprintf("%03d", ms) }

func timedCase(name string, body jobgraph.OperatorBody, make operators.Factory, script, want string) operatortest.Case {
	for ms := range 100 {
		want = strings.ReplaceAll(want, fmt.Sprintf("@%02d", ms), ts(ms))
	}
	return operatortest.Case{
		Name: name, Spec: &jobgraph.OperatorSpec{UID: "join", Body: body}, New: make, Inputs: timedInputs,
		Keys: [][]int{{0}, {0}}, Backend: backend, Script: script, Want: want,
	}
}

func TestInterval(t *testing.T) {
	const script = `
		1 'a' 10
		1 'b' 20
		NULL 'n' 20
		input 1
		1 'x' 12
		1 'y' 15
		1 'z' 4
		2 'q' 30
		watermark 14
		input 0
		1 'late' 5
		watermark 90
		1 'later' 50
		end`
	within := func(kind jobgraph.JoinType) *jobgraph.IntervalJoinSpec {
		return &jobgraph.IntervalJoinSpec{Type: kind, Keys: byID, LeftTime: 2, RightTime: 2, Lower: -5 * time.Millisecond, Upper: 4 * time.Millisecond}
	}
	const pairs = "1 'a' @10 1 'x' @12\n1 'b' @20 1 'y' @15\n"
	for kind, want := range map[jobgraph.JoinType]string{
		jobgraph.InnerJoin: pairs,
		jobgraph.LeftJoin:  pairs + "NULL 'n' @20 NULL NULL NULL\n1 'late' @05 NULL NULL NULL\n1 'later' @50 NULL NULL NULL",
		jobgraph.RightJoin: pairs + "NULL NULL NULL 1 'z' @04\nNULL NULL NULL 2 'q' @30",
		jobgraph.FullJoin:  pairs + "NULL 'n' @20 NULL NULL NULL\n1 'late' @05 NULL NULL NULL\n1 'later' @50 NULL NULL NULL\nNULL NULL NULL 1 'z' @04\nNULL NULL NULL 2 'q' @30",
	} {
		operatortest.Run(t, timedCase(kind.String(), within(kind), intervals, script, want))
	}
}

// TestIntervalHoldsTimeBack: by the wider bound, but for the end.
func TestIntervalHoldsTimeBack(t *testing.T) {
	op, err := intervals(&jobgraph.OperatorSpec{Body: &jobgraph.IntervalJoinSpec{Lower: -5 * time.Second, Upper: 4 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	m := op.(operators.WatermarkMapper)
	if got := m.MapWatermark(10_000); got != 5_000 {
		t.Errorf("10 s is %d behind the join", got)
	}
	if got := m.MapWatermark(stream.MaxWatermark); got != stream.MaxWatermark {
		t.Errorf("the end is %d behind the join", got)
	}
}

func TestWindow(t *testing.T) {
	const script = `
		1 'a' 10
		1 'b' 10
		2 'c' 10
		NULL 'n' 20
		1 'd' 20
		input 1
		1 'x' 10
		1 'y' 20
		3 'z' 10
		watermark 9
		1 'late' 10
		input 0
		1 'late' 10
		2 'e' 30
		end`
	const pairs = "1 'a' @10 1 'x' @10\n1 'b' @10 1 'x' @10\n1 'd' @20 1 'y' @20\n"
	const left = "2 'c' @10 NULL NULL NULL\nNULL 'n' @20 NULL NULL NULL\n2 'e' @30 NULL NULL NULL\n"
	for kind, want := range map[jobgraph.JoinType]string{
		jobgraph.InnerJoin: pairs,
		jobgraph.LeftJoin:  pairs + left,
		jobgraph.RightJoin: pairs + "NULL NULL NULL 3 'z' @10",
		jobgraph.FullJoin:  pairs + left + "NULL NULL NULL 3 'z' @10",
		jobgraph.SemiJoin:  "1 'a' @10\n1 'b' @10\n1 'd' @20",
		jobgraph.AntiJoin:  "2 'c' @10\nNULL 'n' @20\n2 'e' @30",
	} {
		c := timedCase(kind.String(), &jobgraph.WindowJoinSpec{Type: kind, Keys: byID, LeftEnd: 2, RightEnd: 2}, windows, script, want)
		operatortest.Run(t, c)
	}
}

func TestTemporal(t *testing.T) {
	const script = `
		1 'early' 5
		1 'a' 10
		1 'b' 19
		1 'c' 20
		1 'd' 35
		-D 1 'd' 35
		2 'e' 20
		NULL 'n' 1
		input 1
		+I 1 'v10' 10
		-U 1 'v10' 10
		+U 1 'v20' 20
		-D 1 'v20' 30
		watermark 25
		+I 2 'v22' 22
		input 0
		2 'f' 26
		1 'g' 27
		1 'h' 31
		end`
	const pairs = "1 'a' @10 1 'v10' @10\n1 'b' @19 1 'v10' @10\n1 'c' @20 1 'v20' @20\n2 'f' @26 2 'v22' @22\n1 'g' @27 1 'v20' @20\n"
	for kind, want := range map[jobgraph.JoinType]string{
		jobgraph.InnerJoin: pairs,
		jobgraph.LeftJoin: pairs + `1 'early' @05 NULL NULL NULL
			+I 1 'd' @35 NULL NULL NULL
			-D 1 'd' @35 NULL NULL NULL
			2 'e' @20 NULL NULL NULL
			NULL 'n' @01 NULL NULL NULL
			1 'h' @31 NULL NULL NULL`,
	} {
		spec := &jobgraph.TemporalJoinSpec{Type: kind, Keys: byID, LeftTime: 2, RightTime: 2, Left: jobgraph.RetractChangelog}
		operatortest.Run(t, timedCase(kind.String(), spec, temporals, script, want))
	}
}

// TestTemporalCondition: a version that does not meet it is as good as none.
func TestTemporalCondition(t *testing.T) {
	both := jobgraph.CandidateSchema(timedLeft, timedRight)
	same := call(t, "=", column(both, 1), column(both, 4))
	spec := &jobgraph.TemporalJoinSpec{Type: jobgraph.LeftJoin, Keys: byID, LeftTime: 2, RightTime: 2, Condition: same}
	operatortest.Run(t, timedCase("event time", spec, temporals,
		"1 'a' 10\n1 'b' 10\n2 'c' 10\ninput 1\n1 'b' 5\nend",
		"1 'a' @10 NULL NULL NULL\n1 'b' @10 1 'b' @05\n2 'c' @10 NULL NULL NULL"))
	now := *spec
	now.ProcessingTime = true
	operatortest.Run(t, timedCase("processing time", &now, temporals,
		"input 1\n1 'b' 5\ninput 0\n1 'a' 10\n1 'b' 10\n2 'c' 10\nend",
		"1 'a' @10 NULL NULL NULL\n1 'b' @10 1 'b' @05\n2 'c' @10 NULL NULL NULL"))
}

func TestLatest(t *testing.T) {
	const script = `
		1 'a' 1
		input 1
		1 'v1' 1
		NULL 'v0' 1
		2 'w1' 1
		input 0
		1 'b' 2
		+I 2 'c' 2
		-D 2 'c' 2
		NULL 'n' 2
		input 1
		-U 1 'v1' 1
		+U 1 'v2' 2
		-D 2 'w1' 1
		input 0
		1 'd' 3
		2 'e' 3`
	const pairs = "1 'b' @02 1 'v1' @01\n+I 2 'c' @02 2 'w1' @01\n-D 2 'c' @02 2 'w1' @01\n1 'd' @03 1 'v2' @02\n"
	for kind, want := range map[jobgraph.JoinType]string{
		jobgraph.InnerJoin: pairs,
		jobgraph.LeftJoin:  pairs + "1 'a' @01 NULL NULL NULL\nNULL 'n' @02 NULL NULL NULL\n2 'e' @03 NULL NULL NULL",
	} {
		spec := &jobgraph.TemporalJoinSpec{Type: kind, Keys: byID, ProcessingTime: true, Left: jobgraph.RetractChangelog}
		operatortest.Run(t, timedCase(kind.String(), spec, temporals, script, want))
	}
}

// timedRow is a row of a random script.
type timedRow struct {
	key, value string
	time       int
}

func (r timedRow) String() string { return fmt.Sprintf("%s '%s' %s", r.key, r.value, ts(r.time)) }

// drawTimed draws a script in which no row is late, and its rows by input.
func drawTimed(r *rand.Rand) (script string, rows [2][]timedRow) {
	var lines []string
	watermark := 0
	for i := range 5 + r.IntN(60) {
		if r.IntN(8) == 0 {
			watermark += 1 + r.IntN(8)
			lines = append(lines, fmt.Sprintf("watermark %d", watermark))
			continue
		}
		input := r.IntN(2)
		row := timedRow{drawn(r, 3), strconv.Itoa(i), watermark + 2 + r.IntN(15)}
		rows[input] = append(rows[input], row)
		lines = append(lines, fmt.Sprintf("input %d", input), fmt.Sprintf("%s '%s' %d", row.key, row.value, row.time))
	}
	return joined(strings.Join(append(lines, "end"), "\n")), rows
}

// pairUp joins every row with every other.
func pairUp(kind jobgraph.JoinType, rows [2][]timedRow, meet func(l, r timedRow) bool) (out []string) {
	matched := make(map[string]bool)
	for _, l := range rows[0] {
		any := false
		for _, r := range rows[1] {
			if l.key == "NULL" || l.key != r.key || !meet(l, r) {
				continue
			}
			any, matched[r.value] = true, true
			if !kind.LeftOnly() {
				out = append(out, fmt.Sprintf("+I %s %s", l, r))
			}
		}
		switch {
		case kind.Outer(0) && !any:
			out = append(out, fmt.Sprintf("+I %s NULL NULL NULL", l))
		case kind == jobgraph.SemiJoin && any || kind == jobgraph.AntiJoin && !any:
			out = append(out, fmt.Sprintf("+I %s", l))
		}
	}
	for _, r := range rows[1] {
		if kind.Outer(1) && !matched[r.value] {
			out = append(out, fmt.Sprintf("+I NULL NULL NULL %s", r))
		}
	}
	return out
}

// TestTimedTwins: whatever the batches, watermarks, freezes and parallelisms, rows in time give what all rows against all
// others give.
func TestTimedTwins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		r := rand.New(rand.NewPCG(seed, 5))
		script, rows := drawTimed(r)
		both := jobgraph.CandidateSchema(timedLeft, timedRight)
		var condition expr.Expr
		holds := func(l, r timedRow) bool { return true }
		if r.IntN(2) == 0 {
			condition = call(&testing.B{}, "<", column(both, 1), column(both, 4))
			holds = func(l, r timedRow) bool { return l.value < r.value }
		}
		var c operatortest.Case
		var want []string
		kind := jobgraph.JoinType(r.IntN(4))
		switch r.IntN(3) {
		case 0:
			lower := r.IntN(16) - 10
			upper := lower + r.IntN(10)
			spec := &jobgraph.IntervalJoinSpec{
				Type: kind, Keys: byID, LeftTime: 2, RightTime: 2, Condition: condition,
				Lower: time.Duration(lower) * time.Millisecond, Upper: time.Duration(upper) * time.Millisecond,
			}
			c = timedCase("", spec, intervals, script, "")
			want = pairUp(kind, rows, func(l, r timedRow) bool {
				return r.time-l.time >= lower && r.time-l.time <= upper && holds(l, r)
			})
		case 1:
			kind = jobgraph.JoinType(r.IntN(6))
			spec := &jobgraph.WindowJoinSpec{Type: kind, Keys: byID, LeftEnd: 2, RightEnd: 2, Condition: condition}
			c = timedCase("", spec, windows, script, "")
			want = pairUp(kind, rows, func(l, r timedRow) bool { return l.time == r.time && holds(l, r) })
		default:
			kind = jobgraph.JoinType(r.IntN(2))
			spec := &jobgraph.TemporalJoinSpec{Type: kind, Keys: byID, LeftTime: 2, RightTime: 2, Condition: condition}
			c = timedCase("", spec, temporals, script, "")
			want = pairUp(kind, rows, func(l, right timedRow) bool { return isVersion(rows[1], l, right) && holds(l, right) })
		}
		v := operatortest.Variant{
			BatchRows: r.IntN(5), RowsMax: 1 + r.IntN(7), Reencode: r.IntN(2) == 0, Freeze: operatortest.Freeze(r.IntN(3)), Seed: seed,
		}
		v.Rescale = v.Freeze != operatortest.NoFreeze && r.IntN(2) == 0
		got := operatortest.Play(t, &c, v).Rows[0]
		if diff := streamtest.Diff(slices.Clone(want), got, false); diff != "" {
			t.Fatalf("%#v, %s\n%s\n(-want +got):\n%s", c.Spec.Body, v, script, diff)
		}
	})
}

// isVersion tells whether a right row is the last of its key that is not later than the left row; of one time the last that came.
func isVersion(all []timedRow, l, right timedRow) bool {
	version := timedRow{time: -1}
	for _, r := range all {
		if r.key == right.key && r.time <= l.time && r.time >= version.time {
			version = r
		}
	}
	return version == right
}
