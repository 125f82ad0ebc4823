package kafka

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/internal/clock"
	"millrace/stream/streamtest"
	"millrace/types"
)

// checkpointsOfALife is how many checkpoints the job of a crash takes.
const checkpointsOfALife = 3

// TestCrashAtEveryStep has the sink's process die at each request of the protocol, the first, the second, and so on until one
// life has no more of them: once before the broker has it, once when it is carried out and the answer is not read. The
// next life restores from the last complete checkpoint and writes again what is behind it. Whatever dies where, the output has
// each row once. Production reader, writer and committer stand on kgo and a fake broker in a bubble of testing/synctest,
// where time is simulated, also that of kgo.
func TestCrashAtEveryStep(t *testing.T) {
	for _, f := range []struct {
		name    string
		trouble func(*env) // before each life
		latency time.Duration
	}{
		{"calm", func(*env) {}, 0},
		{"concurrent transactions", func(e *env) { e.refuseTwice(codeConcurrent) }, 0},
		{"not coordinator", func(e *env) { e.refuseTwice(codeNotCoordinator) }, 0},
		{"late answers", func(*env) {}, 150 * time.Millisecond},
	} {
		for _, answered := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, answered %t", f.name, answered), func(t *testing.T) {
				step := 0
				for more := true; more && !t.Failed(); {
					step++
					synctest.Test(t, func(t *testing.T) {
						e := bubbleEnv(t, 2)
						e.wires.latency = f.latency
						more = crashOnce(e, strike{at: step, answered: answered}, f.trouble)
					})
				}
				t.Logf("%d steps", step-1)
				if step <= checkpointsOfALife {
					t.Error("there are as good as no steps")
				}
			})
		}
	}
}

// codeNotCoordinator is what a broker answers that was the coordinator until a moment ago.
const codeNotCoordinator = 16

// refuseTwice has the next two requests of each kind that a transaction's coordinator answers be refused.
func (e *env) refuseTwice(code int16) {
	e.answer(kmsg.InitProducerID, 2, func(req kmsg.Request) kmsg.Response {
		answer := req.ResponseKind().(*kmsg.InitProducerIDResponse)
		answer.ErrorCode = code
		return answer
	})
	e.answer(kmsg.EndTxn, 2, func(req kmsg.Request) kmsg.Response {
		answer := req.ResponseKind().(*kmsg.EndTxnResponse)
		answer.ErrorCode = code
		return answer
	})
	e.answer(kmsg.TxnOffsetCommit, 2, func(req kmsg.Request) kmsg.Response {
		answer := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		for _, t := range req.(*kmsg.TxnOffsetCommitRequest).Topics {
			refused := kmsg.TxnOffsetCommitResponseTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				refused.Partitions = append(refused.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
			}
			answer.Topics = append(answer.Topics, refused)
		}
		return answer
	})
}

// crashOnce plays a job whose process dies once, and tells whether it came to that step.
func crashOnce(e *env, at strike, trouble func(*env)) bool {
	j := e.job(nil)
	for lives := 1; ; lives++ {
		ctx, die := context.WithCancel(e.ctx)
		at.happens = die
		e.wires.mu.Lock()
		e.wires.strike = at
		e.wires.mu.Unlock()
		trouble(e)
		err := j.live(ctx)
		die()
		j.crash()
		e.wires.mu.Lock()
		died := e.wires.away
		e.wires.mu.Unlock()
		e.wires.comeBack()
		switch {
		case !died && err != nil:
			e.Fatalf("life %d, not struck: %v", lives, err)
		case died:
			at.at = 0
			continue
		}
		e.same(allRows(), e.committed())
		return lives > 1
	}
}

func allRows() (out []string) {
	for id := range checkpointsOfALife {
		out = append(out, rowsOf(types.CheckpointID(id+1))...)
	}
	return out
}

// rowsOf returns what is written before a checkpoint.
func rowsOf(id types.CheckpointID) []string {
	return []string{strconv.Itoa(int(id)) + " a", strconv.Itoa(int(id)) + " b"}
}

// live is one life of the sink's process: it recovers, and goes on behind the last complete checkpoint. The context ends with
// the process.
func (j *job) live(ctx context.Context) error {
	j.attempt++
	j.largest = 1
	var err error
	j.committer, err = j.sink.Committer(connectors.CommitterContext{
		Identity: j.identity(0, 1), Clock: clock.System(), MaxParallelism: 1, Trouble: j.heard.from("committer"),
	})
	j.check(err)
	if err := j.committer.Recover(ctx, j.complete.id, j.complete.committables); err != nil {
		return err
	}
	w, err := j.sink.Writer(connectors.WriterContext{
		Identity: j.identity(0, 1), Schema: textSchema, Pool: &j.pool, Clock: clock.System(), Waker: exchange.WakerFunc(j.ring),
		Restored: j.complete.id, Trouble: j.heard.from("writer"),
	})
	j.check(err)
	j.writers = []connectors.Writer{w}
	for id := j.complete.id + 1; id <= checkpointsOfALife; id++ {
		committables, err := j.prepareOf(ctx, w, id)
		if err != nil {
			return err
		}
		j.completed(id, committables)
		if err := j.committer.Commit(ctx, id, committables); err != nil {
			return err
		}
		w.CheckpointComplete(id)
	}
	return nil
}

// prepareOf writes the rows of a checkpoint and takes it up to where it would be complete.
func (j *job) prepareOf(ctx context.Context, w connectors.Writer, id types.CheckpointID) (committables [][]byte, err error) {
	for _, row := range rowsOf(id) {
		for !w.Ready() {
			if err := j.ringOrEnd(ctx); err != nil {
				return nil, err
			}
		}
		b := streamtest.Batch(j, &j.pool, textSchema, "+I '"+row+"'")
		err := w.Write(b)
		b.Release()
		if err != nil {
			return nil, err
		}
	}
	if err := w.Prepare(id); err != nil {
		return nil, err
	}
	for {
		committables, done, err := w.Prepared(id)
		if done || err != nil {
			return committables, err
		}
		if err := j.ringOrEnd(ctx); err != nil {
			return nil, err
		}
	}
}

func (j *job) ringOrEnd(ctx context.Context) error {
	select {
	case <-j.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
