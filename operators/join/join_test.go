package join_test

import (
	"strings"
	"testing"
	"time"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/join"
	"millrace/operators/operatortest"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

func field(name string, t types.Type) types.Field { return types.Field{Name: name, Type: t} }

var (
	orders = types.NewSchema(field("id", types.Of(types.Int)), field("item", types.StringType()))
	prices = types.NewSchema(field("id", types.Of(types.Int)), field("price", types.Of(types.BigInt)))
	inputs = []*types.Schema{orders, prices}

	factory = join.Factory(expr.Builtins())
	backend = columnar.New()

	byID    = jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}}
	retract = jobgraph.JoinSide{Changelog: jobgraph.RetractChangelog}
)

// call makes a call of a builtin function, or ends the test.
func call(t testing.TB, name string, args ...expr.Expr) expr.Expr {
	t.Helper()
	e, err := expr.NewCall(expr.Builtins(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func column(s *types.Schema, i int) expr.Expr {
	return &expr.Column{Index: i, Name: s.Fields[i].Name, T: s.Fields[i].Type}
}

// run plays one script through joins of several types.
func run(t *testing.T, name string, spec jobgraph.JoinSpec, script string, want map[jobgraph.JoinType]string) {
	t.Helper()
	for kind, rows := range want {
		s := spec
		s.Type = kind
		operatortest.Run(t, operatortest.Case{
			Name: name + "/" + kind.String(), Spec: &jobgraph.OperatorSpec{UID: "join", Body: &s}, New: factory,
			Inputs: inputs, Keys: [][]int{{0}, {0}}, Backend: backend, Script: script, Want: rows,
		})
	}
}

func TestRowsThatOnlyCome(t *testing.T) {
	run(t, "append", jobgraph.JoinSpec{Keys: byID}, `
		1 'pen'
		1 'pen'
		2 'cup'
		NULL 'nothing'
		input 1
		1 10
		NULL 11
		1 12
		3 30
		input 0
		3 'hat'
		3 NULL`,
		map[jobgraph.JoinType]string{
			jobgraph.InnerJoin: `
				1 'pen' 1 10
				1 'pen' 1 10
				1 'pen' 1 12
				1 'pen' 1 12
				3 'hat' 3 30
				3 NULL 3 30`,
			jobgraph.LeftJoin: `
				1 'pen' NULL NULL
				1 'pen' NULL NULL
				2 'cup' NULL NULL
				NULL 'nothing' NULL NULL
				-D 1 'pen' NULL NULL
				-D 1 'pen' NULL NULL
				1 'pen' 1 10
				1 'pen' 1 10
				1 'pen' 1 12
				1 'pen' 1 12
				3 'hat' 3 30
				3 NULL 3 30`,
			jobgraph.RightJoin: `
				1 'pen' 1 10
				1 'pen' 1 10
				NULL NULL NULL 11
				1 'pen' 1 12
				1 'pen' 1 12
				NULL NULL 3 30
				-D NULL NULL 3 30
				3 'hat' 3 30
				3 NULL 3 30`,
			jobgraph.FullJoin: `
				1 'pen' NULL NULL
				1 'pen' NULL NULL
				2 'cup' NULL NULL
				NULL 'nothing' NULL NULL
				-D 1 'pen' NULL NULL
				-D 1 'pen' NULL NULL
				1 'pen' 1 10
				1 'pen' 1 10
				NULL NULL NULL 11
				1 'pen' 1 12
				1 'pen' 1 12
				NULL NULL 3 30
				-D NULL NULL 3 30
				3 'hat' 3 30
				3 NULL 3 30`,
			jobgraph.SemiJoin: "1 'pen'\n1 'pen'\n3 'hat'\n3 NULL",
			jobgraph.AntiJoin: `
				1 'pen'
				1 'pen'
				2 'cup'
				NULL 'nothing'
				-D 1 'pen'
				-D 1 'pen'`,
		})
}

// TestRowsTakenBack: matches go and come; what isn't there is not taken back.
func TestRowsTakenBack(t *testing.T) {
	run(t, "retract", jobgraph.JoinSpec{Keys: byID, Left: retract, Right: retract}, `
		1 'pen'
		input 1
		1 10
		1 10
		-D 1 10
		-D 1 11
		-U 1 10
		+U 1 12
		input 0
		-U 1 'pen'
		+U 1 'cup'
		-D 1 'cup'
		-D 1 'cup'
		input 1
		-D 1 12`,
		map[jobgraph.JoinType]string{
			jobgraph.InnerJoin: `
				+I 1 'pen' 1 10
				+I 1 'pen' 1 10
				-D 1 'pen' 1 10
				-U 1 'pen' 1 10
				+U 1 'pen' 1 12
				-U 1 'pen' 1 12
				+U 1 'cup' 1 12
				-D 1 'cup' 1 12`,
			jobgraph.LeftJoin: `
				+I 1 'pen' NULL NULL
				-D 1 'pen' NULL NULL
				+I 1 'pen' 1 10
				+I 1 'pen' 1 10
				-D 1 'pen' 1 10
				-U 1 'pen' 1 10
				+I 1 'pen' NULL NULL
				-D 1 'pen' NULL NULL
				+I 1 'pen' 1 12
				-D 1 'pen' 1 12
				+I 1 'cup' 1 12
				-D 1 'cup' 1 12`,
			jobgraph.FullJoin: `
				+I 1 'pen' NULL NULL
				-D 1 'pen' NULL NULL
				+I 1 'pen' 1 10
				+I 1 'pen' 1 10
				-D 1 'pen' 1 10
				-D 1 'pen' 1 10
				+I 1 'pen' NULL NULL
				-D 1 'pen' NULL NULL
				+I 1 'pen' 1 12
				-D 1 'pen' 1 12
				+I NULL NULL 1 12
				-D NULL NULL 1 12
				+I 1 'cup' 1 12
				-D 1 'cup' 1 12
				+I NULL NULL 1 12
				-D NULL NULL 1 12`,
			jobgraph.SemiJoin: `
				+I 1 'pen'
				-U 1 'pen'
				+U 1 'pen'
				-U 1 'pen'
				+U 1 'cup'
				-D 1 'cup'`,
			jobgraph.AntiJoin: `
				+I 1 'pen'
				-D 1 'pen'
				+I 1 'pen'
				-D 1 'pen'`,
		})
}

// TestUpserts: an update takes back what stands in the table, and of a deletion only the key counts.
func TestUpserts(t *testing.T) {
	upsert := jobgraph.JoinSide{Changelog: jobgraph.UpsertChangelog, Unique: []int{0}}
	run(t, "upsert", jobgraph.JoinSpec{Keys: byID, Left: retract, Right: upsert}, `
		1 'pen'
		input 1
		+I 1 10
		+U 1 11
		+U 1 12
		-D 1 NULL
		-D 1 NULL
		+U 1 13`,
		map[jobgraph.JoinType]string{
			jobgraph.InnerJoin: `
				+I 1 'pen' 1 10
				-U 1 'pen' 1 10
				+U 1 'pen' 1 11
				-U 1 'pen' 1 11
				+U 1 'pen' 1 12
				-D 1 'pen' 1 12
				+I 1 'pen' 1 13`,
		})
	// Both sides, of other types each.
	run(t, "upserts", jobgraph.JoinSpec{Keys: byID, Left: upsert, Right: upsert}, `
		+I 1 'pen'
		input 1
		+I 1 10
		+U 1 11
		input 0
		+U 1 'cup'
		-D 1 NULL`,
		map[jobgraph.JoinType]string{
			jobgraph.InnerJoin: `
				+I 1 'pen' 1 10
				-U 1 'pen' 1 10
				+U 1 'pen' 1 11
				-U 1 'pen' 1 11
				+U 1 'cup' 1 11
				-D 1 'cup' 1 11`,
		})
}

// TestCondition: rows are matched where the condition is TRUE; rows without match are those for which it never is.
func TestCondition(t *testing.T) {
	both := jobgraph.CandidateSchema(orders, prices)
	dear := call(t, ">", column(both, 3), expr.BigInt(10))
	run(t, "condition", jobgraph.JoinSpec{Keys: byID, Condition: dear, Right: retract}, `
		1 'pen'
		2 'cup'
		input 1
		1 10
		1 11
		2 NULL
		-D 1 11`,
		map[jobgraph.JoinType]string{
			jobgraph.InnerJoin: "1 'pen' 1 11\n-D 1 'pen' 1 11",
			jobgraph.LeftJoin: `
				1 'pen' NULL NULL
				2 'cup' NULL NULL
				-D 1 'pen' NULL NULL
				1 'pen' 1 11
				-D 1 'pen' 1 11
				1 'pen' NULL NULL`,
			jobgraph.AntiJoin: "1 'pen'\n2 'cup'\n-D 1 'pen'\n1 'pen'",
		})
}

// TestNullsThatMeet: IS NOT DISTINCT FROM.
func TestNullsThatMeet(t *testing.T) {
	keys := jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}, NullsMeet: []bool{true}}
	run(t, "nulls", jobgraph.JoinSpec{Keys: keys}, "NULL 'a'\n1 'b'\ninput 1\nNULL 7", map[jobgraph.JoinType]string{
		jobgraph.InnerJoin: "NULL 'a' NULL 7",
		jobgraph.AntiJoin:  "NULL 'a'\n1 'b'\n-D NULL 'a'",
	})
}

// TestEveryPair: without keys all rows meet, in one task. NOT IN is an anti join with a condition that NULL meets.
func TestEveryPair(t *testing.T) {
	both := jobgraph.CandidateSchema(orders, prices)
	id, other := column(both, 0), column(both, 2)
	notIn := call(t, "OR", call(t, "OR", call(t, "=", id, other), call(t, "IS NULL", id)), call(t, "IS NULL", other))
	for _, c := range []operatortest.Case{
		{
			Name: "cross", Spec: &jobgraph.OperatorSpec{UID: "join", Body: &jobgraph.JoinSpec{}},
			Script: "1 'a'\n2 'b'\ninput 1\n3 30\nNULL 40",
			Want:   "1 'a' 3 30\n2 'b' 3 30\n1 'a' NULL 40\n2 'b' NULL 40",
		},
		{
			Name: "not in", Spec: &jobgraph.OperatorSpec{UID: "join", Body: &jobgraph.JoinSpec{Type: jobgraph.AntiJoin, Condition: notIn, Right: retract}},
			Script: "1 'a'\n2 'b'\nNULL 'c'\ninput 1\n1 0\nNULL 0\n-D NULL 0",
			Want:   "1 'a'\n2 'b'\nNULL 'c'\n-D 1 'a'\n-D NULL 'c'\n-D 2 'b'\n2 'b'",
		},
	} {
		c.New, c.Inputs, c.Backend = factory, inputs, backend
		operatortest.Run(t, c)
	}
}

// TestTimeToLive: a row that nobody wrote for long is absent at once, whether or not it was swept.
func TestTimeToLive(t *testing.T) {
	side := jobgraph.JoinSide{Changelog: jobgraph.RetractChangelog, TTL: time.Second}
	run(t, "ttl", jobgraph.JoinSpec{Keys: byID, Left: side, Right: retract}, `
		time 1000
		1 'old'
		2 'matched'
		time 1500
		1 'new'
		input 1
		2 20
		time 2000
		1 10
		2 21
		time 2499
		1 11
		time 2500
		1 12
		2 22
		input 0
		-D 1 'new'`,
		map[jobgraph.JoinType]string{
			jobgraph.InnerJoin: "2 'matched' 2 20\n1 'new' 1 10\n1 'new' 1 11",
			// The matches count as writes.
			jobgraph.LeftJoin: `
				1 'old' NULL NULL
				2 'matched' NULL NULL
				1 'new' NULL NULL
				-D 2 'matched' NULL NULL
				2 'matched' 2 20
				-D 1 'new' NULL NULL
				1 'new' 1 10
				2 'matched' 2 21
				1 'new' 1 11
				1 'new' 1 12
				2 'matched' 2 22
				-D 1 'new' 1 10
				-D 1 'new' 1 11
				-D 1 'new' 1 12`,
		})
}

func TestRefusals(t *testing.T) {
	var pool stream.Pool
	list := types.NewSchema(field("id", types.Of(types.Int)), field("all", types.ArrayOf(types.Of(types.Int))))
	op, err := factory(&jobgraph.OperatorSpec{UID: "join", Body: &jobgraph.JoinSpec{Keys: byID}})
	if err != nil {
		t.Fatal(err)
	}
	err = op.Open(&operators.Context{
		Operator: "join", Inputs: []*types.Schema{list, prices}, Output: jobgraph.CandidateSchema(list, prices), Pool: &pool,
		State: open(t, &pool), RowsMax: stream.RowsMax, Counts: &operators.Counts{}, Time: &operators.Time{},
	})
	if err == nil || !strings.Contains(err.Error(), "all") {
		t.Errorf("a column that state can't hold: %v", err)
	}
	if err := op.Close(); err != nil {
		t.Error(err)
	}
}
