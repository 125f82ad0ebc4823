// Package blobtest is the conformance suite of blob stores. Every implementation runs it; what it does not test, callers
// may not rely on. RunFaults runs a fixed piece of work over the store with a fault at its first, second, third... call
// until none is met, and compares what is left with a model.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/blobstore"
)

// Run tests the stores that open returns, each empty and the test's own. Two calls in one test return stores of
// different content.
func Run(t *testing.T, open func(*testing.T) blobstore.Store) {
	cases := map[string]func(*testing.T, blobstore.Store){
		"create and read":               testCreateRead,
		"create again":                  testCreateAgain,
		"ranges":                        testRanges,
		"missing":                       testMissing,
		"bad keys":                      testBadKeys,
		"delete":                        testDelete,
		"list":                          testList,
		"list order":                    testListOrder,
		"walk over pages":               testWalk,
		"ended context":                 testEndedContext,
		"one creator wins":              testOneCreatorWins,
		"creators and deleters":         testCreatorsAndDeleters,
		"short body":                    testShortBody,
		"results are the caller's own":  testOwnership,
		"create or verify":              testCreateOrVerify,
		"probe":                         testProbe,
		"no object is another's folder": testFolders,
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func testCreateRead(t *testing.T, s blobstore.Store) {
	for i, data := range [][]byte{{}, []byte("x"), pattern(3<<20 + 17)} {
		key := fmt.Sprintf("job/x/%d", i)
		create(t, s, key, data)
		expectObject(t, s, key, data)
	}
}

func testCreateAgain(t *testing.T, s blobstore.Store) {
	create(t, s, "a", []byte("first"))
	for _, data := range []string{"second", "first", ""} {
		expectError(t, s.Create(t.Context(), "a", blobstore.Bytes([]byte(data))), blobstore.ErrExists)
	}
	expectObject(t, s, "a", []byte("first"))
}

func testRanges(t *testing.T, s blobstore.Store) {
	create(t, s, "a", []byte("0123456789"))
	cases := []struct {
		off, n int64
		want   string
	}{{0, 10, "0123456789"}, {0, 3, "012"}, {3, 4, "3456"}, {8, 5, "89"}, {10, 5, ""}, {99, 5, ""}, {5, 0, ""}}
	for _, c := range cases {
		got, err := s.ReadRange(t.Context(), "a", c.off, c.n)
		if err != nil || string(got) != c.want {
			t.Errorf("range %d+%d = %q, %v; want %q", c.off, c.n, got, err, c.want)
		}
	}
	for _, c := range []struct{ off, n int64 }{{-1, 1}, {0, -1}, {0, blobstore.ReadBytesMax + 1}} {
		_, err := s.ReadRange(t.Context(), "a", c.off, c.n)
		expectError(t, err, blobstore.ErrTooLarge)
	}
}

func testMissing(t *testing.T, s blobstore.Store) {
	create(t, s, "job/there", nil)
	for _, key := range []string{"a", "job", "job/a", "job/there/a"} {
		_, err := s.Read(t.Context(), key)
		expectError(t, err, blobstore.ErrNotFound)
		_, err = s.ReadRange(t.Context(), key, 0, 1)
		expectError(t, err, blobstore.ErrNotFound)
	}
}

func testBadKeys(t *testing.T, s blobstore.Store) {
	for _, key := range []string{"", "/a", "a/", "../a", "a/../../b", "a//b", ".temp/x", "a\x00", strings.Repeat("k", 2000)} {
		expectError(t, s.Create(t.Context(), key, blobstore.Bytes(nil)), blobstore.ErrBadKey)
		_, err := s.Read(t.Context(), key)
		expectError(t, err, blobstore.ErrBadKey)
		_, err = s.ReadRange(t.Context(), key, 0, 1)
		expectError(t, err, blobstore.ErrBadKey)
		expectError(t, s.Delete(t.Context(), key), blobstore.ErrBadKey)
	}
	for _, q := range []blobstore.Query{{Prefix: "../"}, {Prefix: "/"}, {After: "../x"}} {
		_, err := s.List(t.Context(), q)
		expectError(t, err, blobstore.ErrBadKey)
	}
}

func testDelete(t *testing.T, s blobstore.Store) {
	create(t, s, "a/b/c", []byte("1"))
	create(t, s, "a/d", []byte("2"))
	for _, key := range []string{"a/b/c", "a/b/c", "nothing", "a", "a/d/e"} {
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
	}
	_, err := s.Read(t.Context(), "a/b/c")
	expectError(t, err, blobstore.ErrNotFound)
	expectKeys(t, s, "", "a/d")
	create(t, s, "a/b/c", []byte("3"))
	expectObject(t, s, "a/b/c", []byte("3"))
}

func testList(t *testing.T, s blobstore.Store) {
	create(t, s, "j/2", []byte("12"))
	create(t, s, "j/10", nil)
	create(t, s, "j/x/1", []byte("1"))
	create(t, s, "jj/1", nil)
	expectKeys(t, s, "", "j/10", "j/2", "j/x/1", "jj/1")
	expectKeys(t, s, "j/", "j/10", "j/2", "j/x/1")
	expectKeys(t, s, "j", "j/10", "j/2", "j/x/1", "jj/1")
	expectKeys(t, s, "j/x/1", "j/x/1")
	expectKeys(t, s, "j/1", "j/10")
	expectKeys(t, s, "k")
	page, err := s.List(t.Context(), blobstore.Query{Prefix: "j/", After: "j/10", Limit: 1})
	if err != nil || len(page) != 1 || page[0].Key != "j/2" || page[0].Size != 2 || page[0].Modified.IsZero() {
		t.Errorf("page = %+v, %v; want j/2 of 2 bytes and a time", page, err)
	}
}

// testListOrder: the order of keys is that of their bytes, not that of a tree: "-" and "." come before "/".
func testListOrder(t *testing.T, s blobstore.Store) {
	want := []string{"a-b", "a-b0/x", "a.b", "a/b", "a/b-/c", "a0", "a=", "aa"}
	for _, key := range []string{"aa", "a/b", "a0", "a-b0/x", "a.b", "a-b", "a=", "a/b-/c"} {
		create(t, s, key, nil)
	}
	if !slices.IsSorted(want) {
		t.Fatal("the test is wrong")
	}
	expectKeys(t, s, "", want...)
	for i, after := range want {
		page, err := s.List(t.Context(), blobstore.Query{After: after})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i+1:], keys(page), equateEmpty); diff != "" {
			t.Errorf("after %s: -want +got:\n%s", after, diff)
		}
	}
}

