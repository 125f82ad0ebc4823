// Package sqltest has what tests of SQL on a cluster share: a cluster inside the process whose task managers die when they are told to, sessions
// with a catalog of their own, and jobs whose rows are taken as they come.
//
// A Query owns the goroutine that fetches its rows; Drop, or the end of the job, ends it.
package sqltest
