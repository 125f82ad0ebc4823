// Package script carries a SQL script out: each statement by the session, and what the session leaves to others (jobs to submit and await,
// rows to fetch) on a cluster. Answers go to one writer in the form that was asked for, what happens to another.
package script
