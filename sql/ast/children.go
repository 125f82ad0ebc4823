package ast

// What Walk finds below each node, in the order of printing. TestWalkMeetsEveryNode compares this with the fields.

// eachExpr calls f for the expressions that are there.
func eachExpr(f func(Node), list ...Expr) {
	for _, e := range list {
		if e != nil {
			f(e)
		}
	}
}

func (*ColumnRef) each(func(Node))  {}
func (*Star) each(func(Node))       {}
func (*Literal) each(func(Node))    {}
func (*Interval) each(func(Node))   {}
func (*Symbol) each(func(Node))     {}
func (*DefaultArg) each(func(Node)) {}
func (*Descriptor) each(func(Node)) {}

func (n *Unary) each(f func(Node))   { f(n.X) }
func (n *Binary) each(f func(Node))  { eachExpr(f, n.Left, n.Right) }
func (n *Between) each(f func(Node)) { eachExpr(f, n.X, n.Low, n.High) }
func (n *Like) each(f func(Node))    { eachExpr(f, n.X, n.Pattern, n.Escape) }
func (n *Is) each(f func(Node))      { f(n.X) }
func (n *Exists) each(f func(Node))  { f(n.Query) }

func (n *In) each(f func(Node)) {
	f(n.X)
	eachOf(f, n.List)
	eachIf(f, n.Query)
}

func (n *Quantified) each(f func(Node)) {
	f(n.X)
	eachOf(f, n.List)
	eachIf(f, n.Query)
}

func (n *Subquery) each(f func(Node))   { f(n.Query) }
func (n *When) each(f func(Node))       { eachExpr(f, n.If, n.Then) }
func (n *Row) each(f func(Node))        { eachOf(f, n.Items) }
func (n *Collection) each(f func(Node)) { eachOf(f, n.Items) }
func (n *Index) each(f func(Node))      { eachExpr(f, n.X, n.At) }
func (n *FieldOf) each(f func(Node))    { f(n.X) }
func (n *NamedArg) each(f func(Node))   { f(n.Value) }

func (n *Case) each(f func(Node)) {
	eachExpr(f, n.Operand)
	eachOf(f, n.Whens)
	eachExpr(f, n.Else)
}

func (n *Cast) each(f func(Node)) {
	f(n.X)
	f(n.Type)
}

func (n *Call) each(f func(Node)) {
	eachOf(f, n.Args)
	eachOf(f, n.OrderBy)
	eachIf(f, n.JSON)
	eachOf(f, n.WithinGroup)
	eachExpr(f, n.Filter)
	eachIf(f, n.Over)
}

func (n *TableArg) each(f func(Node)) {
	eachIf(f, n.Table)
	eachIf(f, n.Query)
	eachOf(f, n.PartitionBy)
	eachOf(f, n.OrderBy)
}

func (n *JSONClauses) each(f func(Node)) {
	eachIf(f, n.Returning)
	eachIf(f, n.OnEmpty)
	eachIf(f, n.OnError)
}

func (n *JSONBehavior) each(f func(Node)) { eachExpr(f, n.Value) }
func (n *Over) each(f func(Node))         { eachIf(f, n.Spec) }
func (n *OrderItem) each(f func(Node))    { f(n.X) }

func (n *WindowSpec) each(f func(Node)) {
	eachOf(f, n.PartitionBy)
	eachOf(f, n.OrderBy)
	eachIf(f, n.Frame)
}

func (n *Frame) each(f func(Node)) {
	eachExpr(f, n.Start.Offset)
	if n.End != nil {
		eachExpr(f, n.End.Offset)
	}
}

func (n *Query) each(f func(Node)) {
	eachOf(f, n.With)
	f(n.Body)
	eachOf(f, n.OrderBy)
	eachExpr(f, n.Limit, n.Offset)
}

func (n *Select) each(f func(Node)) {
	eachOf(f, n.Hints)
	eachOf(f, n.Items)
	eachOf(f, n.From)
	eachExpr(f, n.Where)
	eachOf(f, n.GroupBy)
	eachExpr(f, n.Having)
	eachOf(f, n.Windows)
	eachExpr(f, n.Qualify)
}

func (n *SetOp) each(f func(Node)) {
	f(n.Left)
	f(n.Right)
}

func (n *CTE) each(f func(Node))         { f(n.Query) }
func (n *SelectItem) each(f func(Node))  { f(n.X) }
func (n *NamedWindow) each(f func(Node)) { f(n.Spec) }
func (n *Values) each(f func(Node))      { eachOf(f, n.Rows) }
func (*TableQuery) each(func(Node))      {}
func (n *GroupExpr) each(f func(Node))   { f(n.X) }
func (n *GroupTuple) each(f func(Node))  { eachOf(f, n.Items) }
func (n *GroupSets) each(f func(Node))   { eachOf(f, n.Items) }
func (*Hint) each(func(Node))            {}