func testWalk(t *testing.T, s blobstore.Store) {
	var want []string
	for i := range 23 {
		want = append(want, fmt.Sprintf("w/%02d/x", i))
		create(t, s, want[i], nil)
	}
	for _, limit := range []int{1, 7, 23, 24} {
		var got []string
		for info, err := range blobstore.Walk(t.Context(), limited{s, limit}, "w/") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d: -want +got:\n%s", limit, diff)
		}
	}
}

// limited has pages of its own size, as if PageMax were small: a page is full to Walk when it is to the store.
type limited struct {
	blobstore.Store
	limit int
}

func (l limited) List(ctx context.Context, q blobstore.Query) ([]blobstore.Info, error) {
	var pages []blobstore.Info
	for {
		page, err := l.Store.List(ctx, blobstore.Query{Prefix: q.Prefix, After: q.After, Limit: l.limit})
		pages = append(pages, page...)
		if err != nil || len(page) < l.limit {
			return pages, err
		}
		q.After = page[len(page)-1].Key
	}
}

func testEndedContext(t *testing.T, s blobstore.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	expectError(t, s.Create(ctx, "a", blobstore.Bytes([]byte("x"))), context.Canceled)
	_, err := s.Read(ctx, "a")
	expectError(t, err, context.Canceled)
	_, err = s.List(ctx, blobstore.Query{})
	expectError(t, err, context.Canceled)
	expectKeys(t, s, "")
}

// testOneCreatorWins: of many creators of one key exactly one succeeds, and its bytes are what stands there.
func testOneCreatorWins(t *testing.T, s blobstore.Store) {
	const creators, rounds = 8, 20
	for round := range rounds {
		key := fmt.Sprintf("race/%d/x", round)
		errs := make([]error, creators)
		var wg sync.WaitGroup
		for i := range creators {
			wg.Go(func() { errs[i] = s.Create(t.Context(), key, blobstore.Bytes(own(i))) })
		}
		wg.Wait()
		winner := slices.Index(errs, nil)
		if winner < 0 {
			t.Fatalf("nobody won: %v", errs)
		}
		for i, err := range errs {
			if i != winner && !errors.Is(err, blobstore.ErrExists) {
				t.Errorf("creator %d beside winner %d: %v, want ErrExists", i, winner, err)
			}
		}
		expectObject(t, s, key, own(winner))
	}
}

