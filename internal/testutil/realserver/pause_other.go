//go:build !unix

package realserver

// Pause needs signals that this system lacks, and panics so that no test passes for want of them.
func (s *Server) Pause() { panic("realserver: no SIGSTOP on this system") }

// Resume has nothing to do.
func (s *Server) Resume() {}
