package kafka

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"millrace/connectors"
	"millrace/failure"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.TrimSpace(string(data)))
}

// TestSamples reads what was written once, and writes it the same.
func TestSamples(t *testing.T) {
	id := TopicID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	same := func(name string, got any, want any, written []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if diff := cmp.Diff(string(sample(t, name)), string(written)); diff != "" {
			t.Errorf("%s written: -want +got:\n%s", name, diff)
		}
	}
	s, err := decodeSplit(connectors.SplitState{ID: "bids-3", State: sample(t, "split-v1.json")})
	written, _ := s.encode()
	same("split-v1.json", s, splitState{Version: 1, Topic: "bids", TopicID: id.String(), Partition: 3, Offset: 17, End: noEnd}, written, err)

	e, err := decodeEnumerator(sample(t, "enumerator-v1.json"))
	written, _ = e.encode()
	same("enumerator-v1.json", e, &enumeratorState{Version: 1, Topics: map[string]*knownTopic{
		"bids": {ID: id.String(), Starts: map[int32]int64{0: 5, 1: 0}, Ends: map[int32]int64{0: 100, 1: 0}},
	}}, written, err)

	c, err := decodeCommittable(sample(t, "committable-v1.json"))
	written, _ = c.encode()
	same("committable-v1.json", c, &committable{
		Version: 1, TransactionalID: "millrace.job.sink.2.7", ProducerID: 4001, Epoch: 12, TransactionVersion: 2, Checkpoint: 99,
		Topic: "bids-per-auction", FirstRecordMillis: 1_700_000_000_000, TimeoutMillis: 900_000, Rows: 3, Attempt: 4,
	}, written, err)

	c, err = decodeCommittable(sample(t, "committable-v1-offsets.json"))
	written, _ = c.encode()
	same("committable-v1-offsets.json", c, &committable{
		Version: 1, TransactionalID: "millrace.job.sink.2.7.4", MarkerGroup: "millrace.job.sink.2.7", ProducerID: 4001, Epoch: 12,
		TransactionVersion: 2, Checkpoint: 99, Topic: "bids-per-auction", FirstRecordMillis: 1_700_000_000_000, TimeoutMillis: 900_000,
		Rows: 3, Attempt: 4, Offsets: [][3]int64{{0, 17, 18}, {3, 5, 5}},
	}, written, err)
}

// FuzzState reads bytes that may be anything as each kind of state: what is
// refused is refused as ours, and what is read is written and read again the same.
func FuzzState(f *testing.F) {
	for _, name := range []string{"split-v1.json", "enumerator-v1.json", "committable-v1.json", "committable-v1-offsets.json"} {
		f.Add(sample(f, name))
	}
	f.Add([]byte(`{"v":1,"topics":{"a":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := decodeCommittable(data); err == nil {
			again, err := c.encode()
			if err != nil {
				t.Fatal(err)
			}
			if d, err := decodeCommittable(again); err != nil || !cmp.Equal(c, d, cmpopts.EquateEmpty()) {
				t.Errorf("committable %v came back as %v, %v", c, d, err)
			}
		} else if failure.ClassOf(err).Domain != failure.DomainInternal {
			t.Errorf("committable: class %s", failure.ClassOf(err))
		}
		if e, err := decodeEnumerator(data); err == nil {
			for name, k := range e.Topics {
				_ = k.end(0)
				_ = name
			}
			if _, err := e.encode(); err != nil {
				t.Error(err)
			}
		}
		_, _ = decodeSplit(connectors.SplitState{ID: "bids-3", State: data})
	})
}

func TestSplitStateIsChecked(t *testing.T) {
	for _, data := range []string{
		"", "{}", `{"v":1,"topic":"bids","partition":4,"offset":0,"end":-1}`, `{"v":1,"topic":"bids","partition":3,"offset":-1,"end":-1}`,
		`{"v":1,"topic":"bids","topicId":"xy","partition":3,"offset":0,"end":-1}`, `{"v":9,"topic":"bids","partition":3,"offset":0,"end":-1}`,
	} {
		if _, err := decodeSplit(connectors.SplitState{ID: "bids-3", State: []byte(data)}); err == nil || !strings.Contains(err.Error(), "bids-3") {
			t.Errorf("%s: %v", data, err)
		}
	}
}