func (*TableAlias) each(func(Node)) {}

func (n *TableName) each(f func(Node)) {
	eachOf(f, n.Hints)
	eachExpr(f, n.AsOf)
	eachIf(f, n.Sample)
	eachIf(f, n.Alias)
}

func (n *Sample) each(f func(Node)) { eachExpr(f, n.Percent, n.Repeatable) }

func (n *DerivedTable) each(f func(Node)) {
	f(n.Query)
	eachIf(f, n.Alias)
}

func (n *TableFunction) each(f func(Node)) {
	f(n.Call)
	eachIf(f, n.Alias)
}

func (n *Unnest) each(f func(Node)) {
	eachOf(f, n.Items)
	eachIf(f, n.Alias)
}

func (n *Join) each(f func(Node)) {
	f(n.Left)
	f(n.Right)
	eachExpr(f, n.On)
}

func (n *TypeName) each(f func(Node)) {
	eachIf(f, n.Key)
	eachIf(f, n.Elem)
	eachOf(f, n.Fields)
}

func (n *RowField) each(f func(Node)) { f(n.Type) }

func (n *Insert) each(f func(Node)) {
	eachOf(f, n.Hints)
	eachOf(f, n.Partition)
	f(n.Query)
}

func (n *PartitionValue) each(f func(Node)) { eachExpr(f, n.Value) }
func (n *StatementSet) each(f func(Node))   { eachOf(f, n.Inserts) }
func (n *Explain) each(f func(Node))        { f(n.Statement) }
func (*Use) each(func(Node))                {}
func (*Reset) each(func(Node))              {}
func (*Option) each(func(Node))             {}
func (n *Set) each(f func(Node))            { eachIf(f, n.Option) }
func (n *Show) each(f func(Node))           { eachOf(f, n.Partition) }
func (*Describe) each(func(Node))           {}
func (n *Analyze) each(f func(Node))        { eachOf(f, n.Partition) }
func (*Truncate) each(func(Node))           {}
func (n *Delete) each(f func(Node))         { eachExpr(f, n.Where) }
func (n *Assignment) each(f func(Node))     { f(n.Value) }
func (n *CallProcedure) each(f func(Node))  { f(n.Call) }
func (*Jar) each(func(Node))                {}
func (*StopJob) each(func(Node))            {}

func (n *Update) each(f func(Node)) {
	eachOf(f, n.Sets)
	eachExpr(f, n.Where)
}

func (n *CreateTable) each(f func(Node)) {
	eachOf(f, n.Columns)
	eachOf(f, n.Watermarks)
	eachOf(f, n.Constraints)
	eachIf(f, n.Distributed)
	eachOf(f, n.Options)
	eachIf(f, n.Like)
	eachIf(f, n.As)
}

func (n *Column) each(f func(Node)) {
	eachIf(f, n.Type)
	eachExpr(f, n.As)
	eachIf(f, n.Constraint)
}

func (n *Watermark) each(f func(Node))      { f(n.As) }
func (*Constraint) each(func(Node))         {}
func (n *Distribution) each(f func(Node))   { eachIf(f, n.Buckets) }
func (n *LikeClause) each(f func(Node))     { eachOf(f, n.Options) }
func (*LikeOption) each(func(Node))         {}
func (*ViewColumn) each(func(Node))         {}
func (n *CreateFunction) each(f func(Node)) { eachOf(f, n.Options) }
func (n *CreateDatabase) each(f func(Node)) { eachOf(f, n.Options) }
func (n *CreateCatalog) each(f func(Node))  { eachOf(f, n.Options) }
func (*Drop) each(func(Node))               {}

func (n *CreateView) each(f func(Node)) {
	eachOf(f, n.Columns)
	f(n.Query)
}

func (n *Alter) each(f func(Node))        { f(n.Action) }
func (*Rename) each(func(Node))           {}
func (*RenameColumn) each(func(Node))     {}
func (*ResetOptions) each(func(Node))     {}
func (*SetComment) each(func(Node))       {}
func (*SetFunction) each(func(Node))      {}
func (*DropColumns) each(func(Node))      {}
func (*DropPart) each(func(Node))         {}
func (n *SetOptions) each(f func(Node))   { eachOf(f, n.Options) }
func (n *SetQuery) each(f func(Node))     { f(n.Query) }
func (n *ColumnChange) each(f func(Node)) { f(n.Column) }

func (n *ChangeSchema) each(f func(Node)) {
	eachOf(f, n.Columns)
	eachOf(f, n.Watermarks)
	eachOf(f, n.Constraints)
	eachIf(f, n.Distributed)
}
