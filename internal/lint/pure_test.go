package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// Rule 5: rooms that decide and do nothing else. Their codecs and tests may do more.
var pureRooms = []string{
	"types", "expr", "jobgraph", "sql", "scheduler", "checkpoint", "exchange/align", "jobmanager/lifecycle",
}

var notInPureRooms = []string{"sync", "context", "os", "net", "syscall", "crypto/rand", "log", "runtime"}

// clockReaders are the functions of package time that ask or wait for the time.
var clockReaders = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// seeded are the names of math/rand that do not draw from the generator that everybody shares.
var seeded = []string{"New", "NewSource", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "PCG", "ChaCha8", "Zipf"}

func TestPureRooms(t *testing.T) {
	for _, s := range sources(t) {
		if isPure(s) {
			report(t, checkPure(s))
		}
	}
}

func isPure(s source) bool {
	return withinAny(s.folder(), pureRooms) && !s.isTest() && !isTestRoom(s.folder()) && path.Base(s.folder()) != "codec"
}

func checkPure(s source) (out []string) {
	complain := func(n ast.Node, what string) {
		out = append(out, fmt.Sprintf("%s: %s in a pure room", s.at(n), what))
	}
	for _, spec := range s.file.Imports {
		if p := strings.Trim(spec.Path.Value, `"`); withinAny(p, notInPureRooms) {
			complain(spec, "import of "+p)
		}
	}
	clocks := s.imported(func(p string) bool { return p == "time" })
	chance := s.imported(func(p string) bool { return within(p, "math/rand") })
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			complain(n, "go statement")
		case *ast.ChanType:
			complain(n, "channel")
		case *ast.SendStmt:
			complain(n, "send")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				complain(n, "receive")
			}
		case *ast.SelectStmt:
			complain(n, "select")
		case *ast.SelectorExpr:
			if what := impureName(n, clocks, chance); what != "" {
				complain(n, what)
			}
		}
		return true
	})
	return out
}

func impureName(n *ast.SelectorExpr, clocks, chance map[string]string) string {
	id, ok := n.X.(*ast.Ident)
	if !ok {
		return ""
	}
	if clocks[id.Name] != "" && slices.Contains(clockReaders, n.Sel.Name) {
		return "time." + n.Sel.Name
	}
	if chance[id.Name] != "" && !slices.Contains(seeded, n.Sel.Name) {
		return "rand." + n.Sel.Name
	}
	return ""
}

func TestPureRuleFindsViolations(t *testing.T) {
	s := planted(t, "scheduler/x.go", `package scheduler

import (
	"math/rand/v2"
	"sync/atomic"
	wall "time"
)

var c chan int

func f(r *rand.Rand) {
	go f(rand.New(rand.NewPCG(1, 2)))
	c <- rand.IntN(7)
	<-c
	select {}
	_ = wall.Now
	_ = wall.Second
}
`)
	if !isPure(s) {
		t.Error("the scheduler is no pure room")
	}
	expectComplaints(t, checkPure(s),
		"scheduler/x.go:5: import of sync/atomic in a pure room", "scheduler/x.go:9: channel in a pure room",
		"scheduler/x.go:12: go statement in a pure room", "scheduler/x.go:13: send in a pure room",
		"scheduler/x.go:13: rand.IntN in a pure room", "scheduler/x.go:14: receive in a pure room",
		"scheduler/x.go:15: select in a pure room", "scheduler/x.go:16: time.Now in a pure room")
	for _, name := range []string{"jobgraph/codec/x.go", "scheduler/x_test.go", "taskmanager/x.go", "sql/sqltest/x.go"} {
		if isPure(planted(t, name, "package x")) {
			t.Errorf("%s is held to be pure", name)
		}
	}
}
