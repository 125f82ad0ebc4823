package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"millrace/connectors"
	"millrace/internal/failure"
	"millrace/types"
)

// committer gives staged files their names.
type committer struct {
	sink *sink
	ctx  connectors.CommitterContext
}

// Recover implements connectors.Committer. What earlier attempts staged and no
// complete checkpoint has is removed: its rows are read again.
func (c *committer) Recover(ctx context.Context, id types.CheckpointID, committables [][]byte) error {
	if err := c.Commit(ctx, id, committables); err != nil {
		return err
	}
	root, err := c.sink.writeRoot()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	entries, err := c.behind(root, id)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !stagedBefore(c.ctx.Identity, e.Name()) {
			continue
		}
		if err := root.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return failure.External(fmt.Errorf("remove staged file: %w", err), failure.Backoff)
		}
	}
	_, err = c.behind(root, id) // now that nothing is left to commit
	return err
}

// behind lists the directory, and checks that no file has got its name for a
// later checkpoint.
func (c *committer) behind(root *os.Root, id types.CheckpointID) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, failure.External(fmt.Errorf("list files: %w", err), failure.Backoff)
	}
	if c.sink.values.Bool(connectors.RepeatOnFallback.Key) || id == 0 { // a new job has committed nothing
		return entries, nil
	}
	for _, e := range entries {
		if later := checkpointOf(c.ctx.Identity, e.Name()); later > id {
			return nil, connectors.Ahead("file "+e.Name(), later, id)
		}
	}
	return entries, nil
}

// Commit implements connectors.Committer. Names are safe on disk before a staged
// name goes, so a file is never without both.
func (c *committer) Commit(ctx context.Context, _ types.CheckpointID, committables [][]byte) error {
	if len(committables) == 0 {
		return nil
	}
	root, err := c.sink.writeRoot()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	staged := make([]string, 0, len(committables))
	for _, p := range committables {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := committableOf(p)
		if err == nil {
			err = link(root, m)
		}
		if err != nil {
			return err
		}
		staged = append(staged, m.staged)
	}
	if err := syncDir(root); err != nil {
		return failure.External(fmt.Errorf("sync directory: %w", err), failure.Backoff)
	}
	for _, name := range staged {
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return failure.External(fmt.Errorf("remove staged name: %w", err), failure.Backoff)
		}
	}
	return nil
}

// link gives a staged file its name, or finds that it has it.
func link(root *os.Root, m committable) error {
	err := root.Link(m.staged, m.final)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return linked(root, m)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := root.Stat(m.final); err == nil {
			return nil
		}
		return failure.Externalf(failure.Never, "file %s is lost: there is neither its staged form %s nor the committed one", m.final, m.staged)
	default:
		return failure.External(fmt.Errorf("commit %s: %w", m.final, err), failure.Backoff)
	}
}

// linked checks that what has the name is the staged file.
func linked(root *os.Root, m committable) error {
	staged, err := root.Stat(m.staged)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		var final os.FileInfo
		if final, err = root.Stat(m.final); err == nil && os.SameFile(staged, final) {
			return nil
		}
	}
	if err != nil {
		return failure.External(fmt.Errorf("look at %s: %w", m.final, err), failure.Backoff)
	}
	return failure.Externalf(failure.Never, "file %s is there already and is not the one to commit, %s", m.final, m.staged)
}

// Close implements connectors.Committer.
func (*committer) Close() error { return nil }
