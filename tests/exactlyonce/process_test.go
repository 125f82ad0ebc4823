package exactlyonce

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"millrace/cmd/cluster"
	"millrace/internal/crash"
	"millrace/internal/testutil/child"
	apiv1 "millrace/proto/millrace/api/v1"
)

// clusterVariable makes the test binary a cluster instead, as its JSON says.
const clusterVariable = "MILLRACE_EXACTLYONCE_CLUSTER"

// clusterSpec says what a process runs.
type clusterSpec struct {
	Dir                 string
	TaskManagers, Slots int
}

// runCluster is the whole of a cluster's process: it says where it serves and goes on until its input ends or it is killed.
func runCluster(text string) error {
	var spec clusterSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return err
	}
	if err := crash.Arm(os.Getenv(crash.Env)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	c, err := cluster.Start(context.Background(), cluster.Options{
		Dir: spec.Dir, TaskManagers: spec.TaskManagers, Slots: spec.Slots, Log: log, Wiring: cluster.NewWiring(log),
	})
	if err != nil {
		return err
	}
	fmt.Println(c.Address())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, c.Close())
}

// process is a cluster in a process of its own.
type process struct {
	*child.Process
	command *exec.Cmd
	stderr  string // the file
	jobs    apiv1.JobServiceClient
	conn    *grpc.ClientConn
	input   io.Closer
}

// startProcess runs a cluster on a folder, which may be that of one that was killed. The crash point may be empty.
func startProcess(ctx context.Context, t *testing.T, spec clusterSpec, crashPoint string) *process {
	t.Helper()
	p, err := launch(spec, crashPoint)
	if err != nil {
		t.Fatalf("start a cluster: %v", err)
	}
	t.Cleanup(func() {
		p.Kill()
		_ = p.conn.Close()
		if t.Failed() {
			t.Logf("process %d said at last:\n%s", p.ID, p.lastWords())
		}
	})
	return p
}

func launch(spec clusterSpec, crashPoint string) (*process, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	stderr, err := os.CreateTemp(filepath.Dir(spec.Dir), "stderr-*")
	if err != nil {
		return nil, err
	}
	defer stderr.Close() // the child has its own descriptor
	p := &process{stderr: stderr.Name()}
	p.command = exec.Command(os.Args[0])
	p.command.Env = append(os.Environ(), clusterVariable+"="+string(text), crash.Env+"="+crashPoint)
	p.command.Stderr = stderr
	if p.input, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	address, err := p.start()
	if err != nil {
		return nil, err
	}
	p.conn, err = grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	p.jobs = apiv1.NewJobServiceClient(p.conn)
	return p, err
}

// start runs the command and returns where it says that it serves.
func (p *process) start() (string, error) {
	output, input, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer output.Close()
	p.command.Stdout = input
	p.Process, err = child.Start(p.command)
	input.Close() // the child has its own descriptor; ours would keep the pipe from ending
	if err != nil {
		return "", err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		p.Kill()
		return "", fmt.Errorf("it does not say where it serves: %w: %s", err, p.lastWords())
	}
	return strings.TrimSpace(line), nil
}

// killed tells whether an ended process was ended by kill -9.
func (p *process) killed() bool {
	status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// awaitDeath waits until the process has come to its crash point.
func (p *process) awaitDeath(ctx context.Context, t *testing.T, point string) {
	t.Helper()
	select {
	case <-p.Ended:
	case <-ctx.Done():
		t.Fatalf("crash point %s was not reached: %v\n%s", point, ctx.Err(), p.lastWords())
	}
	if words := p.lastWords(); !p.killed() || !strings.Contains(words, "crash point "+point) {
		t.Fatalf("the process did not end at %s: %v\n%s", point, p.Err, words)
	}
}

// lastWords returns the end of what the process logged.
func (p *process) lastWords() string {
	text, err := os.ReadFile(p.stderr)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-lastWordsBytes):])
}

const lastWordsBytes = 8 << 10
