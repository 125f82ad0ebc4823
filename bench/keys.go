package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"millrace/jobgraph"
)

// keysResult is the line of a run of keys. Rates are not in it: the sources wait
// for barriers most of the time.
type keysResult struct {
	about
	DistinctKeys      int64       `json:"distinct_keys"`
	Events            int64       `json:"events"`
	RowsOut           int64       `json:"rows_out"`
	Seconds           float64     `json:"seconds"`
	CPUSeconds        float64     `json:"cpu_seconds"`
	ResidentBytes     int64       `json:"resident_bytes"`      // with every key in the open window
	PeakResidentBytes int64       `json:"peak_resident_bytes"` // of the run, windows fired
	CheckpointSeconds float64     `json:"checkpoint_interval_seconds"`
	Phases            []keysPhase `json:"phases"`
	AnswerChecked     bool        `json:"answer_checked"`
}

// keysPhase is the part of a run in which as many keys change before each
// checkpoint.
type keysPhase struct {
	Phase         string           `json:"phase"`
	Seconds       float64          `json:"seconds"`
	CPUSeconds    float64          `json:"cpu_seconds"`
	ResidentBytes int64            `json:"resident_bytes"` // at its end
	ChangedKeys   int64            `json:"changed_keys"`
	WrittenBytes  int64            `json:"written_bytes"`
	Checkpoints   []keysCheckpoint `json:"checkpoints"`
}

// keysCheckpoint is a completed one, with the keys that changed before it.
type keysCheckpoint struct {
	ChangedKeys int64 `json:"changed_keys"`
	checkpoint
}

func (r *keysResult) checkpointed() (n int) {
	for _, p := range r.Phases {
		n += len(p.Checkpoints)
	}
	return n + 1 // the last one belongs to no phase
}

// measureKeys holds r.distinct auctions in one open window and looks at what the
// process takes and its checkpoints write, when every key changes between them
// and when few do.
func (r run) measureKeys(ctx context.Context) (line, error) {
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	plan, log := passes{keys: r.distinct}, &changeLog{}
	job := &measuredJob{
		run: r, graph: r.keysGraph(), source: keySource{plan, log}.factory(), gate: newGate(r.parallelism), sink: &checkedSink{},
	}
	debug.FreeOSMemory()
	resetPeak()
	if err := job.execute(ctx, dir); err != nil {
		return nil, err
	}
	_, peak := resident()
	if err := job.sink.compare(plan.expected()); err != nil {
		return nil, err
	}
	out, err := job.keysResult(ctx, log)
	if err != nil {
		return nil, err
	}
	out.PeakResidentBytes = peak
	return out, nil
}

// keysGraph is the main job with the keys in the place of the generator's bids.
func (r run) keysGraph() *jobgraph.Graph {
	g := r.graph()
	g.Vertices[0].Source.Options = nil
	return g
}

func (j *measuredJob) keysResult(ctx context.Context, log *changeLog) (*keysResult, error) {
	out := &keysResult{
		about: j.about(ctx, "distinct-keys"), DistinctKeys: j.sink.rows, Events: j.sink.bids, RowsOut: j.sink.rows,
		Seconds: j.end.at.Sub(j.start.at).Seconds(), CPUSeconds: (j.end.cpu - j.start.cpu).Seconds(),
		ResidentBytes: log.marks[endPhase].resident, CheckpointSeconds: j.interval.Seconds(), AnswerChecked: true,
	}
	for p := range endPhase {
		from, to := log.marks[p], log.marks[p+1]
		out.Phases = append(out.Phases, keysPhase{
			Phase: phaseNames[p], Seconds: to.at.Sub(from.at).Seconds(), CPUSeconds: (to.cpu - from.cpu).Seconds(), ResidentBytes: to.resident,
		})
	}
	for _, c := range j.checkpoints {
		before, err := log.change(c.CheckpointId)
		if err != nil {
			return nil, err
		}
		if before.keys == 0 {
			continue // before the first row, or behind the last
		}
		p := &out.Phases[before.phase]
		p.ChangedKeys += before.keys
		p.WrittenBytes += c.WrittenBytes
		p.Checkpoints = append(p.Checkpoints, keysCheckpoint{before.keys, checkpoint{c.DurationMillis, c.WrittenBytes, c.StateBytes}})
	}
	return out, nil
}

// change returns what changed before a checkpoint. Checkpoints are numbered from
// 1, and none is given up: a run in which one is, fails.
func (l *changeLog) change(id uint64) (change, error) {
	if id < 1 || id > uint64(len(l.before)) {
		return change{}, fmt.Errorf("checkpoint %d is none of the %d that the sources know", id, len(l.before))
	}
	return l.before[id-1], nil
}
