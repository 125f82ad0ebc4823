package files

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"millrace/connectors"
	"millrace/failure"
)

// pending are the partitions that have files and are not complete. Each has a
// mark, a hidden file in the table's directory, which is there from before the commit
// that touched the partition is confirmed until the partition is complete. The names of
// marks have the operator in them and not the job: a job that goes on from another's savepoint finds
// them.
type pending struct {
	*completed
	prefix string
	begun  map[string]int64 // by directory, when its first file appeared; nil: not read yet
}

func newPending(c *completed, id connectors.Identity) *pending {
	return &pending{completed: c, prefix: ".pending-" + escape(string(id.Operator)) + "-"}
}

// mark returns the name of a partition's mark.
func (p *pending) mark(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return p.prefix + hex.EncodeToString(sum[:16])
}

// advance notes partitions that got files, and completes those whose time has come. It can be
// repeated.
func (p *pending) advance(root *os.Root, touched []string, at progress) error {
	if err := p.read(root); err != nil {
		return err
	}
	changed := false
	for _, dir := range touched {
		if _, known := p.begun[dir]; known {
			continue
		}
		due, err := p.due(dir, at.now, at)
		if err == nil && !due {
			err = p.begin(root, dir, at.now)
			changed = true
		}
		if err != nil {
			return err
		}
		p.begun[dir] = at.now
	}
	for _, dir := range slices.Sorted(maps.Keys(p.begun)) {
		due, err := p.due(dir, p.begun[dir], at)
		if err == nil && due {
			err = p.complete(root, dir)
			changed = true
		}
		if err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	if err := syncDir(root, "."); err != nil {
		return marking(err)
	}
	return nil
}

func marking(err error) error {
	return failure.External(fmt.Errorf("mark partition: %w", err), failure.Backoff)
}

// begin leaves a mark: the directory, and when its first file appeared.
func (p *pending) begin(root *os.Root, dir string, now int64) error {
	name := p.mark(dir)
	err := writeFile(root, name+"~", binary.AppendVarint(appendText([]byte{stateVersion}, dir), now))
	if err == nil {
		err = root.Rename(name+"~", name)
	}
	if err != nil {
		return marking(err)
	}
	return nil
}

// complete tells the world, and then forgets the partition.
func (p *pending) complete(root *os.Root, dir string) error {
	err := writeFile(root, path.Join(dir, p.name), nil)
	if err == nil {
		err = syncDir(root, dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // somebody has taken the partition away
	}
	if err == nil {
		err = root.Remove(p.mark(dir))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure.External(fmt.Errorf("complete partition %s: %w", dir, err), failure.Backoff)
	}
	delete(p.begun, dir)
	return nil
}

// writeFile makes a file, whose content is safe on disk then.
func writeFile(root *os.Root, name string, content []byte) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// read finds the marks that are there, once.
func (p *pending) read(root *os.Root) error {
	if p.begun != nil {
		return nil
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return marking(err)
	}
	found := make(map[string]int64)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), p.prefix) || strings.HasSuffix(e.Name(), "~") {
			continue
		}
		content, err := root.ReadFile(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // another job's, which is complete
		}
		if err != nil {
			return marking(err)
		}
		r := connectors.NewStateReader(content, stateVersion)
		dir, begun := r.Text(), r.Varint()
		if err := r.Close("partition's mark " + e.Name()); err != nil {
			return err
		}
		if p.mark(dir) == e.Name() {
			found[dir] = begun
		}
	}
	p.begun = found
	return nil
}
