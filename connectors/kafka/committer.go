package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"golang.org/x/sync/errgroup"

	"millrace/connectors"
	"millrace/failure"
	"millrace/internal/mutant"
	"millrace/types"
)

// committer implements connectors.Committer. It keeps nothing: what is to be
// committed stands in the committables, and whether it was, in Kafka.
type committer struct {
	ctx     connectors.CommitterContext
	opts    *sinkOptions
	cluster Cluster
	log     *slog.Logger
	now     func() time.Time
	trouble troubles
	atOnce  int
}

// Committer implements connectors.Sink.
func (s *sink) Committer(ctx connectors.CommitterContext) (connectors.Committer, error) {
	if s.opts.guarantee != guaranteeExactlyOnce {
		return nil, nil
	}
	cluster, err := s.connector.connect(s.opts.spec())
	if err != nil {
		return nil, err
	}
	return &committer{
		ctx: ctx, opts: s.opts, cluster: cluster, log: s.connector.log(), now: ctx.Clock.Now, trouble: troubles{say: ctx.Trouble},
		atOnce: cmp.Or(s.connector.CommitsAtOnce, commitsMax),
	}, nil
}

// Recover implements connectors.Committer. Beyond the committables it settles
// every id of earlier attempts: what they left open is aborted, and their
// writers are fenced. An id is left alone only if its commit was answered with
// success just now: then nothing can be open under it. One whose commit was
// refused although it is committed was used again, so that a later transaction
// may be open under it.
func (k *committer) Recover(ctx context.Context, id types.CheckpointID, committables [][]byte) error {
	if mutant.On(mutant.SettleBeforeCommit) {
		if err := k.settle(ctx, nil); err != nil {
			return err
		}
	}
	done, err := k.commit(ctx, committables)
	if err != nil {
		return err
	}
	if err := k.behind(ctx, id); err != nil {
		return err
	}
	if err := k.settle(ctx, done); err != nil {
		return err
	}
	return k.behind(ctx, id) // a commit that was under way has come to its end
}

// Commit implements connectors.Committer.
func (k *committer) Commit(ctx context.Context, id types.CheckpointID, committables [][]byte) error {
	_, err := k.commit(ctx, committables)
	return err
}

// Close implements connectors.Committer.
func (k *committer) Close() error {
	k.cluster.Close()
	return nil
}

