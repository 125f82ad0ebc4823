package localfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"millrace/blobstore"
)

// List implements blobstore.Store. A page reads every folder on its way anew: pages of a large tree cost the folders
// they pass through, not the tree.
func (s *Store) List(ctx context.Context, query blobstore.Query) ([]blobstore.Info, error) {
	query, err := query.Checked()
	if err != nil {
		return nil, wrap("list", query.Prefix, err)
	}
	l := lister{store: s, query: query}
	if err := l.folder(ctx, ""); err != nil && !errors.Is(err, errPageFull) {
		return nil, wrap("list", query.Prefix, err)
	}
	return l.page, nil
}

var errPageFull = errors.New("page is full")

type lister struct {
	store *Store
	query blobstore.Query
	page  []blobstore.Info
}

// folder adds the objects under prefix, which is empty or ends in a slash.
func (l *lister) folder(ctx context.Context, prefix string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := l.store.readFolder(path.Clean("./" + prefix))
	if missing(err) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	for _, e := range inKeyOrder(entries) {
		if err := l.entry(ctx, prefix, e); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) entry(ctx context.Context, prefix string, e fs.DirEntry) error {
	key := prefix + e.Name()
	switch {
	case strings.HasPrefix(e.Name(), "."):
		return nil // ours, or a stranger's
	case e.IsDir():
		return l.subfolder(ctx, key+"/")
	case !e.Type().IsRegular() || key <= l.query.After || !strings.HasPrefix(key, l.query.Prefix):
		return nil
	}
	info, err := e.Info()
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	l.page = append(l.page, blobstore.Info{Key: key, Size: info.Size(), Modified: info.ModTime()})
	if len(l.page) == l.query.Limit {
		return errPageFull
	}
	return nil
}

// subfolder goes into the folder unless nothing in it can match: its keys must share the prefix, as far as both go, and
// be able to follow After.
func (l *lister) subfolder(ctx context.Context, prefix string) error {
	n := min(len(prefix), len(l.query.Prefix))
	m := min(len(prefix), len(l.query.After))
	if prefix[:n] != l.query.Prefix[:n] || prefix[:m] < l.query.After[:m] {
		return nil
	}
	return l.folder(ctx, prefix)
}

// inKeyOrder sorts entries by the keys under them, in which a folder's name is followed by a slash: "a-b" comes before
// "a/b", though "a" comes before "a-b".
func inKeyOrder(entries []fs.DirEntry) []fs.DirEntry {
	name := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(name(a), name(b)) })
	return entries
}

// readFolder returns the entries of the folder in any order.
func (s *Store) readFolder(folder string) ([]fs.DirEntry, error) {
	f, err := s.root.Open(folder)
	if err != nil {
		return nil, err
	}
	entries, err := f.ReadDir(-1)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read folder %s: %w", folder, err)
	}
	return entries, nil
}
