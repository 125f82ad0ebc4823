package files

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"

	"millrace/connectors"
	"millrace/failure"
)

// source implements connectors.Source.
type source struct {
	table
	onError string
}

// Reader implements connectors.Source.
func (s *source) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	return newReader(s, ctx)
}

// Enumerator implements connectors.Source.
func (s *source) Enumerator(ctx connectors.EnumeratorContext) (connectors.Enumerator, error) {
	return &enumerator{source: s, ctx: ctx}, nil
}

// enumerator lists the files once.
type enumerator struct {
	source *source
	ctx    connectors.EnumeratorContext
	files  []file
}

// Start implements connectors.Enumerator.
func (e *enumerator) Start(ctx context.Context) ([]connectors.Assignment, error) {
	if err := e.find(ctx); err != nil {
		return nil, err
	}
	return connectors.AssignOnce(e.ctx, func(yield func(connectors.SplitState) bool) {
		for _, f := range e.files {
			if !yield(f.state()) {
				return
			}
		}
	}), nil
}

// find lists the files of a new job, and remembers those of a restored one.
func (e *enumerator) find(ctx context.Context) (err error) {
	if e.ctx.Restored == nil {
		e.files, err = e.source.list(ctx)
		return err
	}
	r := connectors.NewStateReader(e.ctx.Restored, stateVersion)
	e.files = nil
	for range min(r.Uvarint(math.MaxInt64), FilesMax) {
		e.files = append(e.files, file{name: r.Text(), end: r.Uvarint(math.MaxInt64)})
	}
	return r.Close("enumerator")
}

// list finds every file of the table, sorted by name within a directory of keys.
func (s *source) list(ctx context.Context) ([]file, error) {
	root, only, err := s.readRoot()
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	l := listing{ctx: ctx, root: root.FS(), only: only}
	dirs, err := s.leaves(ctx, l.root)
	for _, dir := range dirs {
		if err == nil {
			err = l.below(dir)
		}
	}
	switch {
	case err == nil && only != "" && len(s.keys) > 0:
		err = failure.Userf("a table that is partitioned is a directory, and this is a file")
	case err != nil && failure.ClassOf(err).Domain != failure.DomainUser:
		err = failure.External(err, failure.Backoff)
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.path, err)
	}
	return l.found, nil
}

// listing finds files.
type listing struct {
	ctx   context.Context
	root  fs.FS
	only  string // the one file that is meant; "": all
	found []file
}

// below finds all files below a directory, but for the hidden ones.
func (l *listing) below(dir string) error {
	return fs.WalkDir(l.root, dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = l.ctx.Err()
		}
		switch {
		case err != nil:
			return err
		case name != dir && hidden(name) && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || hidden(name) || !d.Type().IsRegular() || (l.only != "" && name != l.only):
			return nil
		case len(l.found) == FilesMax:
			return failure.Userf("more than %d files", FilesMax)
		}
		info, err := d.Info()
		if err == nil {
			l.found = append(l.found, file{name: name, end: info.Size()})
		}
		return err
	})
}

// hidden tells names that are not data: of files that are being written, for one.
func hidden(name string) bool {
	base := path.Base(name)
	return base[0] == '.' || base[0] == '_' || strings.Contains(base, inProgress)
}

// Discover implements connectors.Enumerator.
func (*enumerator) Discover(context.Context) ([]connectors.Assignment, error) { return nil, nil }

// DiscoveryInterval implements connectors.Enumerator: never.
func (*enumerator) DiscoveryInterval() int64 { return 0 }

// Snapshot implements connectors.Enumerator.
func (e *enumerator) Snapshot() ([]byte, error) {
	p := binary.AppendUvarint([]byte{stateVersion}, uint64(len(e.files)))
	for _, f := range e.files {
		p = binary.AppendUvarint(appendText(p, f.name), uint64(f.end))
	}
	return p, nil
}

// Close implements connectors.Enumerator.
func (*enumerator) Close() error { return nil }
