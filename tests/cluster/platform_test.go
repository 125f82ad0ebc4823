package cluster

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"millrace/cmd/leader"
	"millrace/internal/testutil/child"
	"millrace/internal/testutil/realetcd"
	"millrace/internal/testutil/reals3"
	"millrace/internal/testutil/realserver"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

const (
	clusterName     = "test"
	jobManagersMax  = 2
	taskManagersMax = 3
)

// platform is a cluster of processes that a test starts one by one.
type platform struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // a test's own
	dir    string
	etcd   *realetcd.Member
	s3     *reals3.Server // nil: checkpoints are in a folder
	store  string
	client *leader.Finder
	jobs   apiv1.JobServiceClient
	// addresses are those of job managers, then those at which task managers take rows.
	addresses []string
}

// part is a process of the platform.
type part struct {
	*realserver.Server
	name string
	log  string
}

// newPlatform starts a server of etcd, and one of S3 where checkpoints are to be in a bucket.
func newPlatform(t *testing.T, bucket bool) *platform {
	t.Helper()
	p := &platform{t: t, ctx: platformtest.Limited(t, testLimit), dir: t.TempDir(), etcd: realetcd.Start(t, 1).Members()[0]}
	p.store = filepath.Join(p.dir, "checkpoints")
	if bucket {
		p.s3 = reals3.Start(t)
		if err := p.s3.CreateBucket("millrace"); err != nil {
			t.Fatal(err)
		}
		p.store = "s3://millrace/test?path-style=true&region=" + reals3.Region + "&endpoint=" + p.s3.Endpoint()
	}
	var err error
	if p.addresses, err = child.FreeAddresses(jobManagersMax + taskManagersMax); err != nil {
		t.Fatal(err)
	}
	if p.client, err = leader.New(p.jobManagers()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.client.Close() })
	p.jobs = apiv1.NewJobServiceClient(p.client)
	return p
}

func (p *platform) jobManagers() []string { return p.addresses[:jobManagersMax] }

// environment is what every process has, beside what a test adds.
func (p *platform) environment(more ...string) []string {
	return append([]string{"AWS_ACCESS_KEY_ID=" + reals3.KeyID, "AWS_SECRET_ACCESS_KEY=" + reals3.SecretKey, "HOME=" + p.dir}, more...)
}

func (p *platform) jobManagerArguments(i int, more ...string) []string {
	_, port, _ := net.SplitHostPort(p.addresses[i])
	return append([]string{
		"jobmanager", "--cluster-id", clusterName, "--etcd", p.etcd.Endpoint(), "--port", port, "--checkpoints", p.store,
	}, more...)
}

func (p *platform) taskManagerArguments(name, address string, more ...string) []string {
	return append([]string{
		"taskmanager", "--cluster-id", clusterName, "--job-managers", strings.Join(p.jobManagers(), ";"), "--checkpoints", p.store,
		"--id", name, "--slots", "1", "--data-address", address, "--dir", filepath.Join(p.dir, "work"),
	}, more...)
}

// jobManager starts the i-th job manager; it serves, and may or may not lead.
func (p *platform) jobManager(i int, env ...string) *part {
	p.t.Helper()
	return p.start([]string{"jm-1", "jm-2"}[i], p.addresses[i], p.jobManagerArguments(i), env)
}

// taskManager starts the i-th task manager; it takes rows, and may or may not be taken in.
func (p *platform) taskManager(i int, env ...string) *part {
	p.t.Helper()
	name, address := []string{"tm-1", "tm-2", "tm-3"}[i], p.addresses[jobManagersMax+i]
	return p.start(name, address, p.taskManagerArguments(name, address), env)
}

func (p *platform) start(name, address string, arguments, env []string) *part {
	p.t.Helper()
	log := filepath.Join(p.dir, name+".log")
	s, err := realserver.Start(p.ctx, realserver.Spec{
		Program: "millrace", Path: binary(p.t, thisVersion), Arguments: arguments, Env: p.environment(env...),
		Log: log, Ready: func(ctx context.Context) error { return platformtest.Reachable(ctx, address) },
	})
	if err != nil {
		p.t.Fatalf("start %s: %v", name, err)
	}
	p.t.Cleanup(func() {
		s.Kill()
		if p.t.Failed() {
			p.t.Logf("%s said at last:\n%s", name, s.LogTail())
		}
	})
	return &part{s, name, log}
}

// restart starts a part again.
func (p *platform) restart(s interface{ Restart(context.Context) error }) {
	p.t.Helper()
	if err := s.Restart(p.ctx); err != nil {
		p.t.Fatal(err)
	}
}

// says waits until a process has said all of that.
func (p *platform) says(of *part, texts ...string) {
	p.t.Helper()
	platformtest.Await(p.ctx, p.t, of.name+" to say "+strings.Join(texts, ", "), func() bool {
		log, err := os.ReadFile(of.log)
		if err != nil {
			p.t.Fatal(err)
		}
		return platformtest.HasAll(string(log), texts)
	})
}

// ends runs a process that is to end by itself, and returns its exit code and what it said.
func (p *platform) ends(version string, arguments []string, env ...string) (code int, said string) {
	p.t.Helper()
	c := exec.CommandContext(p.ctx, binary(p.t, version), arguments...)
	c.Env = p.environment(append(env, "PATH="+os.Getenv("PATH"))...)
	out, err := c.CombinedOutput()
	if p.ctx.Err() != nil {
		p.t.Fatalf("it does not end: %v; it said:\n%s", arguments, out)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(out)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return 0, string(out)
}

// refused runs a process that is to be refused, and expects all of that in what it says.
func (p *platform) refused(version string, arguments, env []string, texts ...string) {
	p.t.Helper()
	code, said := p.ends(version, arguments, env...)
	if code == 0 {
		p.t.Errorf("it is refused, and its exit code is 0; it said:\n%s", said)
	}
	p.expectSaid(said, texts...)
}

func (p *platform) expectSaid(said string, texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if !strings.Contains(said, text) {
			p.t.Errorf("nothing is said of %q in:\n%s", text, said)
		}
	}
}

// awaitCommand repeats a command on the cluster until its output has all of that.
func (p *platform) awaitCommand(arguments []string, texts ...string) {
	p.t.Helper()
	arguments = append(arguments, "--cluster", strings.Join(p.jobManagers(), ","))
	said := ""
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("millrace %s said at last:\n%s", strings.Join(arguments, " "), said)
		}
	})
	platformtest.Await(p.ctx, p.t, strings.Join(texts, ", "), func() bool {
		_, said = p.ends(thisVersion, arguments)
		return platformtest.HasAll(said, texts)
	})
}

// awaitTaskManagers waits until so many are connected.
func (p *platform) awaitTaskManagers(n int) {
	p.t.Helper()
	platformtest.Await(p.ctx, p.t, "task managers", func() bool {
		d, err := apiv1.NewClusterServiceClient(p.client).DescribeCluster(p.ctx, &apiv1.DescribeClusterRequest{})
		return err == nil && len(d.TaskManagers) == n
	})
}
