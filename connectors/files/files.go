package files

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"millrace/connectors"
	"millrace/failure"
	"millrace/formats"
	"millrace/options"
	"millrace/types"
)

// Name is the connector's name in a table's options.
const Name = "filesystem"

const (
	keyPath    = "path"
	keyFormat  = "format"
	keyOnError = "on-error"

	keyDefaultName  = "partition.default-name"
	keyRollSize     = "sink.rolling-policy.file-size"
	keyRollInterval = "sink.rolling-policy.rollover-interval"
	keyRollCheck    = "sink.rolling-policy.check-interval"

	onErrorFail = "fail"
	onErrorSkip = "skip"
	onErrorDead = "dead-letter"
)

var common = []options.Option{
	{Key: keyPath, Required: true, Doc: "The directory that is read or written, or the one file that is read, as a path or a URI (file:///data/bids).", Example: "/data/bids"},
	{Key: keyFormat, Required: true, Doc: "The format of a line.", Example: "json"},
	connectors.PartitionKeys,
	{
		Key: keyDefaultName, Default: "__DEFAULT_PARTITION__",
		Doc: "What stands in the name of a directory for a partition column that is NULL, or text of no length. It is read as NULL.",
	},
}

// SourceSpec declares the options of sources, those of the format aside.
var SourceSpec = options.Spec{Name: Name, Options: append(slices.Clone(common), options.Option{
	Key: keyOnError, Type: options.Enum, Values: []string{onErrorFail, onErrorSkip, onErrorDead}, Default: onErrorFail,
	Doc: "What becomes of a line that can't be decoded: the job fails and names it, it is skipped and counted, or it is put aside.",
})}

// SinkSpec declares the options of sinks, those of the format aside.
var SinkSpec = options.Spec{Name: Name, Options: slices.Concat(common, rollingOptions, completion, []options.Option{connectors.StaticPartition, connectors.RepeatOnFallback})}

var rollingOptions = []options.Option{
	{
		Key: keyRollSize, Type: options.MemorySize, Default: "128 mb", Min: "1 b",
		Doc: "The size at which a file is full, before the checkpoint that ends it anyhow.",
	},
	{
		Key: keyRollInterval, Type: options.Duration, Default: "30 min", Min: "1 ms",
		Doc: "The age at which a file gets no more rows, before the checkpoint that ends it anyhow.",
	},
	{
		Key: keyRollCheck, Type: options.Duration, Default: "1 min", Min: "1 ms",
		Doc: "How often Flink looks at the age of files. Here a file's age is looked at whenever something is written to it, and none appears before its checkpoint: the option changes nothing.",
	},
}

// accepted returns the options of one direction, and those of the other: a table that is read and written
// has both.
func accepted(own, other options.Spec) options.Spec {
	s := options.Spec{Name: Name, Options: slices.Clone(own.Options)}
	for _, o := range other.Options {
		if !slices.ContainsFunc(own.Options, func(k options.Option) bool { return k.Key == o.Key }) {
			s.Options = append(s.Options, o)
		}
	}
	return s
}

// Connector makes the factories of sources and sinks. It is not changed after
// use began.
type Connector struct {
	// Formats are the known formats by the names under which jobs ask for them.
	Formats formats.Registry
}

// Register adds source, sink and lookups to a registry.
func (c *Connector) Register(r *connectors.Registry) {
	r.RegisterSource(Name, c.Source())
	r.RegisterLookup(Name, connectors.FullLookup(c.Source()))
	r.RegisterSink(Name, c.Sink())
}

// Source returns the factory of sources.
func (c *Connector) Source() connectors.SourceFactory {
	return connectors.SourceFactory{
		Options: func(given map[string]string) (options.Spec, error) {
			return c.Formats.Join(accepted(SourceSpec, SinkSpec), given, keyFormat)
		},
		Open: c.openSource,
		Traits: func(v options.Values) connectors.SourceTraits {
			f := c.Formats[v.Text(keyFormat)]
			return connectors.SourceTraits{Bounded: true, Partitions: true, Fields: f.Fields, Columns: f.Columns}
		},
	}
}

// Sink returns the factory of sinks.
func (c *Connector) Sink() connectors.SinkFactory {
	return connectors.SinkFactory{
		Options: func(given map[string]string) (options.Spec, error) {
			return c.Formats.Join(accepted(SinkSpec, SourceSpec), given, keyFormat)
		},
		Open: c.openSink,
		Traits: func(options.Values) connectors.SinkTraits {
			return connectors.SinkTraits{Partitions: true, Overwrite: true}
		},
	}
}

// table is what source and sink have in common.
type table struct {
	layout
	values  options.Values
	format  string
	formats formats.Registry
	path    string
}

