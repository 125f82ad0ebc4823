package jobgraph

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"millrace/expr"
	"millrace/types"
)

// JoinType says which rows a join gives, in SQL's words.
type JoinType uint8

// The join types. Semi gives the left rows that have a match, Anti those that have none; both
// give the left input's columns only.
const (
	InnerJoin JoinType = iota
	LeftJoin
	RightJoin
	FullJoin
	SemiJoin
	AntiJoin
)

var joinTypeNames = []string{"inner", "left", "right", "full", "semi", "anti"}

// String returns the name of the type.
func (t JoinType) String() string {
	if int(t) >= len(joinTypeNames) {
		return fmt.Sprintf("JoinType(%d)", uint8(t))
	}
	return joinTypeNames[t]
}

// Outer tells whether rows of an input (0 is the left one) without a match leave too, with NULLs for the other's columns.
func (t JoinType) Outer(input int) bool {
	return t == FullJoin || t == LeftJoin && input == 0 || t == RightJoin && input == 1
}

// LeftOnly tells whether only left columns come out.
func (t JoinType) LeftOnly() bool { return t == SemiJoin || t == AntiJoin }

// Changelog says how the rows of an edge take others back, in Flink's words.
type Changelog uint8

// The changelogs.
const (
	AppendChangelog  Changelog = iota // never
	RetractChangelog                  // by a row with the same columns, of kind -U or -D
	UpsertChangelog                   // by a row with the same upsert key; of a -D only the key's columns count
)

var changelogNames = []string{"append", "retract", "upsert"}

// String returns the name of the changelog.
func (c Changelog) String() string {
	if int(c) >= len(changelogNames) {
		return fmt.Sprintf("Changelog(%d)", uint8(c))
	}
	return changelogNames[c]
}

// JoinKeys says which columns of two inputs must be equal.
type JoinKeys struct {
	Left, Right []int // columns of the inputs, as many of each; none: all rows meet
	// NullsMeet tells for each pair of columns whether NULL equals NULL, as IS NOT DISTINCT
	// FROM has it; empty: nowhere.
	NullsMeet []bool
}

// Of returns the columns of an input.
func (k *JoinKeys) Of(input int) []int {
	if input == 0 {
		return k.Left
	}
	return k.Right
}

// NullMeets tells whether NULL equals NULL in key column i.
func (k *JoinKeys) NullMeets(i int) bool { return i < len(k.NullsMeet) && k.NullsMeet[i] }

// JoinSide is what a join must know of one of its inputs.
type JoinSide struct {
	Changelog Changelog
	// Unique are columns that no two rows share at any time; empty: there are none that
	// the planner knows. An upsert changelog needs them, the keys of the join among them.
	Unique []int
	// TTL is how long a row is kept since it was last written; 0 is for ever.
	TTL time.Duration
}

// JoinSpec joins two changelogs for ever: each row meets all rows of the other input with equal keys, whenever they
// come. Its output has the columns of the left input, then those of the right one, whose names are made unique as Flink does.
type JoinSpec struct {
	Type JoinType
	Keys JoinKeys
	// Condition must be TRUE for a pair, over the columns of left and right; nil is no condition.
	Condition   expr.Expr
	Left, Right JoinSide
}

// Side returns what is known of an input.
func (s *JoinSpec) Side(input int) *JoinSide {
	if input == 0 {
		return &s.Left
	}
	return &s.Right
}

// Output returns the changelog of the join's rows.
func (s *JoinSpec) Output() Changelog {
	if s.Left.Changelog == AppendChangelog && s.Right.Changelog == AppendChangelog && (s.Type == InnerJoin || s.Type == SemiJoin) {
		return AppendChangelog
	}
	return RetractChangelog
}

func (*JoinSpec) kind() OperatorKind { return KindJoin }

func (*JoinSpec) inputs() (least, most int) { return 2, 2 }

func (s *JoinSpec) output(in []*types.Schema) (*types.Schema, error) {
	return JoinedSchema(s.Type, in[0], in[1]), nil
}

func (s *JoinSpec) passes(column int) (input, from int, ok bool) {
	return 0, column, s.Type.passesLeft(&s.Keys, column)
}

// passesLeft tells whether a column of a join's output is one of the left input's, unchanged in every row. Of an input
// whose width nobody tells that is sure of its keys only.
func (t JoinType) passesLeft(k *JoinKeys, column int) bool {
	return t.LeftOnly() || !t.Outer(1) && slices.Contains(k.Left, column)
}

// JoinedSchema returns the schema of a join's output: what an outer join pads may be NULL, and a name of the right input that the
// left one has gets the first number that makes it unique, from 0.
func JoinedSchema(t JoinType, left, right *types.Schema) *types.Schema {
	if t.LeftOnly() {
		return left
	}
	fields := make([]types.Field, 0, left.Len()+right.Len())
	seen := make(map[string]bool)
	for input, s := range []*types.Schema{left, right} {
		for _, f := range s.Fields {
			if t.Outer(1 - input) {
				f.Type.Nullable = true
			}
			name := f.Name
			for n := 0; input == 1 && seen[f.Name]; n++ {
				f.Name = fmt.Sprintf("%s%d", name, n)
			}
			seen[f.Name] = true
			fields = append(fields, f)
		}
	}
	return types.NewSchema(fields...)
}

// CandidateSchema returns the schema over which a join's condition is evaluated.
func CandidateSchema(left, right *types.Schema) *types.Schema {
	return JoinedSchema(InnerJoin, left, right)
}

