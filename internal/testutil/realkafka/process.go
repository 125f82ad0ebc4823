package realkafka

import (
	"os"
	"os/exec"
	"runtime"
)

// process is a started child. Its goroutine owns the command until the child has ended.
type process struct {
	id    int
	ended chan struct{} // closed when the child is gone; err may be read from then on
	err   error
}

// startProcess starts a child that dies with this process.
func startProcess(command *exec.Cmd) (*process, error) {
	dieWithParent(command)
	p := &process{ended: make(chan struct{})}
	started := make(chan error)
	go p.own(command, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// own starts the child and waits for it. The thread stays locked: Linux sends the death signal when the thread that
// started the child ends, and the runtime may end an idle thread.
func (p *process) own(command *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := command.Start(); err != nil {
		started <- err
		return
	}
	p.id = command.Process.Pid
	started <- nil
	p.err = command.Wait()
	close(p.ended)
}

// signal sends a signal by process id, unless the child has ended and the id may belong to another.
func (p *process) signal(signal os.Signal) {
	if p.hasEnded() {
		return
	}
	if child, err := os.FindProcess(p.id); err == nil {
		_ = child.Signal(signal) // an error means that it has just ended
	}
}

func (p *process) kill() {
	p.signal(os.Kill)
	<-p.ended
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}
