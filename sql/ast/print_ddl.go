package ast

func (n *CreateTable) print(p *printer) {
	p.write(string(n.Mode))
	p.when(n.Temporary, " TEMPORARY")
	p.write(" TABLE ")
	p.when(n.IfNotExists, "IF NOT EXISTS ")
	p.write(n.Name.String())
	p.elements(n.elements())
	p.text("COMMENT ", n.Comment)
	if n.Distributed != nil {
		p.write(" ")
		n.Distributed.print(p)
	}
	if len(n.Partitioned) > 0 {
		p.write(" PARTITIONED BY ")
		names(p, n.Partitioned)
	}
	bracketed(p, " WITH", n.Options)
	if n.Like != nil {
		p.write(" ")
		n.Like.print(p)
	}
	if n.As != nil {
		p.write(" AS ")
		n.As.print(p)
	}
}

func (n *CreateTable) elements() []Node {
	return nodes(nodes(nodes(nil, n.Columns), n.Watermarks), n.Constraints)
}

func nodes[N Node](all []Node, list []N) []Node {
	for _, n := range list {
		all = append(all, n)
	}
	return all
}

func (p *printer) elements(list []Node) {
	bracketed(p, "", list)
}

func (n *Column) print(p *printer) {
	p.write(n.Name.String())
	if n.Type != nil {
		p.write(" ")
		n.Type.print(p)
	}
	if n.Kind == MetadataColumn {
		p.write(" METADATA")
		p.text("FROM ", n.From)
		p.when(n.Virtual, " VIRTUAL")
	}
	if n.Constraint != nil {
		p.write(" ")
		n.Constraint.print(p)
	}
	p.clause("AS", n.As)
	p.text("COMMENT ", n.Comment)
}

func (n *Watermark) print(p *printer) {
	p.write("WATERMARK FOR ", n.Column.String())
	p.clause("AS", n.As)
}

func (n *Constraint) print(p *printer) {
	if n.Name != nil {
		p.write("CONSTRAINT ", n.Name.String(), " ")
	}
	if n.Unique {
		p.write("UNIQUE")
	} else {
		p.write("PRIMARY KEY")
	}
	if len(n.Columns) > 0 {
		p.write(" ")
		names(p, n.Columns)
	}
	p.when(n.Enforcement != "", " "+string(n.Enforcement))
}

func (n *Distribution) print(p *printer) {
	p.write("DISTRIBUTED")
	n.printRest(p)
}

func (n *Distribution) printRest(p *printer) {
	if len(n.Columns) > 0 {
		p.write(" BY ", string(n.Kind))
		names(p, n.Columns)
	}
	if n.Buckets != nil {
		p.write(" INTO ")
		n.Buckets.print(p)
		p.write(" BUCKETS")
	}
}

func (n *LikeClause) print(p *printer) {
	p.write("LIKE ", n.Table.String())
	if len(n.Options) == 0 {
		return
	}
	p.write(" (")
	for i, o := range n.Options {
		p.when(i > 0, " ")
		o.print(p)
	}
	p.write(")")
}

func (n *LikeOption) print(p *printer) { p.write(n.Strategy, " ", n.Feature) }

func (n *CreateView) print(p *printer) {
	p.write("CREATE ")
	p.when(n.Temporary, "TEMPORARY ")
	p.write("VIEW ")
	p.when(n.IfNotExists, "IF NOT EXISTS ")
	p.write(n.Name.String())
	bracketed(p, "", n.Columns)
	p.text("COMMENT ", n.Comment)
	p.write(" AS ")
	n.Query.print(p)
}

func (n *ViewColumn) print(p *printer) {
	p.write(n.Name.String())
	p.text("COMMENT ", n.Comment)
}

func (p *printer) scope(temporary, system bool) {
	p.when(temporary, "TEMPORARY ")
	p.when(system, "SYSTEM ")
}

func (n *CreateFunction) print(p *printer) {
	p.write("CREATE ")
	p.scope(n.Temporary, n.System)
	p.write("FUNCTION ")
	p.when(n.IfNotExists, "IF NOT EXISTS ")
	p.write(n.Name.String(), " AS ", quote(n.As.Value))
	p.when(n.Language != "", " LANGUAGE "+n.Language)
	for i, r := range n.Resources {
		if i == 0 {
			p.write(" USING ")
		} else {
			p.write(", ")
		}
		p.write(r.Kind, " ", quote(r.Path.Value))
	}
	bracketed(p, " WITH", n.Options)
}

func (n *CreateDatabase) print(p *printer) {
	p.write("CREATE DATABASE ")
	p.when(n.IfNotExists, "IF NOT EXISTS ")
	p.write(n.Name.String())
	p.text("COMMENT ", n.Comment)
	bracketed(p, " WITH", n.Options)
}

func (n *CreateCatalog) print(p *printer) {
	p.write("CREATE CATALOG ")
	p.when(n.IfNotExists, "IF NOT EXISTS ")
	p.write(n.Name.String())
	p.text("COMMENT ", n.Comment)
	bracketed(p, " WITH", n.Options)
}

func (n *Drop) print(p *printer) {
	p.write("DROP ")
	p.scope(n.Temporary, n.System)
	p.write(string(n.Object), " ")
	p.when(n.IfExists, "IF EXISTS ")
	p.write(n.Name.String())
	p.when(n.Behavior != "", " "+string(n.Behavior))
}

func (n *Alter) print(p *printer) {
	p.write("ALTER ")
	p.scope(n.Temporary, n.System)
	p.write(string(n.Object), " ")
	p.when(n.IfExists, "IF EXISTS ")
	p.write(n.Name.String(), " ")
	n.Action.print(p)
}

func (n *Rename) print(p *printer)       { p.write("RENAME TO ", n.To.String()) }
func (n *RenameColumn) print(p *printer) { p.write("RENAME ", n.From.String(), " TO ", n.To.String()) }
func (n *SetOptions) print(p *printer)   { bracketed(p, "SET", n.Options) }
func (n *SetComment) print(p *printer)   { p.write("COMMENT ", quote(n.Comment.Value)) }

func (n *ResetOptions) print(p *printer) {
	p.write("RESET (")
	p.texts(n.Keys)
	p.write(")")
}

func (n *SetQuery) print(p *printer) {
	p.write("AS ")
	n.Query.print(p)
}

func (n *SetFunction) print(p *printer) {
	p.write("AS ", quote(n.As.Value))
	p.when(n.Language != "", " LANGUAGE "+n.Language)
}

func (n *ChangeSchema) print(p *printer) {
	word := "ADD"
	if n.Modify {
		word = "MODIFY"
	}
	p.write(word)
	p.elements(nodes(nodes(nodes(nil, n.Columns), n.Watermarks), n.Constraints))
	if n.Distributed != nil {
		p.write(" DISTRIBUTION")
		n.Distributed.printRest(p)
	}
}

func (n *ColumnChange) print(p *printer) {
	n.Column.print(p)
	p.when(n.First, " FIRST")
	if n.After != nil {
		p.write(" AFTER ", n.After.String())
	}
}

func (n *DropColumns) print(p *printer) {
	p.write("DROP ")
	names(p, n.Columns)
}

func (n *DropPart) print(p *printer) {
	p.write("DROP ", string(n.Kind))
	if n.Name != nil {
		p.write(" ", n.Name.String())
	}
}
