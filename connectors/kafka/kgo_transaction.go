package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"millrace/failure"
)

// versions caps what raw requests may use in a transaction version: EndTxn and
// TxnOffsetCommit by the protocol of transactions, and those that address a
// topic by name before they went over to ids.
func versions(transactionVersion int16) *kversion.Versions {
	v := kversion.Stable()
	most := int16(4)
	if transactionVersion >= 2 {
		most = 5
	}
	v.SetMaxKeyVersion(kmsg.EndTxn.Int16(), most)
	v.SetMaxKeyVersion(kmsg.TxnOffsetCommit.Int16(), most)
	v.SetMaxKeyVersion(kmsg.OffsetFetch.Int16(), 9)
	return v
}

// rawFor returns the client for requests of a transaction version.
func (c *cluster) rawFor(transactionVersion int16) (*kgo.Client, error) {
	i := 0
	if transactionVersion >= 2 {
		i = 1
	}
	c.raw.mu.Lock()
	defer c.raw.mu.Unlock()
	if c.raw.clients[i] == nil {
		client, err := c.client(kgo.MaxVersions(versions(transactionVersion)))
		if err != nil {
			return nil, err
		}
		c.raw.clients[i] = client
	}
	return c.raw.clients[i], nil
}

// transactionVersion asks for the version in force: what a broker advertises of
// EndTxn says nothing.
func transactionVersion(ctx context.Context, client *kgo.Client) (int16, error) {
	answer, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, client)
	if err != nil {
		return 0, external("transaction version", err)
	}
	for _, f := range answer.FinalizedFeatures {
		if f.Name == "transaction.version" {
			return f.MaxVersionLevel, nil
		}
	}
	return 0, nil // older than the feature: the old protocol
}

// EndTxn implements Cluster.
func (c *cluster) EndTxn(ctx context.Context, t Transaction) (int16, error) {
	raw, err := c.rawFor(t.Version)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = t.TransactionalID, t.ProducerID, t.Epoch, true
	answer, err := end.RequestWith(ctx, raw)
	if err != nil {
		return 0, err
	}
	return answer.ErrorCode, nil
}

// Describe implements Cluster.
func (c *cluster) Describe(ctx context.Context, transactionalID string) (Description, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	describe := kmsg.NewPtrDescribeTransactionsRequest()
	describe.TransactionalIDs = []string{transactionalID}
	answer, err := describe.RequestWith(ctx, c.main)
	if err != nil {
		return Description{}, err
	}
	if len(answer.TransactionStates) != 1 {
		return Description{}, fmt.Errorf("%d transactions in the answer to a question for one", len(answer.TransactionStates))
	}
	s := answer.TransactionStates[0]
	return Description{State: s.State, ProducerID: s.ProducerID, Epoch: s.ProducerEpoch}, kerr.ErrorForCode(s.ErrorCode)
}

// InitProducerID implements Cluster.
func (c *cluster) InitProducerID(ctx context.Context, transactionalID string, timeoutMillis int32) (int16, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis = &transactionalID, timeoutMillis
	init.ProducerID, init.ProducerEpoch = -1, -1
	answer, err := init.RequestWith(ctx, c.main)
	if err != nil {
		return 0, err
	}
	return answer.ErrorCode, nil
}

// ReadMarker implements Cluster.
func (c *cluster) ReadMarker(ctx context.Context, groupName, topic string, stable bool) (Marker, int16, error) {
	none := Marker{Group: groupName, Topic: topic, Offset: -1}
	raw, err := c.rawFor(2) // the cap of OffsetFetch is that of both
	if err != nil {
		return none, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group, group.MemberEpoch = groupName, -1
	group.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: topic, Partitions: []int32{0}}}
	fetch := kmsg.NewPtrOffsetFetchRequest()
	fetch.RequireStable = stable
	fetch.Groups = append(fetch.Groups, group)
	answer, err := fetch.RequestWith(ctx, raw)
	if err != nil {
		return none, 0, err
	}
	return markerOf(answer, none)
}

