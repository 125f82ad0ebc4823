package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/failure"
)

// This file is the part of fetcher that finds out who leads a partition, and
// that tells people where reading does not get on.

// findLeaders asks for metadata while a partition has no leader.
func (f *fetcher) findLeaders() {
	pause := doubtPauseMin
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-f.unled:
		}
		if f.lead() {
			pause = doubtPauseMin
			continue
		}
		if !sleep(f.ctx, pause) {
			return
		}
		pause = min(2*pause, doubtPauseMax)
		ring(f.unled)
	}
}

// lead finds leaders for partitions without one, and reports whether all have one.
func (f *fetcher) lead() bool {
	ask := kmsg.NewPtrMetadataRequest()
	for _, topic := range f.unledTopics() {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		ask.Topics = append(ask.Topics, t)
	}
	if len(ask.Topics) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(f.ctx, requestTimeout)
	defer cancel()
	answer, err := ask.RequestWith(ctx, f.cluster.main)
	if err != nil {
		f.leaderless(nil, err)
		return false
	}
	for _, c := range f.ledBy(answer) {
		f.hand(c)
	}
	f.leaderless(answer, nil)
	return len(f.unledTopics()) == 0
}

// ledBy takes leaders out of metadata, and returns the ends of partitions whose
// topic is another one now.
func (f *fetcher) ledBy(answer *kmsg.MetadataResponse) (gone []*Chunk) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range answer.Brokers {
		f.mu.addresses[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	for _, t := range answer.Topics {
		if t.Topic == nil {
			continue
		}
		for _, p := range t.Partitions {
			at := f.mu.partitions[Partition{*t.Topic, p.Partition}]
			switch {
			case at == nil || at.leader != noLeader:
			case TopicID(t.TopicID) != at.id && TopicID(t.TopicID) != (TopicID{}) && at.id != (TopicID{}):
				f.forget(at.Partition)
				gone = append(gone, &Chunk{Partition: at.Partition, Next: at.next, Err: failure.External(errRecreated, failure.Never)})
			case p.ErrorCode == 0 && p.Leader >= 0:
				at.leader, at.epoch = p.Leader, p.LeaderEpoch
				f.loop(p.Leader)
			}
		}
	}
	return gone
}

// leaderless notes why partitions have no leader: nobody answered, or the answer
// names none.
func (f *fetcher) leaderless(answer *kmsg.MetadataResponse, err error) {
	why := make(map[Partition]error)
	topics := make(map[string]error)
	if answer != nil {
		for _, t := range answer.Topics {
			if t.Topic == nil {
				continue
			}
			topics[*t.Topic] = kerr.ErrorForCode(t.ErrorCode)
			for _, p := range t.Partitions {
				why[Partition{*t.Topic, p.Partition}] = kerr.ErrorForCode(p.ErrorCode)
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	unled := false
	for p, at := range f.mu.partitions {
		if at.leader != noLeader {
			continue
		}
		unled = true
		cause := cmp.Or(err, topics[p.Topic], why[p], errNoLeader)
		at.trouble = fmt.Sprintf("to find its leader by %s is tried again: %v", strings.Join(f.cluster.spec.Brokers, ", "), cause)
	}
	if unled {
		f.tell()
	}
}

var errNoLeader = errors.New("no broker leads it")

func (f *fetcher) unledTopics() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := make(map[string]bool)
	var topics []string
	for p, at := range f.mu.partitions {
		if at.leader == noLeader && !seen[p.Topic] {
			seen[p.Topic] = true
			topics = append(topics, p.Topic)
		}
	}
	return topics
}

// forget ends the reading of a partition, and its troubles. f.mu is held.
func (f *fetcher) forget(p Partition) {
	at := f.mu.partitions[p]
	delete(f.mu.partitions, p)
	if at != nil && at.trouble != "" {
		f.tell()
	}
}

// tell says which partitions are in trouble. f.mu is held, so that the last
// word is the last.
func (f *fetcher) tell() {
	of := make(map[Partition]string)
	for p, at := range f.mu.partitions {
		if at.trouble != "" {
			of[p] = at.trouble
		}
	}
	f.spec.Trouble.Say(partitionTroubles(of))
}
