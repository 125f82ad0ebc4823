// Package admin is the port of a process for whoever operates it: metrics for Prometheus, profiles, and gRPC reflection with
// the services that clients call, so that tools that know no .proto files can speak to them.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	"millrace/failure"
)

// Bounds of the port for operators. A profile is written while it is taken, so writing has none.
const (
	headerTimeout   = 5 * time.Second
	idleTimeout     = time.Minute
	headerBytesMax  = 64 << 10
	shutdownTimeout = 5 * time.Second
)

// Server serves whoever operates the process: HTTP and gRPC on one port. It owns the goroutine that accepts.
type Server struct {
	listener net.Listener
	http     *http.Server
	grpc     *grpc.Server
	wait     sync.WaitGroup
}

// Start serves metrics, profiles, and the services that register offers, with reflection.
func Start(ctx context.Context, address string, metrics http.Handler, register func(grpc.ServiceRegistrar), log *slog.Logger) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, failure.User(fmt.Errorf("serve metrics and profiles: %w", err))
	}
	a := &Server{listener: listener, grpc: grpc.NewServer()}
	register(a.grpc)
	reflection.Register(a.grpc)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	a.http = &http.Server{
		Handler: a.handler(metrics), Protocols: &protocols, ReadHeaderTimeout: headerTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytesMax,
	}
	a.wait.Go(func() {
		if err := a.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics and profiles are no longer served", "cause", err)
		}
	})
	return a, nil
}

// Address returns where it is served.
func (a *Server) Address() string { return a.listener.Addr().String() }

// handler tells gRPC from the rest by what a request says it carries.
func (a *Server) handler(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			a.grpc.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// Close ends it and waits for what is under way.
func (a *Server) Close() error {
	a.grpc.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := a.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, a.http.Close())
	}
	a.wait.Wait()
	return err
}
