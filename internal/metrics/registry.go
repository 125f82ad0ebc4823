package metrics

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"millrace/internal/clock"
)

// JobScope names a job.
type JobScope struct {
	Job     string // id
	JobName string
}

// TaskScope names one task of a job.
type TaskScope struct {
	Job     string // id
	JobName string
	Vertex  string
	Subtask int
}

// scope is one registered job or task with what its figures are published under.
type scope struct {
	attributes metric.ObserveOption
	// functions are those registered beside the block's own figures, by name.
	functions map[string]func() (int64, bool)
}

func newScope(set ...attribute.KeyValue) *scope {
	return &scope{
		attributes: metric.WithAttributeSet(attribute.NewSet(set...)),
		functions:  map[string]func() (int64, bool){},
	}
}

// Registry knows the jobs and tasks of a process. Make it with New.
type Registry struct {
	clock    clock.Clock
	provider *sdk.MeterProvider
	meter    metric.Meter
	gatherer *prometheus.Registry

	mu struct {
		sync.RWMutex
		jobs  map[*Job]JobScope
		tasks map[*Task]TaskScope
		// managers are the task managers of the process, nearly always one.
		managers map[*scope]bool
		// jobManager is nil until it is asked for.
		jobManager *JobManager
	}
	// declared holds the names of functions that have an instrument already. Making one takes the SDK's lock, which the
	// SDK holds around our callbacks, which take mu. So instruments are made under a lock of their own; the order is
	// declared, the SDK's, mu.
	declared struct {
		sync.Mutex
		names map[string]bool
	}
}

// New returns an empty registry with the figures of the Go runtime and the process. Rates are taken on c's processing time.
func New(c clock.Clock) (*Registry, error) {
	gatherer := prometheus.NewRegistry()
	exp, err := exporter.New(
		exporter.WithRegisterer(gatherer),
		exporter.WithoutCounterSuffixes(), //nolint:staticcheck // what replaces it needs one more direct dependency for one constant.
		exporter.WithoutScopeInfo(),
		exporter.WithoutTargetInfo(),
	)
	if err != nil {
		return nil, fmt.Errorf("make the Prometheus exporter: %w", err)
	}
	provider := sdk.NewMeterProvider(sdk.WithReader(exp), sdk.WithCardinalityLimit(ScopesMax+1))
	r := &Registry{clock: c, provider: provider, meter: provider.Meter("millrace"), gatherer: gatherer}
	r.mu.managers = map[*scope]bool{}
	r.mu.jobs, r.mu.tasks, r.declared.names = map[*Job]JobScope{}, map[*Task]TaskScope{}, map[string]bool{}
	gatherer.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r, r.declare()
}

// Handler serves the figures in Prometheus' text format.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.gatherer, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Job returns a new block of counters for a job and publishes it until RemoveJob.
func (r *Registry) Job(s JobScope) *Job {
	j := &Job{scope: newScope(attribute.String("job_id", s.Job), attribute.String("job_name", s.JobName))}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hasRoom() {
		r.mu.jobs[j] = s
	}
	return j
}

// JobManager returns the counters of the process' job manager, always the same, and publishes them from the first call on.
func (r *Registry) JobManager() *JobManager {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.jobManager == nil {
		r.mu.jobManager = &JobManager{scope: newScope()}
	}
	return r.mu.jobManager
}

// Task returns a new block of counters for a task and publishes it until RemoveTask. A restarted task registers anew;
// remove the old one first, or both are published as one series of which the last read wins.
func (r *Registry) Task(s TaskScope) *Task {
	t := &Task{scope: newScope(
		attribute.String("job_id", s.Job), attribute.String("job_name", s.JobName),
		attribute.String("task_name", s.Vertex), attribute.String("subtask_index", strconv.Itoa(s.Subtask)),
	)}
	t.view.mu.at = r.clock.NowMillis()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hasRoom() {
		r.mu.tasks[t] = s
	}
	return t
}

// hasRoom needs the lock.
func (r *Registry) hasRoom() bool { return len(r.mu.jobs)+len(r.mu.tasks) < ScopesMax }

