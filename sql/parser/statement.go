package parser

import (
	"slices"

	"millrace/sql/ast"
)

// firstWords are the words that begin a statement, to choose from where there is another.
var firstWords = []string{
	"SELECT", "WITH", "VALUES", "INSERT", "CREATE", "DROP", "ALTER", "REPLACE", "EXECUTE", "BEGIN", "EXPLAIN", "SHOW", "DESCRIBE",
	"DESC", "USE", "SET", "RESET", "ANALYZE", "TRUNCATE", "DELETE", "UPDATE", "CALL", "ADD", "REMOVE", "STOP", "TABLE",
}

// notYet are the first words of statements that Flink has and Millrace does not.
var notYet = words("LOAD UNLOAD COMPILE MERGE UPSERT")

// production parses a statement whose first word is the current token.
func (p *parser) production() func() ast.Statement {
	switch p.tok.what {
	case "SELECT", "WITH", "VALUES", "TABLE", "(":
		return p.queryStatement
	case "INSERT":
		return p.insertStatement
	case "CREATE":
		return p.create
	case "REPLACE":
		return p.replace
	case "DROP":
		return p.drop
	case "ALTER":
		return p.alter
	case "EXECUTE":
		return p.execute
	case "BEGIN":
		return p.begin
	case "EXPLAIN":
		return p.explain
	case "SHOW":
		return p.show
	case "DESCRIBE", "DESC":
		return p.describe
	case "USE":
		return p.use
	case "SET":
		return p.set
	case "RESET":
		return p.reset
	case "ANALYZE":
		return p.analyze
	case "TRUNCATE":
		return p.truncate
	case "DELETE":
		return p.deleteFrom
	case "UPDATE":
		return p.update
	case "CALL":
		return p.call
	case "ADD", "REMOVE":
		return p.jar
	case "STOP":
		return p.stop
	default:
		return nil
	}
}

// statement parses a statement without what ends it.
func (p *parser) statement() ast.Statement {
	if parse := p.production(); parse != nil {
		return parse()
	}
	if notYet[p.tok.what] {
		p.unsupported(p.tok.Start, p.tok.what)
		return nil
	}
	p.at(firstWords...)
	p.unexpected()
	return nil
}

func (p *parser) queryStatement() ast.Statement { return p.query() }

func (p *parser) insertStatement() ast.Statement { return p.insert() }

func (p *parser) insert() *ast.Insert {
	start := p.tok.Start
	p.expect("INSERT")
	s := &ast.Insert{Overwrite: p.oneOf("INTO", "OVERWRITE") == "OVERWRITE"}
	s.Table = p.name("a table")
	s.Hints = p.hints()
	for range 2 { // the two may change places
		if s.Partition == nil && p.accept("PARTITION") {
			s.Partition = brackets(p, (*parser).partitionValue)
		}
		if s.Columns == nil && p.at("(") && !p.follows("SELECT", "VALUES", "WITH", "(", "TABLE") {
			s.Columns = brackets(p, columnPath)
		}
	}
	s.Query = p.query()
	if p.acceptAll("ON", "CONFLICT", "DO") {
		s.Conflict = ast.ConflictAction(p.oneOf("ERROR", "NOTHING", "DEDUPLICATE"))
	}
	s.Span = p.span(start)
	return s
}

// partitionValue parses column = value, or the column alone.
func (p *parser) partitionValue() *ast.PartitionValue {
	start := p.tok.Start
	v := &ast.PartitionValue{Column: columnName(p)}
	if p.accept("=") {
		v.Value = p.expr()
	}
	v.Span = p.span(start)
	return v
}

// execute parses EXECUTE STATEMENT SET, and EXECUTE before a statement, where it says nothing.
func (p *parser) execute() ast.Statement {
	start := p.tok.Start
	p.expect("EXECUTE")
	switch {
	case p.at("STATEMENT"):
		return p.statementSet(start)
	case p.at("INSERT"):
		return p.insert()
	case p.atQuery():
		return p.query()
	case p.tok.what == "PLAN":
		p.unsupported(p.tok.Start, "EXECUTE PLAN")
		return nil
	default:
		p.unexpected()
		return nil
	}
}

// statementSet parses STATEMENT SET BEGIN ... END.
func (p *parser) statementSet(start int) *ast.StatementSet {
	p.expect("STATEMENT", "SET", "BEGIN")
	return p.inserts(start)
}

// begin parses BEGIN STATEMENT SET; ... END.
func (p *parser) begin() ast.Statement {
	start := p.tok.Start
	p.expect("BEGIN")
	if p.accept("STATEMENT") {
		p.expect("SET", ";")
		return p.inserts(start)
	}
	p.unexpected()
	return nil
}

