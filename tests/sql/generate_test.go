package sql_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// generator draws queries whose answer does not depend on the order in which rows of several tables or splits come.
type generator struct {
	*rand.Rand
	names int
}

// kindOf a column of a drawn relation: what may be done with it.
type kindOf uint8

const (
	number kindOf = iota
	decimal
	text
	moment
	kinds
)

// relation is a query with its columns, which are called c0, c1, ...
type relation struct {
	sql     string
	columns []kindOf
}

// fed are the tables of a random test, with how they are made.
const fed = `
CREATE TABLE t1 (id BIGINT, k STRING, v BIGINT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'feed');
CREATE TABLE t2 (id BIGINT, k STRING, v BIGINT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'feed');
CREATE TABLE u (id BIGINT, k STRING, v BIGINT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'feed', 'changelog' = 'upsert');
CREATE TABLE r (id BIGINT, k STRING, v BIGINT) WITH ('connector' = 'feed', 'changelog' = 'retract');`

// tables are those of fed, and what of them can be read.
var tables = []struct {
	name, columns string
	kinds         []kindOf
}{
	{"t1", "id, k, v, d, ts", []kindOf{number, text, number, decimal, moment}},
	{"t2", "id, k, v, d, ts", []kindOf{number, text, number, decimal, moment}},
	{"u", "id, k, v", []kindOf{number, text, number}},
	{"r", "id, k, v", []kindOf{number, text, number}},
}

func (g *generator) name() string {
	g.names++
	return fmt.Sprintf("x%d", g.names)
}

