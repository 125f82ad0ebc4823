package etcd

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"millrace/jobmanager/coord"
)

// rewatchAfter is waited before a watch that the server ended is made anew.
const rewatchAfter = 200 * time.Millisecond

// Watch implements coord.Store. A prefix that CheckPrefix refuses gives a closed channel.
func (s *Store) Watch(ctx context.Context, prefix string) <-chan struct{} {
	triggers := make(chan struct{}, 1)
	run := func() {
		defer close(triggers)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.life, cancel)()
		s.watch(ctx, prefix, triggers)
	}
	if coord.CheckPrefix(prefix) != nil || !s.work(run) {
		close(triggers)
	}
	return triggers
}

// watch triggers when a watch stands and on whatever comes from it, and makes it anew when it breaks: what was missed
// in between is covered by the trigger of the new one.
func (s *Store) watch(ctx context.Context, prefix string, triggers chan<- struct{}) {
	for ctx.Err() == nil {
		// Without a leader the server ends the watch instead of letting it hang on a member that is cut off.
		one, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
		for range s.client.Watch(one, s.keys+prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify()) {
			select {
			case triggers <- struct{}{}:
			default: // one is waiting already
			}
		}
		cancel()
		select {
		case <-s.options.Clock.After(rewatchAfter):
		case <-ctx.Done():
		}
	}
}

func isGone(err error) bool { return errors.Is(err, rpctypes.ErrLeaseNotFound) }
