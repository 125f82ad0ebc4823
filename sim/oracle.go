package sim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"millrace/blobstore"
	"millrace/checkpoint"
	checkpointcodec "millrace/checkpoint/codec"
	"millrace/exchange"
	"millrace/internal/failure"
	"millrace/jobmanager/coord"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/stream"
	"millrace/types"
)

// Violation is a property that did not hold.
type Violation struct {
	Property string
	Detail   string
}

// oracle watches from outside: what Kafka has, what etcd and the blob store have. It asks no part of the engine.
type oracle struct {
	w        *world
	broken   []Violation
	model    model
	trigger  map[types.CheckpointID]bool
	latest   *checkpointv1.LatestCheckpoint
	graph    string           // the object of the job's graph
	needed   []string         // objects of the retained checkpoints
	position map[string]int64 // by vertex and split, in the last complete checkpoint
	end      *checkpointv1.JobRecord
	terms    map[*process]types.Term
	ran      []*runningTask
	newest   map[types.RegionID]types.Attempt // that ran

	replayed, moved int // rows that were in flight; to tasks of another parallelism

	recreated bool // the input topic: the job must fail, and name it
	timedOut  bool // a transaction: the job may fail, and must name what is lost
}

func newOracle(w *world) *oracle {
	return &oracle{
		w: w, model: make(model), trigger: make(map[types.CheckpointID]bool), position: make(map[string]int64), terms: make(map[*process]types.Term),
		newest: make(map[types.RegionID]types.Attempt),
	}
}

func (o *oracle) violated() bool { return len(o.broken) > 0 }

func (o *oracle) violate(property, format string, args ...any) {
	v := Violation{property, fmt.Sprintf(format, args...)}
	o.broken = append(o.broken, v)
	o.w.tell("!!!!", "%s: %s", v.Property, v.Detail)
}

// triggered holds: no checkpoint id is used twice.
func (o *oracle) triggered(id types.CheckpointID) {
	if o.trigger[id] {
		o.violate("checkpoint-id-once", "checkpoint %d is triggered twice", id)
	}
	o.trigger[id] = true
}

// restores holds: a restore that need not fall back begins at the last complete checkpoint.
func (o *oracle) restores(from, before types.CheckpointID) {
	if before == 0 && uint64(from) < o.latest.GetCheckpointId() {
		o.violate("restore-latest", "restores from %d, and %d is complete", from, o.latest.GetCheckpointId())
	}
}

// notPersisted holds: only a fence, a conflict or the clock keeps a decided checkpoint from being complete.
func (o *oracle) notPersisted(id types.CheckpointID, reason string) {
	if strings.Contains(reason, blobstore.ErrExists.Error()) {
		o.violate("manifest-own", "the manifest of checkpoint %d is refused for one of its writer's own: %s", id, reason)
	}
}

// failed holds: nothing fails that only a bug makes fail.
func (o *oracle) failed(who string, c failure.Class, err error) {
	if c.Domain == failure.DomainInternal {
		o.violate("no-internal-failure", "%s: %v", who, err)
	}
}

// runs holds: what begins to run on a task manager is of no attempt older than those that it has had.
func (o *oracle) runs(t *runningTask) {
	if o.w.faults.takeover && o.latest != nil {
		o.violate("takeover", "%s runs %s again, of attempt %d, and only leaders have ended", t.tm.name, t.id, t.a.number)
	}
	o.ran = append(o.ran, t)
	o.newest[t.a.region] = max(o.newest[t.a.region], t.a.number)
	if t.a.number < t.tm.highest[t.a.region] {
		o.violate("one-attempt", "%s runs %s of attempt %d, and has had %d", t.tm.name, t.id, t.a.number, t.tm.highest[t.a.region])
	}
}

// deploys holds: no leader deploys on a task manager that has had a later one. What runs of an earlier one may go on.
func (o *oracle) deploys(tm *taskManager, attempt types.Attempt) {
	if tm.link.term < o.terms[tm.process] {
		o.violate("one-attempt", "%s takes attempt %d in term %d, and has had %d", tm.name, attempt, tm.link.term, o.terms[tm.process])
	}
}

