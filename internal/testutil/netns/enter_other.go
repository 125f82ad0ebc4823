//go:build !linux

package netns

import (
	"errors"
	"net"
	"syscall"
)

// None of this is reached: usable says no before.
var errLinux, errLocked = errors.New("network namespaces need Linux"), errors.New("locked")

func within(string, func() error) error                { return errLinux }
func markSocket(string, string, syscall.RawConn) error { return errLinux }
func meantFor(*net.TCPConn) (string, error)            { return "", errLinux }
func tryLock(string) (unlock func(), err error)        { return nil, errLinux }
func lock(string) (unlock func(), err error)           { return nil, errLinux }
