package kafka

import (
	"context"
	"log/slog"
	"sync"

	"millrace/types"
)

// publisher commits offsets to a group, for those who watch lag by it: on a
// goroutine of its own, the newest only, and whatever comes of it.
type publisher struct {
	cluster Cluster
	group   string
	log     *slog.Logger
	cancel  context.CancelFunc
	wait    sync.WaitGroup
	newest  chan map[Partition]int64 // holds at most one
}

func newPublisher(c Cluster, group string, log *slog.Logger) *publisher {
	ctx, cancel := context.WithCancel(context.Background())
	p := &publisher{cluster: c, group: group, log: log, cancel: cancel, newest: make(chan map[Partition]int64, 1)}
	p.wait.Go(func() { p.run(ctx) })
	return p
}

func (p *publisher) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case offsets := <-p.newest:
			one, cancel := context.WithTimeout(ctx, requestTimeout)
			err := p.cluster.CommitGroup(one, p.group, offsets)
			cancel()
			if err != nil && ctx.Err() == nil {
				p.log.Warn("offsets are not published", "group", p.group, "cause", err)
			}
		}
	}
}

// publish replaces what is not under way yet. One goroutine calls it.
func (p *publisher) publish(offsets map[Partition]int64) {
	select {
	case <-p.newest:
	default:
	}
	p.newest <- offsets
}

func (p *publisher) close() {
	p.cancel()
	p.wait.Wait()
}

// CheckpointComplete implements connectors.Reader. It publishes the positions of
// the last snapshot, which may be one ahead of the checkpoint: for monitoring
// that is near enough.
func (r *reader) CheckpointComplete(types.CheckpointID) {
	if r.publisher != nil && len(r.publishable) > 0 {
		r.publisher.publish(r.publishable)
		r.publishable = nil
	}
}

// Close implements connectors.Reader.
func (r *reader) Close() error {
	if r.publisher != nil {
		r.publisher.close()
	}
	r.fetcher.Close()
	r.cluster.Close()
	r.rows.Close()
	return nil
}
