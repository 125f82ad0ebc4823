//go:build unix

package realserver

import (
	"syscall"
	"time"
)

// Pause stops the process where it is (SIGSTOP): its connections stay open and nothing answers on them. It returns when
// the process stands still, on Linux, where one can see that.
func (s *Server) Pause() {
	s.child.Signal(syscall.SIGSTOP)
	for deadline := time.Now().Add(stopLimit); !s.child.HasEnded() && !isStopped(s.child.ID) && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
}

// Resume lets a paused process go on. It does not know that time has passed. One that runs is left alone.
func (s *Server) Resume() { s.child.Signal(syscall.SIGCONT) }
