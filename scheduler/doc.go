// Package scheduler decides in which slot each task of a job runs, and at which
// parallelism. It is one pure function: the same cluster, graph, former
// assignment and policy give the same answer, whatever the order in which they
// were listed, and a dry run is the same call as the real one.
//
// # Slots
//
// A slot holds at most one subtask of each vertex of one slot sharing group, as in
// Flink: a group needs as many slots as its widest vertex has subtasks, and a job
// those of all its groups. Subtask i of every vertex of a group stands in the
// group's share i, and a share goes into one slot. So forward edges within a group
// stay inside a slot, and so do tasks when vertices of a job differ in parallelism.
//
// Where slots are too few and parallelism may be lowered, one number bounds every
// vertex, whatever its group: vertices of equal parallelism stay equal.
//
// # Which slot
//
// A share stays in the slot that held it; one whose slot is gone prefers its
// task manager, which has its state on local disk; any other goes to the task
// manager with the fewest shares of the job, so that a job spreads and the
// narrow vertices, which stand in the first shares, spread too. Ties go to the
// task manager with the most free slots, then to the smallest id.
//
// # What it is not
//
// It keeps no books: the caller says which slots other jobs hold. It does not
// say when to schedule anew; that is the lifecycle's.
package scheduler