// noGap holds, where only leaders have ended: every record was read by the one life of its reader, once.
func (o *oracle) noGap() {
	read := make(map[types.RegionID]int64)
	for _, t := range o.ran {
		if t.source {
			read[t.a.region] += t.metrics.RecordsIn.Load()
		}
	}
	written := int64(-o.w.unread)
	for _, p := range o.w.kafka.topics[inputTopic].partitions {
		written += int64(len(p.records))
	}
	for region := range o.w.faults.regions {
		if n := read[types.RegionID{Job: jobName, Index: int32(region)}]; n != written {
			o.violate("takeover", "tasks of region %d have read %d records, and there are %d", region, n, written)
		}
	}
}

// isZombie tells whether a transactional id is of an attempt after which another ran. What such a one opens late stays open
// until it times out (docs/design/0002-kafka-transactions.md): consumers wait, nothing is lost.
func (o *oracle) isZombie(id string) bool {
	var region, subtask, k int
	var attempt uint64
	_, err := fmt.Sscanf(id, sinkPrefix+"."+string(jobName)+".sink-%d.%d.%d.%d", &region, &subtask, &k, &attempt)
	return err == nil && types.Attempt(attempt) < o.newest[types.RegionID{Job: jobName, Index: int32(region)}]
}

// joins holds: the leaders that a task manager serves have rising terms.
func (o *oracle) joins(tm *taskManager, term types.Term) {
	if term < o.terms[tm.process] {
		o.violate("terms-rise", "%s serves a leader of term %d, and has served one of term %d", tm.name, term, o.terms[tm.process])
	}
	o.terms[tm.process] = max(o.terms[tm.process], term)
}

// written sees every transaction that succeeded.
func (o *oracle) written(ops []coord.Op) {
	keys := jobKeys()
	for _, op := range ops {
		switch op.Key {
		case keys.CheckpointLatest():
			l := &checkpointv1.LatestCheckpoint{}
			if err := proto.Unmarshal(op.Value, l); err != nil {
				o.violate("manifest-complete", "%v", err)
				return
			}
			o.completed(l)
		case keys.State():
			rec := &checkpointv1.JobRecord{}
			if err := proto.Unmarshal(op.Value, rec); err == nil && hasEnded(rec.Phase) {
				o.end = rec
				o.w.over = true
			}
		}
	}
}

func hasEnded(p checkpointv1.JobPhase) bool {
	switch p {
	case checkpointv1.JobPhase_JOB_PHASE_FINISHED, checkpointv1.JobPhase_JOB_PHASE_CANCELED,
		checkpointv1.JobPhase_JOB_PHASE_FAILED, checkpointv1.JobPhase_JOB_PHASE_STOPPED:
		return true
	default:
		return false
	}
}

// completed looks at everything that a complete checkpoint promises.
func (o *oracle) completed(l *checkpointv1.LatestCheckpoint) {
	if l.CheckpointId <= o.latest.GetCheckpointId() {
		o.violate("checkpoints-advance", "checkpoint %d is complete behind %d", l.CheckpointId, o.latest.GetCheckpointId())
	}
	o.latest, o.needed = l, o.needed[:0]
	for _, r := range l.Retained {
		m := o.manifest(r)
		if m == nil {
			return
		}
		if r.CheckpointId == l.CheckpointId {
			o.latestManifest(m)
		}
	}
}

// manifest reads a retained manifest, as any later restore would.
func (o *oracle) manifest(r *checkpointv1.RetainedCheckpoint) *checkpointv1.Manifest {
	data, err := o.w.blob.Read(o.w.ctx, r.ManifestObject)
	var m *checkpointv1.Manifest
	if err == nil {
		m, err = checkpointcodec.DecodeVerified(data, checkpoint.Sum(r.ManifestSha256))
	}
	if err != nil {
		o.violate("manifest-complete", "checkpoint %d: %v", r.CheckpointId, err)
		return nil
	}
	o.needed = append(o.needed, r.ManifestObject)
	for f := range checkpoint.Objects(m) {
		o.needed = append(o.needed, f.GetObject())
	}
	o.present()
	return m
}

