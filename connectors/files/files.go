package files

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"millrace/connectors"
	"millrace/formats"
	"millrace/internal/failure"
	"millrace/internal/options"
	"millrace/types"
)

// Name is the connector's name in a table's options.
const Name = "filesystem"

const (
	keyPath    = "path"
	keyFormat  = "format"
	keyOnError = "on-error"

	onErrorFail = "fail"
	onErrorSkip = "skip"
	onErrorDead = "dead-letter"
)

var common = []options.Option{
	{Key: keyPath, Required: true, Doc: "The directory that is read or written, or the one file that is read.", Example: "/data/bids"},
	{Key: keyFormat, Required: true, Doc: "The format of a line.", Example: "json"},
}

// SourceSpec declares the options of sources, those of the format aside.
var SourceSpec = options.Spec{Name: Name, Options: append(slices.Clone(common), options.Option{
	Key: keyOnError, Type: options.Enum, Values: []string{onErrorFail, onErrorSkip, onErrorDead}, Default: onErrorFail,
	Doc: "What becomes of a line that can't be decoded: the job fails and names it, it is skipped and counted, or it is put aside.",
})}

// SinkSpec declares the options of sinks, those of the format aside.
var SinkSpec = options.Spec{Name: Name, Options: append(slices.Clone(common), connectors.RepeatOnFallback)}

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
			return c.Formats.Join(SourceSpec, given, keyFormat)
		},
		Open: c.openSource,
		Traits: func(v options.Values) connectors.SourceTraits {
			f := c.Formats[v.Text(keyFormat)]
			return connectors.SourceTraits{Bounded: true, Fields: f.Fields, Columns: f.Columns}
		},
	}
}

// Sink returns the factory of sinks.
func (c *Connector) Sink() connectors.SinkFactory {
	return connectors.SinkFactory{
		Options: func(given map[string]string) (options.Spec, error) { return c.Formats.Join(SinkSpec, given, keyFormat) },
		Open:    c.openSink,
	}
}

// table is what source and sink have in common.
type table struct {
	values  options.Values
	format  string
	formats formats.Registry
	schema  *types.Schema
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
	return table{values: v, format: v.Text(keyFormat), formats: c.Formats, schema: schema, path: filepath.Clean(v.Text(keyPath))}, nil
}

func (c *Connector) openSource(given map[string]string, schema *types.Schema) (connectors.Source, error) {
	t, err := c.open(SourceSpec, given, schema)
	if err != nil {
		return nil, err
	}
	s := &source{table: t, onError: t.values.Text(keyOnError)}
	_, err = s.decoder(schema)
	return s, err
}

func (t *table) decoder(schema *types.Schema) (formats.Decoder, error) {
	return t.formats.Decoder(t.format, schema, t.values)
}

func (c *Connector) openSink(given map[string]string, schema *types.Schema) (connectors.Sink, error) {
	t, err := c.open(SinkSpec, given, schema)
	if err != nil {
		return nil, err
	}
	s := &sink{table: t}
	_, err = s.encoder(schema)
	return s, err
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
