package exactlyonce

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"millrace/cmd/leader"
	"millrace/internal/crash"
	"millrace/internal/testutil/child"
	"millrace/internal/testutil/netns"
	"millrace/internal/testutil/realetcd"
	"millrace/internal/testutil/realkafka"
	"millrace/internal/testutil/reals3"
	"millrace/internal/testutil/realserver"
	apiv1 "millrace/proto/millrace/api/v1"
)

// platform is a cluster of processes as it runs on machines: three servers of etcd, an S3 server, two job managers and task
// managers, each the millrace binary.
type platform struct {
	t            *testing.T
	spec         platformSpec
	dir          string
	etcd         *realetcd.Cluster
	etcdHost     *netns.Host // nil on loopback
	s3           *reals3.Server
	broker       *realkafka.Broker
	jobManagers  []*part
	taskManagers []*part
	finder       *leader.Finder
	jobs         apiv1.JobServiceClient
	cluster      apiv1.ClusterServiceClient
}

// platformSpec says how a platform is made.
type platformSpec struct {
	// taskManagers have one slot each.
	taskManagers int
	// crashPoint, if any, is the first leader's.
	crashPoint string
	// ownBroker is for those who do something to it.
	ownBroker bool
	// network puts each job manager, each task manager, etcd, the store and the broker on a host of its own; nil is loopback.
	network *netns.Network
	// interposed makes it possible to delay the hosts of job managers.
	interposed bool
}

// part is a process of the platform.
type part struct {
	*realserver.Server
	host             *netns.Host // nil on loopback
	name, crashPoint string
	address, admin   string
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

func removeBinary() {
	if millrace.path != "" {
		_ = os.RemoveAll(filepath.Dir(millrace.path))
	}
}

// startPlatform starts everything.
func startPlatform(ctx context.Context, t *testing.T, spec platformSpec) *platform {
	t.Helper()
	p := &platform{t: t, spec: spec, dir: t.TempDir()}
	p.startServers()
	for i := range 2 {
		p.jobManagers = append(p.jobManagers, p.place(fmt.Sprintf("jm-%d", i+1)))
	}
	for i := range spec.taskManagers {
		p.taskManagers = append(p.taskManagers, p.place(fmt.Sprintf("tm-%d", i+1)))
	}
	p.jobManagers[0].crashPoint = spec.crashPoint
	p.address()
	addresses := []string{p.jobManagers[0].address, p.jobManagers[1].address}
	var err error
	if p.finder, err = leader.New(addresses); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.finder.Close() })
	p.jobs, p.cluster = apiv1.NewJobServiceClient(p.finder), apiv1.NewClusterServiceClient(p.finder)
	for _, j := range p.jobManagers {
		host, port, _ := net.SplitHostPort(j.address)
		p.start(ctx, j, "jobmanager", "--etcd", strings.Join(p.etcd.Endpoints(), ";"), "--bind-address", host, "--port", port)
		p.describe(ctx) // the first leads before the second comes
	}
	for _, m := range p.taskManagers {
		p.start(ctx, m, "taskmanager", "--id", m.name, "--slots", "1", "--data-address", m.address, "--job-managers", strings.Join(addresses, ";"))
	}
	return p
}

func (p *platform) startServers() {
	p.t.Helper()
	p.etcdHost = p.host("etcd")
	p.etcd = realetcd.StartOn(p.t, p.etcdHost, 3)
	p.s3 = reals3.StartOn(p.t, p.host("store"))
	if err := p.s3.CreateBucket("millrace"); err != nil {
		p.t.Fatal(err)
	}
	switch {
	case p.spec.network != nil:
		p.broker = realkafka.Start(p.t, realkafka.On(p.host("broker")))
	case p.spec.ownBroker:
		p.broker = realkafka.Start(p.t)
	default:
		p.broker = sharedBroker(p.t)
	}
}

// host makes a host where there is a network.
func (p *platform) host(name string) *netns.Host {
	p.t.Helper()
	if p.spec.network == nil {
		return nil
	}
	return p.spec.network.Host(name)
}

func (p *platform) place(name string) *part {
	p.t.Helper()
	h := p.host(name)
	if h != nil && p.spec.interposed && strings.HasPrefix(name, "jm-") {
		h.Interpose()
	}
	return &part{host: h, name: name}
}

// address gives every part its addresses. On loopback they are looked for together, so that they differ.
func (p *platform) address() {
	p.t.Helper()
	all := p.all()
	loopback, err := child.FreeAddresses(2 * len(all))
	for i, part := range all {
		own := loopback[2*i : 2*i+2]
		if part.host != nil {
			own, err = part.host.FreeAddresses(2)
		}
		if err != nil {
			p.t.Fatal(err)
		}
		part.address, part.admin = own[0], own[1]
	}
}

func (p *platform) start(ctx context.Context, part *part, arguments ...string) {
	p.t.Helper()
	arguments = append(arguments, "--cluster-id", "test", "--admin-address", part.admin,
		"--checkpoints", "s3://millrace/test?path-style=true&region="+reals3.Region+"&endpoint="+p.s3.Endpoint())
	if part.host != nil {
		arguments = append(arguments, "--insecure-bind")
	}
	s, err := realserver.Start(ctx, realserver.Spec{
		Program: "millrace", Path: millraceBinary(p.t), Arguments: arguments, Host: part.host, Log: filepath.Join(p.dir, part.name+".log"),
		Env: []string{
			"AWS_ACCESS_KEY_ID=" + reals3.KeyID, "AWS_SECRET_ACCESS_KEY=" + reals3.SecretKey, "HOME=" + p.dir, crash.Env + "=" + part.crashPoint,
		},
		Ready: func(ctx context.Context) error { return reachable(ctx, part.address) },
	})
	if err != nil {
		p.t.Fatalf("start %s: %v", part.name, err)
	}
	part.Server = s
	p.t.Cleanup(func() {
		s.Kill()
		if p.t.Failed() {
			p.t.Logf("%s said at last:\n%s", part.name, s.LogTail())
		}
	})
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

// figures returns what a part publishes. It is asked on its own host, where no cut is in between.
func (p *platform) figures(ctx context.Context, part *part) string {
	p.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	if part.host != nil {
		transport.DialContext = part.host.Dial
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+part.admin+"/metrics", http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		p.t.Fatalf("metrics of %s: %v", part.name, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatalf("metrics of %s: %v", part.name, err)
	}
	return string(text)
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
