package script

import (
	"time"

	"millrace/catalog"
	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sql/session"
	"millrace/types"
)

// OpenSession returns a session that evaluates constants with the kernels of the engine. Options are set from its start.
func OpenSession(c catalog.Connectors, functions *expr.Registry, collect *jobgraph.SinkSpec, options map[string]string) (*session.Session, error) {
	return session.New(session.Config{
		Connectors: c, Functions: functions, Collect: collect, Options: options, Zone: types.LoadZone, Like: kernel.Like,
		Fold: func(e expr.Expr, zone *time.Location) (*expr.Literal, error) {
			if l, ok := (kernel.Session{Zone: zone}).Fold(e, functions).(*expr.Literal); ok {
				return l, nil
			}
			return nil, failure.Userf("%s has no value before rows come", e)
		},
		Compile: func(e expr.Expr, in *types.Schema, zone *time.Location) error {
			_, err := kernel.Session{Zone: zone, Now: func() int64 { return 0 }}.Compile(e, in, functions)
			return err
		},
	})
}
