package physical

import (
	"time"

	"millrace/catalog"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/options"
	"millrace/sql/plan"
	"millrace/types"
)

// Spec has the options of a session that decide how a statement becomes a job. Where Flink has an option, this is its name and
// its meaning.
var Spec = options.Join("session", plannerSpec, jobSpec)

const (
	aggPhase          = "table.optimizer.agg-phase-strategy"
	stateTTL          = "table.exec.state.ttl"
	upsertMaterialize = "table.exec.sink.upsert-materialize"
	cdcDuplicates     = "table.exec.source.cdc-events-duplicate"
	idleTimeout       = "table.exec.source.idle-timeout"
	reuseSource       = "table.optimizer.reuse-source-enabled"
	reusePlan         = "table.optimizer.reuse-sub-plan-enabled"
	localZone         = "table.local-time-zone"
	splitEnabled      = "table.optimizer.distinct-agg.split.enabled"
	splitBuckets      = "table.optimizer.distinct-agg.split.bucket-num"
	tableParallelism  = "table.exec.resource.default-parallelism"

	jobName            = "pipeline.name"
	defaultParallelism = "parallelism.default"
	maxParallelism     = "pipeline.max-parallelism"
	watermarkInterval  = "pipeline.auto-watermark-interval"
	runtimeMode        = "execution.runtime-mode"
	bufferTimeout      = "execution.buffer-timeout.interval"

	checkpointInterval  = "execution.checkpointing.interval"
	checkpointPause     = "execution.checkpointing.min-pause"
	checkpointTimeout   = "execution.checkpointing.timeout"
	checkpointTolerable = "execution.checkpointing.tolerable-failed-checkpoints"
	checkpointUnaligned = "execution.checkpointing.unaligned.enabled"
	checkpointAligned   = "execution.checkpointing.aligned-checkpoint-timeout"
	checkpointRetained  = "execution.checkpointing.num-retained"

	restartType     = "restart-strategy.type"
	restartAttempts = "restart-strategy.fixed-delay.attempts"
	restartDelay    = "restart-strategy.fixed-delay.delay"
	restartInitial  = "restart-strategy.exponential-delay.initial-backoff"
	restartMax      = "restart-strategy.exponential-delay.max-backoff"
	restartReset    = "restart-strategy.exponential-delay.reset-backoff-threshold"
	restartBackoffs = "restart-strategy.exponential-delay.attempts-before-reset-backoff"
)

var plannerSpec = options.Spec{Name: "planner", Options: []options.Option{
	{Key: aggPhase, Type: options.Enum, Values: []string{"AUTO", "ONE_PHASE", "TWO_PHASE"}, Default: "AUTO", Doc: "Whether rows are aggregated in front of the exchange too. AUTO does so where rows have to be dealt out anew; both others apply where they can."},
	{Key: stateTTL, Type: options.Duration, Default: "0 ms", Min: "0 ms", Doc: "How long state is kept that nothing touches. 0 keeps it for ever. State by event-time windows is cleared by the watermark and has no need of it."},
	{Key: upsertMaterialize, Type: options.Enum, Values: []string{"AUTO", "NONE", "FORCE"}, Default: "AUTO", Doc: "Whether rows are kept in front of a sink with a primary key, so that the last of a key counts. AUTO does so where rows are told apart by other columns than those of the primary key."},
	{Key: cdcDuplicates, Type: options.Bool, Default: "false", Doc: "Changes of a source may come twice: they are compared with what was there, by primary key."},
	{Key: idleTimeout, Type: options.Duration, Default: "0 ms", Min: "0 ms", Doc: "A split that gave no row for so long holds the watermark back no longer. 0 waits for ever."},
	{Key: reuseSource, Type: options.Bool, Default: "true", Doc: "Tables that a statement set names several times are read once."},
	{Key: reusePlan, Type: options.Bool, Default: "true", Doc: "Equal parts of the queries of a statement set are computed once."},
	{Key: splitEnabled, Type: options.Bool, Default: "false", Doc: "Aggregates with DISTINCT run in two levels, the first of which has a group's values in several tasks. In streaming mode alone."},
	{Key: splitBuckets, Type: options.Int, Default: "1024", Min: "1", Max: "1048576", Doc: "Into how many buckets the values are dealt out, each of which is aggregated on its own first."},
	{Key: localZone, Type: options.String, Default: "UTC", Example: "Europe/Berlin", Doc: "The time zone of the session: in it lie windows over TIMESTAMP_LTZ and processing time, and conversions between TIMESTAMP_LTZ and other types."},
	{Key: tableParallelism, Type: options.Int, Default: "-1", Min: "-1", Max: "32768", Doc: "The parallelism of all that names none. Below 1, parallelism.default applies."},
}}

