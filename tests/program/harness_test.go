package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"millrace/internal/testutil/child"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// testLimit bounds a case that hangs.
const testLimit = 2 * time.Minute

// The binaries: millrace's own, the program, the program as it was built at another time, and three editions of another program.
var binaries = map[string][]string{
	"millrace": {"-ldflags", "-X main.version=test", "millrace/cmd/millrace"},
	"doubler":  {"-ldflags", "-X millrace/cmd/command.version=test", "millrace/tests/program/doubler"},
	"other":    {"-ldflags", "-X millrace/cmd/command.version=test -X main.flavour=other", "millrace/tests/program/doubler"},
	"first":    {"-ldflags", "-X millrace/cmd/command.version=test", "millrace/tests/program/tally"},
	"second":   {"-ldflags", "-X millrace/cmd/command.version=test -X main.edition=second", "millrace/tests/program/tally"},
	"third":    {"-ldflags", "-X millrace/cmd/command.version=test -X main.edition=third", "millrace/tests/program/tally"},
}

// built is the folder with them.
var built string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	var err error
	if built, err = os.MkdirTemp("", "millrace-program"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(built) }()
	return m.Run()
}

// binary returns a binary, built at its first use.
func binary(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(built, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	arguments := append([]string{"build", "-o", path}, binaries[name]...)
	if out, err := exec.Command("go", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %s", name, err, out)
	}
	return path
}

// processes are a cluster without task managers.
type processes struct {
	*testing.T
	ctx             context.Context
	dir, etcd, jobs string
	jobManager      *child.Process
	managers        map[string]*child.Process
}

func start(t *testing.T) *processes {
	t.Helper()
	addresses, err := child.FreeAddresses(2)
	if err != nil {
		t.Fatal(err)
	}
	p := &processes{
		T: t, ctx: platformtest.Limited(t, testLimit), dir: t.TempDir(), etcd: addresses[0], jobs: addresses[1], managers: map[string]*child.Process{},
	}
	p.process("etcd", "millrace", nil, "etcd", "--dir", filepath.Join(p.dir, "etcd"), "--address", p.etcd)
	p.awaitAddress(p.etcd)
	p.startJobManager()
	return p
}

func (p *processes) startJobManager() {
	_, port, _ := net.SplitHostPort(p.jobs)
	p.jobManager = p.process("jm", "millrace", nil, "jobmanager", "--etcd", "http://"+p.etcd, "--port", port, "--checkpoints", p.blobs())
	p.awaitAddress(p.jobs)
}

func (p *processes) blobs() string { return filepath.Join(p.dir, "blobs") }

// taskManager starts a task manager of a binary; env is beside what every process gets.
func (p *processes) taskManager(id, of string, slots int, env ...string) {
	p.Helper()
	p.managers[id] = p.process(id, of, env, "taskmanager", "--id", id, "--slots", fmt.Sprint(slots), "--job-managers", p.jobs,
		"--checkpoints", p.blobs(), "--dir", filepath.Join(p.dir, id))
	p.awaitMembers()
}

// kill is kill -9 of a task manager.
func (p *processes) kill(id string) {
	p.Helper()
	p.managers[id].Kill()
	delete(p.managers, id)
	p.awaitMembers()
}

// awaitMembers waits until the cluster knows of every task manager that runs, and of none else.
func (p *processes) awaitMembers() {
	p.Helper()
	platformtest.Await(p.ctx, p.T, "task managers", func() bool { return len(p.cluster().GetTaskManagers()) == len(p.managers) })
}

func (p *processes) process(name, of string, env []string, arguments ...string) *child.Process {
	p.Helper()
	log, err := os.OpenFile(filepath.Join(p.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.Fatal(err)
	}
	cmd := exec.Command(binary(p.T, of), arguments...)
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, append(p.env(), env...)
	c, err := child.Start(cmd)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() {
		c.Kill()
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && p.Failed() {
			p.Logf("%s said:\n%s", name, text[max(0, len(text)-2000):])
		}
	})
	return c
}

func (p *processes) env() []string { return []string{"HOME=" + p.dir, "TZ=UTC"} }

func (p *processes) awaitAddress(address string) {
	p.Helper()
	platformtest.Await(p.ctx, p.T, address, func() bool { return platformtest.Reachable(p.ctx, address) == nil })
}

// command runs a command of a binary and returns its output and exit code.
func (p *processes) command(of string, arguments ...string) (out, messages string, code int) {
	p.Helper()
	return p.commandWith(nil, of, arguments...)
}

func (p *processes) commandWith(env []string, of string, arguments ...string) (out, messages string, code int) {
	p.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(p.ctx, binary(p.T, of), arguments...)
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = &stdout, &stderr, append(p.env(), env...), p.dir
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.Fatalf("%s %v: %v", of, arguments, err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// must is a command that has to do.
func (p *processes) must(of string, arguments ...string) string {
	p.Helper()
	out, messages, code := p.command(of, arguments...)
	if code != 0 {
		p.Fatalf("%s %s: exit code %d\n%s", of, strings.Join(arguments, " "), code, messages)
	}
	return strings.TrimSpace(out)
}

// submit submits the program's job and returns its id.
func (p *processes) submit(flags ...string) string {
	p.Helper()
	return p.must("doubler", append([]string{"submit", "--cluster", p.jobs, "--detached"}, flags...)...)
}

// plain submits a job without functions, of tasks that never end.
func (p *processes) plain(parallelism int) string {
	p.Helper()
	file := filepath.Join(p.dir, "plain.json")
	text := fmt.Sprintf(`{"name": "plain", "parallelism": %d, "vertices": [{"id": "numbers", "source": {
		"uid": "source", "connector": "datagen", "options": {"rows-per-second": "100"},
		"schema": {"fields": [{"name": "n", "type": {"kind": "TYPE_KIND_BIGINT"}}]}
	}, "sink": {"uid": "sink", "connector": "blackhole"}}]}`, parallelism)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
	return p.must("millrace", "run", "--cluster", p.jobs, "--detached", file)
}

func (p *processes) cluster() *apiv1.DescribeClusterResponse {
	out, _, code := p.command("millrace", "cluster", "status", "--cluster", p.jobs, "--output", "json")
	d := &apiv1.DescribeClusterResponse{}
	if code != 0 || protojson.Unmarshal([]byte(out), d) != nil {
		return nil // nobody leads yet
	}
	return d
}

func (p *processes) job(id string) *apiv1.DescribeJobResponse {
	p.Helper()
	d := &apiv1.DescribeJobResponse{}
	if err := protojson.Unmarshal([]byte(p.must("millrace", "job", "show", id, "--cluster", p.jobs, "--output", "json")), d); err != nil {
		p.Fatal(err)
	}
	return d
}

// awaitJob waits for something to hold of a job.
func (p *processes) awaitJob(id, what string, holds func(*apiv1.DescribeJobResponse) bool) (d *apiv1.DescribeJobResponse) {
	p.Helper()
	platformtest.Await(p.ctx, p.T, what, func() bool {
		d = p.job(id)
		return holds(d)
	})
	return d
}

func runs(d *apiv1.DescribeJobResponse) bool {
	return d.Summary.State == apiv1.JobState_JOB_STATE_RUNNING && d.CheckpointsCompleted > 0
}

// on returns the task managers with slots of a job.
func (p *processes) on(id string) (out []string) {
	for _, tm := range p.cluster().GetTaskManagers() {
		if strings.Contains(strings.Join(tm.Slots, " "), id) {
			out = append(out, tm.TaskManagerId)
		}
	}
	return out
}

// numbers reads the numbers in a folder of output; the largest and how many there are.
func numbers(t *testing.T, dir string) map[int64]int {
	t.Helper()
	out := map[int64]int{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range bytes.Lines(text) {
			var row struct{ N int64 }
			if err := json.Unmarshal(line, &row); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			out[row.N]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
