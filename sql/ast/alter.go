package ast

// Alter is ALTER of a table, view, database, catalog or function. Which actions an object has is the parser's knowledge.
type Alter struct {
	Span
	Object    ObjectKind
	Temporary bool // of a function
	System    bool
	IfExists  bool
	Name      Name
	Action    AlterAction
}

// AlterAction is what ALTER does.
type AlterAction interface {
	Node
	isAlterAction()
}

// Rename is RENAME TO.
type Rename struct {
	Span
	To Name
}

// RenameColumn is RENAME a TO b.
type RenameColumn struct {
	Span
	From, To Name
}

// SetOptions is SET ('k' = 'v').
type SetOptions struct {
	Span
	Options []*Option
}

// ResetOptions is RESET ('k').
type ResetOptions struct {
	Span
	Keys []Text
}

// SetComment is COMMENT 'text', of a catalog.
type SetComment struct {
	Span
	Comment Text
}

// SetQuery is AS query, of a view.
type SetQuery struct {
	Span
	Query *Query
}

// SetFunction is AS 'class' LANGUAGE x, of a function.
type SetFunction struct {
	Span
	As       Text
	Language string
}

// ChangeSchema is ADD or MODIFY with columns, a watermark, a constraint or a distribution.
type ChangeSchema struct {
	Span
	Modify      bool
	Columns     []*ColumnChange
	Watermarks  []*Watermark
	Constraints []*Constraint
	Distributed *Distribution
}

// ColumnChange is a column to add or modify, and where it goes.
type ColumnChange struct {
	Span
	Column *Column
	First  bool
	After  *Name // nil if unsaid
}

// DropColumns is DROP (a, b).
type DropColumns struct {
	Span
	Columns []Name
}

// DropKind is what DropPart drops of a table.
type DropKind string

// What can be dropped.
const (
	DropPrimaryKey   DropKind = "PRIMARY KEY"
	DropConstraint   DropKind = "CONSTRAINT" // with a name
	DropWatermark    DropKind = "WATERMARK"
	DropDistribution DropKind = "DISTRIBUTION"
)

// DropPart is DROP of a part of a table of which there is one, or of a constraint by name.
type DropPart struct {
	Span
	Kind DropKind
	Name *Ident
}

func (*Alter) isStatement() {}

func (*Rename) isAlterAction()       {}
func (*RenameColumn) isAlterAction() {}
func (*SetOptions) isAlterAction()   {}
func (*ResetOptions) isAlterAction() {}
func (*SetComment) isAlterAction()   {}
func (*SetQuery) isAlterAction()     {}
func (*SetFunction) isAlterAction()  {}
func (*ChangeSchema) isAlterAction() {}
func (*DropColumns) isAlterAction()  {}
func (*DropPart) isAlterAction()     {}
