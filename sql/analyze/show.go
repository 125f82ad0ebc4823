package analyze

import (
	"maps"
	"slices"
	"strings"

	"millrace/catalog"
	"millrace/sql/ast"
	"millrace/sql/plan"
)

// Columns returns the columns of the table or view that a statement names, as DESCRIBE shows them and a query sees them: computed
// ones with their types, times with their marks. Of a table the connector is not asked.
func Columns(in Input, name ast.Name) (plan.Schema, error) {
	a := newAnalyzer(in)
	path, err := a.path(name)
	if err != nil {
		return nil, err
	}
	o, ok := a.Catalog.Lookup(path)
	if !ok {
		return nil, a.missing(name, "OBJECT", path, a.Catalog.Objects(path.Catalog, path.Database))
	}
	var node plan.Node
	switch o := o.(type) {
	case *catalog.Table:
		node, err = a.derived(name, path, o, storedOf(o))
	case *catalog.View:
		node, err = a.viewNode(name, path, o)
	default:
		return nil, a.failf(name, "%s is a %s", path, o.ObjectKind())
	}
	if err != nil {
		return nil, err
	}
	return node.Schema(), nil
}

// ShowCreate prints the statement that creates an object: parsing it and creating from it gives an equal one.
func ShowCreate(path catalog.Path, o catalog.Object) string {
	switch o := o.(type) {
	case *catalog.Table:
		return showTable(path, o)
	case *catalog.View:
		return showView(path, o)
	case *catalog.Function:
		return "CREATE FUNCTION " + quotedPath(path) + " AS " + quotedText(o.Name) + languageOf(o)
	default:
		return ""
	}
}

func languageOf(f *catalog.Function) string {
	if f.Language == "" {
		return ""
	}
	return " LANGUAGE " + f.Language
}

// quoted puts a name into backquotes, so that no keyword is in the way.
func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func quotedPath(p catalog.Path) string {
	return quoted(p.Catalog) + "." + quoted(p.Database) + "." + quoted(p.Name)
}

func quotedText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func quotedList(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quoted(n)
	}
	return "(" + strings.Join(out, ", ") + ")"
}

func comment(text string) string {
	if text == "" {
		return ""
	}
	return " COMMENT " + quotedText(text)
}

func showTable(path catalog.Path, t *catalog.Table) string {
	var lines []string
	for i := range t.Columns {
		lines = append(lines, showColumn(&t.Columns[i]))
	}
	if w := t.Watermark; w != nil {
		lines = append(lines, "WATERMARK FOR "+quoted(w.Column)+" AS "+w.Expr)
	}
	if t.PrimaryKey != nil {
		lines = append(lines, "PRIMARY KEY "+quotedList(t.PrimaryKey)+" NOT ENFORCED")
	}
	var b strings.Builder
	b.WriteString("CREATE TABLE " + quotedPath(path) + " (\n  " + strings.Join(lines, ",\n  ") + "\n)")
	if t.Comment != "" {
		b.WriteString("\nCOMMENT " + quotedText(t.Comment))
	}
	if t.PartitionedBy != nil {
		b.WriteString("\nPARTITIONED BY " + quotedList(t.PartitionedBy))
	}
	var options []string
	for _, key := range slices.Sorted(maps.Keys(t.Options)) {
		options = append(options, quotedText(key)+" = "+quotedText(t.Options[key]))
	}
	if options != nil {
		b.WriteString("\nWITH (\n  " + strings.Join(options, ",\n  ") + "\n)")
	}
	return b.String()
}

func showColumn(c *catalog.Column) string {
	text := quoted(c.Name) + " "
	switch c.Kind {
	case catalog.Computed:
		text += "AS " + c.Expr
	case catalog.Metadata:
		text += c.Type.String() + " METADATA"
		if c.MetadataKey != c.Name {
			text += " FROM " + quotedText(c.MetadataKey)
		}
		if c.Virtual {
			text += " VIRTUAL"
		}
	default:
		text += c.Type.String()
	}
	return text + comment(c.Comment)
}

func showView(path catalog.Path, v *catalog.View) string {
	text := "CREATE VIEW " + quotedPath(path)
	if v.Columns != nil {
		text += " " + quotedList(v.Columns)
	}
	return text + comment(v.Comment) + "\nAS " + v.Query
}
