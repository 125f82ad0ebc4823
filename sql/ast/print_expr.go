package ast

func (n *ColumnRef) print(p *printer) { p.write(n.Name.String()) }
func (n *Symbol) print(p *printer)    { p.write(n.Word) }
func (*DefaultArg) print(p *printer)  { p.write("DEFAULT") }

func (n *Star) print(p *printer) {
	if len(n.Qualifier.Parts) > 0 {
		p.write(n.Qualifier.String(), ".")
	}
	p.write("*")
}

func (n *Literal) print(p *printer) {
	switch n.Kind {
	case NullLiteral:
		p.write("NULL")
	case TrueLiteral:
		p.write("TRUE")
	case FalseLiteral:
		p.write("FALSE")
	case UnknownLiteral:
		p.write("UNKNOWN")
	case IntegerLiteral, DecimalLiteral, DoubleLiteral:
		p.write(n.Text)
	case StringLiteral:
		p.write(quote(n.Text))
	case BinaryLiteral:
		p.write("X'", n.Text, "'")
	case DateLiteral:
		p.write("DATE ", quote(n.Text))
	case TimeLiteral:
		p.write("TIME ", quote(n.Text))
	case TimestampLiteral:
		p.write("TIMESTAMP ", quote(n.Text))
	case TimestampLTZLiteral:
		p.write("TIMESTAMP WITH LOCAL TIME ZONE ", quote(n.Text))
	}
}

func (n *Interval) print(p *printer) {
	p.write("INTERVAL ")
	p.when(n.Negative, "-")
	p.write(quote(n.Value), " ", n.Qualifier.String())
}

// Signs stand apart: two minus signs begin a comment.
func (n *Unary) print(p *printer) {
	p.write(string(n.Op))
	inner, nested := n.X.(*Unary)
	p.when(n.Op == Not || nested && inner.Op != Not, " ")
	p.expr(n.X, n.Op.Precedence())
}

func (n *Binary) print(p *printer) {
	level := n.Op.Precedence()
	p.expr(n.Left, level)
	p.write(" ", string(n.Op), " ")
	p.expr(n.Right, level+1)
}

func (n *Between) print(p *printer) {
	p.expr(n.X, RangePrecedence)
	p.when(n.Not, " NOT")
	p.write(" BETWEEN ")
	p.when(n.Symmetric, "SYMMETRIC ")
	p.expr(n.Low, SumPrecedence)
	p.write(" AND ")
	p.expr(n.High, SumPrecedence)
}

func (n *In) print(p *printer) {
	p.expr(n.X, RangePrecedence)
	p.when(n.Not, " NOT")
	p.write(" IN ")
	p.members(n.List, n.Query)
}

func (n *Quantified) print(p *printer) {
	p.expr(n.X, ComparePrecedence)
	p.write(" ", string(n.Op))
	if n.All {
		p.write(" ALL ")
	} else {
		p.write(" ANY ")
	}
	p.members(n.List, n.Query)
}

func (p *printer) members(list []Expr, query *Query) {
	p.write("(")
	if query != nil {
		query.print(p)
	}
	commas(p, list)
	p.write(")")
}

func (n *Like) print(p *printer) {
	p.expr(n.X, RangePrecedence)
	p.when(n.Not, " NOT")
	if n.Similar {
		p.write(" SIMILAR TO ")
	} else {
		p.write(" LIKE ")
	}
	p.expr(n.Pattern, SumPrecedence)
	if n.Escape != nil {
		p.write(" ESCAPE ")
		p.expr(n.Escape, SumPrecedence)
	}
}

func (n *Is) print(p *printer) {
	p.expr(n.X, IsPrecedence)
	p.write(" IS ")
	p.when(n.Not, "NOT ")
	p.write(string(n.Test))
}

func (n *Exists) print(p *printer) {
	p.write("EXISTS ")
	p.members(nil, n.Query)
}

func (n *Subquery) print(p *printer) { p.members(nil, n.Query) }

func (n *When) print(p *printer) {
	p.write("WHEN ")
	n.If.print(p)
	p.write(" THEN ")
	n.Then.print(p)
}

func (n *Case) print(p *printer) {
	p.write("CASE")
	if n.Operand != nil {
		p.write(" ")
		n.Operand.print(p)
	}
	for _, w := range n.Whens {
		p.write(" ")
		w.print(p)
	}
	p.clause("ELSE", n.Else)
	p.write(" END")
}

func (n *Cast) print(p *printer) {
	p.when(n.Try, "TRY_")
	p.write("CAST(")
	n.X.print(p)
	p.write(" AS ")
	n.Type.print(p)
	p.write(")")
}

func (n *Row) print(p *printer) {
	p.when(n.Explicit || len(n.Items) < 2, "ROW")
	p.members(n.Items, nil)
}

func (n *Collection) print(p *printer) {
	p.write(string(n.Kind), "[")
	commas(p, n.Items)
	p.write("]")
}

func (n *Index) print(p *printer) {
	p.owner(n.X, true)
	p.write("[")
	n.At.print(p)
	p.write("]")
}

// A name before the point gets brackets: without them the field would be a part of it.
func (n *FieldOf) print(p *printer) {
	p.owner(n.X, false)
	p.write(".", n.Field.String())
}

// owner prints what an element or a field is taken from. Literals and words get brackets: a point behind a number is a part
// of it.
func (p *printer) owner(x Expr, name bool) {
	switch x := x.(type) {
	case *ColumnRef:
		p.bracketIf(!name, x)
	case *Call:
		p.bracketIf(x.Bare, x)
	case *Cast, *Case, *Row, *Collection, *Subquery, *Index, *FieldOf:
		x.print(p)
	default:
		p.bracketIf(true, x)
	}
}

func (p *printer) bracketIf(cond bool, x Expr) {
	p.when(cond, "(")
	x.print(p)
	p.when(cond, ")")
}

func (n *NamedArg) print(p *printer) {
	p.write(n.Name.function(), " => ")
	n.Value.print(p)
}

func (n *TableArg) print(p *printer) {
	p.write("TABLE ")
	if n.Table != nil {
		n.Table.print(p)
	} else {
		p.members(nil, n.Query)
	}
	argument(p, "PARTITION BY", n.PartitionBy)
	argument(p, "ORDER BY", n.OrderBy)
}

// argument prints a list that a comma would end: several stand in brackets.
func argument[N Node](p *printer, words string, list []N) {
	if len(list) > 1 {
		bracketed(p, " "+words, list)
		return
	}
	listed(p, words, list)
}

func (n *Descriptor) print(p *printer) {
	p.write("DESCRIPTOR")
	names(p, n.Columns)
}
