package main

import (
	"sync"
	"sync/atomic"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/stream"
	"millrace/types"
)

// gate holds the sources of a job back until all of them are ready, so that the
// clock does not see batches being prepared.
type gate struct {
	readers int // how many there will be
	ready   chan struct{}
	opened  atomic.Bool
	mu      struct {
		sync.Mutex
		waiting []exchange.Waker
	}
}

func newGate(readers int) *gate { return &gate{readers: readers, ready: make(chan struct{})} }

// wait notes that a reader has its splits.
func (g *gate) wait(w exchange.Waker) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.waiting = append(g.mu.waiting, w)
	if len(g.mu.waiting) == g.readers {
		close(g.ready)
	}
}

// open lets everybody through.
func (g *gate) open() {
	g.opened.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range g.mu.waiting {
		w.Wake()
	}
}

// before puts the gate before the sources that a factory makes.
func (g *gate) before(f connectors.SourceFactory) connectors.SourceFactory {
	return connectors.SourceFactory{
		Options: f.Options,
		Open: func(given map[string]string, s *types.Schema) (connectors.Source, error) {
			source, err := f.Open(given, s)
			return gatedSource{source, g}, err
		},
	}
}

type gatedSource struct {
	connectors.Source
	gate *gate
}

// Reader implements connectors.Source.
func (s gatedSource) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	r, err := s.Source.Reader(ctx)
	return &gatedReader{Reader: r, gate: s.gate, waker: ctx.Waker}, err
}

type gatedReader struct {
	connectors.Reader
	gate    *gate
	waker   exchange.Waker
	through bool
}

// NoMoreSplits implements connectors.Reader.
func (r *gatedReader) NoMoreSplits() {
	r.Reader.NoMoreSplits()
	r.gate.wait(r.waker)
}

// Read implements connectors.Reader.
func (r *gatedReader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	if !r.through {
		if r.through = r.gate.opened.Load(); !r.through {
			return nil, connectors.Dry, nil
		}
	}
	return r.Reader.Read()
}
