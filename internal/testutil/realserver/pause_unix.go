//go:build unix

package realserver

import "syscall"

// Pause stops the process where it is (SIGSTOP): its connections stay open and nothing answers on them.
func (s *Server) Pause() { s.child.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on. It does not know that time has passed. One that runs is left alone.
func (s *Server) Resume() { s.child.signal(syscall.SIGCONT) }
