package supervise

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"millrace/failure"
	"millrace/internal/clock"
)

// Options say what children are made of.
type Options struct {
	// Program is the file that every role is a command of.
	Program string
	// Env is the environment of every child.
	Env []string
	// Dir is where logs are, made if there is none.
	Dir string
	// Out is told which child died and which runs again.
	Out   io.Writer
	Clock clock.Clock
}

// Supervisor owns the roles that it has started. Make one with New; Close ends it.
type Supervisor struct {
	Options
	failed chan error
	wait   sync.WaitGroup
	mu     struct {
		sync.Mutex
		roles []*Role
	}
}

// New returns a supervisor without roles.
func New(o Options) (*Supervisor, error) {
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, failure.User(fmt.Errorf("folder of logs: %w", err))
	}
	return &Supervisor{Options: o, failed: make(chan error, 1)}, nil
}

// Start runs a role and returns when it serves, or why it does not. It is kept running until Stop.
func (s *Supervisor) Start(ctx context.Context, spec Spec) (*Role, error) {
	r := &Role{spec: spec, of: s, log: filepath.Join(s.Dir, spec.Name+".log"), ended: make(chan struct{}), serves: make(map[string]string)}
	if err := r.spawn(ctx); err != nil {
		return nil, fmt.Errorf("%s %w; it said at last:\n%s", spec.Name, err, r.lastWords())
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	s.mu.Lock()
	s.mu.roles = append(s.mu.roles, r)
	s.mu.Unlock()
	go r.keep(life)
	return r, nil
}

// Failed has an error when a role can't be kept running.
func (s *Supervisor) Failed() <-chan error { return s.failed }

func (s *Supervisor) fail(err error) {
	select {
	case s.failed <- err:
	default: // another role's was first
	}
}

// Close ends every role that runs by force, and waits until nothing of any is left.
func (s *Supervisor) Close() {
	s.mu.Lock()
	roles := s.mu.roles
	s.mu.Unlock()
	for _, r := range roles {
		r.Stop(0)
	}
	s.wait.Wait()
}
