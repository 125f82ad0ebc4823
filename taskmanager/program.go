package taskmanager

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"

	"millrace/connectors"
	"millrace/jobgraph"
	"millrace/operators"
)

// Program is the executable of this process, as jobs see it whose functions it has. It is safe for concurrent use.
type Program interface {
	// Build is the SHA-256 of the executable's file in hex, as jobgraph.ProgramSpec has it; OwnBuild knows it. "" carries no job.
	Build() string
	// Name is what people call the program, Version what it says of itself.
	Name() string
	Version() string
	// Describe runs the user's description of the job, and returns what that made: a graph whose Program is filled in, and the functions
	// of its native operators. Each call makes functions of their own. Without an env, nil, it is the plan: what the description asks for
	// is this process's environment, and the graph's Program notes it. With one it is the body, of a job that was submitted before: there
	// is nothing else. It may call anything that the user wrote: a panic comes out as an error of the user's, with the stack (stack.Panic).
	Describe(args []string, env map[string]string) (*jobgraph.Graph, operators.Functions, error)
}

// Connected is a Program that has sources and sinks of its own.
type Connected interface {
	Program
	// Connectors are these, and no others.
	Connectors() *connectors.Registry
}

// WithProgram returns the connectors of a process and those of its program. The error, of the user, is about a name that is taken.
func WithProgram(process *connectors.Registry, p Program) (*connectors.Registry, error) {
	c, ok := p.(Connected)
	if !ok {
		return process, nil
	}
	all, err := process.With(c.Connectors())
	if err != nil {
		return nil, fmt.Errorf("connectors of %s: %w", p.Name(), err)
	}
	return all, nil
}

// builds are the programs that this process carries.
func (m *TaskManager) builds() []string {
	if m.Program == nil || m.Program.Build() == "" {
		return nil
	}
	return []string{m.Program.Build()}
}

// OwnBuild returns the SHA-256 of this process's executable in hex, "" where it can't be read. It reads the file once, a second
// for some gigabytes: who will need it asks early and beside.
func OwnBuild() string { return ownBuild() }

var ownBuild = sync.OnceValue(func() string {
	f, err := openOwn()
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
})

// openOwn opens the file that this process runs. Its path may lead to its successor by now: where the system has a name for the file
// itself, that one.
func openOwn() (*os.File, error) {
	if f, err := os.Open("/proc/self/exe"); err == nil {
		return f, nil
	}
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.Open(path) //nolint:gosec // the path of this process
}