func (c *Connector) open(own options.Spec, given map[string]string, schema *types.Schema) (table, error) {
	spec, err := c.Formats.Join(own, given, keyFormat)
	if err != nil {
		return table{}, err
	}
	v, err := options.Parse(spec, given)
	if err != nil {
		return table{}, err
	}
	path, err := pathOf(v.Text(keyPath))
	if err != nil {
		return table{}, err
	}
	l, err := layoutOf(schema, v.List(connectors.PartitionKeys.Key), v.Text(keyDefaultName))
	return table{layout: l, values: v, format: v.Text(keyFormat), formats: c.Formats, path: path}, err
}

// pathOf returns the path that an option means, which may be a URI of the scheme file.
func pathOf(text string) (string, error) {
	scheme, rest, found := strings.Cut(text, ":")
	switch {
	case !found || strings.Contains(scheme, "/"):
		return filepath.Clean(text), nil
	case scheme == "file" && strings.HasPrefix(strings.TrimPrefix(rest, "//"), "/"):
		return filepath.Clean(strings.TrimPrefix(rest, "//")), nil
	case scheme == "file" || strings.HasPrefix(rest, "//"):
		return "", failure.User(failure.Message{
			Field: keyPath, Primary: text + " is on no file system of this machine",
			Hint: "a directory that all machines have mounted, as in /data/bids or file:///data/bids",
		})
	default:
		return filepath.Clean(text), nil
	}
}

func (c *Connector) openSource(given map[string]string, schema *types.Schema) (connectors.Source, error) {
	t, err := c.open(accepted(SourceSpec, SinkSpec), given, schema)
	if err != nil {
		return nil, err
	}
	s := &source{table: t, onError: t.values.Text(keyOnError)}
	_, _, err = s.decoder()
	return s, err
}

// decoder returns a decoder of records, whose rows have the schema.
func (t *table) decoder() (formats.Decoder, *types.Schema, error) {
	if t.record.Len() == 0 {
		return lines{}, linesSchema, nil
	}
	d, err := t.formats.Decoder(t.format, t.record, t.values)
	return d, t.record, err
}

func (c *Connector) openSink(given map[string]string, schema *types.Schema) (connectors.Sink, error) {
	t, err := c.open(accepted(SinkSpec, SourceSpec), given, schema)
	if err != nil {
		return nil, err
	}
	for _, k := range t.keys {
		if k.column == notAsked {
			return nil, failure.User(failure.Message{Field: connectors.PartitionKeys.Key, Primary: "no column is named " + k.name})
		}
	}
	if t.record.Len() == 0 {
		return nil, failure.User(failure.Message{Field: connectors.PartitionKeys.Key, Primary: "names all columns: none is left for the records"})
	}
	s := &sink{table: t, rolling: rolling{bytes: t.values.Bytes(keyRollSize), interval: t.values.Duration(keyRollInterval)}}
	if s.completed, err = completedOf(&s.layout, s.values); err != nil {
		return nil, err
	}
	if s.values.IsGiven(connectors.StaticPartition.Key) {
		if s.static, err = s.directoryOf(s.values.Text(connectors.StaticPartition.Key)); err != nil {
			return nil, failure.User(failure.Message{Field: connectors.StaticPartition.Key, Primary: err.Error()})
		}
	}
	_, err = s.encoder(s.record)
	return s, err
}

// sink implements connectors.Sink.
type sink struct {
	table
	rolling   rolling
	completed *completed
	// overwrites has the files take the place of those that are there; static is the directory of which that is true also where there
	// are none, "" where none is named.
	overwrites bool
	static     string
}

// Writer implements connectors.Sink.
func (s *sink) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	return newWriter(s, ctx)
}

// Committer implements connectors.Sink.
func (s *sink) Committer(ctx connectors.CommitterContext) (connectors.Committer, error) {
	c := &committer{sink: s, ctx: ctx}
	if s.completed != nil {
		c.pending = newPending(s.completed, ctx.Identity)
	}
	return c, nil
}

func (t *table) encoder(schema *types.Schema) (formats.Encoder, error) {
	return t.formats.Encoder(t.format, schema, t.values)
}

// readRoot opens the directory to read, and names the one file in it that is
// meant, if it is one.
func (t *table) readRoot() (root *os.Root, only string, err error) {
	dir := t.path
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		dir, only = filepath.Split(t.path)
		dir = filepath.Clean(dir)
	}
	if err == nil {
		root, err = os.OpenRoot(dir)
	}
	if err != nil {
		return nil, "", failure.External(fmt.Errorf("open %s: %w", t.path, err), failure.Backoff)
	}
	return root, only, nil
}

// writeRoot opens the directory to write, and makes it first where it lacks.
func (t *table) writeRoot() (*os.Root, error) {
	if err := os.MkdirAll(t.path, 0o755); err != nil {
		return nil, failure.External(fmt.Errorf("make directory: %w", err), failure.Backoff)
	}
	root, err := os.OpenRoot(t.path)
	if err != nil {
		return nil, failure.External(fmt.Errorf("open directory: %w", err), failure.Backoff)
	}
	return root, nil
}
