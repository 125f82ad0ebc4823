package ast

func (n *Option) print(p *printer) { p.write(quote(n.Key.Value), " = ", quote(n.Value.Value)) }

func (n *Insert) print(p *printer) {
	if n.Overwrite {
		p.write("INSERT OVERWRITE ")
	} else {
		p.write("INSERT INTO ")
	}
	p.write(n.Table.String())
	p.hints(n.Hints, " ", "")
	bracketed(p, " PARTITION", n.Partition)
	if len(n.Columns) > 0 {
		p.write(" ")
		names(p, n.Columns)
	}
	p.write(" ")
	n.Query.print(p)
	p.when(n.Conflict != "", " ON CONFLICT DO "+string(n.Conflict))
}

func (n *PartitionValue) print(p *printer) {
	p.write(n.Column.String())
	p.clause("=", n.Value)
}

func (n *StatementSet) print(p *printer) {
	p.write("EXECUTE ")
	n.printSet(p)
}

func (n *StatementSet) printSet(p *printer) {
	p.write("STATEMENT SET BEGIN ")
	for _, s := range n.Inserts {
		s.print(p)
		p.write("; ")
	}
	p.write("END")
}

func (n *Explain) print(p *printer) {
	p.write("EXPLAIN ")
	for i, d := range n.Details {
		p.when(i > 0, ", ")
		p.write(string(d))
	}
	p.when(len(n.Details) > 0, " ")
	if set, ok := n.Statement.(*StatementSet); ok {
		set.printSet(p)
		return
	}
	n.Statement.print(p)
}

func (n *Use) print(p *printer) {
	p.write("USE ")
	p.when(n.Object == CatalogObject, "CATALOG ")
	p.write(n.Name.String())
}

func (n *Set) print(p *printer) {
	p.write("SET")
	if n.Option != nil {
		p.write(" ")
		n.Option.print(p)
	}
}

func (n *Reset) print(p *printer) {
	p.write("RESET")
	p.text("", n.Key)
}

// showOf are the kinds whose name is not where a list is taken from.
var showOf = map[ShowKind]string{
	ShowPartitions: " ", ShowCreateTable: " ", ShowCreateView: " ", ShowCreateCatalog: " ",
}

func (n *Show) print(p *printer) {
	p.write("SHOW ", string(n.Kind))
	if len(n.Name.Parts) > 0 {
		before, ok := showOf[n.Kind]
		if !ok {
			before = " FROM "
		}
		p.write(before, n.Name.String())
	}
	bracketed(p, " PARTITION", n.Partition)
	if n.Like == nil {
		return
	}
	p.when(n.Not, " NOT")
	if n.CaseBlind {
		p.text("ILIKE ", n.Like)
	} else {
		p.text("LIKE ", n.Like)
	}
}

func (n *Describe) print(p *printer) {
	p.write("DESCRIBE ")
	p.when(n.Object != TableObject, string(n.Object)+" ")
	p.when(n.Extended, "EXTENDED ")
	if n.Job != nil {
		p.write(quote(n.Job.Value))
		return
	}
	p.write(n.Name.String())
}

func (n *Analyze) print(p *printer) {
	p.write("ANALYZE TABLE ", n.Table.String())
	bracketed(p, " PARTITION", n.Partition)
	p.write(" COMPUTE STATISTICS")
	p.when(n.AllColumns, " FOR ALL COLUMNS")
	for i, c := range n.Columns {
		if i == 0 {
			p.write(" FOR COLUMNS ")
		} else {
			p.write(", ")
		}
		p.write(c.String())
	}
}

func (n *Truncate) print(p *printer) { p.write("TRUNCATE TABLE ", n.Table.String()) }

func (p *printer) target(table Name, alias *Ident) {
	p.write(table.String())
	if alias != nil {
		p.write(" AS ", alias.String())
	}
}

func (n *Delete) print(p *printer) {
	p.write("DELETE FROM ")
	p.target(n.Table, n.Alias)
	p.clause("WHERE", n.Where)
}

func (n *Update) print(p *printer) {
	p.write("UPDATE ")
	p.target(n.Table, n.Alias)
	listed(p, "SET", n.Sets)
	p.clause("WHERE", n.Where)
}

func (n *Assignment) print(p *printer) {
	p.write(n.Column.String())
	p.clause("=", n.Value)
}

func (n *CallProcedure) print(p *printer) {
	p.write("CALL ")
	n.Call.print(p)
}

func (n *Jar) print(p *printer) {
	if n.Remove {
		p.write("REMOVE JAR ")
	} else {
		p.write("ADD JAR ")
	}
	p.write(quote(n.Path.Value))
}

func (n *StopJob) print(p *printer) {
	p.write("STOP JOB ", quote(n.ID.Value))
	p.when(n.Savepoint, " WITH SAVEPOINT")
	p.when(n.Drain, " WITH DRAIN")
}
