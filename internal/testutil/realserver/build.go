package realserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"millrace/internal/testutil/repository"
)

// modulePath is the module of the servers, from the root of the repository.
const modulePath = "tests/servers"

// Program is a server of the module tests/servers, by the name of its binary.
type Program string

// The programs.
const (
	Etcd      Program = "etcd"
	VersityGW Program = "versitygw"
)

// packages are the main packages of the programs, tools of the module.
var packages = map[Program]string{
	Etcd:      "go.etcd.io/etcd/server/v3",
	VersityGW: "github.com/versity/versitygw/cmd/versitygw",
}

var built struct {
	sync.Mutex
	paths map[Program]string
}

// Build makes the program ready in the repository's bin folder and returns the path of its binary. It is cheap when
// there is nothing to do. Parallel builds, also of other processes, wait for one another.
func Build(ctx context.Context, p Program) (string, error) {
	built.Lock()
	defer built.Unlock()
	if path, ok := built.paths[p]; ok {
		return path, nil
	}
	path, err := build(ctx, p)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", p, err)
	}
	if built.paths == nil {
		built.paths = map[Program]string{}
	}
	built.paths[p] = path
	return path, nil
}

func build(ctx context.Context, p Program) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	root, err := repository.Root(modulePath + "/go.mod")
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, "bin", "servers")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(folder, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	path := filepath.Join(folder, string(p))
	command := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-o", path, packages[p])
	command.Dir = filepath.Join(root, modulePath)
	// Neither the race detector nor C is wanted in them, and one setting for all keeps one copy in the build cache.
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, tail(output))
	}
	return path, nil
}

func tail(text []byte) []byte { return text[max(0, len(text)-logTailBytes):] }
