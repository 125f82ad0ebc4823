package lint

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// A write to etcd outside a Txn is not fenced by the leader's term: a deposed leader could still make it.
func TestEveryWriteToEtcdIsFenced(t *testing.T) {
	for _, s := range sources(t) {
		if !s.isTest() {
			report(t, checkFenced(s))
		}
	}
}

func checkFenced(s source) (out []string) {
	if len(s.imported(func(p string) bool { return p == "go.etcd.io/etcd/client/v3" })) == 0 {
		return nil
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		// client.Put(ctx, key, value) and client.Delete(ctx, key); OpPut and OpDelete take no context and go into a Txn.
		_, name := called(call)
		if (name == "Put" && len(call.Args) >= 3 || name == "Delete" && len(call.Args) >= 2) && isContext(call.Args[0]) {
			out = append(out, fmt.Sprintf("%s: bare %s; write through a Txn that compares the leader's key", s.at(call), name))
		}
		return true
	})
	return out
}

// isContext tells a context by what it is called; types are not known here.
func isContext(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return strings.HasSuffix(strings.ToLower(e.Name), "ctx")
	case *ast.CallExpr:
		_, name := called(e)
		return name == "Background" || name == "TODO" || name == "Context"
	}
	return false
}

func TestTestsNeitherSleepNorSkipInSilence(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || isTestRoom(s.folder()) {
			report(t, checkPatience(s))
		}
	}
}

// checkPatience finds time.Sleep and Skip without a text. In a synctest bubble sleeping costs and risks nothing, so a
// file that imports synctest may.
func checkPatience(s source) (out []string) {
	clocks := s.imported(func(p string) bool { return p == "time" })
	bubble := len(s.imported(func(p string) bool { return p == "testing/synctest" })) > 0
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		on, name := called(call)
		switch {
		case name == "Sleep" && clocks[on] != "" && !bubble:
			out = append(out, s.at(call)+": a test sleeps; wait for the condition, or use a clock that the test advances")
		case name == "SkipNow" || name == "Skip" && len(call.Args) == 0:
			out = append(out, s.at(call)+": skipped without a reason; say it in the call of Skip")
		}
		return true
	})
	return out
}

// machinePaths must not stand in any text of the project; they are put together here so that this file passes.
var machinePaths = []string{"/wo" + "rk/", "/ro" + "ot/", "/home" + "/user", "bash_" + "jobs"}

func TestNoPathOfOneMachine(t *testing.T) {
	texts, err := files(isText)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		report(t, checkPaths(name, texts[name]))
	}
}

func isText(name string) bool {
	return slices.Contains([]string{".go", ".md", ".proto", ".yml", ".yaml", ".sh", ".toml", ".html", ".ts", ".js", ".sql"}, path.Ext(name)) ||
		name == "Makefile" || name == "run" || name == "Dockerfile"
}

func checkPaths(name, text string) (out []string) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		for _, p := range machinePaths {
			if at := strings.Index(line, p); at >= 0 && (at == 0 || !isWordByte(line[at-1])) {
				out = append(out, fmt.Sprintf("%s:%d: the path %s belongs to one machine", name, number, p))
			}
		}
	}
	return out
}

// isWordByte tells "framework/" and "https://host/work/" from a path that begins here.
func isWordByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '}' || b == ')'
}

func TestHygieneFindsViolations(t *testing.T) {
	etcd := planted(t, "jobmanager/coord/etcd/x.go", `package etcd

import clientv3 "go.etcd.io/etcd/client/v3"

func f() {
	client.Put(ctx, "k", "v")
	s.client.Delete(context.Background(), "k")
	client.Txn(ctx).Then(clientv3.OpPut("k", "v")).Commit()
	cache.Put("k", "v", 1)
}
`)
	expectComplaints(t, checkFenced(etcd),
		"jobmanager/coord/etcd/x.go:6: bare Put; write through a Txn that compares the leader's key",
		"jobmanager/coord/etcd/x.go:7: bare Delete; write through a Txn that compares the leader's key")
	sleepy := "package x\nimport \"time\"\nfunc f() {\n\ttime.Sleep(1)\n\tt.Skip()\n\tt.SkipNow()\n\tt.Skip(\"no broker\")\n}\n"
	expectComplaints(t, checkPatience(planted(t, "x_test.go", sleepy)),
		"x_test.go:4: a test sleeps; wait for the condition, or use a clock that the test advances",
		"x_test.go:5: skipped without a reason; say it in the call of Skip",
		"x_test.go:6: skipped without a reason; say it in the call of Skip")
	bubble := strings.Replace(sleepy, "import \"time\"", "import \"time\"; import \"testing/synctest\"", 1)
	expectComplaints(t, checkPatience(planted(t, "x_test.go", bubble)),
		"x_test.go:5: skipped without a reason; say it in the call of Skip",
		"x_test.go:6: skipped without a reason; say it in the call of Skip")
	expectComplaints(t, checkPaths("a.md", "see "+machinePaths[0]+"x\nframe"+machinePaths[0][1:]+" and web"+machinePaths[0]+"\n"),
		"a.md:1: the path "+machinePaths[0]+" belongs to one machine")
}
