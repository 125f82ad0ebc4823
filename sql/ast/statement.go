package ast

// Statement is what a script is made of. A Query is one too.
type Statement interface {
	Node
	isStatement()
}

// ObjectKind is a kind of thing in a catalog, as statements name it.
type ObjectKind string

// The kinds of objects.
const (
	TableObject    ObjectKind = "TABLE"
	ViewObject     ObjectKind = "VIEW"
	FunctionObject ObjectKind = "FUNCTION"
	DatabaseObject ObjectKind = "DATABASE"
	CatalogObject  ObjectKind = "CATALOG"
	JobObject      ObjectKind = "JOB"
)

// Insert is INSERT INTO or INSERT OVERWRITE.
type Insert struct {
	Span
	Overwrite bool
	Table     Name
	Hints     []*Hint
	Partition []*PartitionValue
	Columns   []Name // a name of several parts is a field of a nested row
	Query     *Query
	Conflict  ConflictAction
}

// ConflictAction is what ON CONFLICT DO says of rows that share a primary key and nothing else.
type ConflictAction string

// The conflict actions.
const (
	DefaultConflict     ConflictAction = ""
	ErrorOnConflict     ConflictAction = "ERROR"
	NothingOnConflict   ConflictAction = "NOTHING"
	DeduplicateConflict ConflictAction = "DEDUPLICATE"
)

// PartitionValue is a column of a PARTITION clause, with its value if there is one.
type PartitionValue struct {
	Span
	Column Ident
	Value  Expr
}

// StatementSet is several INSERTs planned as one job: EXECUTE STATEMENT SET BEGIN ... END, or BEGIN STATEMENT SET ... END.
type StatementSet struct {
	Span
	Inserts []*Insert
}

// ExplainDetail is something more that EXPLAIN is asked for.
type ExplainDetail string

// The details.
const (
	EstimatedCost     ExplainDetail = "ESTIMATED_COST"
	ChangelogMode     ExplainDetail = "CHANGELOG_MODE"
	JSONExecutionPlan ExplainDetail = "JSON_EXECUTION_PLAN"
	PlanAdvice        ExplainDetail = "PLAN_ADVICE"
)

// Explain is EXPLAIN of a Query, an Insert, a StatementSet or a CreateTable with a query. PLAN FOR leaves no trace.
type Explain struct {
	Span
	Details   []ExplainDetail
	Statement Statement
}

// Use is USE database or USE CATALOG catalog.
type Use struct {
	Span
	Object ObjectKind
	Name   Name
}

// Set is SET 'k' = 'v', or SET alone, which lists what is set.
type Set struct {
	Span
	Option *Option
}

// Reset is RESET 'k', or RESET alone, which resets everything.
type Reset struct {
	Span
	Key *Text
}

// ShowKind is what SHOW lists.
type ShowKind string

// What can be shown.
const (
	ShowCatalogs        ShowKind = "CATALOGS"
	ShowDatabases       ShowKind = "DATABASES"
	ShowTables          ShowKind = "TABLES"
	ShowViews           ShowKind = "VIEWS"
	ShowFunctions       ShowKind = "FUNCTIONS"
	ShowUserFunctions   ShowKind = "USER FUNCTIONS"
	ShowProcedures      ShowKind = "PROCEDURES"
	ShowModules         ShowKind = "MODULES"
	ShowFullModules     ShowKind = "FULL MODULES"
	ShowJars            ShowKind = "JARS"
	ShowJobs            ShowKind = "JOBS"
	ShowColumns         ShowKind = "COLUMNS"    // of Name
	ShowPartitions      ShowKind = "PARTITIONS" // of Name
	ShowCurrentCatalog  ShowKind = "CURRENT CATALOG"
	ShowCurrentDatabase ShowKind = "CURRENT DATABASE"
	ShowCreateTable     ShowKind = "CREATE TABLE"   // Name
	ShowCreateView      ShowKind = "CREATE VIEW"    // Name
	ShowCreateCatalog   ShowKind = "CREATE CATALOG" // Name
)

// Show is SHOW.
type Show struct {
	Span
	Kind ShowKind
	// Name is whose columns, partitions or statement of creation, or after FROM where the list is of.
	Name      Name
	Partition []*PartitionValue
	Not       bool
	// CaseBlind tells ILIKE from LIKE.
	CaseBlind bool
	Like      *Text // nil if unsaid
}

// Describe is DESCRIBE, of which DESC is another name.
type Describe struct {
	Span
	Object   ObjectKind
	Extended bool
	Name     Name
	Job      *Text // of a JobObject, which has no name
}

// Analyze is ANALYZE TABLE ... COMPUTE STATISTICS.
type Analyze struct {
	Span
	Table      Name
	Partition  []*PartitionValue
	Columns    []Ident
	AllColumns bool
}

// Truncate is TRUNCATE TABLE.
type Truncate struct {
	Span
	Table Name
}

// Delete is DELETE FROM.
type Delete struct {
	Span
	Table Name
	Alias *Ident
	Where Expr
}

// Update is UPDATE.
type Update struct {
	Span
	Table Name
	Alias *Ident
	Sets  []*Assignment
	Where Expr
}

// Assignment is column = value.
type Assignment struct {
	Span
	Column Name
	Value  Expr
}

// CallProcedure is CALL.
type CallProcedure struct {
	Span
	Call *Call
}

// Jar is ADD JAR or REMOVE JAR.
type Jar struct {
	Span
	Remove bool
	Path   Text
}

// StopJob is STOP JOB.
type StopJob struct {
	Span
	ID        Text
	Savepoint bool
	Drain     bool
}

func (*Query) isStatement()         {}
func (*Insert) isStatement()        {}
func (*StatementSet) isStatement()  {}
func (*Explain) isStatement()       {}
func (*Use) isStatement()           {}
func (*Set) isStatement()           {}
func (*Reset) isStatement()         {}
func (*Show) isStatement()          {}
func (*Describe) isStatement()      {}
func (*Analyze) isStatement()       {}
func (*Truncate) isStatement()      {}
func (*Delete) isStatement()        {}
func (*Update) isStatement()        {}
func (*CallProcedure) isStatement() {}
func (*Jar) isStatement()           {}
func (*StopJob) isStatement()       {}
