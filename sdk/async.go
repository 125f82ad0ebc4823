package sdk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/jobgraph"
	"millrace/operators/native"
)

// Calls says how an async function is called. The zero value calls it for 100 rows at a time, gives them a minute each, gives the results in the order of the rows,
// and fails the job with the first error.
type Calls[T, U any] struct {
	// Capacity is how many rows of one task may be under way at a time: from a row's first call until its results have left. No more calls than that run
	// beside each other. While as many are under way, rows wait in front of the function; 0 is 100.
	Capacity int
	// Timeout is how long one call may take; 0 is a minute. Then its context is cancelled, and it has failed with ErrTimeout. A function that does not return
	// all the same goes on taking the place of a call.
	Timeout time.Duration
	// Retries is how many further calls follow one that failed, each RetryDelay after the failure of the one before.
	Retries    int
	RetryDelay time.Duration
	// Retry tells of an error whether another call could do better; nil: every error is worth one.
	Retry func(error) bool
	// Unordered lets results leave as soon as they are there, though not past a watermark: what was on time in front of the function is so behind it. Otherwise
	// they leave in the order of their rows.
	Unordered bool
	// Otherwise says what stands in for the results of a row whose last call has failed: rows, or none, or an error, which fails the job. nil: the error of
	// the call fails the job. It is called by the task and must not block.
	Otherwise func(row T, err error) ([]U, error)
}

// ErrTimeout is the error of a call that took longer than it may.
var ErrTimeout = errors.New("there was no answer in time")

// Async makes a row of each row by a function that may wait: for a service, a database, a disk. Many calls run beside each other, so f must be safe for
// that. It must return soon when its context is cancelled, gives an error where there is no result, and must not change what slices, maps and pointers of the row lead to: the row
// is kept for another call, and for checkpoints.
//
// Each row's results are in the stream once, even when the job fails and restarts; but the service may be asked again: rows that are under way at a checkpoint are
// a part of it, and are asked for again after a restart. They are found by the uid.
func Async[T, U any](s *Stream[T], uid string, f func(ctx context.Context, row T) (U, error), calls Calls[T, U], options ...Option) *Stream[U] {
	return AsyncFlatMap(s, uid, func(ctx context.Context, row T) ([]U, error) {
		made, err := f(ctx, row)
		if err != nil {
			return nil, err
		}
		return []U{made}, nil
	}, calls, options...)
}

// AsyncFlatMap is Async with any number of results for a row.
func AsyncFlatMap[T, U any](s *Stream[T], uid string, f func(ctx context.Context, row T) ([]U, error), calls Calls[T, U], options ...Option) *Stream[U] {
	if !s.ok() {
		return broken[U](s.env)
	}
	m := mappingOf[U](s.env)
	if m == nil {
		s.refused()
		return broken[U](s.env)
	}
	n := s.env.stateful("async", uid, options, s.forward())
	calls.check(n, s.changes)
	waiting := jobgraph.NativeTable{Name: waitingTable, Shape: jobgraph.NativeList, Columns: columnsOfState(s.mapping)}
	spec := &jobgraph.NativeSpec{Inputs: []jobgraph.NativeInput{s.input()}, Output: m.Schema, Tables: []jobgraph.NativeTable{waiting}}
	n.native(spec, func() native.Function {
		return &async[T, U]{guard: guardOf(n), tile: s.tile(), in: s.mapping, f: f, calls: calls, out: newCollector[U](m)}
	})
	out := streamOf[U](n, 0, m)
	out.changes = s.changes
	return out
}

// waitingTable is the name of the table of the rows that are under way.
const waitingTable = "waiting"

// Bounds and defaults of calls.
const (
	asyncCapacity    = 100
	asyncCapacityMax = 100_000
	asyncRetriesMax  = 1_000
	asyncTimeout     = time.Minute
)

// check completes the calls, and notes what can't be.
func (c *Calls[T, U]) check(n *node, changes bool) {
	if c.Capacity == 0 {
		c.Capacity = asyncCapacity
	}
	if c.Timeout == 0 {
		c.Timeout = asyncTimeout
	}
	switch {
	case c.Capacity < 0 || c.Capacity > asyncCapacityMax:
		n.refuse(fmt.Sprintf("a capacity of %d rows", c.Capacity), fmt.Sprintf("it is from 1 to %d, or 0 for %d", asyncCapacityMax, asyncCapacity))
	case c.Timeout < time.Millisecond:
		n.refuse(fmt.Sprintf("a timeout of %s", c.Timeout), "it is a millisecond at least, or 0 for a minute")
	case c.Retries < 0 || c.Retries > asyncRetriesMax:
		n.refuse(fmt.Sprintf("%d retries", c.Retries), fmt.Sprintf("there are from 0 to %d", asyncRetriesMax))
	case c.RetryDelay < 0:
		n.refuse(fmt.Sprintf("a delay of %s between calls", c.RetryDelay), "")
	case c.Unordered && changes:
		n.refuse("the rows of a stream with updates leave in their order", "leave Unordered out")
	}
}
