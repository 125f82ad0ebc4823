package kafka

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"millrace/connectors"
	"millrace/failure"
)

// stateVersion is the version of what is written into checkpoints: the state of
// a split, of the enumerator, and a committable. testdata holds a sample of each
// for every version, and later ones must read them.
//
// Version 1 is JSON with the fields of splitState, enumeratorState and committable.
const stateVersion = 1

// noEnd is the end of a partition that is read for ever.
const noEnd = -1

// splitState is the state of a split: the offset to read next.
type splitState struct {
	Version   int    `json:"v"`
	Topic     string `json:"topic"`
	TopicID   string `json:"topicId,omitempty"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	End       int64  `json:"end"` // the first offset not to read, or noEnd
}

func splitID(topic string, partition int32) connectors.SplitID {
	return connectors.SplitID(topic + "-" + strconv.Itoa(int(partition)))
}

func (s splitState) ended() bool { return s.End != noEnd && s.Offset >= s.End }

func (s splitState) encode() ([]byte, error) {
	s.Version = stateVersion
	return json.Marshal(s)
}

func decodeSplit(p connectors.SplitState) (splitState, error) {
	var s splitState
	if err := decodeState(p.State, &s, stateBytesMax, func() int { return s.Version }); err != nil {
		return s, fmt.Errorf("state of split %s: %w", p.ID, err)
	}
	if _, err := parseTopicID(s.TopicID); err != nil || s.Topic == "" || s.Partition < 0 || s.Offset < 0 || s.End < noEnd ||
		splitID(s.Topic, s.Partition) != p.ID {
		return s, failure.Internalf("state of split %s describes topic %q, partition %d, offset %d to %d", p.ID, s.Topic, s.Partition, s.Offset, s.End)
	}
	return s, nil
}

// decodeState reads JSON of a version that is known.
func decodeState(data []byte, into any, bytesMax int, version func() int) error {
	if len(data) > bytesMax {
		return failure.Internalf("%d bytes, at most %d", len(data), bytesMax)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return failure.Internal(err)
	}
	if v := version(); v != stateVersion {
		return failure.Internalf("version %d is not known, only %d", v, stateVersion)
	}
	return nil
}

// String returns the id in hexadecimal, empty if there is none.
func (t TopicID) String() string {
	if t == (TopicID{}) {
		return ""
	}
	return hex.EncodeToString(t[:])
}

func parseTopicID(text string) (TopicID, error) {
	var id TopicID
	if text == "" {
		return id, nil
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, errors.New("not a topic id: " + strconv.Quote(text))
	}
	copy(id[:], b)
	return id, nil
}

// enumeratorState is what the enumerator knows: every partition it ever found,
// with the offset at which to begin where no reader has a position.
type enumeratorState struct {
	Version int                    `json:"v"`
	Topics  map[string]*knownTopic `json:"topics"`
}

// knownTopic is a topic in the enumerator's state. Starts and Ends are by
// partition; in a bounded source every partition has an end.
type knownTopic struct {
	ID     string          `json:"id,omitempty"`
	Starts map[int32]int64 `json:"starts"`
	Ends   map[int32]int64 `json:"ends,omitempty"`
}

func (k *knownTopic) end(partition int32) int64 {
	if end, ok := k.Ends[partition]; ok {
		return end
	}
	return noEnd
}

func (s *enumeratorState) encode() ([]byte, error) {
	s.Version = stateVersion
	return json.Marshal(s)
}

func decodeEnumerator(data []byte) (*enumeratorState, error) {
	s := &enumeratorState{}
	if data == nil {
		s.Topics = make(map[string]*knownTopic)
		return s, nil
	}
	if err := decodeState(data, s, enumeratorBytesMax, func() int { return s.Version }); err != nil {
		return nil, fmt.Errorf("state of the enumerator: %w", err)
	}
	for name, k := range s.Topics {
		if k == nil || k.Starts == nil {
			return nil, failure.Internalf("state of the enumerator: topic %q has no partitions", name)
		}
	}
	if s.Topics == nil {
		s.Topics = make(map[string]*knownTopic)
	}
	return s, nil
}

// position names an offset in words.
func position(topic string, partition int32, offset int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "topic %s, partition %d, offset %d", topic, partition, offset)
	return b.String()
}
