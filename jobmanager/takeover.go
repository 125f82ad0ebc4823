package jobmanager

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"millrace/checkpoint"
	"millrace/internal/mutant"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/scheduler"
	"millrace/types"
)

// collecting is a driver's search for what runs of a job that another leader deployed. It begins with the driver, before
// the job is read, since task managers may come sooner.
type collecting struct {
	found inventories
	// said is what task managers have told since, for when it is known what it is about.
	said []fromTaskManager
	// numbers has the attempt of each region, placed the task managers that are awaited; nil where nobody knows.
	numbers []types.Attempt
	placed  []types.TaskManagerID
	asked   bool // by the lifecycle
	// plan is what was judged while the rest is read; nil before.
	plan    []*foundRegion
	restore adoption
}

// adoption is what is durable of the checkpoints of a job that runs on.
type adoption struct {
	latest   *checkpointv1.LatestCheckpoint
	manifest *checkpointv1.Manifest // of latest; nil before the first
	next     types.CheckpointID     // the first of checkpointIDsReserved
}

// inventoried is what a task manager says of the job at the beginning of its session.
type inventoried struct {
	id      types.TaskManagerID
	regions []*controlv1.RegionInventory
}

// adoptionRead answers the reading of an adoption.
type adoptionRead struct {
	adoption
	err error
}

// inventoried takes in what runs on a task manager. Where nothing is being collected, only what this leader has deployed
// may run.
func (d *driver) inventoried(e inventoried) {
	if d.collecting == nil {
		d.cancelStrays(e.id, e.regions, func(region int, number types.Attempt) bool {
			return d.at != nil && region < len(d.at.of) && d.at.of[region] != nil && d.at.of[region].number(region) == number
		})
		var own []types.SlotID
		if d.at != nil {
			own = scheduler.Assignment{Tasks: d.at.slots}.Slots()
		}
		d.l.registry.keep(d.store.job, own)
		return
	}
	d.collecting.found[e.id] = e.regions
	d.judgeIfAll()
}

// cancelStrays ends what a task manager runs, but for some attempts.
func (d *driver) cancelStrays(on types.TaskManagerID, regions []*controlv1.RegionInventory, keep func(region int, number types.Attempt) bool) {
	for _, r := range regions {
		if !keep(int(r.Region), types.Attempt(r.Attempt)) {
			d.l.registry.send(on, d.cancelMessage(r.Attempt))
		}
	}
}

// judgeIfAll goes on as soon as nobody is awaited: all regions are whole, or all task managers are there that had tasks.
func (d *driver) judgeIfAll() {
	c := d.collecting
	if !c.asked || c.plan != nil {
		return
	}
	all := len(c.placed) > 0 && !slices.ContainsFunc(c.placed, func(id types.TaskManagerID) bool { return c.found[id] == nil })
	whole := !slices.ContainsFunc(judge(d.graph, d.regions, c.numbers, c.found), func(r *foundRegion) bool { return r.missing != "" })
	if all || whole {
		d.judge()
	}
}

// judge decides what can be adopted, and reads what else is needed for that.
func (d *driver) judge() {
	c := d.collecting
	if c == nil || c.plan != nil {
		return
	}
	c.plan = judge(d.graph, d.regions, c.numbers, c.found)
	if !slices.ContainsFunc(c.plan, func(r *foundRegion) bool { return r.missing == "" }) {
		d.collected()
		return
	}
	plan := c.plan
	d.later(func() any {
		var r adoptionRead
		r.err = d.patiently(func() (err error) {
			r.adoption, err = d.readAdoption(plan)
			return err
		})
		return r
	})
}

// readAdoption runs beside the driver. It also makes durable what enumerators have found and the leader before may not
// have stored.
func (d *driver) readAdoption(plan []*foundRegion) (adoption, error) {
	var a adoption
	var err error
	for _, r := range plan {
		for _, v := range slices.Sorted(maps.Keys(r.enumerator)) {
			e := r.enumerator[v]
			if r.missing != "" || e.Assigned == nil {
				continue
			}
			if err := d.store.storeEnumerator(d.ctx, v, e.Assigned.State); err != nil {
				return a, err
			}
		}
	}
	if a.next, err = d.store.reserve(d.ctx); err != nil {
		return a, err
	}
	if a.latest, _, err = d.store.latest(d.ctx); err != nil || a.latest == nil {
		return a, err
	}
	retained := retainedOf(a.latest)
	a.manifest, err = d.store.manifest(d.ctx, retained[len(retained)-1])
	return a, err
}

// adoptionRead goes on with what was read. Without the last checkpoint's manifest nobody knows what there is to commit: the
// job restarts, from an older one if it must.
func (d *driver) adoptionRead(e adoptionRead) {
	if d.collecting == nil {
		return
	}
	if e.err != nil && !isDamaged(e.err) {
		d.ok("take the job over", e.err)
		return
	}
	if e.err != nil {
		for _, r := range d.collecting.plan {
			r.lacks("%s", e.err)
		}
	}
	d.collecting.restore = e.adoption
	d.collected()
}

