package platformtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"millrace/blobstore"
	"millrace/jobmanager/coord"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// History is every write of a job's commit point and of its record, in the order in which etcd took them: what no leader can
// embellish. It is safe for concurrent use.
type History struct {
	mu struct {
		sync.Mutex
		err      error
		last     blobstore.ManifestKey
		pointers int
		terms    map[types.Term]int
		records  int
	}
}

// Follow begins the history of a job that was just submitted; the test's end ends it.
func (p *Platform) Follow(t *testing.T, job string) *History {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: p.Etcd.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	prefix, err := coord.ClusterPrefix(clusterName)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := coord.ForJob(types.JobID(job))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &History{}
	h.mu.terms = make(map[types.Term]int)
	var group sync.WaitGroup
	group.Go(func() {
		for answer := range client.Watch(ctx, prefix+"data/"+keys.Prefix(), clientv3.WithPrefix(), clientv3.WithRev(1)) {
			h.take(answer, keys)
		}
	})
	t.Cleanup(func() {
		cancel()
		client.Close()
		group.Wait()
	})
	return h
}

func (h *History) take(answer clientv3.WatchResponse, keys coord.JobKeys) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := answer.Err(); err != nil && h.mu.err == nil && !answer.Canceled {
		h.mu.err = err
	}
	for _, e := range answer.Events {
		switch key := string(e.Kv.Key); {
		case e.Type != clientv3.EventTypePut:
		case strings.HasSuffix(key, "/"+keys.CheckpointLatest()):
			if err := h.pointer(e.Kv.Value); err != nil && h.mu.err == nil {
				h.mu.err = err
			}
		case strings.HasSuffix(key, "/"+keys.State()):
			h.mu.records++
		}
	}
}

// pointer takes a commit point: of a term that is not over, and of a later checkpoint than all before.
func (h *History) pointer(value []byte) error {
	l := &checkpointv1.LatestCheckpoint{}
	if err := proto.Unmarshal(value, l); err != nil {
		return err
	}
	k, err := blobstore.ParseManifestKey(l.ManifestObject)
	if err != nil {
		return err
	}
	if k.Term < h.mu.last.Term || k.Checkpoint <= h.mu.last.Checkpoint {
		return fmt.Errorf("checkpoint %d of term %d became the latest behind checkpoint %d of term %d", k.Checkpoint, k.Term, h.mu.last.Checkpoint, h.mu.last.Term)
	}
	h.mu.last = k
	h.mu.pointers++
	h.mu.terms[k.Term]++
	return nil
}

// Check fails the test where a term wrote that was over.
func (h *History) Check(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.err != nil {
		t.Errorf("the history in etcd: %v", h.mu.err)
	}
}

// Pointers returns how many checkpoints became the latest, under how many leaders.
func (h *History) Pointers() (n, terms int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.pointers, len(h.mu.terms)
}

// Records returns how often the job's record was written.
func (h *History) Records() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.records
}
