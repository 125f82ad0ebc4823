// Package embedded runs an etcd server of one member inside the process, for local mode and tests. It writes with
// fsync, so what local mode was told is durable is durable; it listens on loopback only, or on a unix socket. It is no
// cluster and survives no disk: production names servers of its own.
//
// A server's files are locked, so when one has started on a folder, the process that had it before is gone or has
// closed its server. The leases that it left are revoked at once: who held them spoke to that server, and the next
// leader of a local cluster that was killed need not wait until they run out. Should a client have outlived the server,
// at an address that was named, it has lost its session and finds out by the fence.
//
// Close waits until the server has stopped and its files are closed. etcd's own libraries leave some goroutines behind
// that live as long as the process.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/lease"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"millrace/failure"
)

const (
	// quotaBytes bounds the database: coordination holds pointers, and two gigabytes of them is a fault.
	quotaBytes = 2 << 30
	// compactionRetention is how long old revisions are kept; nothing here reads any.
	compactionRetention = "10m"
	startTimeout        = 60 * time.Second
)

// Options configures a server.
type Options struct {
	// Dir is where the data is, made if there is none. One server at a time may have it.
	Dir string
	// Address is where clients connect: "127.0.0.1:0" for any free port of loopback, which is the default, any other
	// loopback "host:port", or "unix:///path/to/socket".
	Address string
	// Logf receives what etcd logs as errors, one line each; nil drops it.
	Logf func(line string)
}

// Server is a running server. Use Start.
type Server struct {
	etcd     *embed.Etcd
	endpoint string
}

// Start runs a server and returns when it serves clients. The caller closes it.
func Start(ctx context.Context, options Options) (*Server, error) {
	config, err := configure(options)
	if err != nil {
		return nil, fmt.Errorf("start embedded etcd: %w", err)
	}
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, failure.External(fmt.Errorf("start embedded etcd in %s: %w", options.Dir, err), failure.Never)
	}
	s := &Server{etcd: etcd, endpoint: endpointOf(etcd.Clients[0].Addr())}
	err = s.awaitReady(ctx)
	if err == nil {
		err = s.revokeLeases(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start embedded etcd in %s: %w", options.Dir, err), s.Close())
	}
	return s, nil
}

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case <-s.etcd.Server.ReadyNotify():
		return nil
	case err := <-s.etcd.Err():
		return failure.External(err, failure.Never)
	case <-ctx.Done():
		return failure.External(fmt.Errorf("not ready: %w", ctx.Err()), failure.Backoff)
	}
}

// revokeLeases ends the sessions of whoever used the folder before.
func (s *Server) revokeLeases(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	left, err := s.etcd.Server.LeaseLeases(ctx, &etcdserverpb.LeaseLeasesRequest{})
	if err != nil {
		return failure.External(fmt.Errorf("list old leases: %w", err), failure.Backoff)
	}
	for _, l := range left.Leases {
		if _, err := s.etcd.Server.LeaseRevoke(ctx, &etcdserverpb.LeaseRevokeRequest{ID: l.ID}); err != nil && !errors.Is(err, lease.ErrLeaseNotFound) {
			return failure.External(fmt.Errorf("revoke an old lease: %w", err), failure.Backoff)
		}
	}
	return nil
}

// Endpoint returns the address for etcd.Options.Endpoints.
func (s *Server) Endpoint() string { return s.endpoint }

// Err returns a channel on which the server reports that it died.
func (s *Server) Err() <-chan error { return s.etcd.Err() }

// Close stops the server and waits until it is stopped. It gives connected clients some seconds to go, so close them
// first.
func (s *Server) Close() error {
	s.etcd.Close()
	<-s.etcd.Server.StopNotify()
	return nil
}

func configure(options Options) (*embed.Config, error) {
	if options.Dir == "" {
		return nil, failure.Userf("no data folder")
	}
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, failure.User(err)
	}
	listen, err := listenURL(options.Address)
	if err != nil {
		return nil, err
	}
	config := embed.NewConfig()
	config.Name, config.Dir = "local", options.Dir
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{listen}, []url.URL{listen}
	// A cluster of one has no peers, so nothing listens for them; the address is only a name.
	config.ListenPeerUrls = nil
	config.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.AutoCompactionMode, config.AutoCompactionRetention = embed.CompactorModePeriodic, compactionRetention
	config.QuotaBackendBytes = quotaBytes
	config.UnsafeNoFsync = false
	config.EnableGRPCGateway = false
	config.LogLevel = "error"
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(logger(options.Logf))
	return config, nil
}

// listenURL refuses what is beyond this machine: the server asks nobody who he is.
func listenURL(address string) (url.URL, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	if u, err := url.Parse(address); err == nil && u.Scheme == "unix" {
		return *u, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return url.URL{}, failure.User(err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return url.URL{}, failure.Userf("address %s is not of loopback", address)
	}
	return url.URL{Scheme: "http", Host: address}, nil
}

func endpointOf(addr net.Addr) string {
	if addr.Network() == "unix" {
		return "unix://" + addr.String()
	}
	return "http://" + addr.String()
}

func logger(logf func(string)) *zap.Logger {
	if logf == nil {
		return zap.NewNop()
	}
	encoder := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{MessageKey: "msg", SkipLineEnding: true})
	return zap.New(zapcore.NewCore(encoder, lines(logf), zapcore.ErrorLevel))
}

// lines passes each entry on.
type lines func(string)

func (l lines) Write(p []byte) (int, error) {
	l(string(p))
	return len(p), nil
}

func (lines) Sync() error { return nil }
