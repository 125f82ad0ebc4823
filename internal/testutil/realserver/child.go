package realserver

import (
	"os"
	"os/exec"
	"runtime"
)

// child is a started process. Its goroutine owns the command until the process has ended.
type child struct {
	id    int
	ended chan struct{} // closed when it is gone; err may be read from then on
	err   error
}

// startChild starts a process that dies with this one.
func startChild(command *exec.Cmd) (*child, error) {
	dieWithParent(command)
	c := &child{ended: make(chan struct{})}
	started := make(chan error)
	go c.own(command, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// own starts the child and waits for it. The thread stays locked: Linux sends the death signal when the thread that
// started the child ends, and the runtime may end an idle thread.
func (c *child) own(command *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := command.Start(); err != nil {
		started <- err
		return
	}
	c.id = command.Process.Pid
	started <- nil
	c.err = command.Wait()
	close(c.ended)
}

// signal sends a signal by process id, unless the child has ended and the id may belong to another.
func (c *child) signal(signal os.Signal) {
	if c == nil || c.hasEnded() {
		return
	}
	if process, err := os.FindProcess(c.id); err == nil {
		_ = process.Signal(signal) // an error means that it has just ended
	}
}

func (c *child) kill() {
	if c != nil {
		c.signal(os.Kill)
		<-c.ended
	}
}

func (c *child) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}
