// Package session is what a SQL session knows from one statement to the next: the current catalog and database, the options that
// are set, temporary objects. It turns a statement into an Outcome.
//
// The session is pure: catalogs come as snapshots and changes of them go out as an Outcome, and so do jobs, which it neither submits nor
// waits for. Both are the business of whoever holds the session.
package session
