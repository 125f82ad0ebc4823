package statebackend

import (
	"fmt"
	"slices"

	"millrace/types"
)

// Evolution is how a declared table (its spec has Evolves) differs from what was restored.
type Evolution struct {
	ID TableID
	// Had are the columns, or what the bytes of the entries held, as they were restored.
	Had []ColumnSpec
	// Changes says for people what became of which column.
	Changes []string
}

// Origin is where a column of an evolved table comes from.
type Origin struct {
	// Had is the column among those that were restored, -1 for one that is new.
	Had int
	// Null says that a new column begins as NULL; one that says NULL of another (NullOf) begins as 1.
	// Other new columns begin as zero.
	Null bool
}

// Origins lays declared columns over those that were restored, and is the rule of every spec that has Evolves: columns
// are the same by name (those that say NULL of another by that one's name), whatever their order. One that is only
// declared is new, one that was only restored is left behind. One of another type is converted, if Widens says so. Where
// columns hold NULL by themselves (nulls), one that may be NULL stays so.
//
// changes says what is not the same, for people; problems says what can't be, each naming a column, and then there
// is no table to be had.
func Origins(had, want []ColumnSpec, nulls bool) (origins []Origin, changes, problems []string) {
	former := make(map[columnIdentity]int, len(had))
	for i, c := range had {
		if _, twice := former[identity(c)]; twice {
			problems = append(problems, fmt.Sprintf("the snapshot has column %s twice", c.Name))
		}
		former[identity(c)] = i
	}
	l := laying{had: had, former: former, nulls: nulls, stays: make(map[columnIdentity]bool, len(want))}
	for _, c := range want {
		l.stays[identity(c)] = true
	}
	for _, c := range want {
		l.add(c)
	}
	l.leave()
	l.changes = append(l.changes, l.left...)
	if len(l.changes) == 0 && !slices.EqualFunc(had, want, func(a, b ColumnSpec) bool { return identity(a) == identity(b) }) {
		l.changes = append(l.changes, "columns in another order")
	}
	return l.origins, l.changes, append(problems, l.problems...)
}

// columnIdentity is what a column is found by.
type columnIdentity struct {
	name string
	flag bool // it says NULL of the column of that name
}

func identity(c ColumnSpec) columnIdentity {
	if c.NullOf != "" {
		return columnIdentity{c.NullOf, true}
	}
	return columnIdentity{c.Name, false}
}

// laying is Origins under way.
type laying struct {
	had    []ColumnSpec
	former map[columnIdentity]int
	stays  map[columnIdentity]bool // the declared columns
	nulls  bool

	origins                 []Origin
	changes, left, problems []string
}

// add finds the origin of a declared column.
func (l *laying) add(c ColumnSpec) {
	id := identity(c)
	i, ok := l.former[id]
	_, target := l.former[columnIdentity{name: id.name}]
	switch {
	case ok:
		l.origins = append(l.origins, Origin{Had: i})
		l.compare(l.had[i], c)
		return
	case !id.flag:
		l.changes = append(l.changes, fmt.Sprintf("column %s added", c.Name))
	case target:
		l.changes = append(l.changes, c.NullOf+" may be NULL")
	}
	null := id.flag && !target || !id.flag && l.nulls && c.Type.Nullable
	l.origins = append(l.origins, Origin{Had: -1, Null: null})
}

// compare tells whether a column can become what is declared.
func (l *laying) compare(had, want ColumnSpec) {
	switch {
	case had.Type.EqualIgnoringNull(want.Type):
	case Widens(had.Type, want.Type):
		l.changes = append(l.changes, fmt.Sprintf("%s %s → %s", want.Name, plain(had.Type), plain(want.Type)))
	default:
		l.problems = append(l.problems, fmt.Sprintf("column %s is %s, in the snapshot %s, which does not widen to it",
			want.Name, plain(want.Type), plain(had.Type)))
		return
	}
	switch {
	case !l.nulls || had.Type.Nullable == want.Type.Nullable:
	case want.Type.Nullable:
		l.changes = append(l.changes, want.Name+" may be NULL")
	default:
		l.problems = append(l.problems, fmt.Sprintf("column %s is %s, in the snapshot %s, and may be NULL there", want.Name, want.Type, had.Type))
	}
}

// plain prints a type without its nullability.
func plain(t types.Type) string { return t.AsNullable().String() }

// leave looks at the columns that are not declared.
func (l *laying) leave() {
	for _, c := range l.had {
		id := identity(c)
		switch {
		case l.stays[id]:
		case id.flag && l.stays[columnIdentity{name: id.name}]:
			l.problems = append(l.problems, fmt.Sprintf("column %s is NOT NULL, in the snapshot it may be NULL, which column %s says", id.name, c.Name))
		case !id.flag:
			l.left = append(l.left, fmt.Sprintf("column %s left behind", c.Name))
		}
	}
}

// Widens tells whether every value of a type is one of another, which differs, NULL aside: a larger integer, DOUBLE for FLOAT, a
// DECIMAL with as many digits on both sides of the point or more, a longer VARCHAR or VARBINARY.
func Widens(from, to types.Type) bool {
	switch to.Kind {
	case types.SmallInt, types.Int, types.BigInt:
		return from.Kind >= types.TinyInt && from.Kind < to.Kind
	case types.Double:
		return from.Kind == types.Float
	case types.Decimal:
		return from.Kind == types.Decimal && !from.EqualIgnoringNull(to) && to.Scale >= from.Scale && to.Precision-to.Scale >= from.Precision-from.Scale
	case types.VarChar:
		return from.Kind == types.Char && from.Length <= to.Length || from.Kind == types.VarChar && from.Length < to.Length
	case types.VarBinary:
		return from.Kind == types.Binary && from.Length <= to.Length || from.Kind == types.VarBinary && from.Length < to.Length
	default:
		return false
	}
}
