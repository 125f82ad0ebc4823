package realetcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"millrace/internal/testutil/netns"
	"millrace/internal/testutil/realserver"
)

const (
	// launchAttempts is how many sets of ports Launch tries: another process may take one between probe and use.
	launchAttempts = 3
	dialLimit      = 2 * time.Second
	leaderPause    = 50 * time.Millisecond
	// Members on one machine of two cores that runs other tests: ten times the defaults of a quiet network would make
	// elections slow, the defaults make them false alarms.
	heartbeatMilliseconds, electionMilliseconds = 100, 1000
)

// Cluster is a cluster of etcd members. Its methods are not safe for concurrent use, except Endpoints.
type Cluster struct {
	members []*Member
}

// Member is one process of a Cluster. Its methods are not safe for concurrent use, except Endpoint and Name.
type Member struct {
	*realserver.Server
	host         *netns.Host
	name         string
	dir          string
	client, peer string
}

// Start runs a cluster of so many members in t.TempDir and ends it with the test, which fails if the cluster does not
// come up. It logs what it started, and the ends of the members' logs if the test fails.
func Start(t testing.TB, members int) *Cluster {
	t.Helper()
	return StartOn(t, nil, members)
}

// StartOn is Start on a host, where all members run.
func StartOn(t testing.TB, host *netns.Host, members int) *Cluster {
	t.Helper()
	c, err := launchOn(t.Context(), host, t.TempDir(), members)
	if err != nil {
		t.Fatalf("launch etcd: %v", err)
	}
	t.Cleanup(func() {
		c.Close()
		if t.Failed() {
			for _, m := range c.members {
				t.Logf("the log of %s ends with:\n%s", m.name, m.LogTail())
			}
		}
	})
	for _, m := range c.members {
		t.Logf("started etcd %s: process %d, clients at %s", m.name, m.PID(), m.client)
	}
	return c
}

// Launch starts a new cluster in dir and returns once it has a leader and every member serves. The caller owns dir and
// closes the Cluster. ctx bounds the launch, not the cluster's life.
func Launch(ctx context.Context, dir string, members int) (*Cluster, error) {
	return launchOn(ctx, nil, dir, members)
}

func launchOn(ctx context.Context, host *netns.Host, dir string, members int) (*Cluster, error) {
	var err error
	for attempt := range launchAttempts {
		var c *Cluster
		if c, err = newCluster(host, filepath.Join(dir, fmt.Sprint(attempt)), members); err != nil {
			return nil, err
		}
		if err = c.launch(ctx); err == nil {
			return c, nil
		}
		taken := c.portTaken()
		c.Close()
		if !taken {
			break
		}
	}
	return nil, err
}

func newCluster(host *netns.Host, dir string, members int) (*Cluster, error) {
	addresses, err := host.FreeAddresses(2 * members)
	if err != nil {
		return nil, err
	}
	c := &Cluster{}
	for i := range members {
		m := &Member{host: host, name: fmt.Sprintf("member-%d", i), client: "http://" + addresses[2*i], peer: "http://" + addresses[2*i+1]}
		m.dir = filepath.Join(dir, m.name)
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return nil, err
		}
		c.members = append(c.members, m)
	}
	return c, nil
}

// launch starts all members before it waits for any: none is ready without a majority.
func (c *Cluster) launch(ctx context.Context) error {
	var peers []string
	for _, m := range c.members {
		peers = append(peers, m.name+"="+m.peer)
	}
	for _, m := range c.members {
		var err error
		if m.Server, err = realserver.Begin(ctx, m.spec(strings.Join(peers, ","))); err != nil {
			return err
		}
	}
	for _, m := range c.members {
		if err := m.AwaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (m *Member) spec(peers string) realserver.Spec {
	return realserver.Spec{
		Program: realserver.Etcd,
		Host:    m.host,
		Log:     filepath.Join(m.dir, "log"),
		Ready:   m.ready,
		Arguments: []string{
			"--name=" + m.name,
			"--data-dir=" + filepath.Join(m.dir, "data"),
			"--listen-client-urls=" + m.client,
			"--advertise-client-urls=" + m.client,
			"--listen-peer-urls=" + m.peer,
			"--initial-advertise-peer-urls=" + m.peer,
			"--initial-cluster=" + peers,
			"--initial-cluster-state=new",
			fmt.Sprintf("--heartbeat-interval=%d", heartbeatMilliseconds),
			fmt.Sprintf("--election-timeout=%d", electionMilliseconds),
			"--log-level=warn",
		},
	}
}

// ready reads something that every member must agree on, through this one.
func (m *Member) ready(ctx context.Context) error {
	return m.with(func(client *clientv3.Client) error {
		_, err := client.Get(ctx, "ready")
		return err
	})
}

func (m *Member) with(do func(*clientv3.Client) error) error {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{m.client}, DialTimeout: dialLimit, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	return errors.Join(do(client), client.Close())
}

// Endpoint is the address that clients of this member use; it stays the same for the member's life.
func (m *Member) Endpoint() string { return m.client }

// Name is the member's name in the cluster.
func (m *Member) Name() string { return m.name }

// Members returns the members in their order.
func (c *Cluster) Members() []*Member { return c.members }

// Endpoints returns the addresses of all members.
func (c *Cluster) Endpoints() []string {
	var out []string
	for _, m := range c.members {
		out = append(out, m.client)
	}
	return out
}

// Leader waits until a member leads, by its own word, and returns it. Members that are down or paused are passed over.
func (c *Cluster) Leader(ctx context.Context) (*Member, error) {
	for {
		for _, m := range c.members {
			if m.leads(ctx) {
				return m, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for an etcd leader: %w", ctx.Err())
		case <-time.After(leaderPause):
		}
	}
}

// leads asks the member, and reads through it too: one that was paused believes for a moment that it still leads.
func (m *Member) leads(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	return m.with(func(client *clientv3.Client) error {
		status, err := client.Status(ctx, m.client)
		if err == nil && status.Leader != status.Header.MemberId {
			err = errors.New("another one leads")
		}
		if err == nil {
			_, err = client.Get(ctx, "ready")
		}
		return err
	}) == nil
}

// Close kills every member. The data stays in the folder. Closing twice is harmless.
func (c *Cluster) Close() {
	for _, m := range c.members {
		if m.Server != nil {
			m.Kill()
		}
	}
}

func (c *Cluster) portTaken() bool {
	for _, m := range c.members {
		if m.Server != nil && m.PortTaken() {
			return true
		}
	}
	return false
}
