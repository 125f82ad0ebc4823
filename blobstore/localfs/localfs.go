// Package localfs is a blob store in a folder of a local file system, shared by the processes of one machine.
//
// An object is a file under its key. It is written to a temporary file of the same file system, made durable, and then
// linked to its name: link(2) fails if the name is taken, in one step across all processes, and what it links is whole
// and durable already. So a crash at any moment leaves either the whole object or none, and at worst a temporary file,
// which a later Open sweeps away. rename(2) would replace the loser's target in silence.
//
// What if it crashes here?
//
//	write temporary file   no object; the file is swept when it is old
//	fsync the file         no object; as above
//	link                   the object may be there or not after a power failure; nobody was told. Whoever is refused
//	                       because of it makes the link durable before he says so
//	fsync the folders      the object is there; the creator was not told, CreateOrVerify settles it
//	unlink temporary file  the object is there; the file is swept when it is old
//
// The file system must be a local one with hard links: network file systems do not keep the promises of link and fsync. All paths go
// through os.Root, so that neither a key nor a symbolic link leads out of the folder. The package starts no goroutine.
package localfs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"millrace/blobstore"
	"millrace/internal/clock"
)

const (
	// tempFolder begins with a dot, which no key may, and so is out of the reach of keys and lists.
	tempFolder = ".temp"
	// copyBlockBytes is written between two looks at the context.
	copyBlockBytes = 1 << 20
	// linkAttemptsMax bounds the race against deletes that remove empty folders.
	linkAttemptsMax = 100
)

// Options configures a store. The zero value of a field means its default.
type Options struct {
	// SweepAfter is how old a temporary file must be to count as left behind by a crash; 24 h by default. It must be
	// longer than any create takes, since a live writer's file looks the same.
	SweepAfter time.Duration
	// Clock says what old is; the system's by default.
	Clock clock.Clock
}

// EnsureDefaults fills the fields that are zero.
func (o *Options) EnsureDefaults() {
	if o.SweepAfter == 0 {
		o.SweepAfter = 24 * time.Hour
	}
	if o.Clock == nil {
		o.Clock = clock.System()
	}
}

// Store is a blobstore.Store in a folder. It is safe for concurrent use, and any number of processes may open one folder.
type Store struct {
	root *os.Root
}

var _ blobstore.Store = (*Store)(nil)

// Open returns the store in the folder dir, which it makes if there is none, and sweeps away old temporary files. The
// caller closes the store.
func Open(dir string, options Options) (*Store, error) {
	options.EnsureDefaults()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open blob store: %w", classify(err))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob store: %w", classify(err))
	}
	s := &Store{root: root}
	if err := s.prepare(options); err != nil {
		return nil, errors.Join(fmt.Errorf("open blob store %s: %w", dir, classify(err)), root.Close())
	}
	return s, nil
}

