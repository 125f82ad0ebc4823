package kafka

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/connectors"
	"millrace/failure"
	"millrace/options"
)

// The keys. They are Flink's where Flink has one.
const (
	keyBrokers       = "properties.bootstrap.servers"
	keyClientID      = "properties.client.id"
	keyGroup         = "properties.group.id"
	keyReset         = "properties.auto.offset.reset"
	keyIsolation     = "properties.isolation.level"
	keyTimeout       = "properties.transaction.timeout.ms"
	keyCompression   = "properties.compression.type"
	keyLinger        = "properties.linger.ms"
	keyRequestMax    = "properties.max.request.size"
	keyTopic         = "topic"
	keyFormat        = "format"
	keyOnError       = "on-error"
	keyStartup       = "scan.startup.mode"
	keyStartupTime   = "scan.startup.timestamp-millis"
	keyStartupOffset = "scan.startup.specific-offsets"
	keyBounded       = "scan.bounded.mode"
	keyBoundedTime   = "scan.bounded.timestamp-millis"
	keyBoundedOffset = "scan.bounded.specific-offsets"
	keyDiscovery     = "scan.topic-partition-discovery.interval"
	keyGuarantee     = "sink.delivery-guarantee"
	keyPrefix        = "sink.transactional-id-prefix"
	keyPartitioner   = "sink.partitioner"
	keyKeyFields     = "key.fields"
	keyKeyFormat     = "key.format"
)

// The words of options.
const (
	modeEarliest  = "earliest-offset"
	modeLatest    = "latest-offset"
	modeTimestamp = "timestamp"
	modeSpecific  = "specific-offsets"
	modeGroup     = "group-offsets"
	modeUnbounded = "unbounded"

	onErrorFail = "fail"
	onErrorSkip = "skip"
	onErrorDead = "dead-letter"

	isolationCommitted   = "read_committed"
	isolationUncommitted = "read_uncommitted"

	guaranteeExactlyOnce = "exactly-once"
	guaranteeAtLeastOnce = "at-least-once"
	guaranteeNone        = "none"

	partitionDefault    = "default"
	partitionFixed      = "fixed"
	partitionRoundRobin = "round-robin"
)

// commonOptions are those of sources and sinks. Of the client's own properties
// those that are listed may be given, no others.
var commonOptions = options.Spec{Options: []options.Option{
	{Key: keyBrokers, Required: true, Doc: "Brokers by which the cluster is found, separated by commas.", Example: "host1:9092,host2:9092"},
	{Key: keyClientID, Doc: "Name under which the brokers' logs and quotas know the client."},
	{Key: keyFormat, Required: true, Doc: "Format of the records' values.", Example: "json"},
}}

var sourceSpec = options.Join("kafka source", commonOptions, options.Spec{Options: []options.Option{
	{Key: keyTopic, Type: options.List, Required: true, Doc: "Topics to read.", Example: "bids"},
	{Key: keyGroup, Doc: "Group under whose name offsets are published for monitoring after each checkpoint, and from which group-offsets begins."},
	{
		Key: keyReset, Type: options.Enum, Values: []string{"earliest", "latest", "none"}, Default: "none",
		Doc: "Where to begin, with group-offsets, in a partition for which the group has no offset; none refuses.",
	},
	{
		Key: keyIsolation, Type: options.Enum, Values: []string{isolationCommitted, isolationUncommitted}, Default: isolationCommitted,
		Doc: "Whether records of open and aborted transactions are read.",
	},
	{
		Key: keyStartup, Type: options.Enum, Values: []string{modeEarliest, modeLatest, modeGroup, modeTimestamp, modeSpecific}, Default: modeGroup,
		Doc: "Where to begin in a new job. It becomes offsets once; a restored job goes on where it was.",
	},
	{Key: keyStartupTime, Type: options.Int, Min: "0", Doc: "Milliseconds since the epoch, for the startup mode timestamp."},
	{Key: keyStartupOffset, Doc: "Offsets for the startup mode specific-offsets.", Example: "partition:0,offset:42;partition:1,offset:300"},
	{
		Key: keyBounded, Type: options.Enum, Values: []string{modeUnbounded, modeLatest, modeGroup, modeTimestamp, modeSpecific}, Default: modeUnbounded,
		Doc: "Where to end. It becomes offsets once, when the job begins.",
	},
	{Key: keyBoundedTime, Type: options.Int, Min: "0", Doc: "Milliseconds since the epoch, for the bounded mode timestamp."},
	{Key: keyBoundedOffset, Doc: "Offsets for the bounded mode specific-offsets.", Example: "partition:0,offset:42;partition:1,offset:300"},
	{Key: keyDiscovery, Type: options.Duration, Default: "5 min", Doc: "How often to look for new partitions; 0 never. A bounded source never looks."},
	{
		Key: keyOnError, Type: options.Enum, Values: []string{onErrorFail, onErrorSkip, onErrorDead}, Default: onErrorFail,
		Doc: "What becomes of a record that can't be decoded: the job fails and names it, it is counted, or it leaves through the dead-letter port.",
	},
}})

