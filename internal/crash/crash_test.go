package crash_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"millrace/internal/crash"
	"millrace/internal/testutil/child"
)

const (
	passVariable = "MILLRACE_CRASH_PASS"
	rounds       = 20
	roundLimit   = 30 * time.Second
)

// TestMain makes the test binary a process that passes a point and says so, where the test wants one.
func TestMain(m *testing.M) {
	if path := os.Getenv(passVariable); path != "" {
		pass(path)
		return
	}
	os.Exit(m.Run())
}

func pass(path string) {
	if err := crash.Arm(os.Getenv(crash.Env)); err != nil {
		panic(err)
	}
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // not the first thread of the process, which takes its signals
		crash.Here(crash.BeforeComplete)
		_, _ = f.WriteString("behind")
	}()
	<-done
}

// TestPauseHoldsWhatComes: nothing behind the point happens before the process is told to go on.
func TestPauseHoldsWhatComes(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows whether a process stands still")
	}
	for i := range rounds {
		path, orders := filepath.Join(t.TempDir(), "passed"), filepath.Join(t.TempDir(), "orders")
		armed := "pause:" + crash.BeforeComplete
		if i%2 == 1 {
			armed = "order:" + orders
			if err := crash.Order(orders, crash.BeforeComplete, true); err != nil {
				t.Fatal(err)
			}
		}
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), passVariable+"="+path, crash.Env+"="+armed)
		p, err := child.Start(command)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		awaitStop(t, p)
		if got, err := os.ReadFile(path); err != nil || len(got) > 0 {
			t.Fatalf("while the process stands still: %q, %v", got, err)
		}
		p.Signal(syscall.SIGCONT)
		<-p.Ended
		if got, err := os.ReadFile(path); err != nil || string(got) != "behind" || p.Err != nil {
			t.Fatalf("after the process went on: %q, %v, %v", got, err, p.Err)
		}
	}
}

// TestOrderIsForOnePoint: it is taken at the point that it names, once, and at no other.
func TestOrderIsForOnePoint(t *testing.T) {
	orders := filepath.Join(t.TempDir(), "orders")
	if err := crash.Arm("order:" + orders); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = crash.Arm("") })
	crash.Here(crash.BeforeRecord) // no order is there
	if err := crash.Order(orders, crash.BeforeManifest, false); err != nil {
		t.Fatal(err)
	}
	crash.Here(crash.BeforeRecord) // would end the test
	if _, err := os.Stat(orders); err != nil {
		t.Errorf("an order for another point was taken: %v", err)
	}
}

// awaitStop waits until the process' first thread, and with it each other, stands still.
func awaitStop(t *testing.T, p *child.Process) {
	t.Helper()
	deadline := time.After(roundLimit)
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.ID))
		// The state follows the name, which is in parentheses.
		if _, state, ok := bytes.Cut(text, []byte(") ")); err == nil && ok && state[0] == 'T' {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("process %d does not stop: %s, %v", p.ID, text, err)
		case <-p.Ended:
			t.Fatalf("process %d did not stop: %v", p.ID, p.Err)
		case <-time.After(time.Millisecond):
		}
	}
}

// TestAllHasEveryName: a point that is not in the list would be one of which nobody claims that it is covered.
func TestAllHasEveryName(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "crash.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	ast.Inspect(f, func(n ast.Node) bool {
		if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && v.Names[0].IsExported() && v.Names[0].Name != "Env" {
					text, _ := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
					want = append(want, text)
				}
			}
		}
		return true
	})
	got := crash.All()
	slices.Sort(want)
	slices.Sort(got)
	if len(want) < 16 || !slices.Equal(want, got) {
		t.Errorf("the names are %v, All has %v", want, got)
	}
}
