package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"strings"

	"millrace/connectors"
	"millrace/failure"
	"millrace/formats"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

var linesSpec = options.Spec{Name: "lines", Options: []options.Option{
	{Key: "path", Required: true, Doc: "The file whose lines are the rows."},
}}

// lines is a source of the lines of a file, which is one split: its position is the byte at which the next line begins.
var lines = connectors.SourceFactory{
	Options: func(map[string]string) (options.Spec, error) { return linesSpec, nil },
	Open: func(given map[string]string, columns *types.Schema) (connectors.Source, error) {
		v, err := options.Parse(linesSpec, given)
		if err != nil {
			return nil, err
		}
		return linesOf(v.Text("path")), oneText(columns)
	},
	Traits: func(options.Values) connectors.SourceTraits { return connectors.SourceTraits{Bounded: true} },
}

// oneText refuses any columns but one of text.
func oneText(columns *types.Schema) error {
	if columns.Len() != 1 || !columns.Fields[0].Type.EqualIgnoringNull(types.StringType()) {
		return failure.Userf("a line is one column STRING, and not %s", columns)
	}
	return nil
}

type linesOf string

func (path linesOf) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	return &reader{ctx: ctx, path: string(path), rows: formats.NewRows(ctx.Pool, ctx.Schema, ctx.RowsMax)}, nil
}

func (path linesOf) Enumerator(ctx connectors.EnumeratorContext) (connectors.Enumerator, error) {
	return enumerator{ctx, string(path)}, nil
}

// enumerator assigns the one split.
type enumerator struct {
	ctx  connectors.EnumeratorContext
	path string
}

func (e enumerator) Start(context.Context) ([]connectors.Assignment, error) {
	if _, err := os.Stat(e.path); err != nil {
		return nil, failure.External(err, failure.Backoff) // it is looked for again, and `job show` says so
	}
	return connectors.AssignOnce(e.ctx, func(yield func(connectors.SplitState) bool) { yield(splitAt(0)) }), nil
}

func (enumerator) Discover(context.Context) ([]connectors.Assignment, error) { return nil, nil }
func (enumerator) DiscoveryInterval() int64                                  { return 0 }
func (enumerator) Snapshot() ([]byte, error)                                 { return nil, nil }
func (enumerator) Close() error                                              { return nil }

// version is that of a position.
const version = 1

func splitAt(position int64) connectors.SplitState {
	return connectors.SplitState{ID: "file", State: binary.AppendUvarint([]byte{version}, uint64(position)), Watermark: stream.NoWatermark}
}

// reader reads the split in the tasks that have it: one of them.
type reader struct {
	ctx      connectors.ReaderContext
	path     string
	rows     *formats.Rows
	file     *os.File // nil: the split is another's
	text     *bufio.Reader
	position int64
	noMore   bool
	ended    bool // the file
	said     bool
}

func (r *reader) Assign(splits []connectors.SplitState) error {
	for _, s := range splits {
		state := connectors.NewStateReader(s.State, version)
		r.position = state.Uvarint(math.MaxInt64)
		if err := state.Close("file"); err != nil {
			return err
		}
		var err error
		if r.file, err = os.Open(r.path); err != nil {
			return failure.External(err, failure.Restart)
		}
		if _, err = r.file.Seek(r.position, io.SeekStart); err != nil {
			return failure.External(err, failure.Restart)
		}
		r.text = bufio.NewReader(r.file)
	}
	return nil
}

func (r *reader) NoMoreSplits() { r.noMore = true }

func (r *reader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	for r.file != nil && !r.ended && r.rows.Len() < r.ctx.RowsMax {
		line, err := r.text.ReadString('\n')
		if r.ended = errors.Is(err, io.EOF); err != nil && !r.ended {
			return nil, connectors.Dry, failure.External(err, failure.Restart)
		}
		r.position += int64(len(line))
		if line != "" {
			r.rows.Columns[0].AppendString(strings.TrimSuffix(line, "\n"))
		}
	}
	switch {
	case r.rows.Len() > 0:
		b := r.rows.Finish()
		b.Split = 0 // the first that was assigned
		return b, connectors.More, nil
	case r.noMore:
		return nil, connectors.Done, nil
	default:
		return nil, connectors.Dry, nil
	}
}

// Finished names the split when its last line has been read: event time waits for it no longer.
func (r *reader) Finished() []int32 {
	if !r.ended || r.said {
		return nil
	}
	r.said = true
	return []int32{0}
}

func (r *reader) Positions(to []connectors.SplitState) []connectors.SplitState {
	if r.file != nil {
		to = append(to, splitAt(r.position))
	}
	return to
}

func (r *reader) CheckpointComplete(types.CheckpointID) {}

func (r *reader) Close() error {
	r.rows.Close()
	if r.file != nil {
		return r.file.Close()
	}
	return nil
}
