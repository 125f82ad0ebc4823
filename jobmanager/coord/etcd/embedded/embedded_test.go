package embedded_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/jobmanager/coord"
	"millrace/jobmanager/coord/etcd"
	"millrace/jobmanager/coord/etcd/embedded"
)

// TestDataSurvivesARestart: what was committed is there when the server starts again in the same folder, and terms go on
// growing; once on loopback, once on a unix socket.
func TestDataSurvivesARestart(t *testing.T) {
	for _, address := range []string{"", "unix://" + filepath.Join(t.TempDir(), "s")} {
		dir := filepath.Join(t.TempDir(), "data")
		var lastTerm uint64
		for i := range 2 {
			server, err := embedded.Start(t.Context(), embedded.Options{Dir: dir, Address: address})
			if err != nil {
				t.Fatal(err)
			}
			lastTerm = lead(t, server.Endpoint(), lastTerm, i == 1)
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// lead writes k in a new term, which must be after the last; if there is set, k must be there before.
func lead(t *testing.T, endpoint string, lastTerm uint64, there bool) uint64 {
	t.Helper()
	s, err := etcd.Open(etcd.Options{Endpoints: []string{endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := s.Campaign(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if uint64(l.Term()) <= lastTerm {
		t.Errorf("term %d follows %d", l.Term(), lastTerm)
	}
	if _, err := s.Get(t.Context(), "k"); (err == nil) != there {
		t.Errorf("get k: %v, want it to be there = %v", err, there)
	}
	if err := s.Txn(t.Context(), l.Term(), nil, []coord.Op{coord.Put("k", []byte("v"))}); err != nil {
		t.Fatal(err)
	}
	return uint64(l.Term())
}

// TestNobodyLeadsAtTheStart: who led when the server died holds no lease of the next one.
func TestNobodyLeadsAtTheStart(t *testing.T) {
	dir := t.TempDir()
	server, err := embedded.Start(t.Context(), embedded.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	old := open(t, server)
	if _, err := old.Campaign(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil { // before old could resign
		t.Fatal(err)
	}
	if server, err = embedded.Start(t.Context(), embedded.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	next := open(t, server)
	if l, err := next.Leader(t.Context()); !errors.Is(err, coord.ErrNotFound) {
		t.Errorf("%+v leads, %v", l, err)
	}
	_ = old.Close() // it can't resign: its server is gone
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}

func open(t *testing.T, server *embedded.Server) coord.Store {
	t.Helper()
	s, err := etcd.Open(etcd.Options{Endpoints: []string{server.Endpoint()}, RequestTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStartRefuses(t *testing.T) {
	dir := t.TempDir()
	cases := map[string]embedded.Options{
		"no data folder": {},
		"loopback":       {Dir: dir, Address: "0.0.0.0:0"},
		"of loopback":    {Dir: dir, Address: "192.0.2.1:2379"},
		"missing port":   {Dir: dir, Address: "localhost"},
	}
	for word, options := range cases {
		if s, err := embedded.Start(t.Context(), options); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%+v: %v, want a word of %q", options, err, word)
			if s != nil {
				s.Close()
			}
		}
	}
}