// present holds: every object of every retained checkpoint is there, at any time.
func (o *oracle) present() {
	for _, key := range o.needed {
		if _, err := o.w.blob.ReadRange(o.w.ctx, key, 0, 1); err != nil {
			o.violate("manifest-complete", "of the checkpoints up to %d: %v", o.latest.CheckpointId, err)
			return
		}
	}
}

// neededAtEnd returns the objects that a job needs which has ended: of one that was stopped the last checkpoint, of one that
// failed all that are retained.
func (o *oracle) neededAtEnd() (map[string]bool, error) {
	out := map[string]bool{o.graph: true}
	for i, r := range o.latest.GetRetained() {
		if o.end.Phase == checkpointv1.JobPhase_JOB_PHASE_STOPPED && i < len(o.latest.Retained)-1 {
			continue
		}
		data, err := o.w.blob.Read(o.w.ctx, r.ManifestObject)
		if err != nil {
			return nil, err
		}
		m, err := checkpointcodec.DecodeVerified(data, checkpoint.Sum(r.ManifestSha256))
		if err != nil {
			return nil, err
		}
		out[r.ManifestObject] = true
		for f := range checkpoint.Objects(m) {
			out[f.GetObject()] = true
		}
	}
	return out, nil
}

// watch looks again and again at what must hold at any time.
func (o *oracle) watch() {
	o.w.after(500, func() {
		if o.end == nil {
			o.present()
			o.watch()
		}
	})
}

// latestManifest holds: the checkpoint is of the newest attempt, every key group has one owner, no position went back or
// is missing.
func (o *oracle) latestManifest(m *checkpointv1.Manifest) {
	e, err := o.w.etcd.Open().Get(o.w.ctx, jobKeys().AttemptFloor())
	if err == nil && binary.BigEndian.Uint64(e.Value) != m.Attempt {
		o.violate("one-attempt", "checkpoint %d is of attempt %d, and a later one was allotted", m.CheckpointId, m.Attempt)
	}
	o.writers(m)
	for _, v := range m.Vertices {
		owned := 0
		for i := range v.Tasks {
			r := types.KeyGroupRangeOf(i, len(v.Tasks), int(v.MaxParallelism))
			owned += int(r.Last) - int(r.First) + 1
		}
		if owned != keyGroups {
			o.violate("key-groups-once", "checkpoint %d, vertex %s: tasks own %d key groups of %d", m.CheckpointId, v.VertexId, owned, keyGroups)
		}
		o.positions(m, v)
	}
}

// replays counts rows that were in flight and came to a task again.
func (o *oracle) replays(files []*controlv1.InFlight, parallelism int32, r *exchange.Replay) {
	for _, e := range r.Elements {
		if e.Element.Kind == stream.RowsElement {
			o.replayed += e.Element.Batch.Rows()
			if files[0].Parallelism != parallelism {
				o.moved += e.Element.Batch.Rows()
			}
		}
	}
}

// writers holds: what a checkpoint has written was written by the attempts that its regions were allotted last.
func (o *oracle) writers(m *checkpointv1.Manifest) {
	e, err := o.w.etcd.Open().Get(o.w.ctx, jobKeys().AttemptRegions())
	if err != nil {
		o.violate("one-attempt", "checkpoint %d: %v", m.CheckpointId, err)
		return
	}
	for f := range checkpoint.Objects(m) {
		k, err := blobstore.ParseChunkKey(f.GetObject())
		if err != nil || uint64(k.Checkpoint) != m.CheckpointId {
			continue
		}
		region := slices.IndexFunc(o.w.job.regions, func(r []types.VertexID) bool { return slices.Contains(r, k.Task.Vertex) })
		if last := binary.BigEndian.Uint64(e.Value[8*region:]); uint64(k.Attempt) != last {
			o.violate("one-attempt", "checkpoint %d has a file that attempt %d of %s has written, and %d was allotted", m.CheckpointId, k.Attempt, k.Task, last)
			return
		}
	}
}

