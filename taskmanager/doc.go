// Package taskmanager is the shell that runs tasks: it keeps one stream to the
// leading job manager, gives slots to the tasks that it is told to deploy,
// builds them from the job graph through the registries, and carries what they
// report back. What a task does is in package task, how state leaves it in
// package upload.
//
// # Goroutines
//
// One receives from the job manager and carries messages out, one sends, one
// beats the heart; each task has one (and its uploader's), each coordinator
// task has one. An attempt's goroutines end with its context; Run returns when
// all have.
//
// # Fencing
//
// A message of a lower term than the highest seen is ignored, and so is one of
// a lower attempt. A higher attempt of a job cancels the lower. When the stream
// breaks, the task manager goes on for OrphanTimeout and then cancels what it
// runs. A job manager that it comes back to in time, of the same term, goes on with
// the session, and no message of either side is lost; any other has given its tasks
// up already, so it cancels them then.
package taskmanager
