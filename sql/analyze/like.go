package analyze

import (
	"maps"
	"slices"

	"millrace/catalog"
	"millrace/sql/ast"
)

// likeRules say what of the table that LIKE names goes into the new one, by feature.
type likeRules map[string]string

const (
	including   = "INCLUDING"
	excluding   = "EXCLUDING"
	overwriting = "OVERWRITING"
)

var likeFeatures = []string{"CONSTRAINTS", "DISTRIBUTION", "GENERATED", "METADATA", "OPTIONS", "PARTITIONS", "WATERMARKS"}

func (r likeRules) includes(feature string) bool   { return r[feature] != excluding }
func (r likeRules) overwrites(feature string) bool { return r[feature] == overwriting }

// mayReplace tells whether a column of the statement may take the place of one that LIKE brought.
func (r likeRules) mayReplace(old, def *catalog.Column) bool {
	return old.Kind == def.Kind && (old.Kind == catalog.Computed && r.overwrites("GENERATED") || old.Kind == catalog.Metadata && r.overwrites("METADATA"))
}

// likeRulesOf reads the options of LIKE. Unsaid, everything is included, and options are overwritten.
func (a *analyzer) likeRulesOf(l *ast.LikeClause) (likeRules, error) {
	rules := likeRules{"OPTIONS": overwriting}
	seen := make(map[string]bool)
	for _, all := range []bool{true, false} {
		for _, o := range l.Options {
			if (o.Feature == "ALL") != all {
				continue
			}
			if seen[o.Feature] {
				return nil, a.failf(o, "LIKE says of %s what to do more than once", o.Feature)
			}
			seen[o.Feature] = true
			if o.Strategy == overwriting && !slices.Contains([]string{"GENERATED", "METADATA", "OPTIONS", "WATERMARKS"}, o.Feature) {
				return nil, a.failf(o, "%s can't be overwritten: only GENERATED, METADATA, OPTIONS and WATERMARKS can", o.Feature)
			}
			if !all {
				rules[o.Feature] = o.Strategy
				continue
			}
			for _, f := range likeFeatures {
				rules[f] = o.Strategy
			}
		}
	}
	return rules, nil
}

// base takes over from the table that LIKE names. Options of the statement stand in the table already.
func (d *definer) base(l *ast.LikeClause) error {
	rules, err := d.likeRulesOf(l)
	if err != nil {
		return err
	}
	d.like = rules
	path, err := d.analyzer.path(l.Table)
	if err != nil {
		return err
	}
	from, err := d.tableAt(l.Table, path, "the base of LIKE")
	if err != nil {
		return err
	}
	for _, c := range from.Columns {
		if c.Kind == catalog.Computed && !rules.includes("GENERATED") || c.Kind == catalog.Metadata && !rules.includes("METADATA") {
			continue
		}
		d.table.Columns = append(d.table.Columns, c)
	}
	if rules.includes("CONSTRAINTS") {
		d.table.PrimaryKey = slices.Clone(from.PrimaryKey)
	}
	if rules.includes("WATERMARKS") {
		d.table.Watermark = from.Watermark
	}
	if rules.includes("PARTITIONS") && from.PartitionedBy != nil {
		if d.tree.Partitioned != nil {
			return d.hinted(d.tree.Partitioned[0], "EXCLUDING PARTITIONS", "the table that LIKE names has PARTITIONED BY too")
		}
		d.table.PartitionedBy = slices.Clone(from.PartitionedBy)
	}
	return d.baseOptions(l, from)
}

func (d *definer) baseOptions(l *ast.LikeClause, from *catalog.Table) error {
	if !d.like.includes("OPTIONS") {
		return nil
	}
	options := maps.Clone(from.Options)
	if options == nil {
		options = make(map[string]string)
	}
	for _, key := range slices.Sorted(maps.Keys(d.table.Options)) {
		if _, taken := options[key]; taken && !d.like.overwrites("OPTIONS") {
			return d.hinted(l, "OVERWRITING OPTIONS", "the option '%s' is given here and by the table that LIKE names", key)
		}
		options[key] = d.table.Options[key]
	}
	d.table.Options = options
	return nil
}
