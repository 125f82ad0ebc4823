package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"millrace/jobmanager"
	"millrace/jobmanager/coord/etcd"
	apiv1 "millrace/proto/millrace/api/v1"
)

// candidate is a job manager of a local cluster with its own session in etcd.
type candidate struct {
	*JobManager
	coord *etcd.Store
}

// Close ends both.
func (j *candidate) Close() error { return errors.Join(j.JobManager.Close(), j.coord.Close()) }

// startJobManager starts another job manager, which campaigns behind those that there are.
func (c *Cluster) startJobManager(ctx context.Context, listen string) error {
	coord, err := etcd.Open(etcd.Options{Endpoints: []string{c.etcd.Endpoint()}, Cluster: c.Cluster, SessionTTL: c.SessionTTL})
	if err != nil {
		return err
	}
	j, err := StartJobManager(ctx, listen, jobmanager.Options{
		Cluster: c.Cluster, Version: c.Version, Coord: coord, Store: c.store, Place: c.store.Place, Probe: c.store.Probe, Known: c.Wiring.Known(),
		CheckJob: c.Wiring.CheckJob, Tables: c.Wiring.Tables(c.store), Policy: c.Policy, Rescale: c.Rescale, Retention: c.Retention, Scrub: c.Scrub,
		Metrics: c.metrics, Clock: c.Clock, Log: c.Log,
	})
	if err != nil {
		return errors.Join(err, coord.Close())
	}
	c.mu.Lock()
	c.mu.candidates = append(c.mu.candidates, &candidate{j, coord})
	c.mu.Unlock()
	return nil
}

func (c *Cluster) addresses() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addressesLocked()
}

func (c *Cluster) addressesLocked() (out []string) {
	for _, j := range c.mu.candidates {
		out = append(out, j.Address())
	}
	return out
}

// Depose ends the job manager that leads, which gives the leadership up, and starts it
// again: it campaigns behind the others.
func (c *Cluster) Depose(ctx context.Context) error {
	d, err := c.Describe().DescribeCluster(ctx, &apiv1.DescribeClusterRequest{})
	if err != nil {
		return err
	}
	c.mu.Lock()
	i := slices.IndexFunc(c.mu.candidates, func(j *candidate) bool { return j.Address() == d.Leader })
	if i < 0 {
		c.mu.Unlock()
		return fmt.Errorf("the leader %s is none of this cluster", d.Leader)
	}
	j := c.mu.candidates[i]
	c.mu.candidates = slices.Delete(c.mu.candidates, i, i+1)
	c.mu.Unlock()
	return errors.Join(j.Close(), c.startJobManager(ctx, d.Leader))
}
