package exactlyonce

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"millrace/cmd/leader"
	"millrace/internal/crash"
	"millrace/internal/testutil/child"
	"millrace/internal/testutil/realetcd"
	"millrace/internal/testutil/reals3"
	"millrace/internal/testutil/realserver"
	apiv1 "millrace/proto/millrace/api/v1"
)

// platform is a cluster of processes as it runs on machines: three servers of etcd, an S3 server, two job managers and task
// managers, each the millrace binary.
type platform struct {
	t            *testing.T
	etcd         *realetcd.Cluster
	s3           *reals3.Server
	jobManagers  []*part
	taskManagers []*part
	finder       *leader.Finder
	jobs         apiv1.JobServiceClient
	cluster      apiv1.ClusterServiceClient
}

// part is a process of the platform.
type part struct {
	*realserver.Server
	name, address string
}

// millrace is the binary, built once for all tests.
var millrace struct {
	once sync.Once
	path string
	err  error
}

func millraceBinary(t *testing.T) string {
	t.Helper()
	millrace.once.Do(func() {
		//nolint:usetesting // it outlives the test that is the first to need it
		dir, err := os.MkdirTemp("", "millrace-binary")
		if err != nil {
			millrace.err = err
			return
		}
		millrace.path = filepath.Join(dir, "millrace")
		out, err := exec.Command("go", "build", "-tags", "invariants", "-o", millrace.path, "millrace/cmd/millrace").CombinedOutput()
		if err != nil {
			millrace.err = fmt.Errorf("build millrace: %w: %s", err, out)
		}
	})
	if millrace.err != nil {
		t.Fatal(millrace.err)
	}
	return millrace.path
}

// startPlatform starts everything, with so many task managers of one slot each. The crash point, if any, is the first
// leader's.
func startPlatform(ctx context.Context, t *testing.T, taskManagers int, crashPoint string) *platform {
	t.Helper()
	p := &platform{t: t, etcd: realetcd.Start(t, 3), s3: reals3.Start(t)}
	if err := p.s3.CreateBucket("millrace"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ports, err := child.FreeAddresses(2 + taskManagers)
	if err != nil {
		t.Fatal(err)
	}
	if p.finder, err = leader.New(ports[:2]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.finder.Close() })
	p.jobs, p.cluster = apiv1.NewJobServiceClient(p.finder), apiv1.NewClusterServiceClient(p.finder)
	for i, address := range ports[:2] {
		_, port, _ := net.SplitHostPort(address)
		p.jobManagers = append(p.jobManagers, p.start(ctx, dir, fmt.Sprintf("jm-%d", i+1), address, crashPoint,
			"jobmanager", "--etcd", strings.Join(p.etcd.Endpoints(), ";"), "--port", port))
		p.describe(ctx) // the first leads before the second comes
		crashPoint = ""
	}
	for i, address := range ports[2:] {
		name := fmt.Sprintf("tm-%d", i+1)
		p.taskManagers = append(p.taskManagers, p.start(ctx, dir, name, address, "",
			"taskmanager", "--id", name, "--slots", "1", "--data-address", address, "--job-managers", strings.Join(ports[:2], ";")))
	}
	return p
}

func (p *platform) start(ctx context.Context, dir, name, address, crashPoint string, arguments ...string) *part {
	p.t.Helper()
	arguments = append(arguments, "--cluster-id", "test",
		"--checkpoints", "s3://millrace/test?path-style=true&region="+reals3.Region+"&endpoint="+p.s3.Endpoint())
	s, err := realserver.Start(ctx, realserver.Spec{
		Program: "millrace", Path: millraceBinary(p.t), Arguments: arguments, Log: filepath.Join(dir, name+".log"),
		Env:   []string{"AWS_ACCESS_KEY_ID=" + reals3.KeyID, "AWS_SECRET_ACCESS_KEY=" + reals3.SecretKey, "HOME=" + dir, crash.Env + "=" + crashPoint},
		Ready: func(ctx context.Context) error { return reachable(ctx, address) },
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
	return &part{s, name, address}
}

func reachable(ctx context.Context, address string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return c.Close()
}

// describe asks the leader about the cluster, as soon as there is one.
func (p *platform) describe(ctx context.Context) *apiv1.DescribeClusterResponse {
	p.t.Helper()
	var d *apiv1.DescribeClusterResponse
	await(ctx, p.t, "a leader", func() bool {
		var err error
		d, err = p.cluster.DescribeCluster(ctx, &apiv1.DescribeClusterRequest{})
		return err == nil
	})
	return d
}

// leads returns the job manager that leads.
func (p *platform) leads(ctx context.Context) *part {
	p.t.Helper()
	d := p.describe(ctx)
	for _, j := range p.jobManagers {
		if j.address == d.Leader {
			return j
		}
	}
	p.t.Fatalf("the leader %s is none of %v", d.Leader, p.jobManagers)
	return nil
}

// awaitTaskManagers waits until so many are connected.
func (p *platform) awaitTaskManagers(ctx context.Context, n int) {
	p.t.Helper()
	await(ctx, p.t, fmt.Sprintf("%d task managers", n), func() bool { return len(p.describe(ctx).TaskManagers) == n })
}

// restart starts a part again that was killed.
func (p *platform) restart(ctx context.Context, parts ...*part) {
	p.t.Helper()
	for _, part := range parts {
		if err := part.Restart(ctx); err != nil {
			p.t.Fatalf("restart %s: %v", part.name, err)
		}
	}
}
