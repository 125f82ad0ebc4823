package platformtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// Platform is a cluster of processes as it runs on machines: three servers of etcd, an S3 server, two job managers and task
// managers, each the millrace binary.
type Platform struct {
	T            *testing.T
	spec         Spec
	dir          string
	Etcd         *realetcd.Cluster
	EtcdHost     *netns.Host // nil on loopback
	S3           *reals3.Server
	Broker       *realkafka.Broker
	JobManagers  []*Part
	TaskManagers []*Part
	finder       *leader.Finder
	Jobs         apiv1.JobServiceClient
	cluster      apiv1.ClusterServiceClient
}

const clusterName = "test"

// Spec says how a platform is made.
type Spec struct {
	// TaskManagers have one slot each.
	TaskManagers int
	// CrashPoint, if any, is the first leader's. Without one, every process takes orders.
	CrashPoint string
	// OwnBroker is for those who do something to it.
	OwnBroker bool
	// Network puts each job manager, each task manager, etcd, the store and the broker on a host of its own; nil is loopback.
	Network *netns.Network
	// Interposed makes it possible to delay the hosts of job managers.
	Interposed bool
	// Program is the package of the binary that task managers are; "" is millrace's own.
	Program string
	// Prepare, if any, is called with the platform when its addresses and folders are known and none of millrace's processes
	// runs.
	Prepare func(*Platform)
}

// Part is a process of the platform.
type Part struct {
	*realserver.Server
	Host             *netns.Host // nil on loopback
	Name, crashPoint string
	address, admin   string
	log, orders      string // files
}

// binaries are those that were built, by their packages, once for all tests.
var binaries struct {
	sync.Mutex
	dir   string
	built map[string]string
}

// millracePackage is that of millrace's own binary.
const millracePackage = "millrace/cmd/millrace"

// Binary returns the path of a binary of this module, which is built when a test needs it first.
func Binary(t *testing.T, of string) string {
	t.Helper()
	binaries.Lock()
	defer binaries.Unlock()
	if path, ok := binaries.built[of]; ok {
		return path
	}
	if binaries.dir == "" {
		//nolint:usetesting // it outlives the test that is the first to need it
		dir, err := os.MkdirTemp("", "millrace-binaries")
		if err != nil {
			t.Fatal(err)
		}
		binaries.dir, binaries.built = dir, make(map[string]string)
	}
	path := filepath.Join(binaries.dir, filepath.Base(of))
	if out, err := exec.Command("go", "build", "-tags", "invariants", "-o", path, of).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %s", of, err, out)
	}
	binaries.built[of] = path
	return path
}

// RemoveBinary removes what was built for the tests.
func RemoveBinary() {
	if binaries.dir != "" {
		_ = os.RemoveAll(binaries.dir)
	}
}

// Start starts everything.
func Start(ctx context.Context, t *testing.T, spec Spec) *Platform {
	t.Helper()
	p := &Platform{T: t, spec: spec, dir: t.TempDir()}
	p.startServers()
	for i := range 2 {
		p.JobManagers = append(p.JobManagers, p.place(fmt.Sprintf("jm-%d", i+1)))
	}
	for i := range spec.TaskManagers {
		p.TaskManagers = append(p.TaskManagers, p.place(fmt.Sprintf("tm-%d", i+1)))
	}
	if spec.CrashPoint != "" {
		p.JobManagers[0].crashPoint = spec.CrashPoint
	}
	p.address()
	if spec.Prepare != nil {
		spec.Prepare(p)
	}
	addresses := []string{p.JobManagers[0].address, p.JobManagers[1].address}
	var err error
	if p.finder, err = leader.New(addresses); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.finder.Close() })
	p.Jobs, p.cluster = apiv1.NewJobServiceClient(p.finder), apiv1.NewClusterServiceClient(p.finder)
	for _, j := range p.JobManagers {
		host, port, _ := net.SplitHostPort(j.address)
		p.start(ctx, j, millracePackage, "jobmanager", "--etcd", strings.Join(p.Etcd.Endpoints(), ";"), "--bind-address", host, "--port", port)
		p.Describe(ctx) // the first leads before the second comes
	}
	program := spec.Program
	if program == "" {
		program = millracePackage
	}
	for _, m := range p.TaskManagers {
		p.start(ctx, m, program, "taskmanager", "--id", m.Name, "--slots", "1", "--dir", p.Dir(m), "--data-address", m.address, "--job-managers", strings.Join(addresses, ";"))
	}
	return p
}

func (p *Platform) startServers() {
	p.T.Helper()
	p.EtcdHost = p.host("etcd")
	p.Etcd = realetcd.StartOn(p.T, p.EtcdHost, 3)
	p.S3 = reals3.StartOn(p.T, p.host("store"))
	if err := p.S3.CreateBucket("millrace"); err != nil {
		p.T.Fatal(err)
	}
	switch {
	case p.spec.Network != nil:
		p.Broker = realkafka.Start(p.T, realkafka.On(p.host("broker")))
	case p.spec.OwnBroker:
		p.Broker = realkafka.Start(p.T)
	default:
		p.Broker = SharedBroker(p.T)
	}
}

