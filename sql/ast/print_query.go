package ast

func (n *Query) print(p *printer) {
	if len(n.With) > 0 {
		p.write("WITH ")
		commas(p, n.With)
		p.write(" ")
	}
	p.operand(n.Body, false)
	listed(p, "ORDER BY", n.OrderBy)
	p.clause("LIMIT", n.Limit)
	p.clause("OFFSET", n.Offset)
}

// operand prints a body, in brackets where it has clauses of its own or brackets says so.
func (p *printer) operand(b QueryBody, brackets bool) {
	if _, ok := b.(*Query); !ok && !brackets {
		b.print(p)
		return
	}
	p.write("(")
	b.print(p)
	p.write(")")
}

func (n *SetOp) print(p *printer) {
	left, isSet := n.Left.(*SetOp)
	p.operand(n.Left, isSet && n.Op == Intersect && left.Op != Intersect)
	p.write(" ", string(n.Op), " ")
	p.when(n.All, "ALL ")
	right, isSet := n.Right.(*SetOp)
	p.operand(n.Right, isSet && (n.Op == Intersect || right.Op != Intersect))
}

func (n *CTE) print(p *printer) {
	p.write(n.Name.String())
	if len(n.Columns) > 0 {
		p.write(" ")
		names(p, n.Columns)
	}
	p.write(" AS (")
	n.Query.print(p)
	p.write(")")
}

func (n *Select) print(p *printer) {
	p.write("SELECT ")
	p.hints(n.Hints, "", " ")
	p.when(n.Quantifier != "", string(n.Quantifier)+" ")
	commas(p, n.Items)
	for i, t := range n.From {
		if i == 0 {
			p.write(" FROM ")
			t.print(p)
		} else {
			p.write(", ")
			p.right(t)
		}
	}
	p.clause("WHERE", n.Where)
	listed(p, "GROUP BY", n.GroupBy)
	p.clause("HAVING", n.Having)
	listed(p, "WINDOW", n.Windows)
	p.clause("QUALIFY", n.Qualify)
}

func (n *SelectItem) print(p *printer) {
	n.X.print(p)
	if n.Alias != nil {
		p.write(" AS ", n.Alias.String())
	}
}

func (n *NamedWindow) print(p *printer) {
	p.write(n.Name.String(), " AS ")
	n.Spec.print(p)
}

func (n *Values) print(p *printer) {
	p.write("VALUES ")
	commas(p, n.Rows)
}

func (n *TableQuery) print(p *printer) { p.write("TABLE ", n.Name.String()) }

func (n *GroupExpr) print(p *printer) { n.X.print(p) }

func (n *GroupTuple) print(p *printer) { p.members(n.Items, nil) }

func (n *GroupSets) print(p *printer) {
	bracketed(p, string(n.Kind), n.Items)
}

// hints prints hints between two texts, if there are any.
func (p *printer) hints(list []*Hint, before, behind string) {
	if len(list) == 0 {
		return
	}
	p.write(before, "/*+ ")
	commas(p, list)
	p.write(" */", behind)
}

func (n *Hint) print(p *printer) {
	p.write(n.Name.String())
	if len(n.Args) == 0 {
		return
	}
	p.write("(")
	for i, a := range n.Args {
		p.when(i > 0, ", ")
		if a.Plain {
			p.write(plainHintKey(a.Key))
		} else {
			p.write(quote(a.Key))
		}
		p.text("= ", a.Value)
	}
	p.write(")")
}

// plainHintKey quotes what is neither an identifier nor a number.
func plainHintKey(key string) string {
	for _, r := range key {
		if (r < '0' || r > '9') && r != '.' {
			return Ident{Name: key}.String()
		}
	}
	return key
}

func (n *TableAlias) print(p *printer) {
	p.write("AS ", n.Name.String())
	if len(n.Columns) > 0 {
		names(p, n.Columns)
	}
}

func (p *printer) alias(a *TableAlias) {
	if a != nil {
		p.write(" ")
		a.print(p)
	}
}

func (n *TableName) print(p *printer) {
	p.write(n.Name.String())
	p.hints(n.Hints, " ", "")
	if n.AsOf != nil {
		p.write(" FOR SYSTEM_TIME AS OF ")
		p.expr(n.AsOf, SumPrecedence)
	}
	if n.Sample != nil {
		p.write(" ")
		n.Sample.print(p)
	}
	p.alias(n.Alias)
}

func (n *Sample) print(p *printer) {
	if n.System {
		p.write("TABLESAMPLE SYSTEM (")
	} else {
		p.write("TABLESAMPLE BERNOULLI (")
	}
	n.Percent.print(p)
	p.write(")")
	if n.Repeatable != nil {
		p.write(" REPEATABLE ")
		p.members([]Expr{n.Repeatable}, nil)
	}
}

func (n *DerivedTable) print(p *printer) {
	p.when(n.Lateral, "LATERAL ")
	p.members(nil, n.Query)
	p.alias(n.Alias)
}

func (n *TableFunction) print(p *printer) {
	p.when(n.Lateral, "LATERAL ")
	p.write("TABLE(")
	n.Call.print(p)
	p.write(")")
	p.alias(n.Alias)
}

func (n *Unnest) print(p *printer) {
	p.when(n.Lateral, "LATERAL ")
	p.write("UNNEST")
	p.members(n.Items, nil)
	p.when(n.Ordinality, " WITH ORDINALITY")
	p.alias(n.Alias)
}

// right prints a table to the right of another: a join in brackets, since joins lean to the left.
func (p *printer) right(t TableRef) {
	_, nested := t.(*Join)
	p.when(nested, "(")
	t.print(p)
	p.when(nested, ")")
}

func (n *Join) print(p *printer) {
	n.Left.print(p)
	p.write(" ")
	p.when(n.Natural, "NATURAL ")
	p.write(string(n.Kind), " ")
	p.right(n.Right)
	p.clause("ON", n.On)
	if len(n.Using) > 0 {
		p.write(" USING ")
		names(p, n.Using)
	}
}
