package jobmanager

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"millrace/internal/clock"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// view is what clients see of a job. The driver writes it; it is safe for
// concurrent use, and outlives the driver.
type view struct {
	clock clock.Clock
	graph *jobgraph.Graph
	// past is the record of a job that had ended before this term; nil for others.
	past *checkpointv1.JobRecord
	mu   struct {
		sync.Mutex
		job      *apiv1.DescribeJobResponse
		tasks    map[types.TaskID]*apiv1.TaskDescription
		trouble  string   // of the driver's own
		vertices struct { // of coordinator tasks, in one attempt
			attempt types.Attempt
			trouble map[types.VertexID]string
		}
		watchers map[*watcher]bool
		ended    bool
	}
}

// newView shows a job of which only the record is known.
func newView(c clock.Clock, rec *checkpointv1.JobRecord) *view {
	v := &view{clock: c}
	v.mu.job = &apiv1.DescribeJobResponse{Summary: &apiv1.JobSummary{
		JobId: rec.JobId, Name: rec.Name, State: apiv1.JobState_JOB_STATE_CREATED,
		Submitted: timestamppb.New(time.UnixMilli(rec.SubmittedUnixMillis)),
	}}
	v.mu.watchers, v.mu.tasks = make(map[*watcher]bool), make(map[types.TaskID]*apiv1.TaskDescription)
	return v
}

// The ends of event time, as messages carry it: before the first watermark, and
// behind the last row of bounded input.
const (
	noWatermark  = math.MinInt64
	maxWatermark = math.MaxInt64
)

// watcher is a client that watches a job.
type watcher struct {
	events chan *apiv1.WatchJobResponse
}

// update changes the description under the lock.
func (v *view) update(f func(*apiv1.DescribeJobResponse)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f(v.mu.job)
}

func (v *view) summary() *apiv1.JobSummary {
	v.mu.Lock()
	defer v.mu.Unlock()
	return proto.CloneOf(v.mu.job.Summary)
}

// describe returns a copy of everything that is known.
func (v *view) describe() *apiv1.DescribeJobResponse {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := proto.CloneOf(v.mu.job)
	for _, t := range v.mu.tasks {
		out.Tasks = append(out.Tasks, proto.CloneOf(t))
	}
	sort.Slice(out.Tasks, func(i, k int) bool {
		a, b := out.Tasks[i], out.Tasks[k]
		return a.VertexId < b.VertexId || (a.VertexId == b.VertexId && a.Subtask < b.Subtask)
	})
	if out.WaitingFor == "" && !v.mu.ended {
		out.WaitingFor = v.troubleLocked()
	}
	return out
}

// setTasks shows tasks in place of those that match.
func (v *view) setTasks(replaced func(types.TaskID) bool, tasks map[types.TaskID]*apiv1.TaskDescription) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.mu.tasks, func(id types.TaskID, _ *apiv1.TaskDescription) bool { return replaced(id) })
	maps.Copy(v.mu.tasks, tasks)
}

func (v *view) setTaskState(id types.TaskID, s controlv1.TaskState) {
	v.mu.Lock()
	if t := v.mu.tasks[id]; t != nil {
		t.State = s
	}
	v.mu.Unlock()
}

func (v *view) setProgress(p *controlv1.TaskProgress) {
	v.mu.Lock()
	if t := v.mu.tasks[types.TaskID{Vertex: types.VertexID(p.VertexId), Subtask: p.Subtask}]; t != nil {
		t.Progress = p
	}
	v.mu.Unlock()
}

// setTrouble says what an external system refuses; nil ends it.
func (v *view) setTrouble(err error) {
	v.mu.Lock()
	v.mu.trouble = ""
	if err != nil {
		v.mu.trouble = err.Error()
	}
	v.mu.Unlock()
}

