package embedded_test

import (
	"path/filepath"
	"strings"
	"testing"

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