func (o *oracle) positions(m *checkpointv1.Manifest, v *checkpointv1.VertexState) {
	splits := slices.Clone(v.Unassigned)
	for _, t := range v.Tasks {
		splits = append(splits, t.Splits...)
	}
	now := make(map[string]int64, len(splits))
	for _, s := range splits {
		var state struct {
			Offset int64 `json:"offset"`
		}
		if err := json.Unmarshal(s.State, &state); err != nil {
			o.violate("positions", "checkpoint %d: split %s: %v", m.CheckpointId, s.Id, err)
			return
		}
		now[v.VertexId+"/"+s.Id] = state.Offset
	}
	for _, split := range slices.Sorted(maps.Keys(o.position)) {
		if !strings.HasPrefix(split, v.VertexId+"/") {
			continue
		}
		at, ok := now[split]
		switch was := o.position[split]; {
		case !ok:
			o.violate("positions", "checkpoint %d has no position of %s, which was %d", m.CheckpointId, split, was)
		case at < was:
			o.violate("positions", "checkpoint %d has %s at %d, behind %d", m.CheckpointId, split, at, was)
		}
	}
	maps.Copy(o.position, now)
}

// windowKey names a result.
type windowKey struct{ auction, start int64 }

// want is what a result must be: of bids that can't be late all, of late ones any.
type want struct {
	bids, total, highest int64
	late                 []int64 // prices
}

// model is what the output must be, computed as plainly as can be.
type model map[windowKey]*want

func (m model) add(auction, price, millis int64, late bool) {
	k := windowKey{auction, millis - millis%windowMillis}
	f := m[k]
	if f == nil {
		f = &want{}
		m[k] = f
	}
	if late {
		f.late = append(f.late, price)
		return
	}
	f.bids++
	f.total += price
	f.highest = max(f.highest, price)
}

// result is a record of the output.
type result struct {
	Auction int64  `json:"auction"`
	Start   string `json:"window_start"`
	Bids    int64  `json:"bids"`
	Total   int64  `json:"total"`
	Highest int64  `json:"highest"`
}

// timeLayout is the JSON format's.
const timeLayout = "2006-01-02 15:04:05.999999999"

// fits tells whether some of the late bids make the result of the model's window.
func (f *want) fits(r result) bool {
	for some := range 1 << len(f.late) {
		bids, total, highest := f.bids, f.total, f.highest
		for i, price := range f.late {
			if some>>i&1 == 1 {
				bids, total, highest = bids+1, total+price, max(highest, price)
			}
		}
		if bids > 0 && r.Bids == bids && r.Total == total && r.Highest == highest {
			return true
		}
	}
	return false
}

// output holds what a consumer of committed records sees against the model. complete says that nothing may be missing.
func (o *oracle) output(name string, complete bool) {
	seen := make(map[windowKey]bool)
	for _, value := range o.w.kafka.committedValues(name) {
		var r result
		if err := json.Unmarshal(value[1:], &r); err != nil {
			o.violate("output", "%s: %q: %v", name, value, err)
			return
		}
		start, err := time.Parse(timeLayout, r.Start)
		k := windowKey{r.Auction, start.UnixMilli()}
		f := o.model[k]
		switch {
		case err != nil:
			o.violate("output", "%s: %v", name, err)
		case f == nil:
			o.violate("output", "%s: unexpected: %+v", name, r)
		case seen[k]:
			o.violate("output", "%s: twice: %+v", name, r)
		case !f.fits(r):
			o.violate("output", "%s: wrong: %+v, want %+v", name, r, *f)
		}
		seen[k] = true
	}
	if !complete {
		return
	}
	missing := 0
	for k, f := range o.model {
		if !seen[k] && f.bids > 0 {
			missing++
		}
	}
	if missing > 0 {
		o.violate("output", "%s: %d windows are missing", name, missing)
	}
}