var sinkSpec = options.Join("kafka sink", commonOptions, options.Spec{Options: []options.Option{
	{Key: keyTopic, Required: true, Doc: "Topic to write.", Example: "bids-per-auction"},
	{
		Key: keyGuarantee, Type: options.Enum, Values: []string{guaranteeExactlyOnce, guaranteeAtLeastOnce, guaranteeNone}, Default: guaranteeAtLeastOnce,
		Doc: "Exactly-once writes transactions that are committed with checkpoints; at-least-once waits for every acknowledgement at a checkpoint; none does not.",
	},
	{Key: keyPrefix, Default: "millrace", Doc: "First part of the transactional ids, for the brokers' access rules. A job restored with another one leaves its transactions open until they time out."},
	{
		Key: keyTimeout, Type: options.Int, Default: "900000", Min: "1000", Max: "2147483647",
		Doc: "Milliseconds after which Kafka aborts a transaction, at most the brokers' transaction.max.timeout.ms. Twice the longest time between a first record and its commit, outages included, must fit.",
	},
	{Key: keyCompression, Type: options.Enum, Values: []string{"none", "gzip", "snappy", "lz4", "zstd"}, Default: "none", Doc: "Compression of what is written."},
	{Key: keyLinger, Type: options.Int, Default: "5", Min: "0", Max: "60000", Doc: "Milliseconds for which records wait for company."},
	{Key: keyRequestMax, Type: options.Int, Default: "1048576", Min: "1024", Max: "104857600", Doc: "Largest batch of records in bytes, at most the topic's max.message.bytes."},
	{
		Key: keyPartitioner, Type: options.Enum, Values: []string{partitionDefault, partitionFixed, partitionRoundRobin}, Default: partitionDefault,
		Doc: "Default goes by the hash of the key as Kafka's own clients do, and without a key fills one batch after the other; fixed gives each subtask one partition.",
	},
	connectors.RepeatOnFallback,
	{Key: keyKeyFields, Type: options.List, Doc: "Columns that make the record's key.", Example: "auction"},
	{Key: keyKeyFormat, Doc: "Format of the key.", Example: "raw"},
}})

// client are the options of both.
type clientOptions struct {
	brokers  []string
	clientID string
	format   string
}

func (c clientOptions) spec() ClusterSpec {
	return ClusterSpec{Brokers: c.brokers, ClientID: c.clientID}
}

// brokerNames lists the brokers by which the cluster is found, for people.
func (c clientOptions) brokerNames() string { return strings.Join(c.brokers, ", ") }

// bound says where to begin or to end.
type bound struct {
	mode     string
	millis   int64
	specific map[int32]int64
}

// sourceOptions are the checked options of a source.
type sourceOptions struct {
	clientOptions
	topics    []string
	group     string
	reset     string
	committed bool
	start     bound
	end       bound
	discovery time.Duration
	onError   string
}

// bounded tells whether the source comes to an end.
func (o *sourceOptions) bounded() bool { return o.end.mode != modeUnbounded }

// sinkOptions are the checked options of a sink.
type sinkOptions struct {
	clientOptions
	topic         string
	guarantee     string
	prefix        string
	timeoutMillis int32
	compression   string
	lingerMillis  int64
	batchBytesMax int32
	partitioner   string
	repeat        bool // connectors.RepeatOnFallback
	keyFields     []string
	keyFormat     string
}

func parseClient(v options.Values, p *failure.Problems) clientOptions {
	c := clientOptions{clientID: v.Text(keyClientID), format: v.Text(keyFormat)}
	for b := range strings.SplitSeq(v.Text(keyBrokers), ",") {
		if b = strings.TrimSpace(b); b != "" {
			c.brokers = append(c.brokers, b)
		}
	}
	if len(c.brokers) == 0 {
		p.Addf("", keyBrokers, "names no broker")
	}
	return c
}