// setVertexTrouble says what an external system refuses to a coordinator task of
// a vertex; "" ends it. A new attempt begins without troubles.
func (v *view) setVertexTrouble(a types.Attempt, id types.VertexID, message string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	of := &v.mu.vertices
	if a != of.attempt || of.trouble == nil {
		of.attempt, of.trouble = a, make(map[types.VertexID]string)
	}
	if message == "" {
		delete(of.trouble, id)
		return
	}
	of.trouble[id] = message
}

// troubleLocked returns the troubles that are not a task's, "" when there are none.
func (v *view) troubleLocked() string {
	var all []string
	if v.mu.trouble != "" {
		all = append(all, v.mu.trouble)
	}
	if of := &v.mu.vertices; uint64(of.attempt) == v.mu.job.Attempt {
		for _, id := range slices.Sorted(maps.Keys(of.trouble)) {
			all = append(all, fmt.Sprintf("vertex %s: %s", id, of.trouble[id]))
		}
	}
	return strings.Join(all, "; ")
}

// watch registers a client. Its first event is the state as it is, and the
// channel is closed behind the last.
func (v *view) watch() *watcher {
	w := &watcher{events: make(chan *apiv1.WatchJobResponse, watchQueueMax)}
	v.mu.Lock()
	defer v.mu.Unlock()
	w.events <- v.stamp(&apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_State{
		State: &apiv1.JobStateChanged{State: v.mu.job.Summary.State, Reason: v.mu.job.Summary.Failure},
	}})
	w.events <- v.stamp(&apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_Progress{Progress: v.progressLocked()}})
	if v.mu.ended {
		close(w.events)
		return w
	}
	v.mu.watchers[w] = true
	return w
}

func (v *view) unwatch(w *watcher) {
	v.mu.Lock()
	delete(v.mu.watchers, w)
	v.mu.Unlock()
}

func (v *view) stamp(e *apiv1.WatchJobResponse) *apiv1.WatchJobResponse {
	e.Time = timestamppb.New(v.clock.Now())
	return e
}

// tell sends an event to every watcher. One that does not keep up loses events
// rather than hold the job.
func (v *view) tell(e *apiv1.WatchJobResponse) {
	v.stamp(e)
	v.mu.Lock()
	defer v.mu.Unlock()
	for w := range v.mu.watchers {
		select {
		case w.events <- e:
		default:
		}
	}
}

func (v *view) tellState(s apiv1.JobState, reason string) {
	v.tell(&apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_State{State: &apiv1.JobStateChanged{State: s, Reason: reason}}})
}

// tellProgress sends the figures of the whole job.
func (v *view) tellProgress() {
	v.mu.Lock()
	p := v.progressLocked()
	v.mu.Unlock()
	v.tell(&apiv1.WatchJobResponse{Event: &apiv1.WatchJobResponse_Progress{Progress: p}})
}

func (v *view) progressLocked() *apiv1.Progress {
	p := &apiv1.Progress{
		Restarts: v.mu.job.Summary.Restarts, Trouble: v.troubleLocked(), Watermark: maxWatermark,
	}
	if c := v.mu.job.LastCheckpoint; c != nil {
		p.LastCheckpoint = proto.CloneOf(c)
	}
	seen := false
	for id, t := range v.mu.tasks {
		f := t.Progress
		if f == nil {
			continue
		}
		vertex := v.graph.Vertex(id.Vertex)
		if vertex.Source != nil {
			p.SourceRecords += f.RecordsIn
		}
		if vertex.Sink != nil {
			p.SinkRecords += f.RecordsOut
			p.Watermark, seen = min(p.Watermark, f.Watermark), true
		}
		p.Late += f.Late
		p.Skipped += f.Skipped
		p.DeadLetters += f.DeadLetters
		if f.Trouble != "" {
			p.Trouble = f.Trouble
		}
	}
	if !seen {
		p.Watermark = noWatermark
	}
	return p
}

// end tells watchers that nothing follows.
func (v *view) end(at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mu.ended = true
	v.mu.job.Summary.Ended = timestamppb.New(at)
	for w := range v.mu.watchers {
		close(w.events)
	}
	clear(v.mu.watchers)
}
