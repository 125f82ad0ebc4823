package sim

import (
	"encoding/json"
	"strings"
	"time"

	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// timeLayout is the JSON format's.
const timeLayout = "2006-01-02 15:04:05.999999999"

// outputs holds what all jobs have written against the model: each by itself, or where one begins at a savepoint of another,
// with what that one wrote before it.
func (o *oracle) outputs() {
	first := o.jobs[0]
	for n := range o.w.faults.regions {
		whole := o.records(first.topic(n), first.id)
		if len(o.jobs) == 1 {
			o.output(first.topic(n), first.stopped(), false, whole)
			continue
		}
		second := o.jobs[1]
		of, s := o.savepointAt(o.w.user.from)
		if of != first {
			o.violate("savepoint", "%s begins at %q", second.id, o.w.user.from)
			return
		}
		before := until(whole, s.id)
		if o.w.faults.stop == stopNot {
			o.output(first.topic(n), first.stopped(), false, whole)
		} else if len(before) < len(whole) {
			o.violate("output", "%s: %d records are committed behind the savepoint with which the job was stopped", first.topic(n), len(whole)-len(before))
		}
		o.output(second.topic(n), second.stopped(), s.drained, before, o.records(second.topic(n), second.id))
	}
}

func (j *watched) stopped() bool { return j.end.Phase == checkpointv1.JobPhase_JOB_PHASE_STOPPED }

// records returns what a consumer of committed records sees that a job has written.
func (o *oracle) records(topic string, of types.JobID) (out []record) {
	for _, r := range o.w.kafka.committed(topic) {
		if strings.HasPrefix(r.of.id, sinkPrefix+"."+string(of)+".") {
			out = append(out, r)
		}
	}
	return out
}

// until returns the records that were committed with checkpoints up to one.
func until(rs []record, id types.CheckpointID) (out []record) {
	for _, r := range rs {
		if r.of.marker != nil && r.of.marker.Offset <= int64(id) {
			out = append(out, r)
		}
	}
	return out
}

// output holds what jobs that follow each other have written against the model. complete says that nothing may be missing;
// drained, that windows were closed before their time: whoever reads on adds to them.
func (o *oracle) output(name string, complete, drained bool, parts ...[]record) {
	seen := make(map[windowKey]result)
	for _, part := range parts {
		for _, record := range part {
			var r result
			if err := json.Unmarshal(record.value[1:], &r); err != nil {
				o.violate("output", "%s: %q: %v", name, record.value, err)
				return
			}
			start, err := time.Parse(timeLayout, r.Start)
			k := windowKey{r.Auction, start.UnixMilli()}
			before, twice := seen[k]
			if twice && drained {
				r.add(before)
				twice = false
			}
			switch {
			case err != nil:
				o.violate("output", "%s: %v", name, err)
			case o.model[k] == nil:
				o.violate("output", "%s: unexpected: %+v", name, r)
			case twice:
				o.violate("output", "%s: twice: %+v", name, r)
			}
			seen[k] = r
		}
	}
	o.fits(name, complete, seen)
}

func (o *oracle) fits(name string, complete bool, seen map[windowKey]result) {
	missing, wrong := 0, 0
	for k, f := range o.model {
		switch r, ok := seen[k]; {
		case !ok && f.bids > 0:
			missing++
		case ok && !f.fits(r):
			wrong++
		}
	}
	if wrong > 0 {
		o.violate("output", "%s: %d windows are wrong", name, wrong)
	}
	if missing > 0 && complete {
		o.violate("output", "%s: %d windows are missing", name, missing)
	}
}
