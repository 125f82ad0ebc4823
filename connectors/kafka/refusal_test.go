package kafka

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/failure"
	"millrace/types"
)

// TestRefusals writes to topics that are not there and with ids that are not allowed.
func TestRefusals(t *testing.T) {
	everywhere(t, []scenario{
		{"topic is missing", 1, refusedMissing, false},
		{"topic is missing, at least once", 1, refusedMissingPlain, false},
		{"topic may be created", 1, refusedCreated, true},
		{"write is forbidden", 1, refusedWrite, true},
		{"metadata is forbidden", 1, refusedMetadata, true},
		{"transactional id is forbidden", 1, refusedID, true},
		{"group of the marker is forbidden", 1, refusedMarker, true},
		{"restore is forbidden", 1, refusedRestore, true},
		{"read is forbidden", 1, refusedRead, true},
	})
}

var (
	missing   = failure.Class{Domain: failure.DomainExternal, Retry: failure.Restart}
	forbidden = failure.Class{Domain: failure.DomainUser, Retry: failure.Never}
)

// refused checks what a user reads, and what becomes of the job.
func (e *env) refused(err error, class failure.Class, words ...string) {
	e.Helper()
	if err == nil || failure.ClassOf(err) != class {
		e.Fatalf("%v is %s, want %s", err, failure.ClassOf(err), class)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			e.Errorf("%q does not say %q", err, word)
		}
	}
}

// failed writes a row and waits for the writer's failure.
func (j *job) failed() error {
	j.Helper()
	j.write(0, "a")
	_, err := j.tryPrepare(1)
	return err
}

func refusedMissing(e *env) {
	j := e.job(map[string]string{keyTopic: "nosuch"})
	j.start(1)
	e.refused(j.failed(), missing, "topic nosuch", "does not exist", "create it", "auto.create.topics.enable")
}

func refusedMissingPlain(e *env) {
	j := e.job(map[string]string{keyTopic: "nosuch", keyGuarantee: guaranteeAtLeastOnce})
	j.start(1)
	e.refused(j.failed(), missing, "topic nosuch", "does not exist", "create it")
}

// refusedCreated has a broker that creates what it does not have.
func refusedCreated(e *env) {
	e = e.creating()
	e.topic = "created"
	j := e.job(nil)
	j.start(1)
	j.write(0, "a")
	j.checkpoint(1)
	e.want("a")
}

func refusedWrite(e *env) {
	e.answer(kmsg.Produce, 1, func(req kmsg.Request) kmsg.Response {
		answer := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.(*kmsg.ProduceRequest).Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic, topic.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				partition := kmsg.NewProduceResponseTopicPartition()
				partition.Partition, partition.ErrorCode = p.Partition, codeTopicForbidden
				topic.Partitions = append(topic.Partitions, partition)
			}
			answer.Topics = append(answer.Topics, topic)
		}
		return answer
	})
	j := e.job(nil)
	j.start(1)
	e.refused(j.failed(), forbidden, "topic "+e.topic, "TOPIC_AUTHORIZATION_FAILED", "may not", "allow")
}

// forbidMetadata makes the fake refuse to describe the topic.
func (e *env) forbidMetadata() {
	e.answer(kmsg.Metadata, 1<<30, func(req kmsg.Request) kmsg.Response {
		answer := req.ResponseKind().(*kmsg.MetadataResponse)
		b := kmsg.NewMetadataResponseBroker()
		host, port := e.address()
		b.Host, b.Port = host, port
		answer.Brokers = append(answer.Brokers, b)
		for _, t := range req.(*kmsg.MetadataRequest).Topics {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic, topic.ErrorCode = t.Topic, codeTopicForbidden
			answer.Topics = append(answer.Topics, topic)
		}
		return answer
	})
}

func refusedMetadata(e *env) {
	j := e.job(nil)
	j.start(1)
	e.forbidMetadata()
	e.refused(j.failed(), forbidden, "topic "+e.topic, "TOPIC_AUTHORIZATION_FAILED", "may not", "allow")
}

func refusedID(e *env) {
	j := e.job(nil)
	j.start(1) // the first id is open, the next is not
	j.write(0, "a")
	e.answer(kmsg.InitProducerID, 1<<30, func(req kmsg.Request) kmsg.Response {
		answer := req.ResponseKind().(*kmsg.InitProducerIDResponse)
		answer.ErrorCode = codeIDForbidden
		return answer
	})
	var err error
	for id := types.CheckpointID(1); err == nil; id++ {
		if _, err = j.tryPrepare(id); err == nil {
			err = j.tryWrite(0, "a") // the refusal may have come by now
		}
	}
	e.refused(err, forbidden, "millrace.job-", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "may not", "allow")
}

func refusedMarker(e *env) {
	j := e.job(nil)
	j.start(1)
	e.answer(kmsg.TxnOffsetCommit, 1, func(req kmsg.Request) kmsg.Response {
		answer := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		topic := kmsg.NewTxnOffsetCommitResponseTopic()
		topic.Topic = e.topic
		p := kmsg.NewTxnOffsetCommitResponseTopicPartition()
		p.ErrorCode = codeGroupForbidden
		topic.Partitions = append(topic.Partitions, p)
		answer.Topics = append(answer.Topics, topic)
		return answer
	})
	e.refused(j.failed(), forbidden, "GROUP_AUTHORIZATION_FAILED", "may not", "allow")
}

func refusedRestore(e *env) {
	j := e.job(nil)
	e.answer(kmsg.InitProducerID, 1<<30, func(req kmsg.Request) kmsg.Response {
		answer := req.ResponseKind().(*kmsg.InitProducerIDResponse)
		answer.ErrorCode = codeIDForbidden
		return answer
	})
	e.refused(j.tryStart(1), forbidden, "millrace.job-", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "may not", "allow")
}

func refusedRead(e *env) {
	e.forbidMetadata()
	_, err := e.tryRead(1, nil, nil)
	e.refused(err, forbidden, "topic "+e.topic, "TOPIC_AUTHORIZATION_FAILED", "may not", "allow")
}