func markerOf(answer *kmsg.OffsetFetchResponse, none Marker) (Marker, int16, error) {
	if len(answer.Groups) != 1 {
		return none, 0, fmt.Errorf("%d groups in the answer to a question for one", len(answer.Groups))
	}
	g := answer.Groups[0]
	if g.ErrorCode == codeGroupIDNotFound {
		return none, codeNone, nil
	}
	if g.ErrorCode != codeNone {
		return none, g.ErrorCode, nil
	}
	for _, t := range g.Topics {
		if len(t.Partitions) == 0 {
			continue
		}
		p := t.Partitions[0]
		m := Marker{Group: none.Group, Topic: t.Topic, Offset: p.Offset}
		if p.Metadata != nil {
			m.Metadata = *p.Metadata
		}
		return m, p.ErrorCode, nil
	}
	return none, codeNone, nil
}

// Mark implements Cluster.
func (c *cluster) Mark(ctx context.Context, t Transaction, m Marker) error {
	raw, err := c.rawFor(t.Version)
	if err != nil {
		return err
	}
	if t.Version < 2 {
		if err := c.insist(ctx, "to add a marker of "+t.TransactionalID, func(ctx context.Context) (int16, error) { return addGroup(ctx, raw, t, m.Group) }); err != nil {
			return err
		}
	}
	return c.insist(ctx, "to write a marker of "+t.TransactionalID, func(ctx context.Context) (int16, error) { return writeMarker(ctx, raw, t, m) })
}

// addGroup announces the marker's group to the transaction, which the newer
// protocol does by itself.
func addGroup(ctx context.Context, raw *kgo.Client, t Transaction, group string) (int16, error) {
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.Group = t.TransactionalID, group
	add.ProducerID, add.ProducerEpoch = t.ProducerID, t.Epoch
	answer, err := add.RequestWith(ctx, raw)
	if err != nil {
		return 0, err
	}
	return answer.ErrorCode, nil
}

func writeMarker(ctx context.Context, raw *kgo.Client, t Transaction, m Marker) (int16, error) {
	partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	partition.Partition, partition.Offset, partition.LeaderEpoch = 0, m.Offset, -1
	partition.Metadata = &m.Metadata
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.Group = t.TransactionalID, m.Group
	commit.ProducerID, commit.ProducerEpoch = t.ProducerID, t.Epoch
	commit.Generation = -1 // nobody is a member
	commit.Topics = []kmsg.TxnOffsetCommitRequestTopic{{
		Topic: m.Topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{partition},
	}}
	answer, err := commit.RequestWith(ctx, raw)
	if err != nil {
		return 0, err
	}
	if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
		return 0, fmt.Errorf("%d topics in the answer to a marker", len(answer.Topics))
	}
	return answer.Topics[0].Partitions[0].ErrorCode, nil
}

// insist repeats a request on a transaction that is still ours while its
// outcome is in doubt: the last one counts, so that repeating is harmless.
func (c *cluster) insist(ctx context.Context, what string, request func(context.Context) (int16, error)) error {
	for pause := doubtPauseMin; ; pause = min(2*pause, doubtPauseMax) {
		one, cancel := context.WithTimeout(ctx, requestTimeout)
		code, err := request(one)
		cancel()
		if err == nil {
			err = kerr.ErrorForCode(code)
			if code == codeNone {
				return nil
			}
			if isForbidden(err) {
				return forbid(what, err)
			}
			if code != codeConcurrent && !kerr.IsRetriable(err) {
				return failure.External(fmt.Errorf("%s: %w", what, err), failure.Restart)
			}
		}
		if c.spec.Warn != nil && ctx.Err() == nil {
			c.spec.Warn(what, err)
		}
		if !sleep(ctx, pause) {
			return failure.External(fmt.Errorf("%s: %w", what, err), failure.Restart)
		}
	}
}

// sleep waits, and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	wait, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-wait.Done()
	return ctx.Err() == nil
}