// testCreatorsAndDeleters: deleting neighbours, whose folders go with them, disturbs no creator.
func testCreatorsAndDeleters(t *testing.T, s blobstore.Store) {
	const workers, rounds = 4, 50
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			key := fmt.Sprintf("x/y/z/%d", i)
			for range rounds {
				if err := s.Create(t.Context(), key, blobstore.Bytes(own(i))); err != nil {
					t.Errorf("create: %v", err)
				}
				if got, err := s.Read(t.Context(), key); err != nil || !bytes.Equal(got, own(i)) {
					t.Errorf("read after create: %d bytes, %v", len(got), err)
				}
				if err := s.Delete(t.Context(), key); err != nil {
					t.Errorf("delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
	expectKeys(t, s, "")
}

// shortBody promises more than it has.
type shortBody struct{ *bytes.Reader }

func (b shortBody) Size() int64 { return b.Reader.Size() + 1 }

func testShortBody(t *testing.T, s blobstore.Store) {
	if err := s.Create(t.Context(), "a", shortBody{bytes.NewReader([]byte("abc"))}); err == nil {
		t.Error("a body shorter than its size was taken")
	}
	expectKeys(t, s, "")
	create(t, s, "a", []byte("whole"))
}

func testOwnership(t *testing.T, s blobstore.Store) {
	data := []byte("hello")
	create(t, s, "a", data)
	data[0] = 'X'
	got, err := s.Read(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	got[1] = 'X'
	ranged, err := s.ReadRange(t.Context(), "a", 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	ranged[2] = 'X'
	expectObject(t, s, "a", []byte("hello"))
}

func testCreateOrVerify(t *testing.T, s blobstore.Store) {
	for name, data := range map[string][]byte{"empty": {}, "small": []byte("abc"), "block": pattern(1 << 20), "large": pattern(2<<20 + 1)} {
		for range 2 {
			if err := blobstore.CreateOrVerify(t.Context(), s, name, blobstore.Bytes(data)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		longer := append(bytes.Clone(data), 'x')
		expectError(t, blobstore.CreateOrVerify(t.Context(), s, name, blobstore.Bytes(longer)), blobstore.ErrExists)
		if len(data) > 0 {
			expectError(t, blobstore.CreateOrVerify(t.Context(), s, name, blobstore.Bytes(data[:len(data)-1])), blobstore.ErrExists)
			changed := bytes.Clone(data)
			changed[len(changed)-1] ^= 1
			expectError(t, blobstore.CreateOrVerify(t.Context(), s, name, blobstore.Bytes(changed)), blobstore.ErrExists)
		}
		expectObject(t, s, name, data)
	}
}

func testProbe(t *testing.T, s blobstore.Store) {
	for range 2 {
		if err := blobstore.Probe(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
}

func testFolders(t *testing.T, s blobstore.Store) {
	create(t, s, "a", []byte("1"))
	create(t, s, "b/c", []byte("2"))
	for _, key := range []string{"a/x", "b"} {
		if err := s.Create(t.Context(), key, blobstore.Bytes(nil)); err != nil && !errors.Is(err, blobstore.ErrBadKey) {
			t.Errorf("create %s: %v, want success or ErrBadKey", key, err)
		}
	}
	expectObject(t, s, "a", []byte("1"))
	expectObject(t, s, "b/c", []byte("2"))
}

func pattern(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*7 + i>>8)
	}
	return data
}

func own(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 1000+i) }

func create(t *testing.T, s blobstore.Store, key string, data []byte) {
	t.Helper()
	if err := s.Create(t.Context(), key, blobstore.Bytes(data)); err != nil {
		t.Fatalf("create %s: %v", key, err)
	}
}

func expectObject(t *testing.T, s blobstore.Store, key string, want []byte) {
	t.Helper()
	got, err := s.Read(t.Context(), key)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %s: %d bytes, %v; want the %d that were written", key, len(got), err, len(want))
	}
}

func expectError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func expectKeys(t *testing.T, s blobstore.Store, prefix string, want ...string) {
	t.Helper()
	page, err := s.List(t.Context(), blobstore.Query{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, keys(page), equateEmpty); diff != "" {
		t.Errorf("list %q: -want +got:\n%s", prefix, diff)
	}
}

// equateEmpty treats nil and empty lists as one.
var equateEmpty = cmp.Transformer("nilIfEmpty", func(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
})

func keys(page []blobstore.Info) []string {
	var out []string
	for _, info := range page {
		out = append(out, info.Key)
	}
	return out
}