// inserts parses the statements of a set up to its END.
func (p *parser) inserts(start int) *ast.StatementSet {
	p.inSet = true
	s := &ast.StatementSet{}
	for {
		if !p.at("INSERT") {
			p.unexpected()
		}
		s.Inserts = append(s.Inserts, p.insert())
		p.expect(";")
		for p.accept(";") { // an empty statement
		}
		if p.accept("END") || p.err != nil {
			break
		}
	}
	s.Span = p.span(start)
	return s
}

// details are the words that EXPLAIN takes before a statement.
var details = []string{
	string(ast.EstimatedCost), string(ast.ChangelogMode), string(ast.JSONExecutionPlan), string(ast.PlanAdvice),
}

func (p *parser) explain() ast.Statement {
	start := p.tok.Start
	p.expect("EXPLAIN")
	e := &ast.Explain{}
	if !p.acceptAll("PLAN", "FOR") && p.at(details...) {
		for {
			if d := ast.ExplainDetail(p.tok.what); slices.Contains(e.Details, d) {
				p.fail(p.tok.Start, p.tok.what+" stands twice", "")
			}
			e.Details = append(e.Details, ast.ExplainDetail(p.oneOf(details...)))
			if !p.accept(",") {
				break
			}
		}
	}
	switch {
	case p.at("STATEMENT"):
		e.Statement = p.statementSet(p.tok.Start)
	case p.at("INSERT"):
		e.Statement = p.insert()
	case p.at("EXECUTE"):
		e.Statement = p.execute()
	case p.at("CREATE"):
		e.Statement = p.create()
	case p.at("REPLACE"):
		e.Statement = p.replace()
	case p.atQuery() || p.at("SELECT", "WITH", "VALUES", "("):
		e.Statement = p.query()
	default:
		p.unexpected()
	}
	e.Span = p.span(start)
	return e
}

func (p *parser) analyze() ast.Statement {
	start := p.tok.Start
	p.expect("ANALYZE", "TABLE")
	s := &ast.Analyze{Table: p.name("a table")}
	if p.accept("PARTITION") {
		s.Partition = brackets(p, (*parser).partitionValue)
	}
	p.expect("COMPUTE", "STATISTICS")
	if p.accept("FOR") {
		s.AllColumns = p.accept("ALL")
		p.expect("COLUMNS")
		if !s.AllColumns {
			s.Columns = commas(p, columnName)
		}
	}
	s.Span = p.span(start)
	return s
}

func (p *parser) truncate() ast.Statement {
	start := p.tok.Start
	p.expect("TRUNCATE", "TABLE")
	name := p.name("a table")
	return &ast.Truncate{Span: p.span(start), Table: name}
}

func (p *parser) deleteFrom() ast.Statement {
	start := p.tok.Start
	p.expect("DELETE", "FROM")
	s := &ast.Delete{Table: p.name("a table")}
	s.Alias = p.optionalAlias(tableFollowers)
	s.Where = p.exprAfter("WHERE")
	s.Span = p.span(start)
	return s
}

func (p *parser) update() ast.Statement {
	start := p.tok.Start
	p.expect("UPDATE")
	s := &ast.Update{Table: p.name("a table")}
	s.Alias = p.optionalAlias([]string{"SET"})
	p.expect("SET")
	s.Sets = commas(p, (*parser).assignment)
	s.Where = p.exprAfter("WHERE")
	s.Span = p.span(start)
	return s
}

func (p *parser) assignment() *ast.Assignment {
	start := p.tok.Start
	a := &ast.Assignment{Column: columnPath(p)}
	p.expect("=")
	a.Value = p.expr()
	a.Span = p.span(start)
	return a
}

func (p *parser) call() ast.Statement {
	start := p.tok.Start
	p.expect("CALL")
	c := p.tableCall(p.name("a procedure"))
	return &ast.CallProcedure{Span: p.span(start), Call: c}
}

func (p *parser) jar() ast.Statement {
	start := p.tok.Start
	j := &ast.Jar{Remove: p.oneOf("ADD", "REMOVE") == "REMOVE"}
	p.expect("JAR")
	j.Path = p.text("a path")
	j.Span = p.span(start)
	return j
}

func (p *parser) stop() ast.Statement {
	start := p.tok.Start
	p.expect("STOP", "JOB")
	s := &ast.StopJob{ID: p.text("a job's id")}
	if s.Savepoint = p.acceptAll("WITH", "SAVEPOINT"); s.Savepoint {
		s.Drain = p.acceptAll("WITH", "DRAIN")
	}
	s.Span = p.span(start)
	return s
}
