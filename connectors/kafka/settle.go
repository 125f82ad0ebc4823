package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/connectors"
	"millrace/failure"
	"millrace/types"
)

// This file is what a restore does beyond committing: it ends what earlier
// attempts left open, and looks for output that is ahead of the checkpoint.

// behind checks that no group has a marker of a later checkpoint.
func (k *committer) behind(ctx context.Context, id types.CheckpointID) error {
	if k.opts.repeat || id == 0 { // a new job has committed nothing
		return nil
	}
	return eachOf(ctx, k.atOnce, k.groups(), func(ctx context.Context, group string) error {
		newest, err := k.newest(ctx, group)
		if err == nil && newest > id {
			err = connectors.Ahead("topic "+k.opts.topic, newest, id)
		}
		return err
	})
}

// newest returns the newest offset of a group, which is the checkpoint of a
// marker or the attempt of a note; 0 where there is none, or none any more.
func (k *committer) newest(ctx context.Context, group string) (types.CheckpointID, error) {
	ctx, cancel := context.WithTimeout(ctx, commitPatience)
	defer cancel()
	defer k.trouble.set("to read group "+group, "")
	for pause := doubtPauseMin; ; pause = min(2*pause, doubtPauseMax) {
		m, code, err := k.cluster.ReadMarker(ctx, group, k.opts.topic, false)
		if err == nil {
			err = kerr.ErrorForCode(code)
		}
		if err == nil {
			return types.CheckpointID(max(m.Offset, 0)), nil
		}
		if isForbidden(err) {
			return 0, forbid("read group "+group, err)
		}
		if !k.again(ctx, "to read group "+group, err, pause) {
			return 0, failure.External(fmt.Errorf("read group %s: %w", group, err), failure.Backoff)
		}
	}
}

// settle initialises every id that an earlier attempt may have left open but
// those of a set, and notes that it has: the next attempt begins from there.
func (k *committer) settle(ctx context.Context, but map[string]bool) error {
	from, err := k.unsettled(ctx)
	if err != nil {
		return err
	}
	for a := from; a < k.ctx.Attempt; a++ {
		var ids []string
		k.each(func(subtask int32, n int) {
			if id := k.names().id(subtask, n, a); !but[id] {
				ids = append(ids, id)
			}
		})
		if err := eachOf(ctx, k.atOnce, ids, k.settleOne); err != nil {
			return err
		}
	}
	return k.note(ctx)
}

// unsettled returns the first attempt of which something may be open: what the
// note says, or some attempts back where there is none. The brokers forget a note
// after a week, and by then have ended whatever was open when it was written;
// what is left are the attempts since.
func (k *committer) unsettled(ctx context.Context) (types.Attempt, error) {
	noted, err := k.newest(ctx, k.names().of())
	if err != nil {
		return 0, err
	}
	own := k.ctx.Attempt
	if from := types.Attempt(noted); noted > 0 && from <= own {
		return max(from, back(own, generations-1)), nil
	}
	return back(own, attemptsUnsettled), nil
}

// back returns the attempt some attempts before another one, or the first.
func back(a types.Attempt, n types.Attempt) types.Attempt {
	if a <= n {
		return 0
	}
	return a - n
}

// note writes down that nothing of earlier attempts is open. Of a topic that is
// not there nothing can be.
func (k *committer) note(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commitPatience)
	defer cancel()
	what := "to note which attempts are settled in group " + k.names().of()
	defer k.trouble.set(what, "")
	offsets := map[Partition]int64{{k.opts.topic, 0}: int64(k.ctx.Attempt)}
	for pause := doubtPauseMin; ; pause = min(2*pause, doubtPauseMax) {
		one, cancel := context.WithTimeout(ctx, requestTimeout)
		err := k.cluster.CommitGroup(one, k.names().of(), offsets)
		cancel()
		if err == nil || errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil
		}
		if failure.ClassOf(err).Retry != failure.Backoff || !k.again(ctx, what, err, pause) {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

func (k *committer) names() names { return names{k.opts.prefix, k.ctx.Job, k.ctx.Operator} }

// each calls f for each id of every subtask that the sink ever had.
func (k *committer) each(f func(subtask int32, n int)) {
	for subtask := range max(k.ctx.MaxParallelism, k.ctx.Parallelism, 1) {
		for n := range poolSize {
			f(subtask, n)
		}
	}
}

// groups returns every group in which a writer of the sink may have left a marker.
func (k *committer) groups() (all []string) {
	k.each(func(subtask int32, n int) { all = append(all, k.names().group(subtask, n)) })
	return all
}

func (k *committer) settleOne(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, commitPatience)
	defer cancel()
	defer k.trouble.set("to end what is open of "+id, "")
	busy, doubt := concurrentPauseMin, doubtPauseMin
	for {
		code, err := k.cluster.InitProducerID(ctx, id, k.opts.timeoutMillis)
		if err == nil && code == codeNone {
			return nil
		}
		pause := doubt
		if err == nil {
			err = kerr.ErrorForCode(code)
			if code != codeConcurrent && !kerr.IsRetriable(err) && code != codeUnknownServerError {
				if isForbidden(err) {
					return forbid("initialise transactional id "+id, err)
				}
				return failure.User(fmt.Errorf("initialise transactional id %s: %w", id, err))
			}
		}
		if code == codeConcurrent {
			pause, busy = busy, min(2*busy, concurrentPauseMax)
		} else {
			doubt = min(2*doubt, doubtPauseMax)
		}
		if !k.again(ctx, "to end what is open of "+id, err, pause) {
			return failure.External(fmt.Errorf("initialise transactional id %s: %w", id, err), failure.Backoff)
		}
	}
}
