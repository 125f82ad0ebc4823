package ast

// CreateMode tells what CREATE TABLE does with a table that is there.
type CreateMode string

// The modes. Replace wants it to be there.
const (
	Create          CreateMode = "CREATE"
	CreateOrReplace CreateMode = "CREATE OR REPLACE"
	Replace         CreateMode = "REPLACE"
)

// CreateTable is CREATE TABLE in all its forms: with columns, LIKE another table, AS a query, and REPLACE TABLE.
type CreateTable struct {
	Span
	Mode        CreateMode
	Temporary   bool
	IfNotExists bool
	Name        Name
	Columns     []*Column
	Watermarks  []*Watermark // Flink allows one; that is not checked here
	Constraints []*Constraint
	Comment     *Text
	Distributed *Distribution
	Partitioned []Ident
	Options     []*Option
	Like        *LikeClause
	As          *Query
}

// ColumnKind tells where a column's values come from.
type ColumnKind string

// The kinds of columns.
const (
	// PhysicalColumn is stored; it has a Type.
	PhysicalColumn ColumnKind = "PHYSICAL"
	// ComputedColumn has an As and no Type.
	ComputedColumn ColumnKind = "COMPUTED"
	// MetadataColumn comes from the connector; it has a Type.
	MetadataColumn ColumnKind = "METADATA"
	// NamedColumn is but a name: in CREATE TABLE ... AS, which takes the type from the query.
	NamedColumn ColumnKind = "NAMED"
)

// Column is a column of CREATE TABLE or ALTER TABLE.
type Column struct {
	Span
	Kind ColumnKind
	Name Name // of several parts only in ALTER TABLE, for a field of a nested row
	Type *TypeName
	As   Expr
	// From is the metadata key, nil where it is the column's name.
	From    *Text
	Virtual bool
	// Constraint is a primary key or unique constraint written behind the type, of this column alone.
	Constraint *Constraint
	Comment    *Text
}

// Watermark is WATERMARK FOR Column AS As.
type Watermark struct {
	Span
	Column Name
	As     Expr
}

// Constraint is PRIMARY KEY or UNIQUE.
type Constraint struct {
	Span
	Name    *Ident
	Unique  bool
	Columns []Ident // none where it stands behind a column
	// Enforcement is what was said of it: Flink takes NOT ENFORCED only, which is not checked here.
	Enforcement Enforcement
}

// Enforcement says who keeps a constraint.
type Enforcement string

// The enforcements.
const (
	DefaultEnforcement Enforcement = ""
	Enforced           Enforcement = "ENFORCED"
	NotEnforced        Enforcement = "NOT ENFORCED"
)

// DistributionKind is how rows are dealt to buckets.
type DistributionKind string

// The kinds of distribution.
const (
	DefaultDistribution DistributionKind = ""
	HashDistribution    DistributionKind = "HASH"
	RangeDistribution   DistributionKind = "RANGE"
)

// Distribution is DISTRIBUTED BY (a) INTO n BUCKETS, or DISTRIBUTED INTO n BUCKETS without columns.
type Distribution struct {
	Span
	Kind    DistributionKind
	Columns []Ident
	Buckets *Literal // nil if unsaid
}

// LikeClause is LIKE Table (INCLUDING ALL ...).
type LikeClause struct {
	Span
	Table   Name
	Options []*LikeOption
}

// LikeOption is one of them: INCLUDING, EXCLUDING or OVERWRITING, and ALL, CONSTRAINTS, DISTRIBUTION, GENERATED, METADATA,
// OPTIONS, PARTITIONS or WATERMARKS.
type LikeOption struct {
	Span
	Strategy, Feature string
}

// CreateView is CREATE VIEW.
type CreateView struct {
	Span
	Temporary   bool
	IfNotExists bool
	Name        Name
	Columns     []*ViewColumn
	Comment     *Text
	Query       *Query
}

// ViewColumn is a column's name in a CREATE VIEW.
type ViewColumn struct {
	Span
	Name    Ident
	Comment *Text
}

// CreateFunction is CREATE FUNCTION.
type CreateFunction struct {
	Span
	Temporary   bool
	System      bool
	IfNotExists bool
	Name        Name
	As          Text
	Language    string // in upper case, empty if unsaid
	Resources   []Resource
	Options     []*Option
}

// Resource is a file that a function comes from.
type Resource struct {
	Kind string // JAR or ARTIFACT
	Path Text
}

// CreateDatabase is CREATE DATABASE.
type CreateDatabase struct {
	Span
	IfNotExists bool
	Name        Name
	Comment     *Text
	Options     []*Option
}

// CreateCatalog is CREATE CATALOG.
type CreateCatalog struct {
	Span
	IfNotExists bool
	Name        Ident
	Comment     *Text
	Options     []*Option
}

// Drop is DROP of any object.
type Drop struct {
	Span
	Object    ObjectKind
	Temporary bool
	System    bool // of a function
	IfExists  bool
	Name      Name
	Behavior  DropBehavior
}

// DropBehavior tells what becomes of a database that is not empty.
type DropBehavior string

// The behaviours.
const (
	DefaultBehavior DropBehavior = ""
	Restrict        DropBehavior = "RESTRICT"
	Cascade         DropBehavior = "CASCADE"
)

func (*CreateTable) isStatement()    {}
func (*CreateView) isStatement()     {}
func (*CreateFunction) isStatement() {}
func (*CreateDatabase) isStatement() {}
func (*CreateCatalog) isStatement()  {}
func (*Drop) isStatement()           {}
