package realserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"millrace/internal/testutil/child"
	"millrace/internal/testutil/netns"
)

// Spec says what a Server runs.
type Spec struct {
	Program Program
	// Path is where the program is; empty builds it.
	Path      string
	Arguments []string
	// Host is where it runs; nil is this machine.
	Host *netns.Host
	// Env is added to a nearly empty environment: no setting of this machine reaches the server.
	Env []string
	// Log is the file to which the server's output is appended.
	Log string
	// Ready answers nil once the server serves. It is asked again and again, and each time in a context of its own.
	Ready func(ctx context.Context) error
}

// Server is a running, paused or ended child process. Its methods are not safe for concurrent use.
type Server struct {
	spec  Spec
	path  string
	child *child.Process
}

// Start builds the program, starts it and returns once it is ready. The caller closes the Server. ctx bounds the start,
// not the server's life.
func Start(ctx context.Context, spec Spec) (*Server, error) {
	s, err := Begin(ctx, spec)
	if err != nil {
		return nil, err
	}
	if err := s.AwaitReady(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Begin is Start without the wait, for servers that are ready only together. The caller calls AwaitReady.
func Begin(ctx context.Context, spec Spec) (*Server, error) {
	s := &Server{spec: spec, path: spec.Path}
	if s.path == "" {
		var err error
		if s.path, err = Build(ctx, spec.Program); err != nil {
			return nil, err
		}
	}
	if err := s.spawn(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) spawn() error {
	log, err := os.OpenFile(s.spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.spec.Program, err)
	}
	defer log.Close() // the child has its own descriptor
	command := s.spec.Host.Command(s.path, s.spec.Arguments...)
	command.Stdout, command.Stderr = log, log
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}, s.spec.Env...)
	if s.child, err = child.Start(command); err != nil {
		return fmt.Errorf("start %s: %w", s.spec.Program, err)
	}
	return nil
}

var errEnded = errors.New("it ended before it was ready")

// AwaitReady returns once the server serves; a server that does not is killed, and the error quotes its log.
func (s *Server) AwaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		err := s.ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.child.Ended:
			return s.notReady(errors.Join(errEnded, s.child.Err))
		case <-ctx.Done():
			return s.notReady(errors.Join(ctx.Err(), err))
		case <-time.After(readyPause):
		}
	}
}

func (s *Server) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	return s.spec.Ready(ctx)
}

func (s *Server) notReady(err error) error {
	s.Kill()
	return fmt.Errorf("start %s: %w: %s", s.spec.Program, err, s.LogTail())
}

// PortTaken reports that a server ended because another process was faster to its port; only the log says so.
func (s *Server) PortTaken() bool {
	return s.child.HasEnded() && bytes.Contains(s.LogTail(), []byte("address already in use"))
}

// PID is the process id of the running or last run server.
func (s *Server) PID() int { return s.child.ID }

// Kill ends the server with SIGKILL, paused or not, and returns when it is gone. One that is down stays down.
func (s *Server) Kill() { s.child.Kill() }

// Stop asks the server to end in good order, and kills it if that takes too long.
func (s *Server) Stop() {
	s.Resume()
	s.child.Signal(syscall.SIGTERM)
	select {
	case <-s.child.Ended:
	case <-time.After(stopLimit):
		s.child.Kill()
	}
}

// Restart kills the server if it runs, starts it with the same arguments and returns once it is ready.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.RestartBegin(); err != nil {
		return err
	}
	return s.AwaitReady(ctx)
}

// RestartBegin is Restart without the wait.
func (s *Server) RestartBegin() error {
	s.Kill()
	return s.spawn()
}

// LogTail returns the end of the log.
func (s *Server) LogTail() []byte {
	text, err := os.ReadFile(s.spec.Log)
	if err != nil {
		return []byte(err.Error())
	}
	return tail(text)
}