// RemoveJob stops publishing j. Removing twice does nothing.
func (r *Registry) RemoveJob(j *Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mu.jobs, j)
}

// RemoveTask stops publishing t. Removing twice does nothing.
func (r *Registry) RemoveTask(t *Task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mu.tasks, t)
}

// TaskGauge publishes what read returns as a figure of t; read reports false while there is no value. It runs on the
// goroutine of whoever scrapes, must be quick and must not call the registry. The name is letters, digits and
// underscores; a name registered twice for one task is replaced.
func (r *Registry) TaskGauge(t *Task, name, help string, read func() (int64, bool)) error {
	return r.gauge(t.scope, taskPrefix+name, name, help, read, func(observe func(*scope)) {
		for t := range r.mu.tasks {
			observe(t.scope)
		}
	})
}

// JobGauge publishes what read returns as a figure of j. TaskGauge tells the rest.
func (r *Registry) JobGauge(j *Job, name, help string, read func() (int64, bool)) error {
	return r.gauge(j.scope, jobPrefix+name, name, help, read, func(observe func(*scope)) {
		for j := range r.mu.jobs {
			observe(j.scope)
		}
	})
}

func (r *Registry) gauge(s *scope, full, name, help string, read func() (int64, bool), each func(func(*scope))) error {
	if err := r.declareOnce(full, name, help, each); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := s.functions[name]; !ok && len(s.functions) >= FunctionsMax {
		return fmt.Errorf("register metric %s: the task or job has %d already", name, FunctionsMax)
	}
	s.functions[name] = read
	return nil
}

// declareOnce makes the instrument of a registered function at its first use.
func (r *Registry) declareOnce(full, name, help string, each func(func(*scope))) error {
	r.declared.Lock()
	defer r.declared.Unlock()
	if r.declared.names[full] {
		return nil
	}
	if err := r.declareFunction(full, name, help, each); err != nil {
		return err
	}
	r.declared.names[full] = true
	return nil
}

// Snapshot is what was counted at one moment.
type Snapshot struct {
	Jobs  []JobFigures  // sorted by job
	Tasks []TaskFigures // sorted by job, vertex and subtask
}

// JobFigures are the figures of a job by name. Those without a value are absent.
type JobFigures struct {
	Scope   JobScope
	Figures map[string]int64
}

// TaskFigures are the figures of a task by name. Those without a value are absent.
type TaskFigures struct {
	Scope   TaskScope
	Figures map[string]int64
}

// Snapshot reads everything. Counters go on meanwhile: figures of one snapshot may be some rows apart.
func (r *Registry) Snapshot() Snapshot {
	now := r.clock.NowMillis()
	r.mu.RLock()
	defer r.mu.RUnlock()
	var s Snapshot
	for j, at := range r.mu.jobs {
		s.Jobs = append(s.Jobs, JobFigures{at, readAll(jobFigures, j, j.scope)})
	}
	for t, at := range r.mu.tasks {
		f := TaskFigures{at, readAll(taskFigures, t, t.scope)}
		for i, value := range t.rates(now) {
			f.Figures[rates[i].name] = value
		}
		s.Tasks = append(s.Tasks, f)
	}
	slices.SortFunc(s.Jobs, func(a, b JobFigures) int { return cmp.Compare(a.Scope.Job, b.Scope.Job) })
	slices.SortFunc(s.Tasks, func(a, b TaskFigures) int {
		return cmp.Or(cmp.Compare(a.Scope.Job, b.Scope.Job), cmp.Compare(a.Scope.Vertex, b.Scope.Vertex),
			cmp.Compare(a.Scope.Subtask, b.Scope.Subtask))
	})
	return s
}

func readAll[T any](figures []figure[T], from *T, s *scope) map[string]int64 {
	out := make(map[string]int64, len(figures)+len(s.functions)+len(rates))
	for _, f := range figures {
		if value, ok := f.read(from); ok {
			out[f.name] = value
		}
	}
	for name, read := range maps.All(s.functions) {
		if value, ok := read(); ok {
			out[name] = value
		}
	}
	return out
}
