package sim

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"millrace/blobstore"
	"millrace/connectors"
	"millrace/connectors/kafka"
	"millrace/expr"
	"millrace/formats"
	"millrace/formats/json"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	"millrace/jobmanager/coord"
	"millrace/operators"
	"millrace/operators/calc"
	"millrace/operators/changelog"
	"millrace/operators/rank"
	"millrace/operators/sort"
	"millrace/operators/union"
	"millrace/operators/window"
	"millrace/options"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/types"
)

const (
	// firstJob is the job that is there from the beginning; the id of a second one is the job manager's choice.
	firstJob   = types.JobID("bids-per-auction")
	firstName  = "bids"
	secondName = "bids again"
	sinkPrefix = "sim"
)

// job is a job of a schedule: bids by auction in windows, from one topic, once for each region into a topic of its own.
type job struct {
	id      types.JobID // empty before it exists
	keys    coord.JobKeys
	output  string // what its topics are called, before the number of the region
	graph   *jobgraph.Graph
	proto   *jobv1.JobGraph
	regions [][]types.VertexID
}

// named gives the job the id that it has.
func (j *job) named(id types.JobID) {
	var err error
	j.id = id
	j.keys, err = coord.ForJob(id)
	must(err)
}

func (j *job) topic(region int) string { return j.output + strconv.Itoa(region) }

// jobOf returns the job of an id; nil where there is none.
func (w *world) jobOf(id types.JobID) *job {
	for _, j := range w.jobs {
		if j.id == id {
			return j
		}
	}
	return nil
}

const bidSchema = `{"fields": [
  {"name": "auction", "type": {"kind": "TYPE_KIND_BIGINT"}},
  {"name": "price", "type": {"kind": "TYPE_KIND_BIGINT"}},
  {"name": "time", "type": {"kind": "TYPE_KIND_TIMESTAMP", "precision": 3}}]}`

const aggregateSpec = `"keys": [0], "time": 2, "window": {"size": "$WINDOW"}, "aggregates": [
  {"func": "COUNT", "arg": -1, "name": "bids"}, {"func": "SUM", "arg": 1, "name": "total"}, {"func": "MAX", "arg": 1, "name": "highest"}]`

const regionSpec = `
{"id": "bids-N", "name": "bids-N", "parallelism": $P,
 "source": {"uid": "source-N", "connector": "kafka", "options": {
   "topic": "bids", "properties.bootstrap.servers": "model", "scan.startup.mode": "$MODE", "format": "json",
   "scan.topic-partition-discovery.interval": "$DISCOVERY"},
   "schema": $SCHEMA, "watermark": {"column": 2, "delay": "$DELAY"}},
 "operators": [{"uid": "local-N", "name": "partial", "local_aggregate": {$AGGREGATE}}]},
{"id": "window-N", "name": "window-N", "parallelism": $P,
 "operators": [{"uid": "window-op-N", "name": "window", "window_aggregate": {$AGGREGATE, "partial": true, "input": $SCHEMA}}],
 "sink": {"uid": "sink-N", "connector": "kafka", "options": {
   "topic": "$OUTN", "properties.bootstrap.servers": "model", "format": "json", "sink.delivery-guarantee": "exactly-once",
   "sink.transactional-id-prefix": "$PREFIX", "properties.transaction.timeout.ms": "$TIMEOUT"}}}`

const jobSpec = `{"name": "$NAME", "max_parallelism": $GROUPS,
 "checkpoint": {"interval": "$INTERVAL", "timeout": "$CHKTIMEOUT", "tolerable_failures": 3, "unaligned": $UNALIGNED, "aligned_timeout": "$ALIGNED"},
 "restart": {"strategy": "RESTART_STRATEGY_EXPONENTIAL_DELAY", "delay": "0.2s", "max_delay": "3s", "reset_threshold": "30s"},
 "vertices": [$VERTICES], "edges": [$EDGES]}`