func (s *JoinSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if int(s.Type) >= len(joinTypeNames) {
		c.addf("type", "there is no join type %d", s.Type)
	}
	c.joinKeys("keys", &s.Keys, in)
	for i, name := range []string{"left", "right"} {
		c.joinSide(name, s, i, in[i])
	}
	c.meetBoth(&s.Keys)
	return c.joined(s.Type, s.Condition, in)
}

// joined checks the condition of a join and returns the schema of its output.
func (c *operatorCheck) joined(t JoinType, condition expr.Expr, in []*types.Schema) *types.Schema {
	if in[0] == nil || in[1] == nil {
		return nil
	}
	if condition != nil && c.expr(c.id, c.at("condition"), condition, CandidateSchema(in[0], in[1])) {
		if got := condition.Type(); got.Kind != types.Boolean {
			c.addf("condition", "is %s, want BOOLEAN", got)
		}
	}
	return c.derived(c.id, c.field, JoinedSchema(t, in[0], in[1]))
}

// joinKeys checks that the keys exist, and that those of one input can equal those of the other.
func (c *operatorCheck) joinKeys(field string, k *JoinKeys, in []*types.Schema) {
	left := c.keys(c.id, c.at(field+".left"), k.Left, in[0])
	right := c.keys(c.id, c.at(field+".right"), k.Right, in[1])
	if len(k.Left) != len(k.Right) {
		c.addf(field, "the left input has %d columns, the right one %d", len(k.Left), len(k.Right))
		return
	}
	if n := len(k.NullsMeet); n != 0 && n != len(k.Left) {
		c.addf(field+".nulls_meet", "there are %d for %d columns", n, len(k.Left))
	}
	if !left || !right || in[0] == nil || in[1] == nil {
		return
	}
	for i := range k.Left {
		l, r := in[0].Fields[k.Left[i]], in[1].Fields[k.Right[i]]
		if !sameKey(l.Type, r.Type) {
			c.addf(fmt.Sprintf("%s.right[%d]", field, i), "column %s is %s, but %s of the left input is %s: cast one of them before", r.Name, r.Type, l.Name, l.Type)
		}
	}
}

// sameKey tells whether equal values of two types are equal as keys.
func sameKey(a, b types.Type) bool {
	a.Length, b.Length = 0, 0
	if a.Kind == types.Char || a.Kind == types.Binary {
		a.Kind++ // CHAR is a VARCHAR, BINARY a VARBINARY
	}
	if b.Kind == types.Char || b.Kind == types.Binary {
		b.Kind++
	}
	return a.EqualIgnoringNull(b)
}

// joinSide checks what is said of an input.
func (c *operatorCheck) joinSide(field string, s *JoinSpec, input int, in *types.Schema) {
	side, keys := s.Side(input), s.Keys.Of(input)
	if int(side.Changelog) >= len(changelogNames) {
		c.addf(field+".changelog", "there is no changelog %d", side.Changelog)
	}
	c.ttl(field+".ttl", side.TTL)
	c.keys(c.id, c.at(field+".unique"), side.Unique, in)
	if side.Changelog != UpsertChangelog {
		return
	}
	if len(side.Unique) == 0 {
		c.addf(field+".unique", "an upsert changelog needs the columns of its key")
		return
	}
	for i, k := range keys {
		if !slices.Contains(side.Unique, k) {
			c.addf(field+".unique", "key column %d of the join is not among them: an update could leave its key without taking back what was there; put a changelog-normalize before the exchange", k)
		} else if (s.Type.Outer(input) || s.Type.LeftOnly() && input == 0) && !s.Keys.NullMeets(i) && in != nil && k >= 0 && k < in.Len() && in.Fields[k].Type.Nullable {
			c.addf(field+".changelog", "column %s may be NULL, which the join does not keep: rows of an outer side that come as upserts need keys that are NOT NULL", in.Fields[k].Name)
		}
	}
}

// meetBoth checks that rows of both inputs with equal keys come to one subtask.
func (c *operatorCheck) meetBoth(k *JoinKeys) {
	for input := range 2 {
		if c.meet(c.vertex, c.operator, input, k.Of(input), make(map[spot]bool)) {
			continue
		}
		if len(k.Left) == 0 {
			c.addf("keys", "a join without keys needs parallelism 1 of its vertex")
			return
		}
		c.addf("keys", "rows of input %d with one key may reach several subtasks: they must come by HASH of the same columns in the same order, or the vertex needs parallelism 1", input)
	}
}

func (s *JoinSpec) explain(e *explainer, in []*types.Schema) {
	e.line(2, "%s join on %s", s.Type, joinKeysText(&s.Keys, in))
	if s.Condition != nil {
		e.line(2, "where %s", s.Condition)
	}
	for i, name := range []string{"left", "right"} {
		side := s.Side(i)
		var more strings.Builder
		if len(side.Unique) > 0 {
			fmt.Fprintf(&more, ", unique (%s)", columnNames(in[i], side.Unique))
		}
		if side.TTL > 0 {
			fmt.Fprintf(&more, ", kept for %s", side.TTL)
		}
		e.line(2, "%s: %s%s", name, side.Changelog, more.String())
	}
}

// joinKeysText shows keys to people.
func joinKeysText(k *JoinKeys, in []*types.Schema) string {
	if len(k.Left) == 0 {
		return "every pair"
	}
	parts := make([]string, len(k.Left))
	for i := range k.Left {
		equal := "="
		if k.NullMeets(i) {
			equal = "IS NOT DISTINCT FROM"
		}
		parts[i] = fmt.Sprintf("%s %s %s", in[0].Fields[k.Left[i]].Name, equal, in[1].Fields[k.Right[i]].Name)
	}
	return strings.Join(parts, " AND ")
}
