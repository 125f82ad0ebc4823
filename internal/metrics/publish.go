package metrics

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/metric"
)

// Flink's scopes in Prometheus, with our name for its.
const (
	taskPrefix       = "millrace_taskmanager_job_task_"
	jobPrefix        = "millrace_jobmanager_job_"
	jobManagerPrefix = "millrace_jobmanager_"
)

// declare makes an instrument for each figure. All tasks and jobs share them.
func (r *Registry) declare() error {
	for _, f := range taskFigures {
		err := r.instrument(taskPrefix+f.name, f.help, f.counter, func(o metric.Int64Observer) {
			for t := range r.mu.tasks {
				observe(o, t.scope, t, f.read)
			}
		})
		if err != nil {
			return err
		}
	}
	for _, f := range jobFigures {
		err := r.instrument(jobPrefix+f.name, f.help, f.counter, func(o metric.Int64Observer) {
			for j := range r.mu.jobs {
				observe(o, j.scope, j, f.read)
			}
		})
		if err != nil {
			return err
		}
	}
	for _, f := range jobManagerFigures {
		err := r.instrument(jobManagerPrefix+f.name, f.help, f.counter, func(o metric.Int64Observer) {
			if j := r.mu.jobManager; j != nil {
				observe(o, j.scope, j, f.read)
			}
		})
		if err != nil {
			return err
		}
	}
	for i, rate := range rates {
		err := r.instrument(taskPrefix+rate.name, rate.help, false, func(o metric.Int64Observer) {
			now := r.clock.NowMillis()
			for t := range r.mu.tasks {
				o.Observe(t.rates(now)[i], t.scope.attributes)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func observe[T any](o metric.Int64Observer, s *scope, from *T, read func(*T) (int64, bool)) {
	if value, ok := read(from); ok {
		o.Observe(value, s.attributes)
	}
}

// declareFunction makes the instrument of a registered function. each runs its argument over the scopes, with the lock held.
func (r *Registry) declareFunction(full, name, help string, each func(func(*scope))) error {
	return r.instrument(full, help, false, func(o metric.Int64Observer) {
		each(func(s *scope) {
			read, ok := s.functions[name]
			if !ok {
				return
			}
			if value, ok := read(); ok {
				o.Observe(value, s.attributes)
			}
		})
	})
}

// instrument makes one observable instrument. publish runs at each scrape with the registry's lock held for reading.
func (r *Registry) instrument(name, help string, counter bool, publish func(metric.Int64Observer)) error {
	callback := metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		r.mu.RLock()
		defer r.mu.RUnlock()
		publish(o)
		return nil
	})
	var err error
	if counter {
		_, err = r.meter.Int64ObservableCounter(name, metric.WithDescription(help), callback)
	} else {
		_, err = r.meter.Int64ObservableGauge(name, metric.WithDescription(help), callback)
	}
	if err != nil {
		return fmt.Errorf("declare metric %s: %w", name, err)
	}
	return nil
}
