// Package child is what tests need of the processes that they start beside package internal/child: where these may serve.
package child

import (
	"os/exec"

	"millrace/internal/child"
)

// Process is a started child.
type Process = child.Process

// Start starts a child that dies with this process.
func Start(command *exec.Cmd) (*Process, error) { return child.Start(command) }