func parseSource(v options.Values) (*sourceOptions, error) {
	var p failure.Problems
	o := &sourceOptions{
		clientOptions: parseClient(v, &p), topics: v.List(keyTopic), group: v.Text(keyGroup), reset: v.Text(keyReset),
		committed: v.Text(keyIsolation) == isolationCommitted, discovery: v.Duration(keyDiscovery), onError: v.Text(keyOnError),
	}
	slices.Sort(o.topics)
	o.topics = slices.Compact(o.topics)
	if len(o.topics) == 0 || len(o.topics) > topicsMax {
		p.Addf("", keyTopic, "names %d topics, 1 to %d are allowed", len(o.topics), topicsMax)
	}
	o.start = parseBound(v, &p, keyStartup, keyStartupTime, keyStartupOffset)
	o.end = parseBound(v, &p, keyBounded, keyBoundedTime, keyBoundedOffset)
	if o.group == "" && (o.start.mode == modeGroup || o.end.mode == modeGroup) {
		p.Addf("", keyGroup, "must be given for %s (%s is the default of %s)", modeGroup, modeGroup, keyStartup)
	}
	if len(o.topics) > 1 && (o.start.specific != nil || o.end.specific != nil) {
		p.Addf("", keyTopic, "must be one for specific offsets")
	}
	if o.bounded() {
		o.discovery = 0
	}
	return o, p.Err()
}

// parseBound reads a mode with the option that it needs, and refuses one that it
// does not need.
func parseBound(v options.Values, p *failure.Problems, mode, millis, specific string) bound {
	b := bound{mode: v.Text(mode), millis: v.Int(millis)}
	if (b.mode == modeTimestamp) != v.IsGiven(millis) {
		p.Addf("", millis, "is given if and only if %s is %s", mode, modeTimestamp)
	}
	if (b.mode == modeSpecific) != v.IsGiven(specific) {
		p.Addf("", specific, "is given if and only if %s is %s", mode, modeSpecific)
	}
	if b.mode == modeSpecific {
		offsets, err := parseOffsets(v.Text(specific))
		if err != nil {
			p.Addf("", specific, "%v", err)
		}
		b.specific = offsets
	}
	return b
}

// parseOffsets reads "partition:0,offset:42;partition:1,offset:300".
func parseOffsets(text string) (map[int32]int64, error) {
	offsets := make(map[int32]int64)
	for item := range strings.SplitSeq(text, ";") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		partition, offset, ok := strings.Cut(item, ",")
		p, perr := afterColon(partition, "partition", 32)
		o, oerr := afterColon(offset, "offset", 64)
		if !ok || perr != nil || oerr != nil {
			return nil, fmt.Errorf("%q is not of the form partition:0,offset:42", item)
		}
		if _, twice := offsets[int32(p)]; twice {
			return nil, fmt.Errorf("partition %d is given twice", p)
		}
		offsets[int32(p)] = o
	}
	return offsets, nil
}

func afterColon(text, name string, bits int) (int64, error) {
	key, value, ok := strings.Cut(strings.TrimSpace(text), ":")
	if !ok || strings.TrimSpace(key) != name {
		return 0, fmt.Errorf("no %s", name)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, bits)
	if err == nil && n < 0 {
		err = fmt.Errorf("negative %s", name)
	}
	return n, err
}

func parseSink(v options.Values) (*sinkOptions, error) {
	var p failure.Problems
	o := &sinkOptions{
		clientOptions: parseClient(v, &p), topic: v.Text(keyTopic), guarantee: v.Text(keyGuarantee), prefix: v.Text(keyPrefix),
		timeoutMillis: int32(v.Int(keyTimeout)), compression: v.Text(keyCompression), lingerMillis: v.Int(keyLinger),
		batchBytesMax: int32(v.Int(keyRequestMax)), partitioner: v.Text(keyPartitioner),
		repeat: v.Bool(connectors.RepeatOnFallback.Key), keyFields: v.List(keyKeyFields), keyFormat: v.Text(keyKeyFormat),
	}
	if o.prefix == "" {
		p.Addf("", keyPrefix, "is empty")
	}
	if (len(o.keyFields) > 0) != (o.keyFormat != "") {
		p.Addf("", keyKeyFormat, "is given if and only if %s is", keyKeyFields)
	}
	return o, p.Err()
}
