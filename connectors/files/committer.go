package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"millrace/connectors"
	"millrace/failure"
	"millrace/types"
)

// committer gives staged files their names.
type committer struct {
	sink    *sink
	ctx     connectors.CommitterContext
	pending *pending // nil: nobody is told of complete partitions
}

// Recover implements connectors.Committer. What earlier attempts staged and no
// complete checkpoint has is removed: its rows are read again.
func (c *committer) Recover(ctx context.Context, id types.CheckpointID, committables [][]byte) error {
	moves, epochs, err := movesOf(committables)
	if err != nil {
		return err
	}
	root, err := c.sink.writeRoot()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if c.sink.overwrites {
		if err := c.resume(ctx, root, id, epochs); err != nil {
			return err
		}
	}
	if err := c.commit(ctx, root, moves, epochs); err != nil {
		return err
	}
	if err := c.behind(ctx, root, id); err != nil {
		return err
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return unlisted(err)
	}
	for _, e := range entries {
		if !stagedBefore(c.ctx.Identity, e.Name()) {
			continue
		}
		if err := root.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return failure.External(fmt.Errorf("remove staged file: %w", err), failure.Backoff)
		}
	}
	return c.behind(ctx, root, id) // now that nothing is left to commit
}

// behind checks that no file has got its name for a later checkpoint. It lists
// all directories of the table.
func (c *committer) behind(ctx context.Context, root *os.Root, id types.CheckpointID) error {
	if c.sink.values.Bool(connectors.RepeatOnFallback.Key) || id == 0 { // a new job has committed nothing
		return nil
	}
	dirs, err := c.sink.leaves(ctx, root.FS())
	if err != nil {
		return unlisted(err)
	}
	for _, dir := range dirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := fs.ReadDir(root.FS(), dir)
		if err != nil {
			return unlisted(err)
		}
		for _, e := range entries {
			if later := checkpointOf(c.ctx.Identity, e.Name()); later > id {
				return connectors.Ahead("file "+path.Join(dir, e.Name()), later, id)
			}
		}
	}
	return nil
}

func unlisted(err error) error {
	return failure.External(fmt.Errorf("list files: %w", err), failure.Backoff)
}

// Commit implements connectors.Committer. Names are safe on disk before a staged
// name goes, so a file is never without both.
func (c *committer) Commit(ctx context.Context, _ types.CheckpointID, committables [][]byte) error {
	moves, epochs, err := movesOf(committables)
	if err != nil {
		return err
	}
	root, err := c.sink.writeRoot()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return c.commit(ctx, root, moves, epochs)
}

func (c *committer) commit(ctx context.Context, root *os.Root, moves []move, epochs []epochFiles) error {
	switch {
	case len(moves)+len(epochs) == 0:
		return nil
	case c.sink.overwrites:
		return c.collect(ctx, root, moves, epochs)
	}
	if err := publish(ctx, root, moves); err != nil {
		return err
	}
	if err := removeStaged(ctx, root, moves); err != nil || c.pending == nil {
		return err
	}
	return c.pending.advance(root, dirsOf(moves), progressOf(epochs, c.ctx.Clock.NowMillis()))
}

// removeStaged takes the staged names away of files that have others.
func removeStaged(ctx context.Context, root *os.Root, moves []move) error {
	for _, m := range moves {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := root.Remove(m.staged); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return failure.External(fmt.Errorf("remove staged name: %w", err), failure.Backoff)
		}
	}
	return nil
}

// movesOf reads committables of any version; those of the first are of no epoch that is known.
func movesOf(committables [][]byte) (moves []move, epochs []epochFiles, err error) {
	for _, p := range committables {
		if len(p) > 0 && p[0] == stateVersion {
			m, err := moveOf(p)
			if err != nil {
				return nil, nil, err
			}
			moves = append(moves, m)
			continue
		}
		e, err := epochFilesOf(p)
		if err != nil {
			return nil, nil, err
		}
		moves, epochs = append(moves, e.moves()...), append(epochs, e)
	}
	return moves, epochs, nil
}

// dirsOf returns the directories into which files go, sorted.
func dirsOf(moves []move) []string {
	dirs := make([]string, len(moves))
	for i, m := range moves {
		dirs[i] = path.Dir(m.final)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// publish gives files their names, which are safe on disk when it returns.
func publish(ctx context.Context, root *os.Root, moves []move) error {
	made := map[string]bool{".": true}
	for _, m := range moves {
		if err := ctx.Err(); err != nil {
			return err
		}
		if dir := path.Dir(m.final); !made[dir] {
			if err := root.MkdirAll(dir, 0o755); err != nil {
				return failure.External(fmt.Errorf("make directory %s: %w", dir, err), failure.Backoff)
			}
			// A name is safe when the directory that has it is: this may have been made by a
			// process that died before it came to that.
			for ; !made[dir]; dir = path.Dir(dir) {
				made[dir] = true
			}
		}
		if err := link(root, m); err != nil {
			return err
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(made)) {
		if err := syncDir(root, dir); err != nil {
			return failure.External(fmt.Errorf("sync directory %s: %w", dir, err), failure.Backoff)
		}
	}
	return nil
}

// link gives a staged file its name, or finds that it has it.
func link(root *os.Root, m move) error {
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
func linked(root *os.Root, m move) error {
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
