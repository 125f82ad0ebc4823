package localfs_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/blobstore"
	"millrace/blobstore/blobtest"
	"millrace/blobstore/localfs"
	"millrace/internal/clock"
)

// childFolder makes the test binary a writer process in that folder; see TestMain.
const childFolder = "MILLRACE_LOCALFS_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		writeForEver(dir, os.Getenv(childFolder+"_NAME"))
	}
	os.Exit(m.Run())
}

func open(t *testing.T) blobstore.Store { return openIn(t, t.TempDir(), localfs.Options{}) }

func openIn(t *testing.T, dir string, options localfs.Options) *localfs.Store {
	t.Helper()
	s, err := localfs.Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) { blobtest.Run(t, open) }

func TestFaults(t *testing.T) { blobtest.RunFaults(t, open) }

// object is what a writer process writes as its n-th object: large enough that most kills hit the middle of one, and
// saying in every byte whose it is.
func object(name string, n int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%s wrote object %d\n", name, n), 20_000)
}

// writeForEver creates objects and prints the number of each one that was acknowledged. All writers fight for the same keys.
func writeForEver(dir, name string) {
	s, err := localfs.Open(dir, localfs.Options{})
	if err != nil {
		panic(err)
	}
	for n := 0; ; n++ {
		err := s.Create(context.Background(), fmt.Sprintf("crash/%d/%d", n%3, n), blobstore.Bytes(object(name, n)))
		switch {
		case err == nil:
			fmt.Println(n)
		case !errors.Is(err, blobstore.ErrExists):
			panic(err)
		}
	}
}

// TestKilledWriters kills writer processes in the middle of their work: what they were told is there, nothing is there
// in part, and every object is exactly one writer's.
func TestKilledWriters(t *testing.T) {
	dir := t.TempDir()
	const rounds = 4
	acknowledged := make(map[string]map[int]bool)
	for round := range rounds {
		names := []string{fmt.Sprintf("left-%d", round), fmt.Sprintf("right-%d", round)}
		outs := make([]*bytes.Buffer, len(names))
		var stops []func()
		for i, name := range names {
			outs[i] = new(bytes.Buffer)
			stops = append(stops, startWriter(t, dir, name, 3+2*round, outs[i]))
		}
		for _, stop := range stops {
			stop()
		}
		for i, name := range names {
			acknowledged[name] = numbers(t, outs[i])
		}
	}
	expectWholeObjects(t, openIn(t, dir, localfs.Options{}), acknowledged)
}

// startWriter starts a writer process and waits until it acknowledged so many objects. The returned stop kills it, with
// whatever it is in the middle of, and waits until all its output is in out.
func startWriter(t *testing.T, dir, name string, objects int, out *bytes.Buffer) (stop func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childFolder+"="+dir, childFolder+"_NAME="+name)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(pipe)
	for range objects {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("writer %s ended early: %v", name, err)
		}
		out.WriteString(line)
	}
	return func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		if _, err := out.ReadFrom(lines); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Errorf("writer %s ended by itself", name)
		}
	}
}

func numbers(t *testing.T, out *bytes.Buffer) map[int]bool {
	t.Helper()
	got := make(map[int]bool)
	for line := range strings.Lines(out.String()) {
		var n int
		if _, err := fmt.Sscanf(line, "%d\n", &n); err != nil {
			continue // the last line may be cut
		}
		got[n] = true
	}
	return got
}

func expectWholeObjects(t *testing.T, s blobstore.Store, acknowledged map[string]map[int]bool) {
	t.Helper()
	found := 0
	for info, err := range blobstore.Walk(t.Context(), s, "") {
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Read(t.Context(), info.Key)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(string(got), " ")
		var folder, n int
		if _, err := fmt.Sscanf(info.Key, "crash/%d/%d", &folder, &n); err != nil {
			t.Fatalf("stray key %s", info.Key)
		}
		if _, known := acknowledged[name]; !known || !bytes.Equal(got, object(name, n)) {
			t.Errorf("%s has %d bytes beginning %.40q: not one whole object", info.Key, len(got), got)
		}
		delete(acknowledged[name], n)
		found++
	}
	for name, missing := range acknowledged {
		if len(missing) > 0 {
			t.Errorf("%s was told that these are there, and they are not, or not its own: %v", name, missing)
		}
	}
	if found == 0 {
		t.Error("no object: the test tested nothing")
	}
}

func TestSweepsOldTemporaryFilesOnly(t *testing.T) {
	dir := t.TempDir()
	openIn(t, dir, localfs.Options{})
	now := time.Now()
	manual := clock.NewManual(now)
	for name, age := range map[string]time.Duration{"old": 2 * time.Hour, "young": 30 * time.Minute} {
		path := filepath.Join(dir, ".temp", name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	s := openIn(t, dir, localfs.Options{SweepAfter: time.Hour, Clock: manual})
	entries, err := os.ReadDir(filepath.Join(dir, ".temp"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "young" {
		t.Errorf("temporary files left: %v, %v; want the young one", entries, err)
	}
	for info, err := range blobstore.Walk(t.Context(), s, "") {
		t.Errorf("listed %+v, %v in an empty store", info, err)
	}
}

func TestCreateLeavesNoTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir, localfs.Options{})
	for range 2 {
		err := s.Create(t.Context(), "a/b", blobstore.Bytes([]byte("x")))
		if err != nil && !errors.Is(err, blobstore.ErrExists) {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(dir, ".temp"))
	if err != nil || len(entries) > 0 {
		t.Errorf("temporary files left: %v, %v", entries, err)
	}
}

// TestLinksLeadNowhere: what somebody links into the folder is no way out of it.
func TestLinksLeadNowhere(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openIn(t, dir, localfs.Options{})
	for name, target := range map[string]string{"file": secret, "folder": outside} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"file", "folder/secret"} {
		if got, err := s.Read(t.Context(), key); err == nil {
			t.Errorf("read %s = %q", key, got)
		}
	}
	if err := s.Create(t.Context(), "folder/new", blobstore.Bytes(nil)); err == nil {
		t.Error("created an object outside")
	}
	if err := s.Delete(t.Context(), "folder/secret"); err == nil {
		t.Error("deleted outside")
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := localfs.Open(path, localfs.Options{}); err == nil {
		t.Error("opened a file as a store")
	}
}

func BenchmarkCreate(b *testing.B) {
	s, err := localfs.Open(b.TempDir(), localfs.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	data := make([]byte, 64<<10)
	for i := 0; b.Loop(); i++ {
		if err := s.Create(b.Context(), fmt.Sprintf("job/attempt/chunk/%d/task", i), blobstore.Bytes(data)); err != nil {
			b.Fatal(err)
		}
	}
}