// lostInventory notes that a task manager is gone that may have told of tasks.
func (d *driver) lostInventory(id types.TaskManagerID) {
	c := d.collecting
	delete(c.found, id)
	for _, r := range c.plan {
		for _, t := range r.ids() {
			if r.tasks[t].on.TaskManager == id {
				r.lacks("task %s was on task manager %s, which is lost", t, id)
			}
		}
	}
}

// collected has the lifecycle go on, which adopts what it can. Then what was said meanwhile counts, and what was not
// adopted ends.
func (d *driver) collected() {
	c := d.collecting
	d.collecting = nil
	e := lifecycle.Collected{Attempt: d.floor}
	for _, r := range c.plan {
		e.Regions = append(e.Regions, lifecycle.CollectedRegion{Number: r.number, Tasks: r.states(), Missing: r.missing})
	}
	d.adopting = c
	d.step(e)
	d.adopting = nil
	d.inventoriedAll(c.found)
	for _, s := range c.said {
		d.message(s.msg)
	}
	if d.at != nil {
		d.reconsider()
		d.remember()
	}
}

// stopCollecting gives the search up, because the job is to end.
func (d *driver) stopCollecting() {
	c := d.collecting
	d.collecting = nil
	d.inventoriedAll(c.found)
}

func (d *driver) inventoriedAll(found inventories) {
	for _, id := range slices.Sorted(maps.Keys(found)) {
		d.inventoried(inventoried{id, found[id]})
	}
}

// remember goes after a parallelism that a user asked the leader before for, and that is not there yet.
func (d *driver) remember() {
	if d.rec.Parallelism == 0 && len(d.rec.VertexParallelism) == 0 {
		return
	}
	could, report := scheduler.Schedule(d.l.registry.cluster(d.store.job), d.graph, d.previous, d.l.jm.Policy)
	for v, width := range d.at.widths {
		if report.Unplaced() == 0 && could.Parallelism[v] != int(width) {
			d.step(lifecycle.RescaleRequested{Reason: "rescale was asked for: " + describeParallelism(d.rec)})
			return
		}
	}
}

// adoptRegions makes regions this leader's as they run, and settles what its predecessor left of checkpoints.
func (d *driver) adoptRegions(fx lifecycle.AdoptRegions) {
	c := d.adopting
	d.allotted = allotment{attempt: fx.Attempt, next: c.restore.next}
	d.at = newAttempt(d.allotted, d.regions, d.l.unique())
	d.previous = scheduler.Assignment{Tasks: make(map[types.TaskID]types.SlotID), Parallelism: make(map[types.VertexID]int)}
	tasks := 0
	for _, region := range fx.Regions {
		tasks += len(c.plan[region].tasks)
		d.adoptRegion(region, c.plan[region])
	}
	d.at.placement++
	d.l.registry.take(tenantOf(d.store.job, d.graph), d.previous.Slots())
	d.noteTakeover(fx, tasks)
	d.at.coordinator = checkpoint.New(d.adoptedConfig(fx.Regions, c))
	for _, region := range fx.Regions {
		d.assignAgain(c.plan[region])
	}
	d.settleCheckpoints(fx.Regions, c)
}

// adoptRegion enters the tasks of a region.
func (d *driver) adoptRegion(region int, r *foundRegion) {
	d.at.deploys(r.number, []int{region})
	d.at.last.deployed = true
	for id, t := range r.tasks {
		d.at.slots[id], d.at.reasons[id] = t.on, "it ran here when this job manager took over"
		d.at.live[id] = true
		d.previous.Tasks[id] = t.on
		d.at.last.restored.from.ID = types.CheckpointID(t.RestoredCheckpointId)
	}
	for v, width := range r.widths {
		d.at.widths[v] = width
		d.previous.Parallelism[v] = int(width)
	}
	d.describeTasks(d.at.last)
	for id, t := range r.tasks {
		d.view.setTaskState(id, t.State)
	}
	for _, coordinators := range []map[types.VertexID]*controlv1.CoordinatorInventory{r.enumerator, r.committer} {
		for v, c := range coordinators {
			if c.Trouble != "" {
				d.view.setVertexTrouble(d.at.number, v, c.Trouble)
			}
		}
	}
}

