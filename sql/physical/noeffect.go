package physical

import (
	"maps"
	"slices"
	"strings"
)

// noEffect has options of Flink's that mean nothing here, with the reason. They are taken, so that a script need not be changed for
// them, and whoever sets one is told.
var noEffect = map[string]string{
	"table.exec.mini-batch.enabled":       "operators work on batches of rows anyway, whose age execution.buffer-timeout.interval bounds",
	"table.exec.mini-batch.allow-latency": "operators work on batches of rows anyway, whose age execution.buffer-timeout.interval bounds",
	"table.exec.mini-batch.size":          "operators work on batches of rows anyway, whose age execution.buffer-timeout.interval bounds",

	"table.optimizer.incremental-agg-enabled":                      "the first level of an aggregate that is split shares a vertex with the first phase of the second anyway",
	"table.optimizer.join-reorder-enabled":                         "joins run in the order in which they are written",
	"table.optimizer.bushy-join-reorder-threshold":                 "joins run in the order in which they are written",
	"table.optimizer.join.broadcast-threshold":                     "joins deal rows out by their keys",
	"table.optimizer.multiple-input-enabled":                       "operators share a vertex where they can",
	"table.optimizer.source.predicate-pushdown-enabled":            "conditions stand right behind the source",
	"table.optimizer.source.aggregate-pushdown-enabled":            "no source aggregates",
	"table.optimizer.dynamic-filtering.enabled":                    "no source filters by what another one gives",
	"table.optimizer.reuse-optimize-block-with-digest-enabled":     "equal parts are always found by what they mean",
	"table.optimizer.nondeterministic-update.strategy":             "rows are taken back by what is kept of them",
	"table.optimizer.union-all-as-breakpoint-enabled":              "a statement set is planned as a whole",
	"table.optimizer.multi-join.enabled":                           "joins have two inputs each",
	"table.optimizer.delta-join.strategy":                          "there are no delta joins",
	"table.exec.async-lookup.buffer-capacity":                      "tables that rows are looked up in are read whole",
	"table.exec.async-lookup.timeout":                              "tables that rows are looked up in are read whole",
	"table.exec.async-lookup.output-mode":                          "tables that rows are looked up in are read whole",
	"table.exec.sink.not-null-enforcer":                            "rows that are written are not searched for NULL",
	"table.exec.sink.type-length-enforcer":                         "texts that are written are cast to the column's type",
	"table.exec.sink.keyed-shuffle":                                "a sink with a parallelism of its own gets the rows of a key in one task",
	"table.exec.sink.rowtime-inserter":                             "event time is an ordinary column",
	"table.exec.spill-compression.enabled":                         "state goes to a tier of its own",
	"table.exec.spill-compression.block-size":                      "state goes to a tier of its own",
	"table.exec.sort.default-limit":                                "ORDER BY without LIMIT gives all rows",
	"table.exec.disabled-operators":                                "each operation has one operator",
	"table.exec.shuffle-mode":                                      "exchanges are pipelined",
	"table.exec.legacy-cast-behaviour":                             "casts that can't be made fail; TRY_CAST gives NULL",
	"table.exec.deduplicate.insert-update-after-sensitive-enabled": "the first row of a key is always an insert",
	"table.exec.deduplicate.mini-batch.compact-changes-enabled":    "a batch is one change of a key anyway",
	"table.exec.interval-join.min-cleanup-interval":                "the watermark says which rows can go",
	"table.exec.uid.generation":                                    "uids are made of what an operator means",
	"table.exec.uid.format":                                        "uids are made of what an operator means",
	"table.exec.simplify-operator-name-enabled":                    "names are short",
	"table.exec.async-state.enabled":                               "state is read before a batch is worked on",
	"table.generated-code.max-length":                              "no code is generated",
	"table.generated-code.max-members":                             "no code is generated",
	"table.dynamic-table-options.enabled":                          "the hint OPTIONS is always understood",
	"table.plan.compile.catalog-objects":                           "plans are not kept",
	"table.plan.restore.catalog-objects":                           "plans are not kept",
	"table.plan.force-recompile":                                   "plans are not kept",
	"table.sql-dialect":                                            "there is one dialect",
	"table.planner":                                                "there is one planner",
	"table.resources.download-dir":                                 "functions are part of the program",
	"table.display.max-column-width":                               "columns are as wide as their values",

	"pipeline.object-reuse":                     "batches are shared, never copied between operators",
	"pipeline.operator-chaining.enabled":        "operators share a vertex where they can",
	"pipeline.generic-types":                    "rows have SQL types",
	"pipeline.force-avro":                       "rows have SQL types",
	"pipeline.force-kryo":                       "rows have SQL types",
	"pipeline.jars":                             "functions are part of the program",
	"pipeline.classpaths":                       "functions are part of the program",
	"pipeline.closure-cleaner-level":            "there are no closures to be shipped",
	"pipeline.auto-generate-uids":               "uids are made of what an operator means",
	"pipeline.vertex-name-include-index-prefix": "vertices have ids",

	"execution.checkpointing.mode":                                          "checkpoints are exactly-once",
	"execution.checkpointing.max-concurrent-checkpoints":                    "one checkpoint is taken at a time",
	"execution.checkpointing.externalized-checkpoint-retention":             "the last checkpoints of a job are kept",
	"execution.checkpointing.checkpoints-after-tasks-finish":                "they are always taken",
	"execution.checkpointing.savepoint-dir":                                 "the cluster says where savepoints lie",
	"execution.checkpointing.dir":                                           "the cluster says where checkpoints lie",
	"execution.checkpointing.storage":                                       "the cluster says where checkpoints lie",
	"execution.checkpointing.incremental":                                   "checkpoints hold what changed since the last one anyway",
	"execution.checkpointing.unaligned.max-subtasks-per-channel-state-file": "rows in flight are part of a task's state",
	"execution.shutdown-on-attached-exit":                                   "a job outlives the client that submitted it",
	"execution.attached":                                                    "table.dml-sync says whether INSERT waits",
	"execution.target":                                                      "the client says to which cluster it speaks",
	"execution.batch-shuffle-mode":                                          "exchanges are pipelined",
	"execution.sorted-inputs.enabled":                                       "batch jobs run the operators of streams",
	"execution.batch-state-backend.enabled":                                 "batch jobs run the operators of streams",
	"execution.buffer-timeout":                                              "the option is called execution.buffer-timeout.interval",

	"state.backend":                                           "the cluster says where state lies",
	"state.backend.type":                                      "the cluster says where state lies",
	"state.backend.incremental":                               "checkpoints hold what changed since the last one anyway",
	"state.checkpoints.dir":                                   "the cluster says where checkpoints lie",
	"state.savepoints.dir":                                    "the cluster says where savepoints lie",
	"state.checkpoint-storage":                                "the cluster says where checkpoints lie",
	"state.backend.local-recovery":                            "task managers keep what they read",
	"state.backend.rocksdb.localdir":                          "the cluster says where state lies",
	"state.backend.rocksdb.memory.managed":                    "the cluster says how much memory state may have",
	"state.backend.latency-track.keyed-state-enabled":         "state has no metrics of latency",
	"restart-strategy.failure-rate.delay":                     "there is no strategy by rate; exponential-delay bounds it",
	"restart-strategy.failure-rate.failure-rate-interval":     "there is no strategy by rate; exponential-delay bounds it",
	"restart-strategy.failure-rate.max-failures-per-interval": "there is no strategy by rate; exponential-delay bounds it",
	"restart-strategy.exponential-delay.backoff-multiplier":   "each delay is half as long again as the one before",
	"restart-strategy.exponential-delay.jitter-factor":        "delays vary by a tenth",

	"sql-client.execution.result-mode":           "rows are shown as they come",
	"sql-client.execution.max-table-result.rows": "rows are shown as they come",
	"sql-client.verbose":                         "errors have their causes",
}

// NoEffect tells why an option of Flink's means nothing here; ok is false for all that do mean something, and for those that nobody knows.
func NoEffect(key string) (why string, ok bool) {
	if why, ok = noEffect[key]; ok {
		return why, true
	}
	for _, prefix := range []string{"state.backend.rocksdb.", "taskmanager.", "jobmanager.", "rest.", "metrics."} {
		if strings.HasPrefix(key, prefix) {
			return "it is one of the cluster, not of a job", true
		}
	}
	return "", false
}

// WithoutEffect returns the options that NoEffect knows by name, in order.
func WithoutEffect() []string { return slices.Sorted(maps.Keys(noEffect)) }