// newJob describes a job that writes to topics of that name.
func newJob(p faults, name, output string, parallelism int) (*job, error) {
	timeout, mode := transactionMax, "earliest-offset"
	if p.shortTransactions {
		timeout = transactionShort
	}
	if p.fromLatest {
		mode = "latest-offset"
	}
	var vertices, edges []string
	for n := range p.regions {
		number := strings.NewReplacer("-N", "-"+strconv.Itoa(n), "$OUTN", output+strconv.Itoa(n))
		vertices = append(vertices, number.Replace(regionSpec))
		edges = append(edges, number.Replace(`{"from": "bids-N", "to": "window-N", "partitioning": "PARTITIONING_KIND_HASH", "keys": [0]}`))
	}
	text := strings.NewReplacer("$VERTICES", strings.Join(vertices, ","), "$EDGES", strings.Join(edges, ",")).Replace(jobSpec)
	text = strings.ReplaceAll(text, "$AGGREGATE", aggregateSpec)
	text = strings.NewReplacer(
		"$NAME", name,
		"$SCHEMA", bidSchema, "$WINDOW", millis(windowMillis), "$DELAY", millis(delayMillis), "$DISCOVERY", fmt.Sprintf("%d ms", discoveryMillis),
		"$MODE", mode, "$PREFIX", sinkPrefix, "$CHKTIMEOUT", millis(checkpointTimeout), "$TIMEOUT", strconv.Itoa(timeout),
		"$UNALIGNED", strconv.FormatBool(p.unaligned), "$ALIGNED", millis(p.alignedMillis), "$GROUPS", strconv.Itoa(keyGroups), "$INTERVAL", millis(checkpointEvery), "$P", strconv.Itoa(parallelism),
	).Replace(text)
	g, err := codec.ParseJSON([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the simulator's job: %w", err)
	}
	proto, err := codec.ToProto(g)
	return &job{output: output, graph: g, proto: proto, regions: g.Regions()}, err
}

// submit stores the job as a leader does whom a client has given it, before anything can go wrong.
func (w *world) submit(j *job) {
	j.named(firstJob)
	s := w.etcd.Open()
	lead, err := s.Campaign(w.ctx, "user")
	must(err)
	graph := marshal(j.proto)
	key, err := blobstore.GraphKey{Job: j.id, Version: 1, Unique: "sim"}.Path()
	must(err)
	must(w.blob.Create(w.ctx, key, blobstore.Bytes(graph)))
	sum := sha256.Sum256(graph)
	record := marshal(&checkpointv1.JobRecord{
		FormatVersion: 1, JobId: string(j.id), Name: firstName, GraphObject: key, GraphSha256: sum[:],
		Phase: checkpointv1.JobPhase_JOB_PHASE_ACTIVE, SubmittedUnixMillis: w.wallMillis(),
	})
	ops := []coord.Op{coord.Put(j.keys.State(), record)}
	must(s.Txn(w.ctx, lead.Term(), nil, ops))
	w.oracle.written(ops)
	must(lead.Resign(w.ctx))
}

func must(err error) {
	if err != nil {
		panic(err) // the models do not fail by themselves
	}
}

func millis(n int) string { return fmt.Sprintf("%.3fs", float64(n)/1000) }

var jsonFormat = formats.Registry{"json": {
	Options: json.Spec.Prefixed("json."),
	Decoder: func(s *types.Schema, v options.Values) (formats.Decoder, error) {
		return json.NewDecoder(s, json.OptionsOf(v, "json."))
	},
	Encoder: func(s *types.Schema, v options.Values) (formats.Encoder, error) {
		return json.NewEncoder(s, json.OptionsOf(v, "json."))
	},
}}

// wiring is what the tasks of one process may name.
func (tm *taskManager) wiring() (*operators.Registry, *connectors.Registry) {
	ops, all := &operators.Registry{}, &connectors.Registry{}
	calc.Register(ops, expr.Builtins())
	window.Register(ops)
	union.Register(ops)
	rank.Register(ops)
	sort.Register(ops)
	changelog.Register(ops, expr.Builtins())
	k := &kafka.Connector{Formats: jsonFormat, CommitsAtOnce: 1, Connect: func(kafka.ClusterSpec) (kafka.Cluster, error) {
		return &client{p: tm.process, broker: tm.w.kafka}, nil
	}}
	all.RegisterSource(kafka.Name, k.Source())
	f := k.Sink()
	open := f.Open
	f.Open = func(given map[string]string, schema *types.Schema) (connectors.Sink, error) {
		s, err := open(given, schema)
		if err != nil {
			return nil, err
		}
		timeout, err := strconv.ParseInt(given["properties.transaction.timeout.ms"], 10, 32)
		return &sink{Sink: s, tm: tm, topic: given["topic"], timeout: int32(timeout), encode: func(s *types.Schema) (formats.Encoder, error) {
			return json.NewEncoder(s, json.Options{})
		}}, err
	}
	all.RegisterSink(kafka.Name, f)
	return ops, all
}