func (s *Store) prepare(options Options) error {
	if err := s.root.Mkdir(tempFolder, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := s.syncFolder("."); err != nil {
		return err
	}
	return s.sweep(options.Clock.Now().Add(-options.SweepAfter))
}

// sweep removes temporary files that were last written before the given time.
func (s *Store) sweep(before time.Time) error {
	entries, err := s.readFolder(tempFolder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.ModTime().Before(before) {
			continue // gone meanwhile, or young
		}
		if err := s.root.Remove(path.Join(tempFolder, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close releases the folder. Calls after it fail.
func (s *Store) Close() error { return s.root.Close() }

// Create implements blobstore.Store.
func (s *Store) Create(ctx context.Context, key string, body blobstore.Body) error {
	err := check(ctx, key)
	if err == nil {
		err = blobstore.CheckBody(body)
	}
	if err == nil {
		err = s.create(ctx, key, body)
	}
	return wrap("create", key, err)
}

func (s *Store) create(ctx context.Context, key string, body blobstore.Body) error {
	if _, err := s.root.Lstat(key); err == nil {
		return s.refuse(key) // spares the write; the link decides in earnest
	}
	temp := path.Join(tempFolder, rand.Text())
	defer s.root.Remove(temp) //nolint:errcheck // what stays behind is swept.
	if err := s.writeTemp(ctx, temp, body); err != nil {
		return err
	}
	switch err := s.link(temp, key); {
	case errors.Is(err, fs.ErrExist):
		return s.refuse(key)
	case err != nil:
		return err
	}
	return s.syncFolders(key)
}

// refuse returns ErrExists. The winner may have linked the object and not yet made the link durable; the loser must not
// speak of an object that a power failure may still take away, so it does that too.
func (s *Store) refuse(key string) error {
	info, err := s.root.Lstat(key)
	if err != nil && !missing(err) { // missing: deleted since, and it did exist
		return err
	}
	if err == nil && info.IsDir() {
		return fmt.Errorf("%w: it is a folder of other objects", blobstore.ErrBadKey)
	}
	if err := s.syncFolders(key); err != nil {
		return err
	}
	return blobstore.ErrExists
}

func (s *Store) writeTemp(ctx context.Context, temp string, body blobstore.Body) error {
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	if err := copyBody(ctx, f, body); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func copyBody(ctx context.Context, w io.Writer, body blobstore.Body) error {
	for off := int64(0); off < body.Size(); off += copyBlockBytes {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(copyBlockBytes, body.Size()-off)
		copied, err := io.Copy(w, io.NewSectionReader(body, off, n))
		if err != nil {
			return err
		}
		if copied != n {
			return fmt.Errorf("read body: %w", io.ErrUnexpectedEOF)
		}
	}
	return nil
}

// link gives the temporary file its name and makes the folders above it. Deletes elsewhere remove folders that became
// empty, in the middle of it if they like; then it begins again.
func (s *Store) link(temp, key string) error {
	for range linkAttemptsMax {
		raced, err := s.linkOnce(temp, key)
		if !raced {
			return err
		}
		if err := s.checkFolders(key); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: its folder was removed %d times", blobstore.ErrUnavailable, linkAttemptsMax)
}

// linkOnce reports whether a folder was not there when it was needed. That is how a folder that another process removes
// looks, and an object in the place of a folder; MkdirAll answers to either with ErrExist at times.
func (s *Store) linkOnce(temp, key string) (raced bool, err error) {
	if err := s.root.MkdirAll(path.Dir(key), 0o750); err != nil {
		return errors.Is(err, fs.ErrExist) || missing(err), err
	}
	err = s.root.Link(temp, key)
	return missing(err), err
}

// checkFolders returns ErrBadKey if an object stands where key needs a folder.
func (s *Store) checkFolders(key string) error {
	for folder := path.Dir(key); folder != "."; folder = path.Dir(folder) {
		info, err := s.root.Lstat(folder)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%w: %s is no folder", blobstore.ErrBadKey, folder)
		}
	}
	return nil
}

// syncFolders makes the way to key durable: every folder on it, since any of them may be new, made by us or by another
// process that has not come to its own fsync yet. A folder that is clean costs little. A folder that is missing was
// removed with the object by a delete that came after.
func (s *Store) syncFolders(key string) error {
	for folder := path.Dir(key); ; folder = path.Dir(folder) {
		if err := s.syncFolder(folder); err != nil && !missing(err) {
			return err
		}
		if folder == "." {
			return nil
		}
	}
}

func (s *Store) syncFolder(folder string) error {
	f, err := s.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Read implements blobstore.Store.
func (s *Store) Read(ctx context.Context, key string) ([]byte, error) {
	data, err := s.read(ctx, key, 0, -1)
	return data, wrap("read", key, err)
}

// ReadRange implements blobstore.Store.
func (s *Store) ReadRange(ctx context.Context, key string, off, n int64) ([]byte, error) {
	err := blobstore.CheckRange(off, n)
	if err != nil {
		return nil, wrap("read", key, err)
	}
	data, err := s.read(ctx, key, off, n)
	return data, wrap("read", key, err)
}

// read returns n bytes from off on, all there are for n < 0.
func (s *Store) read(ctx context.Context, key string, off, n int64) ([]byte, error) {
	if err := check(ctx, key); err != nil {
		return nil, err
	}
	f, err := s.root.Open(key)
	if missing(err) {
		return nil, fmt.Errorf("%w: %w", blobstore.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, blobstore.ErrNotFound // a folder of other objects
	}
	left := max(info.Size()-off, 0)
	if n < 0 || n > left {
		n = left
	}
	if err := blobstore.CheckRange(off, n); err != nil {
		return nil, err
	}
	data := make([]byte, n)
	_, err = io.ReadFull(io.NewSectionReader(f, off, n), data)
	return data, err
}

// Delete implements blobstore.Store. It removes the folders that became empty, so that they do not pile up.
func (s *Store) Delete(ctx context.Context, key string) error {
	err := check(ctx, key)
	if err == nil {
		err = s.delete(key)
	}
	return wrap("delete", key, err)
}

func (s *Store) delete(key string) error {
	info, err := s.root.Lstat(key)
	if missing(err) || err == nil && info.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.root.Remove(key); err != nil && !missing(err) {
		return err
	}
	folder := path.Dir(key)
	for folder != "." && s.root.Remove(folder) == nil { // fails on the first that is not empty
		folder = path.Dir(folder)
	}
	if err := s.syncFolder(folder); !missing(err) {
		return err
	}
	return nil
}

func check(ctx context.Context, key string) error {
	if err := blobstore.CheckKey(key); err != nil {
		return err
	}
	return ctx.Err()
}

func wrap(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", op, key, classify(err))
}

// missing tells whether err says that a file is not there; ENOTDIR says it of "a/b" where "a" is a file.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
