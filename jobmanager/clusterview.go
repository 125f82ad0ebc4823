package jobmanager

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// DescribeCluster implements apiv1.ClusterServiceServer.
func (j *JobManager) DescribeCluster(context.Context, *apiv1.DescribeClusterRequest) (*apiv1.DescribeClusterResponse, error) {
	l, err := j.leader()
	if err != nil {
		return nil, err
	}
	resp := &apiv1.DescribeClusterResponse{
		Cluster: j.Cluster, Leader: j.Address, Term: uint64(l.term), Since: timestamppb.New(l.since), Version: j.Version,
	}
	for _, m := range l.registry.members() {
		resp.TaskManagers = append(resp.TaskManagers, l.registry.describe(m))
	}
	for _, d := range l.drivers() {
		job := d.view.describe()
		if job.WaitingFor != "" {
			resp.Waiting = append(resp.Waiting, &apiv1.WaitingJob{JobId: job.Summary.JobId, Name: job.Summary.Name, Reason: job.WaitingFor})
		}
	}
	return resp, nil
}

// describe shows a member and who has its slots.
func (r *registry) describe(m *member) *apiv1.TaskManagerDescription {
	d := &apiv1.TaskManagerDescription{
		TaskManagerId: string(m.id), DataAddress: m.dataAddress, Labels: m.labels, Joined: timestamppb.New(m.since),
		Slots: make([]string, m.slots), SlotStateBytes: m.stateBytes, Builds: m.builds,
	}
	m.mu.Lock()
	d.LastHeartbeat, d.Leaving, d.Trouble = timestamppb.New(m.mu.beat), m.mu.leaving, cmp.Or(m.mu.trouble, m.mu.own)
	m.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range d.Slots {
		owner := r.mu.slots[types.SlotID{TaskManager: m.id, Index: int32(i)}]
		d.Slots[i] = string(owner.job)
		if owner.exclusive {
			d.Exclusive = string(owner.job)
		}
	}
	return d
}