var jobSpec = options.Spec{Name: "job", Options: []options.Option{
	{Key: jobName, Type: options.String, Doc: "The name of the job. Without it, it is that of the tables written."},
	{Key: defaultParallelism, Type: options.Int, Min: "1", Max: "32768", Doc: "The parallelism of all that names none. Without it the cluster decides."},
	{Key: maxParallelism, Type: options.Int, Min: "1", Max: "32768", Doc: "The number of key groups: no vertex can ever have a higher parallelism. Without it there are 128."},
	{Key: watermarkInterval, Type: options.Duration, Default: "200 ms", Min: "0 ms", Doc: "How often sources emit watermarks."},
	{Key: runtimeMode, Type: options.Enum, Values: []string{"STREAMING", "BATCH"}, Default: "STREAMING", Doc: "BATCH gives results once, when all that is read has come to its end; every table must be bounded."},
	{Key: bufferTimeout, Type: options.Duration, Default: "5 ms", Min: "0 ms", Doc: "How long rows may wait for company in front of an exchange."},
	{Key: checkpointInterval, Type: options.Duration, Min: "0 ms", Doc: "The time between the triggers of checkpoints. 0 takes none by itself; without the option it is 10 s."},
	{Key: checkpointPause, Type: options.Duration, Default: "0 ms", Min: "0 ms", Doc: "The least time between the end of a checkpoint and the next trigger."},
	{Key: checkpointTimeout, Type: options.Duration, Min: "0 ms", Doc: "A checkpoint that takes longer is aborted. Without it: ten intervals, at least a minute and at most ten."},
	{Key: checkpointTolerable, Type: options.Int, Default: "0", Min: "0", Doc: "How many checkpoints may fail in a row before the job restarts."},
	{Key: checkpointUnaligned, Type: options.Bool, Default: "false", Doc: "Barriers overtake rows once they have waited for execution.checkpointing.aligned-checkpoint-timeout."},
	{Key: checkpointAligned, Type: options.Duration, Default: "0 ms", Min: "0 ms", Doc: "How long barriers are aligned before they overtake rows."},
	{Key: checkpointRetained, Type: options.Int, Min: "1", Max: "1000", Doc: "How many completed checkpoints are kept. Without it there are 3."},
	{Key: restartType, Type: options.Enum, Values: []string{restartExponential, restartFixed, restartNone}, Doc: "What follows a failure: restarts after delays that grow, restarts after one delay, or none. Without it the cluster decides."},
	{Key: restartAttempts, Type: options.Int, Default: "1", Min: "1", Max: "2147483647", Doc: "How often a job restarts with fixed-delay."},
	{Key: restartDelay, Type: options.Duration, Default: "1 s", Min: "0 ms", Doc: "The delay of fixed-delay."},
	{Key: restartInitial, Type: options.Duration, Default: "1 s", Min: "1 ms", Doc: "The first delay of exponential-delay."},
	{Key: restartMax, Type: options.Duration, Default: "1 min", Min: "1 ms", Doc: "The longest delay of exponential-delay."},
	{Key: restartReset, Type: options.Duration, Default: "1 h", Min: "1 ms", Doc: "How long a job runs until its next failure counts as the first."},
	{Key: restartBackoffs, Type: options.Int, Min: "1", Max: "2147483647", Doc: "How often a job restarts with exponential-delay. Without it there is no bound."},
}}

// The restart strategies.
const (
	restartExponential = "exponential-delay"
	restartFixed       = "fixed-delay"
	restartNone        = "none"
)