// noteTakeover tells people.
func (d *driver) noteTakeover(fx lifecycle.AdoptRegions, tasks int) {
	text := fmt.Sprintf("in term %d; %d tasks were adopted as they ran", d.l.term, tasks)
	if n := len(d.regions) - len(fx.Regions); n > 0 {
		text += fmt.Sprintf(", %d of %d regions restart", n, len(d.regions))
	}
	d.l.jm.Log.Info("job taken over", "job", d.store.job, "term", d.l.term, "attempt", fx.Attempt, "adopted tasks", tasks,
		"adopted regions", len(fx.Regions), "regions", len(d.regions))
	d.takeover = len(fx.Regions) < len(d.regions)
	at := d.l.jm.Clock.Now().UTC().Format(time.RFC3339)
	d.view.update(func(j *apiv1.DescribeJobResponse) { j.Takeover = at + " " + text })
}

// adoptedConfig is that of a checkpoint coordinator of tasks that run. Regions that restart stand in it with what the last
// checkpoint has of them, until they are restored.
func (d *driver) adoptedConfig(regions []int, c *collecting) checkpoint.Config {
	cfg := checkpoint.Config{
		Job: d.store.job, Attempt: d.at.number, Term: d.store.term, MaxParallelism: d.graph.KeyGroups(), Spec: d.graph.Checkpoint,
		Retained: retainedOf(c.restore.latest), NextID: c.restore.next, AllottedThrough: c.restore.next + checkpointIDsReserved - 1,
	}
	if n := len(cfg.Retained); n > 0 {
		cfg.Latest = cfg.Retained[n-1]
	}
	if len(regions) < len(d.regions) {
		cfg.NextID++ // the first is spent on what may be stuck
	}
	stored := make(map[types.VertexID]*checkpointv1.VertexState)
	for _, v := range c.restore.manifest.GetVertices() {
		stored[types.VertexID(v.VertexId)] = v
	}
	for region, ids := range d.regions {
		for _, id := range ids {
			v, s := d.graph.Vertex(id), stored[id]
			k := checkpoint.Vertex{
				ID: id, Parallelism: int32(max(len(s.GetTasks()), 1)), LargestParallelism: s.GetLargestParallelism(),
				Source: v.Source != nil, Committer: hasCommitter(v), Enumerator: s.GetEnumerator(),
			}
			if slices.Contains(regions, region) {
				c.plan[region].describe(&k)
			}
			cfg.Vertices = append(cfg.Vertices, k)
		}
	}
	return cfg
}

// describe says of a vertex what runs of it.
func (r *foundRegion) describe(v *checkpoint.Vertex) {
	v.Parallelism = r.widths[v.ID]
	for _, c := range []*controlv1.CoordinatorInventory{r.enumerator[v.ID], r.committer[v.ID]} {
		v.LargestParallelism = max(v.LargestParallelism, c.GetDeployment().GetLargestParallelism())
	}
	if e := r.enumerator[v.ID]; e.GetAssigned() != nil {
		v.Enumerator = e.Assigned.State
	} else if e != nil {
		v.Enumerator, v.Splits = e.Deployment.Enumerator, e.Deployment.Splits
	}
}

// assignAgain gives readers all splits that they were ever given, or should have been: task managers know which are new.
func (d *driver) assignAgain(r *foundRegion) {
	for _, v := range slices.Sorted(maps.Keys(r.enumerator)) {
		if e := r.enumerator[v]; e.Assigned != nil && !mutant.On(mutant.TakeoverNoSplits) {
			d.assign(e.Assigned)
		}
	}
}

// settleCheckpoints commits the last complete checkpoint, at the committers that run, and gives up what is not complete.
func (d *driver) settleCheckpoints(regions []int, c *collecting) {
	latest := types.CheckpointID(c.restore.latest.GetCheckpointId())
	adopted := checkpoint.Adopted{Manifest: c.restore.manifest}
	for _, region := range regions {
		r := c.plan[region]
		for _, id := range r.open(latest) {
			if mutant.On(mutant.AdoptedCompleted) {
				d.toRegion(region, d.completeMessage(id, d.regions[region]))
				continue
			}
			d.toRegion(region, d.abortMessage(id))
		}
		if len(regions) < len(d.regions) {
			d.unblock(region, c.restore.next)
		}
		if r.tookPart(latest) && !mutant.On(mutant.TakeoverNoCommits) {
			adopted.Vertices = append(adopted.Vertices, d.regions[region]...)
		}
	}
	d.coordinate(adopted)
	for _, region := range regions {
		for _, id := range d.at.tasks([]int{region}) {
			if c.plan[region].tasks[id].State == controlv1.TaskState_TASK_STATE_ENDED {
				d.coordinate(checkpoint.TaskEnded{Task: id})
			}
		}
	}
}

// unblock sends barriers through a region and gives the checkpoint up at once. Where a trigger of the leader before has come
// to some sources only, tasks wait for barriers of the others, and take nothing until newer ones come; checkpoints may be
// far while other regions look for slots.
func (d *driver) unblock(region int, id types.CheckpointID) {
	d.toRegion(region, d.triggerMessage(id, checkpoint.Periodic))
	d.toRegion(region, d.abortMessage(id))
}
