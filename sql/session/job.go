package session

import (
	"slices"

	"millrace/expr"
	"millrace/failure"
	"millrace/sql/analyze"
	"millrace/sql/ast"
	"millrace/sql/optimize"
	"millrace/sql/physical"
	"millrace/sql/plan"
	"millrace/types"
)

// job plans what is to run.
func (s *Session) job(q *analyze.Query) (Outcome, error) {
	planned, err := s.planned(q.Roots)
	if err != nil {
		return nil, err
	}
	out := &Job{
		Job: planned, From: s.options.Text(FromSavepoint), AllowNonRestored: s.options.Bool(AllowNonRestored), Await: s.options.Bool(dmlSync),
	}
	if c, ok := q.Roots[0].(*plan.Collect); ok {
		out.Query = c.Schema().Types()
	}
	return out, nil
}

// explain tells how a statement would run. Its rows go nowhere.
func (s *Session) explain(e *analyze.Explain) (Outcome, error) {
	var d physical.Details
	for _, detail := range e.Details {
		switch detail {
		case ast.ChangelogMode:
			d.ChangelogMode = true
		case ast.EstimatedCost:
			d.EstimatedCost = true
		case ast.JSONExecutionPlan:
			d.JSONExecutionPlan = true
		case ast.PlanAdvice: // warnings are always there
		default:
			return nil, failure.Userf("EXPLAIN %s is not supported yet", detail)
		}
	}
	planned, err := s.planned(e.Query.Roots)
	if err != nil {
		return nil, err
	}
	return &Text{planned.Explain(e.Query.Roots, d)}, nil
}

// planned makes the job of plans.
func (s *Session) planned(roots []plan.Node) (*physical.Job, error) {
	optimized, err := optimize.Optimize(slices.Clone(roots), optimize.Config{
		Functions: s.Functions, Fold: func(e expr.Expr) (*expr.Literal, error) { return s.Fold(e, s.zone) },
		ReadsFields: physical.ReadsFields(s.Connectors),
		KeepScans:   physical.KeepScans(s.options), KeepParts: physical.KeepParts(s.options), Zoned: physical.Zoned(s.options),
		Buckets: physical.Buckets(s.options),
	})
	if err != nil {
		return nil, err
	}
	return physical.Plan(optimized, physical.Config{
		Connectors: s.Connectors, Functions: s.Functions, Options: s.options, Collect: s.Collect,
		Compile: func(e expr.Expr, in *types.Schema) error {
			if s.Compile == nil {
				return nil
			}
			return s.Compile(e, in, s.zone)
		},
	})
}