// restart is what follows a failure. What is not given is the cluster's to decide.
func (s *settings) restart() (out jobgraph.RestartSpec) {
	v := s.options
	duration := func(key string) time.Duration {
		if v.IsGiven(key) {
			return v.Duration(key)
		}
		return 0
	}
	switch v.Text(restartType) {
	case restartNone:
		out.Strategy = jobgraph.RestartNone
	case restartFixed:
		out.Strategy, out.Attempts, out.Delay = jobgraph.RestartFixedDelay, int(v.Int(restartAttempts)), v.Duration(restartDelay)
	default:
		out.Delay, out.MaxDelay, out.ResetThreshold = duration(restartInitial), duration(restartMax), duration(restartReset)
		if v.IsGiven(restartBackoffs) {
			out.Attempts = int(v.Int(restartBackoffs))
		}
	}
	return out
}

// settings are the options as the planner uses them.
type settings struct {
	options       options.Values
	phases        string
	ttl           time.Duration
	materialize   string
	cdcDuplicates bool
	idleTimeout   time.Duration
	batch         bool
	zone          string // "" is UTC
}

// Zone returns the time zone of a session, in which its constants fold too.
func Zone(v options.Values) (*time.Location, error) {
	zone, err := types.LoadZone(v.Text(localZone))
	if err != nil {
		return nil, failure.User(failure.Message{Field: localZone, Primary: err.Error()})
	}
	return zone, nil
}

// zoneName is the session's time zone as graphs have it: UTC is "".
func zoneName(v options.Values) string {
	if zone := v.Text(localZone); zone != "UTC" {
		return zone
	}
	return ""
}

func settingsOf(v options.Values) settings {
	return settings{
		options: v, zone: zoneName(v), phases: v.Text(aggPhase), ttl: v.Duration(stateTTL), materialize: v.Text(upsertMaterialize),
		cdcDuplicates: v.Bool(cdcDuplicates), idleTimeout: v.Duration(idleTimeout), batch: v.Text(runtimeMode) == "BATCH",
	}
}

// KeepScans and KeepParts are what the options say of sharing, as optimize.Config has it.
func KeepScans(v options.Values) bool { return !v.Bool(reuseSource) }

// KeepParts tells whether equal parts of plans stay apart.
func KeepParts(v options.Values) bool { return !v.Bool(reusePlan) }

// Buckets returns, as optimize.Config has it, into how many buckets the values of DISTINCT are dealt out. In batch mode they are not, as in Flink.
func Buckets(v options.Values) int {
	if !v.Bool(splitEnabled) || v.Text(runtimeMode) == "BATCH" {
		return 0
	}
	return int(v.Int(splitBuckets))
}

// Zoned tells, as optimize.Config has it, whether the session's time zone is another than UTC.
func Zoned(v options.Values) bool { return zoneName(v) != "" }

// ReadsFields tells, as optimize.Config asks it, of which tables' ROWs some fields alone can be read.
func ReadsFields(c catalog.Connectors) func(*plan.Scan) bool {
	return func(n *plan.Scan) bool {
		table, _ := connectorTable(n.Table, n.Hints)
		traits, err := c.Source(table)
		return err == nil && traits.Fields
	}
}

// Bare returns a graph without vertices that has what the options of a session say of the whole job.
func Bare(v options.Values) *jobgraph.Graph {
	s := settingsOf(v)
	return s.graph()
}

// graph returns a graph without vertices that has what the options say of the whole job.
func (s *settings) graph() *jobgraph.Graph {
	v := s.options
	g := &jobgraph.Graph{
		Name: v.Text(jobName), MaxParallelism: int(v.Int(maxParallelism)), Parallelism: int(v.Int(defaultParallelism)),
		BufferTimeout: v.Duration(bufferTimeout), WatermarkInterval: v.Duration(watermarkInterval), Zone: s.zone,
		Checkpoint: jobgraph.CheckpointSpec{
			Interval: jobgraph.DefaultCheckpointInterval, MinPause: v.Duration(checkpointPause), Timeout: v.Duration(checkpointTimeout),
			TolerableFailures: int(v.Int(checkpointTolerable)),
			Unaligned:         v.Bool(checkpointUnaligned), AlignedTimeout: v.Duration(checkpointAligned),
		},
	}
	g.Restart = s.restart()
	if v.IsGiven(checkpointRetained) {
		g.Checkpoint.Retained = int(v.Int(checkpointRetained))
	}
	if v.IsGiven(checkpointInterval) {
		g.Checkpoint.Interval = v.Duration(checkpointInterval)
	}
	if n := v.Int(tableParallelism); n > 0 {
		g.Parallelism = int(n)
	}
	return g
}
