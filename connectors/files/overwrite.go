package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"millrace/connectors"
	"millrace/failure"
	"millrace/types"
)

// Overwriting implements connectors.Overwriter.
func (s *sink) Overwriting() connectors.Sink {
	c := *s
	c.overwrites = true
	return &c
}

// collection is what a job that overwrites has of its output until the input has ended: a hidden directory in
// the table's own, with directories and names as the files will have them.
type collection struct {
	root *os.Root
	sink *sink
	dir  string
}

func collectionOf(root *os.Root, s *sink, job types.JobID, operator types.OperatorUID) *collection {
	return &collection{root: root, sink: s, dir: ".overwrite-" + escape(string(job)) + "-" + escape(string(operator))}
}

// collection returns that of the committer's job.
func (c *committer) collection(root *os.Root) *collection {
	return collectionOf(root, c.sink, c.ctx.Job, c.ctx.Operator)
}

// resume brings the collection to the state of the checkpoint that is restored. A new job has nothing; one that has fallen back
// has more than belongs to it, and one that goes on from another's checkpoint takes what that one had.
func (c *committer) resume(ctx context.Context, root *os.Root, id types.CheckpointID, epochs []epochFiles) error {
	own := c.collection(root)
	there, err := own.exists()
	switch {
	case err != nil:
		return err
	case id == 0 || !there && len(epochs) == 0: // or the sink is new in the job
		return own.begin()
	}
	if err := c.behind(ctx, root, id); err != nil { // a later checkpoint's last commit needs all that is there
		return err
	}
	if there {
		return own.forget(ctx, id)
	}
	from := collectionOf(root, c.sink, lastOf(epochs).writer.Job, c.ctx.Operator)
	if there, err := from.exists(); err != nil || !there {
		return err // Commit tells whether that may be
	}
	return own.adopt(ctx, from, id)
}

// collect takes the files of a checkpoint into the collection. Once the input has ended they all get their names, in the place of
// what was there.
func (c *committer) collect(ctx context.Context, root *os.Root, moves []move, epochs []epochFiles) error {
	own := c.collection(root)
	at := progressOf(epochs, c.ctx.Clock.NowMillis())
	there, err := own.exists()
	if err != nil {
		return err
	}
	if !there {
		return own.gone(moves, at.ended())
	}
	into := make([]move, len(moves))
	for i, m := range moves {
		into[i] = move{staged: m.staged, final: path.Join(own.dir, m.final)}
	}
	if err := publish(ctx, root, into); err != nil {
		return err
	}
	if err := removeStaged(ctx, root, moves); err != nil || !at.ended() {
		return err
	}
	dirs, err := own.replace(ctx)
	if err == nil && c.pending != nil {
		err = c.pending.advance(root, dirs, at)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = own.end()
	}
	return err
}

// replace puts what was collected in the place of what is there, and returns the directories of which that is true.
func (o *collection) replace(ctx context.Context) ([]string, error) {
	moves, err := o.files(ctx)
	if err != nil {
		return nil, err
	}
	of := make(map[string][]move)
	for _, m := range moves {
		of[path.Dir(m.final)] = append(of[path.Dir(m.final)], m)
	}
	dirs := dirsOf(moves)
	switch {
	case len(o.sink.keys) == 0:
		dirs = []string{"."}
	case len(dirs) == 0 && o.sink.static != "":
		dirs = []string{o.sink.static}
	}
	for _, dir := range dirs {
		if err := o.clear(ctx, dir, of[dir]); err != nil {
			return nil, err
		}
		if err := publish(ctx, o.root, of[dir]); err != nil {
			return nil, err
		}
	}
	return dirs, nil
}

// files returns all files, which get the names that they have here.
func (o *collection) files(ctx context.Context) (moves []move, err error) {
	err = fs.WalkDir(o.root.FS(), o.dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && !d.IsDir() {
			moves = append(moves, move{staged: name, final: strings.TrimPrefix(name, o.dir+"/")})
		}
		return err
	})
	if err != nil {
		return nil, unlisted(err)
	}
	return moves, nil
}

// clear removes what is in a directory, hidden files and those that take its place aside.
func (o *collection) clear(ctx context.Context, dir string, by []move) error {
	entries, err := fs.ReadDir(o.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unlisted(err)
	}
	stays := make(map[string]bool, len(by))
	for _, m := range by {
		stays[m.final] = true
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if hidden(name) || stays[name] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := o.root.RemoveAll(name); err != nil {
			return failure.External(fmt.Errorf("remove %s, which is overwritten: %w", name, err), failure.Backoff)
		}
	}
	if err := syncDir(o.root, dir); err != nil {
		return collecting(err)
	}
	return nil
}

func (o *collection) exists() (bool, error) {
	switch _, err := o.root.Stat(o.dir); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, collecting(err)
	}
}

func collecting(err error) error {
	return failure.External(fmt.Errorf("collect files that overwrite: %w", err), failure.Backoff)
}

// begin makes the collection anew.
func (o *collection) begin() error {
	err := o.root.RemoveAll(o.dir)
	if err == nil {
		err = o.root.Mkdir(o.dir, 0o755)
	}
	if err == nil {
		err = syncDir(o.root, ".")
	}
	if err != nil {
		return collecting(err)
	}
	return nil
}

// forget removes the files of later checkpoints than the one that is restored: their rows come again.
func (o *collection) forget(ctx context.Context, id types.CheckpointID) error {
	moves, err := o.files(ctx)
	for _, m := range moves {
		if err == nil && checkpointIn(path.Base(m.final)) > id {
			err = o.root.Remove(m.staged)
		}
	}
	if err != nil {
		return collecting(err)
	}
	return nil
}

// adopt takes what another job had at a checkpoint, and leaves that where it is. The name comes last: a collection that has its name
// is whole.
func (o *collection) adopt(ctx context.Context, from *collection, id types.CheckpointID) error {
	part := &collection{root: o.root, sink: o.sink, dir: o.dir + "~"}
	if err := part.begin(); err != nil {
		return err
	}
	moves, err := from.files(ctx)
	if err != nil {
		return err
	}
	moves = slices.DeleteFunc(moves, func(m move) bool { return checkpointIn(path.Base(m.final)) > id })
	for i := range moves {
		moves[i].final = path.Join(part.dir, moves[i].final)
	}
	err = publish(ctx, o.root, moves)
	if err == nil {
		err = o.root.Rename(part.dir, o.dir)
	}
	if err == nil {
		err = syncDir(o.root, ".")
	}
	if err != nil {
		return collecting(err)
	}
	return nil
}

// discarded is the name of a collection whose files have their names.
func (o *collection) discarded() string { return o.dir + "-done" }

// end takes the collection away: first its name, which says that there is still something to do.
func (o *collection) end() error {
	err := o.root.Rename(o.dir, o.discarded())
	if err == nil {
		err = syncDir(o.root, ".")
	}
	if err == nil {
		err = o.root.RemoveAll(o.discarded())
	}
	if err != nil {
		return collecting(err)
	}
	return nil
}

// gone tells what it means that there is no collection: where the input has ended, that all is done.
func (o *collection) gone(moves []move, ended bool) error {
	lost := !ended
	for _, m := range moves {
		if _, err := o.root.Stat(m.staged); err == nil {
			lost = true
		}
	}
	if lost {
		return failure.Externalf(failure.Never, "directory %s is lost: it has what the job has written so far, to take the place of what is in %s", o.dir, o.sink.path)
	}
	if err := o.root.RemoveAll(o.discarded()); err != nil {
		return collecting(err)
	}
	return nil
}
