package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProjectOfItsOwn: a program is a module of its own, with connectors of its own, made by nothing but the commands of its page.
func TestProjectOfItsOwn(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/sdk/project.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```sh\n")
	commands, _, found := strings.Cut(rest, "```")
	if !found || !strings.Contains(commands, "go mod init") {
		t.Fatal("the page shows no commands")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/shop")); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "bash", "-euc", commands)
	shell.Dir, shell.Env = dir, append(os.Environ(), "MILLRACE="+root)
	out, err := shell.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "\ntea 300\ncake 450\ntea 500\n") {
		t.Errorf("%v: %s", err, out)
	}
}
