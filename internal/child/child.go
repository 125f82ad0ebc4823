// Package child runs processes that do not outlive the one that started them, whatever ends that, kill -9 included where
// the kernel offers it (Linux). They are ended by process id only. On Linux a child has a process group of its own: the
// ctrl-C of a terminal reaches whoever started it, who decides in which order what ends.
//
// # Goroutines
//
// Each child has one, which waits for its end and then closes Ended.
package child

import (
	"os"
	"os/exec"
	"runtime"
)

// Process is a started child. Its goroutine owns the command until the child has ended.
type Process struct {
	// ID is the process id.
	ID int
	// Ended is closed when the child is gone; Err may be read from then on.
	Ended chan struct{}
	Err   error
}

// Start starts a child that dies with this process.
func Start(command *exec.Cmd) (*Process, error) {
	dieWithParent(command)
	p := &Process{Ended: make(chan struct{})}
	started := make(chan error)
	go p.own(command, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// own starts the child and waits for it. The thread stays locked: Linux sends the death signal when the thread that
// started the child ends, and the runtime may end an idle thread.
func (p *Process) own(command *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := command.Start(); err != nil {
		started <- err
		return
	}
	p.ID = command.Process.Pid
	started <- nil
	p.Err = command.Wait()
	close(p.Ended)
}

// Signal sends a signal by process id, unless the child has ended and the id may belong to another. A nil child has none.
func (p *Process) Signal(signal os.Signal) {
	if p == nil || p.HasEnded() {
		return
	}
	if process, err := os.FindProcess(p.ID); err == nil {
		_ = process.Signal(signal) // an error means that it has just ended
	}
}

// Kill is kill -9. It returns when the child is gone.
func (p *Process) Kill() {
	if p != nil {
		p.Signal(os.Kill)
		<-p.Ended
	}
}

// HasEnded tells whether the child is gone.
func (p *Process) HasEnded() bool {
	select {
	case <-p.Ended:
		return true
	default:
		return false
	}
}
