// Package progress shows what a job does while somebody looks: rows a second in and out, how far event time is, the last
// checkpoint, restarts, and what is wrong.
//
// Figures is the memory of a watch and decides what there is to say; it knows no terminal and no clock, only the events
// and the times that they carry. Screen writes it: on a terminal one line that is written over, with what happened (a
// state, a restart, a failed checkpoint) above it; elsewhere a line every few seconds.
package progress
