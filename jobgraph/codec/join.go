package codec

import (
	"slices"

	"millrace/expr"
	"millrace/jobgraph"
	jobv1 "millrace/proto/millrace/job/v1"
)

// Join types and changelogs have the numbers of jobgraph, plus one.

func (d *decoder) joinType(field string, t jobv1.JoinType) jobgraph.JoinType {
	if _, ok := jobv1.JoinType_name[int32(t)]; !ok || t == jobv1.JoinType_JOIN_TYPE_UNSPECIFIED {
		d.addf(field, "no join type has the number %d", t)
		return jobgraph.InnerJoin
	}
	return jobgraph.JoinType(t - 1)
}

func (d *decoder) changelog(field string, c jobv1.Changelog) jobgraph.Changelog {
	if _, ok := jobv1.Changelog_name[int32(c)]; !ok || c == jobv1.Changelog_CHANGELOG_UNSPECIFIED {
		d.addf(field, "no changelog has the number %d", c)
		return jobgraph.AppendChangelog
	}
	return jobgraph.Changelog(c - 1)
}

func (d *decoder) joinKeys(k *jobv1.JoinKeys) jobgraph.JoinKeys {
	return jobgraph.JoinKeys{Left: ints(k.GetLeft()), Right: ints(k.GetRight()), NullsMeet: slices.Clone(k.GetNullsMeet())}
}

// condition reads an expression that may be missing.
func (d *decoder) condition(field string, e *jobv1.Expression) expr.Expr {
	if e == nil {
		return nil
	}
	return d.expr(field, e, 1)
}

func (d *decoder) joinSide(field string, s *jobv1.JoinSide) jobgraph.JoinSide {
	return jobgraph.JoinSide{
		Changelog: d.changelog(field+".changelog", s.GetChangelog()), Unique: ints(s.GetUnique()), TTL: d.duration(field+".ttl", s.GetTtl()),
	}
}

func (d *decoder) join(field string, j *jobv1.JoinSpec) *jobgraph.JoinSpec {
	return &jobgraph.JoinSpec{
		Type: d.joinType(field+".type", j.GetType()), Keys: d.joinKeys(j.GetKeys()), Condition: d.condition(field+".condition", j.GetCondition()),
		Left: d.joinSide(field+".left", j.GetLeft()), Right: d.joinSide(field+".right", j.GetRight()),
	}
}

func (e *encoder) joinType(field string, t jobgraph.JoinType) jobv1.JoinType {
	out := jobv1.JoinType(t) + 1
	if _, ok := jobv1.JoinType_name[int32(out)]; !ok {
		e.addf(field, "there is no join type %d", t)
	}
	return out
}

func (e *encoder) changelog(field string, c jobgraph.Changelog) jobv1.Changelog {
	out := jobv1.Changelog(c) + 1
	if _, ok := jobv1.Changelog_name[int32(out)]; !ok {
		e.addf(field, "there is no changelog %d", c)
	}
	return out
}

func (e *encoder) joinKeys(field string, k *jobgraph.JoinKeys) *jobv1.JoinKeys {
	return &jobv1.JoinKeys{Left: e.ints(field+".left", k.Left), Right: e.ints(field+".right", k.Right), NullsMeet: slices.Clone(k.NullsMeet)}
}

func (e *encoder) condition(field string, x expr.Expr) *jobv1.Expression {
	if x == nil {
		return nil
	}
	return e.expr(field, x, 1)
}

func (e *encoder) joinSide(field string, s *jobgraph.JoinSide) *jobv1.JoinSide {
	return &jobv1.JoinSide{
		Changelog: e.changelog(field+".changelog", s.Changelog), Unique: e.ints(field+".unique", s.Unique), Ttl: duration(s.TTL),
	}
}

func (e *encoder) join(field string, j *jobgraph.JoinSpec) *jobv1.JoinSpec {
	return &jobv1.JoinSpec{
		Type: e.joinType(field+".type", j.Type), Keys: e.joinKeys(field+".keys", &j.Keys), Condition: e.condition(field+".condition", j.Condition),
		Left: e.joinSide(field+".left", &j.Left), Right: e.joinSide(field+".right", &j.Right),
	}
}