// Host makes a host where there is a network.
func (p *Platform) host(name string) *netns.Host {
	p.T.Helper()
	if p.spec.Network == nil {
		return nil
	}
	return p.spec.Network.Host(name)
}

func (p *Platform) place(name string) *Part {
	p.T.Helper()
	h := p.host(name)
	if h != nil && p.spec.Interposed && strings.HasPrefix(name, "jm-") {
		h.Interpose()
	}
	part := &Part{Host: h, Name: name, log: filepath.Join(p.dir, name+".log"), orders: filepath.Join(p.dir, name+".orders")}
	part.crashPoint = "order:" + part.orders
	return part
}

// address gives every part its addresses. On loopback they are looked for together, so that they differ.
func (p *Platform) address() {
	p.T.Helper()
	all := p.All()
	loopback, err := child.FreeAddresses(2 * len(all))
	for i, part := range all {
		own := loopback[2*i : 2*i+2]
		if part.Host != nil {
			own, err = part.Host.FreeAddresses(2)
		}
		if err != nil {
			p.T.Fatal(err)
		}
		part.address, part.admin = own[0], own[1]
	}
}

func (p *Platform) start(ctx context.Context, part *Part, program string, arguments ...string) {
	p.T.Helper()
	arguments = append(arguments, "--cluster-id", clusterName, "--admin-address", part.admin,
		"--checkpoints", "s3://millrace/test?path-style=true&region="+reals3.Region+"&endpoint="+p.S3.Endpoint())
	if part.Host != nil {
		arguments = append(arguments, "--insecure-bind")
	}
	s, err := realserver.Start(ctx, realserver.Spec{
		Program: realserver.Program(filepath.Base(program)), Path: Binary(p.T, program), Arguments: arguments, Host: part.Host, Log: part.log,
		Env: []string{
			"AWS_ACCESS_KEY_ID=" + reals3.KeyID, "AWS_SECRET_ACCESS_KEY=" + reals3.SecretKey, "HOME=" + p.dir, crash.Env + "=" + part.crashPoint,
		},
		Ready: func(ctx context.Context) error { return Reachable(ctx, part.address) },
	})
	if err != nil {
		p.T.Fatalf("start %s: %v", part.Name, err)
	}
	part.Server = s
	p.T.Cleanup(func() {
		s.Kill()
		if p.T.Failed() {
			p.T.Logf("%s said at last:\n%s", part.Name, s.LogTail())
		}
	})
}

// Dir is the folder of a task manager: what it keeps there survives its death.
func (p *Platform) Dir(part *Part) string { return filepath.Join(p.dir, part.Name) }

// Reachable tells, by its error, whether somebody accepts connections there.
func Reachable(ctx context.Context, address string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return c.Close()
}

// Describe asks the leader about the cluster, as soon as there is one.
func (p *Platform) Describe(ctx context.Context) *apiv1.DescribeClusterResponse {
	p.T.Helper()
	var d *apiv1.DescribeClusterResponse
	Await(ctx, p.T, "a leader", func() bool {
		var err error
		d, err = p.cluster.DescribeCluster(ctx, &apiv1.DescribeClusterRequest{})
		return err == nil
	})
	return d
}

// Figures returns what a part publishes. It is asked on its own host, where no cut is in between.
func (p *Platform) Figures(ctx context.Context, part *Part) string {
	p.T.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	if part.Host != nil {
		transport.DialContext = part.Host.Dial
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+part.admin+"/metrics", http.NoBody)
	if err != nil {
		p.T.Fatal(err)
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		p.T.Fatalf("metrics of %s: %v", part.Name, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.T.Fatalf("metrics of %s: %v", part.Name, err)
	}
	return string(text)
}

// Figure returns one figure without labels that a part publishes.
func (p *Platform) Figure(ctx context.Context, part *Part, name string) int64 {
	p.T.Helper()
	_, after, ok := strings.Cut("\n"+p.Figures(ctx, part), "\n"+name+" ")
	text, _, _ := strings.Cut(after, "\n")
	n, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil {
		p.T.Fatalf("%s publishes no %s: %v", part.Name, name, err)
	}
	return int64(n)
}

// Addresses returns those of the job managers, as commands take them.
func (p *Platform) Addresses() string {
	return p.JobManagers[0].address + "," + p.JobManagers[1].address
}

// Leads returns the job manager that leads.
func (p *Platform) Leads(ctx context.Context) *Part {
	p.T.Helper()
	d := p.Describe(ctx)
	for _, j := range p.JobManagers {
		if j.address == d.Leader {
			return j
		}
	}
	p.T.Fatalf("the leader %s is none of %v", d.Leader, p.JobManagers)
	return nil
}

// AwaitTaskManagers waits until so many are connected.
func (p *Platform) AwaitTaskManagers(ctx context.Context, n int) {
	p.T.Helper()
	Await(ctx, p.T, fmt.Sprintf("%d task managers", n), func() bool { return len(p.Describe(ctx).TaskManagers) == n })
}

// Restart starts a part again that was killed.
func (p *Platform) Restart(ctx context.Context, parts ...*Part) {
	p.T.Helper()
	for _, part := range parts {
		if err := part.Restart(ctx); err != nil {
			p.T.Fatalf("restart %s: %v", part.Name, err)
		}
	}
}