// one returns one of several, with equal chance.
func one[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

// relation draws one of so many levels.
func (g *generator) relation(levels int) relation {
	if levels == 0 {
		return g.table()
	}
	return one(g, g.filter, g.project, g.join, g.join, g.aggregate, g.aggregate, g.distinct, g.set, g.top, g.window, g.over, g.overTime, g.member, g.tied)(levels - 1)
}

func (g *generator) table() relation {
	t := tables[g.IntN(len(tables))]
	var list []string
	for i, c := range strings.Split(t.columns, ", ") {
		list = append(list, fmt.Sprintf("%s AS c%d", c, i))
	}
	return relation{"SELECT " + strings.Join(list, ", ") + " FROM " + t.name, t.kinds}
}

// from reads a relation under a name.
func (g *generator) from(r relation) (source string, in scope) {
	name := g.name()
	in = scope{}
	for i, k := range r.columns {
		in[k] = append(in[k], fmt.Sprintf("%s.c%d", name, i))
	}
	return "(" + r.sql + ") AS " + name, in
}

// scope has the columns that may be named, by kind.
type scope map[kindOf][]string

func (s scope) with(other scope) scope {
	out := scope{}
	for _, from := range []scope{s, other} {
		for k, names := range from {
			out[k] = append(out[k], names...)
		}
	}
	return out
}

func (g *generator) filter(levels int) relation {
	r := g.relation(levels)
	source, in := g.from(r)
	return relation{"SELECT " + all(r) + " FROM " + source + " WHERE " + g.condition(in, 2), r.columns}
}

// all names every column.
func all(r relation) string {
	list := make([]string, len(r.columns))
	for i := range list {
		list[i] = fmt.Sprintf("c%d", i)
	}
	return strings.Join(list, ", ")
}

func (g *generator) project(levels int) relation {
	source, in := g.from(g.relation(levels))
	list, columns := g.list(in, 1+g.IntN(4))
	return relation{"SELECT " + list + " FROM " + source, columns}
}

// list draws a list of so many expressions.
func (g *generator) list(in scope, n int) (string, []kindOf) {
	var list []string
	var columns []kindOf
	for i := range n {
		k := kindOf(g.IntN(int(kinds)))
		if k == moment && len(in[moment]) == 0 {
			k = text
		}
		list = append(list, fmt.Sprintf("%s AS c%d", g.value(in, k, 2), i))
		columns = append(columns, k)
	}
	return strings.Join(list, ", "), columns
}

func (g *generator) join(levels int) relation {
	left, a := g.from(g.relation(levels))
	right, b := g.from(g.relation(g.IntN(levels + 1)))
	k := one(g, number, number, text)
	on := fmt.Sprintf("%s = %s", g.value(a, k, 0), g.value(b, k, 0))
	if g.IntN(3) == 0 {
		on += " AND " + g.condition(a.with(b), 1)
	}
	how := one(g, "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
	list, columns := g.list(a.with(b), 2+g.IntN(3))
	return relation{fmt.Sprintf("SELECT %s FROM %s %s %s ON %s", list, left, how, right, on), columns}
}

// member keeps rows whose value another relation has, or has not.
func (g *generator) member(levels int) relation {
	r := g.relation(levels)
	source, in := g.from(r)
	other, b := g.from(g.relation(g.IntN(levels + 1)))
	k := one(g, number, text)
	cond := fmt.Sprintf("%s %s (SELECT %s FROM %s)", g.value(in, k, 0), one(g, "IN", "IN", "NOT IN"), g.value(b, k, 0), other)
	if g.IntN(2) == 0 {
		cond = fmt.Sprintf("%s (SELECT 1 FROM %s WHERE %s = %s)", one(g, "EXISTS", "NOT EXISTS"), other, g.value(b, k, 0), g.value(in, k, 0))
	}
	if g.IntN(3) == 0 {
		cond += " OR " + g.condition(in, 1)
	}
	return relation{"SELECT " + all(r) + " FROM " + source + " WHERE " + cond, r.columns}
}

// tied puts behind each row what a subquery says of the rows that belong to it: an aggregate, or whether a value is there.
func (g *generator) tied(levels int) relation {
	r := g.relation(levels)
	source, in := g.from(r)
	other, b := g.from(g.relation(g.IntN(levels + 1)))
	k := one(g, number, text)
	if len(in[k]) == 0 || len(b[k]) == 0 {
		return r
	}
	at := len(r.columns)
	tie := fmt.Sprintf(" FROM %s WHERE %s = %s", other, one(g, b[k]...), one(g, in[k]...))
	call, columns := g.calls(b, at, 1, "")
	said := fmt.Sprintf("(SELECT %s%s) AS c%d", strings.TrimSuffix(call, fmt.Sprintf(" AS c%d", at)), tie, at)
	if g.IntN(3) == 0 {
		k, columns = one(g, number, text), []kindOf{text}
		said = fmt.Sprintf("CAST(%s %s (SELECT %s%s) AS STRING) AS c%d", g.value(in, k, 0), one(g, "IN", "NOT IN"), g.value(b, k, 0), tie, at)
	}
	return relation{"SELECT " + all(r) + ", " + said + " FROM " + source, append(slices.Clone(r.columns), columns...)}
}

// calls draws aggregate calls, from column number at on, with what stands behind each.
func (g *generator) calls(in scope, at, n int, behind string) (string, []kindOf) {
	var list []string
	var columns []kindOf
	for i := range n {
		call, k := "COUNT(*)", number
		switch g.IntN(7) {
		case 0:
			call = fmt.Sprintf("COUNT(%s%s)", one(g, "", "DISTINCT "), g.value(in, one(g, number, text), 1))
		case 1, 2:
			call = fmt.Sprintf("SUM(%s%s)", one(g, "", "", "DISTINCT "), g.value(in, number, 1))
		case 3:
			k = one(g, number, text, decimal)
			call = fmt.Sprintf("%s(%s)", one(g, "MIN", "MAX"), g.value(in, k, 1))
		case 4:
			call = fmt.Sprintf("AVG(%s)", g.value(in, number, 1))
		case 5:
			call, k = fmt.Sprintf("CAST(SUM(%s)%s AS DECIMAL(20, 2))", g.value(in, decimal, 0), behind), decimal
		}
		if !strings.HasPrefix(call, "CAST") {
			if g.IntN(4) == 0 {
				call += " FILTER (WHERE " + g.condition(in, 1) + ")"
			}
			call += behind
		}
		list = append(list, fmt.Sprintf("%s AS c%d", call, at+i))
		columns = append(columns, k)
	}
	return strings.Join(list, ", "), columns
}

func (g *generator) aggregate(levels int) relation {
	source, in := g.from(g.relation(levels))
	var keys, list []string
	var columns []kindOf
	for i := range g.IntN(3) {
		k := one(g, number, text)
		key := g.value(in, k, 1)
		keys, columns = append(keys, key), append(columns, k)
		list = append(list, fmt.Sprintf("%s AS c%d", key, i))
	}
	calls, more := g.calls(in, len(keys), 1+g.IntN(3), "")
	sql := "SELECT " + strings.Join(append(list, calls), ", ") + " FROM " + source
	if len(keys) > 0 {
		sql += " GROUP BY " + strings.Join(keys, ", ")
		if g.IntN(4) == 0 {
			sql += " HAVING COUNT(*) > " + fmt.Sprint(g.IntN(3))
		}
	} else { // over no rows at all batch mode gives a row, a stream none
		sql += " HAVING COUNT(*) > 0"
	}
	return relation{sql, append(columns, more...)}
}

func (g *generator) distinct(levels int) relation {
	source, in := g.from(g.relation(levels))
	list, columns := g.list(in, 1+g.IntN(3))
	return relation{"SELECT DISTINCT " + list + " FROM " + source, columns}
}

func (g *generator) set(levels int) relation {
	a, in := g.from(g.relation(levels))
	b, other := g.from(g.relation(g.IntN(levels + 1)))
	columns := []kindOf{one(g, number, text), number}
	side := func(s scope) string {
		return fmt.Sprintf("%s AS c0, %s AS c1", g.value(s, columns[0], 1), g.value(s, number, 1))
	}
	op := one(g, "UNION ALL", "UNION ALL", "UNION", "INTERSECT", "EXCEPT")
	return relation{fmt.Sprintf("SELECT %s FROM %s %s SELECT %s FROM %s", side(in), a, op, side(other), b), columns}
}

// top keeps the first rows of each partition. All columns order them: rows that are equal can't be told apart.
func (g *generator) top(levels int) relation {
	r := g.relation(levels)
	source, in := g.from(r)
	var order []string
	for i := range r.columns {
		order = append(order, fmt.Sprintf("c%d %s", i, one(g, "ASC", "DESC")))
	}
	partition := g.value(in, one(g, number, text), 0)
	inner := fmt.Sprintf("SELECT %s, ROW_NUMBER() OVER (PARTITION BY %s ORDER BY %s) AS n FROM %s", all(r), partition, strings.Join(order, ", "), source)
	return relation{fmt.Sprintf("SELECT %s FROM (%s) AS %s WHERE n <= %d", all(r), inner, g.name(), 1+g.IntN(3)), r.columns}
}

// window adds up rows of a table by windows of event time, for which no row is late.
func (g *generator) window(int) relation {
	t := one(g, "t1", "t2")
	in := scope{number: {"id", "v"}, text: {"k"}, decimal: {"d"}}
	windows := one(g, "TUMBLE(TABLE %s, DESCRIPTOR(ts), INTERVAL '10' SECOND)", "HOP(TABLE %s, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND)",
		"CUMULATE(TABLE %s, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '20' SECOND)", "SESSION(TABLE %s PARTITION BY k, DESCRIPTOR(ts), INTERVAL '3' SECOND)")
	key, k := one(g, "k", "id"), text
	if strings.HasPrefix(windows, "SESSION") {
		key = "k"
	}
	if key == "id" {
		k = number
	}
	calls, columns := g.calls(in, 2, 1+g.IntN(2), "")
	sql := fmt.Sprintf("SELECT %s AS c0, window_end AS c1, %s FROM TABLE(%s) GROUP BY %s, window_start, window_end", key, calls, fmt.Sprintf(windows, t), key)
	return relation{sql, append([]kindOf{k, moment}, columns...)}
}

// over adds to rows what is aggregated over those in front of them. All columns order them: rows that are equal can't be told apart.
func (g *generator) over(levels int) relation {
	r := g.relation(levels)
	source, in := g.from(r)
	var order []string
	for i := range r.columns {
		order = append(order, fmt.Sprintf("c%d %s", i, one(g, "ASC", "DESC")))
	}
	frame := one(g, "", "", " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", fmt.Sprintf(" ROWS BETWEEN %d PRECEDING AND CURRENT ROW", 1+g.IntN(40)))
	partition := "PARTITION BY " + g.value(in, one(g, number, text), 0)
	window := fmt.Sprintf("%s ORDER BY %s%s", partition, strings.Join(order, ", "), frame)
	calls, more := g.calls(in, len(r.columns), 1+g.IntN(3), " OVER w")
	// The places of rows that are equal may differ between frames, but not what is the same for all of them.
	if (frame == "" || strings.Contains(frame, "UNBOUNDED")) && g.IntN(2) == 0 {
		call, k := g.place(r, in, partition, order)
		calls, more = fmt.Sprintf("%s, %s AS c%d", calls, call, len(r.columns)+len(more)), append(more, k)
	}
	sql := fmt.Sprintf("SELECT %s, %s FROM %s WINDOW w AS (%s)", all(r), calls, source, window)
	return relation{sql, append(slices.Clone(r.columns), more...)}
}

// place draws a function that goes by the place of a row. Peers share their rank, so that some of the columns do to order them; LAG needs all.
func (g *generator) place(r relation, in scope, partition string, order []string) (string, kindOf) {
	if g.IntN(2) == 0 {
		return fmt.Sprintf("%s() OVER (%s ORDER BY %s)", one(g, "RANK", "DENSE_RANK"), partition, strings.Join(order[:1+g.IntN(len(order))], ", ")), number
	}
	column := g.IntN(len(r.columns))
	k, args := r.columns[column], fmt.Sprintf("c%d, %d", column, g.IntN(4))
	if (k == number || k == text) && g.IntN(2) == 0 {
		args += ", " + g.value(in, k, 0)
	}
	return fmt.Sprintf("LAG(%s) OVER (%s ORDER BY %s)", args, partition, strings.Join(order, ", ")), k
}

// overTime does so in the order of event time, for which no row is late. Rows of a time have the same frame.
func (g *generator) overTime(int) relation {
	in := scope{number: {"id", "v"}, text: {"k"}, decimal: {"d"}}
	frame := one(g, "", fmt.Sprintf(" RANGE BETWEEN INTERVAL '%d' SECOND PRECEDING AND CURRENT ROW", 1+g.IntN(15)))
	calls, columns := g.calls(in, 2, 1+g.IntN(3), " OVER w")
	partition := one(g, "k", "id")
	if g.IntN(2) == 0 {
		calls = fmt.Sprintf("%s, %s() OVER (PARTITION BY %s ORDER BY ts) AS c%d", calls, one(g, "RANK", "DENSE_RANK"), partition, 2+len(columns))
		columns = append(columns, number)
	}
	sql := fmt.Sprintf("SELECT k AS c0, v AS c1, %s FROM %s WINDOW w AS (PARTITION BY %s ORDER BY ts%s)", calls, one(g, "t1", "t2"), partition, frame)
	return relation{sql, append([]kindOf{text, number}, columns...)}
}

// value draws an expression of a kind.
func (g *generator) value(in scope, k kindOf, depth int) string {
	if depth == 0 || g.IntN(3) == 0 {
		return g.leaf(in, k)
	}
	of := func(k kindOf) string { return g.value(in, k, depth-1) }
	if g.IntN(5) == 0 {
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.condition(in, depth-1), of(k), of(k))
	}
	switch k {
	case number:
		return one(g,
			func() string { return fmt.Sprintf("(%s %s %s)", of(number), one(g, "+", "-"), of(number)) },
			func() string { return fmt.Sprintf("MOD(%s, %d)", of(number), 2+g.IntN(5)) },
			func() string { return fmt.Sprintf("COALESCE(%s, CAST(%d AS BIGINT))", of(number), g.IntN(5)) },
			func() string { return fmt.Sprintf("CAST(CHAR_LENGTH(%s) AS BIGINT)", of(text)) },
			func() string { return fmt.Sprintf("ABS(%s)", of(number)) },
		)()
	case decimal:
		return one(g,
			func() string { return fmt.Sprintf("CAST(%s AS DECIMAL(20, 2))", of(number)) },
			func() string { return fmt.Sprintf("CAST(%s + %s AS DECIMAL(20, 2))", of(decimal), of(decimal)) },
		)()
	case text:
		return one(g,
			func() string { return fmt.Sprintf("UPPER(%s)", of(text)) },
			func() string { return fmt.Sprintf("(%s || %s)", of(text), of(text)) },
			func() string { return fmt.Sprintf("CAST(%s AS STRING)", of(number)) },
			func() string { return fmt.Sprintf("SUBSTRING(%s, 1, %d)", of(text), 1+g.IntN(3)) },
		)()
	default:
		return g.leaf(in, k)
	}
}

// leaf draws a column, or a constant.
func (g *generator) leaf(in scope, k kindOf) string {
	if names := in[k]; len(names) > 0 && g.IntN(8) > 0 {
		return names[g.IntN(len(names))]
	}
	switch k {
	case number:
		return fmt.Sprintf("CAST(%d AS BIGINT)", g.IntN(10))
	case decimal:
		return fmt.Sprintf("CAST(%d.25 AS DECIMAL(20, 2))", g.IntN(10))
	case text:
		return one(g, "CAST('a' AS STRING)", "CAST('b' AS STRING)", "CAST('' AS STRING)")
	default:
		return "TIMESTAMP '2024-01-01 00:00:10.000'"
	}
}

// condition draws a condition.
func (g *generator) condition(in scope, depth int) string {
	if depth > 0 && g.IntN(3) == 0 {
		return fmt.Sprintf("(%s %s %s)", g.condition(in, depth-1), one(g, "AND", "OR"), g.condition(in, depth-1))
	}
	switch g.IntN(7) {
	case 0:
		return fmt.Sprintf("%s IS %sNULL", g.value(in, kindOf(g.IntN(int(kinds))), depth), one(g, "", "NOT "))
	case 1:
		return fmt.Sprintf("%s LIKE '%s'", g.value(in, text, depth), one(g, "a%", "%b", "_", "%"))
	case 2:
		return fmt.Sprintf("%s IN (1, 3, 5)", g.value(in, number, depth))
	case 3:
		return fmt.Sprintf("NOT (%s)", g.condition(in, max(0, depth-1)))
	case 4:
		return fmt.Sprintf("%s BETWEEN 1 AND %d", g.value(in, number, depth), g.IntN(12))
	default:
		k := kindOf(g.IntN(int(kinds)))
		return fmt.Sprintf("%s %s %s", g.value(in, k, depth), one(g, "=", "<>", "<", "<=", ">", ">="), g.value(in, k, depth))
	}
}

// rows draws so many rows for each table of fed, as a feed takes them. What was there before is in state.
type rows struct {
	*generator
	at      time.Time
	upserts map[int]bool
	taken   []string // rows of r that are there
}

// next returns rows for a table.
func (r *rows) next(table string, n int) string {
	var b strings.Builder
	for range n {
		switch table {
		case "u":
			b.WriteString(r.upsert())
		case "r":
			b.WriteString(r.retract())
		default:
			b.WriteString(r.event())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// some returns NULL now and then.
func (r *rows) some(value string) string {
	if r.IntN(12) == 0 {
		return "NULL"
	}
	return value
}

func (r *rows) key() string { return r.some(one(r.generator, "'a'", "'b'", "'ab'", "'c'", "''")) }

func (r *rows) number(most int) string { return r.some(fmt.Sprint(r.IntN(most) - most/4)) }

// event draws a row whose time is at most four seconds behind the latest.
func (r *rows) event() string {
	r.at = r.at.Add(time.Duration(r.IntN(1500)) * time.Millisecond)
	ts := r.at.Add(-time.Duration(r.IntN(4000)) * time.Millisecond)
	return fmt.Sprintf("%s %s %s %s %s", r.number(8), r.key(), r.number(12), r.some(fmt.Sprintf("%d.%02d", r.IntN(20), r.IntN(100))), ts.Format("2006-01-02 15:04:05.000"))
}

func (r *rows) upsert() string {
	id := r.IntN(6)
	kind := "+I"
	if r.upserts[id] {
		kind = one(r.generator, "+U", "+U", "-D")
	}
	r.upserts[id] = kind != "-D"
	return fmt.Sprintf("%s %d %s %s", kind, id, r.key(), r.number(12))
}

func (r *rows) retract() string {
	if len(r.taken) > 0 && r.IntN(3) == 0 {
		i := r.IntN(len(r.taken))
		row := r.taken[i]
		r.taken = append(r.taken[:i], r.taken[i+1:]...)
		return "-D " + row
	}
	row := fmt.Sprintf("%s %s %s", r.number(8), r.key(), r.number(12))
	r.taken = append(r.taken, row)
	return "+I " + row
}
