// Package metrics counts what jobs and tasks do and publishes the counts under Flink's names.
//
// A task owns a *Task, a block of atomics apart from everybody else's cache lines, and adds to it once a batch; a job's
// shell owns a *Job. Nothing on the hot path calls an instrument: OpenTelemetry's observable callbacks read the blocks
// when somebody scrapes. Attribute sets are made once, when a scope is registered.
//
//	r, err := metrics.New(clock.System())
//	task := r.Task(metrics.TaskScope{Job: id, JobName: name, Vertex: "window", Subtask: 3})
//	defer r.RemoveTask(task)
//	task.RecordsIn.Add(int64(batch.Rows()))
//	http.Handle("/metrics", r.Handler())
//
// A figure of Flink's has Flink's name and, in Prometheus, stands in Flink's scope with our prefix:
// flink_taskmanager_job_task_numRecordsIn is millrace_taskmanager_job_task_numRecordsIn here, so that dashboards move
// by replacing one word. Rooms with figures of their own (lag of a source, fill of a gate) register a function with
// TaskGauge or JobGauge. Snapshot returns everything for job show.
//
// Obligations: remove what was registered, or its last figures are published for ever. All functions are safe for
// concurrent use; a Task's counters have one writer for meaning, not for safety. The package starts no goroutine. It is
// the only room that knows OpenTelemetry's metrics and the Prometheus client.
package metrics