// commit commits and confirms all committables, those of earlier checkpoints
// first: a later transaction can't be read behind an open earlier one. It returns
// the ids whose commit was answered with success.
func (k *committer) commit(ctx context.Context, encoded [][]byte) (map[string]bool, error) {
	all := make([]*committable, len(encoded))
	for i, data := range encoded {
		c, err := decodeCommittable(data)
		if err != nil {
			return nil, err
		}
		all[i] = c
	}
	slices.SortStableFunc(all, func(a, b *committable) int { return cmp.Compare(a.Checkpoint, b.Checkpoint) })
	var mu sync.Mutex
	answered := make(map[string]bool)
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Checkpoint == all[0].Checkpoint {
			n++
		}
		err := eachOf(ctx, k.atOnce, all[:n], func(ctx context.Context, c *committable) error {
			done, err := k.commitOne(ctx, c)
			if done && err == nil {
				mu.Lock()
				answered[c.TransactionalID] = true
				mu.Unlock()
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		all = all[n:]
	}
	return answered, nil
}

// eachOf runs f for every item, so many at a time, and waits for all of them:
// whether one is lost does not depend on the others. The worst error counts.
func eachOf[T any](ctx context.Context, atOnce int, items []T, f func(context.Context, T) error) error {
	var g errgroup.Group
	g.SetLimit(atOnce)
	run := g.Go
	if atOnce == 1 { // no goroutine: who asks for that has reasons
		run = func(f func() error) { _ = f() }
	}
	errs := make([]error, len(items))
	for i, item := range items {
		run(func() error {
			errs[i] = f(ctx, item)
			return nil
		})
	}
	_ = g.Wait() // every error is in errs
	return joined(errs)
}

// commitOne ends a transaction and confirms it. It reports whether EndTxn was
// answered with success.
func (k *committer) commitOne(ctx context.Context, c *committable) (bool, error) {
	patience, cancel := context.WithTimeout(ctx, commitPatience)
	defer cancel()
	defer k.trouble.set("to commit "+c.String(), "")
	done, err := k.end(patience, c)
	if err != nil {
		return false, err
	}
	return done, k.confirm(patience, c, done)
}

// end sends EndTxn until the answer is definitive, always the same request.
func (k *committer) end(ctx context.Context, c *committable) (done bool, err error) {
	busy, doubt := concurrentPauseMin, doubtPauseMin
	for {
		code, err := k.cluster.EndTxn(ctx, c.transaction())
		verdict, pause := endDoubt, doubt
		if err == nil {
			verdict, err = judgeEnd(code), kerr.ErrorForCode(code)
		}
		switch verdict {
		case endDone:
			return true, nil
		case endRefused:
			k.log.Info("commit is refused, the marker decides", "transaction", c.String(), "cause", err)
			return false, nil
		case endForbidden:
			return false, failure.External(fmt.Errorf("commit %s: %w", c, err), failure.Backoff)
		case endBusy:
			pause, busy = busy, min(2*busy, concurrentPauseMax)
		default:
			doubt = min(2*doubt, doubtPauseMax)
		}
		if !k.again(ctx, "to commit "+c.String(), err, pause) {
			return false, failure.External(fmt.Errorf("commit %s: the outcome is unknown: %w", c, err), failure.Backoff)
		}
	}
}

// confirm reads the marker until it says whether the transaction is committed.
func (k *committer) confirm(ctx context.Context, c *committable, done bool) error {
	unstable, unknown := concurrentPauseMin, doubtPauseMin
	var why error // the marker is long in coming
	for waits := 0; ; {
		verdict, err := k.readMarker(ctx, c, done)
		pause := unknown
		switch verdict {
		case markerConfirmed:
			return nil
		case markerLost:
			return failure.External(fmt.Errorf("lost: %s was aborted before it was committed, its rows are in no output; "+
				"they are %s, where a consumer with %s = %s still reads them; %w", c, c.offsets(), keyIsolation, isolationUncommitted, errLost), failure.Never)
		case markerInDoubt:
			return failure.External(fmt.Errorf("in doubt: %s is older than %s, the broker has forgotten whether it was committed; its rows are %s",
				c, markerRetention, c.offsets()), failure.Never)
		case markerContradicts:
			return failure.With(fmt.Errorf("%s was answered to be committed and has no marker", c),
				failure.Class{Domain: failure.DomainInternal, Retry: failure.Never})
		case markerUnstable:
			if pause, unstable = unstable, min(2*unstable, concurrentPauseMax); pause == concurrentPauseMax {
				if waits%waitsToAsk == 0 {
					var mended bool
					if mended, why = k.hangs(ctx, c, err); mended {
						unstable = concurrentPauseMin
					}
				}
				waits, err = waits+1, why
			}
		default:
			unknown = min(2*unknown, doubtPauseMax)
		}
		if !k.again(ctx, "to commit "+c.String(), err, pause) {
			return k.unconfirmed(c, done, verdict, err)
		}
	}
}

// errLost is why a job can't go on: what to do is the user's decision.
var errLost = errors.New("a transaction that is open for longer than " + keyTimeout + " is ended by Kafka")

// readMarker reads and judges. While the marker may change, the one that is
// committed already is a proof as well: the group was used again, and a later
// transaction has put a marker into it, perhaps one of an attempt that is over.
func (k *committer) readMarker(ctx context.Context, c *committable, done bool) (markerVerdict, error) {
	old := c.age(k.now()) > markerRetention
	m, code, err := k.cluster.ReadMarker(ctx, c.group(), c.Topic, true)
	if err != nil {
		return markerUnknown, err
	}
	verdict := judgeMarker(m, code, c.Checkpoint, done, old)
	if verdict != markerUnstable {
		return verdict, kerr.ErrorForCode(code)
	}
	m, again, err := k.cluster.ReadMarker(ctx, c.group(), c.Topic, false)
	if err == nil && judgeMarker(m, again, c.Checkpoint, done, old) == markerConfirmed {
		return markerConfirmed, nil
	}
	return markerUnstable, kerr.ErrorForCode(code)
}

// stateComplete is how a coordinator calls a transaction of which it has written all commit markers, as it believes.
const stateComplete = "CompleteCommit"

// hangs finds out why a marker is long in coming, and adds it to the cause. A broker that died may have forgotten to write the markers of a transaction that is
// complete (hole 2 of docs/design/0002-kafka-transactions.md): then they are written here, where the user may do so, and mended is true.
func (k *committer) hangs(ctx context.Context, c *committable, cause error) (mended bool, err error) {
	d, err := k.cluster.Describe(ctx, c.TransactionalID)
	if err != nil {
		return false, fmt.Errorf("%w; its coordinator can't be asked: %w", cause, err)
	}
	cause = fmt.Errorf("%w; its coordinator says that %s is %s, of producer %d, epoch %d", cause, c.TransactionalID, d.State, d.ProducerID, d.Epoch)
	if d.State != stateComplete || d.ProducerID != c.ProducerID {
		return false, cause
	}
	n, err := k.cluster.WriteMarkers(ctx, c.transaction(), d.Epoch, c.group(), c.Topic)
	switch {
	case err != nil:
		return false, fmt.Errorf("%w; its markers can't be written (%w): give the sink's user ALTER on the cluster, or write them with Kafka's tools", cause, err)
	case n > 0:
		k.log.Warn("the brokers had forgotten the commit markers of a transaction; they are written now", "transaction", c.String(), "partitions", n)
	}
	return n > 0, cause
}

// unconfirmed says what is being waited for. The caller tries again.
func (k *committer) unconfirmed(c *committable, done bool, verdict markerVerdict, err error) error {
	hanging := done || c.age(k.now()) > time.Duration(c.TimeoutMillis)*time.Millisecond+commitPatience
	if verdict == markerUnstable && hanging {
		return failure.External(fmt.Errorf("TRANSACTION_HANGING: %s is decided, and its commit markers are not written to every partition of the topic: "+
			"find it by describing the topic's producers: %w", c, err), failure.Backoff)
	}
	return failure.External(fmt.Errorf("confirm %s: %w", c, err), failure.Backoff)
}

// again waits before something is tried again, and says so where it was tried a
// few times: a first pause is nothing to talk about. It reports false if ctx
// ended first.
func (k *committer) again(ctx context.Context, what string, cause error, pause time.Duration) bool {
	if pause >= troublePauseMin {
		k.trouble.set(what, fmt.Sprintf("%s is tried again by %s: %v", what, k.opts.brokerNames(), cause))
	}
	return sleep(ctx, pause)
}
