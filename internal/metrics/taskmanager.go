package metrics

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// taskManagerPrefix is Flink's scope of a task manager.
const taskManagerPrefix = "millrace_taskmanager_"

// Figure is one figure of a task manager, read when somebody looks.
type Figure struct {
	// Name is letters, digits and underscores.
	Name, Help string
	// Counter tells that it only grows.
	Counter bool
	// Read runs on the goroutine of whoever scrapes, must be quick and must not call
	// the registry.
	Read func() int64
}

// TaskManager publishes figures of a task manager until remove is called. Figures of
// one name are of one kind, whichever task manager they are of.
func (r *Registry) TaskManager(id string, figures []Figure) (remove func(), err error) {
	if len(figures) > FunctionsMax {
		return nil, fmt.Errorf("task manager %s has %d metrics, at most %d are published", id, len(figures), FunctionsMax)
	}
	s := newScope(attribute.String("tm_id", id))
	for _, f := range figures {
		s.functions[f.Name] = func() (int64, bool) { return f.Read(), true }
		if err := r.declareOfTaskManager(f); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.managers[s] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.mu.managers, s)
	}, nil
}

// declareOfTaskManager makes the instrument of a figure at its first use.
func (r *Registry) declareOfTaskManager(f Figure) error {
	full := taskManagerPrefix + f.Name
	r.declared.Lock()
	defer r.declared.Unlock()
	if r.declared.names[full] {
		return nil
	}
	err := r.instrument(full, f.Help, f.Counter, func(o metric.Int64Observer) {
		for s := range r.mu.managers {
			if read := s.functions[f.Name]; read != nil {
				value, _ := read()
				o.Observe(value, s.attributes)
			}
		}
	})
	if err == nil {
		r.declared.names[full] = true
	}
	return err
}
