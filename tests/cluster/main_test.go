package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// testLimit bounds a case that hangs.
const testLimit = 4 * time.Minute

// binaries is the folder with the binaries of this run.
var binaries string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	var err error
	if binaries, err = os.MkdirTemp("", "millrace-cluster"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(binaries) }()
	return m.Run()
}

// The versions of the binaries.
const (
	thisVersion  = "test"
	otherVersion = "other"
)

// binary returns the command of a version, built at its first use.
func binary(t *testing.T, version string) string {
	t.Helper()
	path := filepath.Join(binaries, version)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	out, err := exec.Command("go", "build", "-tags", "invariants", "-ldflags", "-X main.version="+version, "-o", path, "millrace/cmd/millrace").CombinedOutput()
	if err != nil {
		t.Fatalf("build millrace: %v: %s", err, out)
	}
	return path
}

// pass lets time pass in which something is away.
func pass(ctx context.Context, t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
}
