// Package operatortest runs one case of an operator in many ways that must not
// matter to its answer.
//
// A Case is an operator, an input script and the rows expected. A Variant is a
// way to run it: rows a batch, rows an output batch may have, other encodings
// and selections of the same rows, and freezes. A freeze may come between any
// two batches and, where the operator is Resumable, in the middle of the drain
// of a watermark: the state is frozen (in full or as a delta), written, read
// back by the backend that the case names, and the operator goes on from there,
// maybe in another number of tasks, to which rows are dealt out by key group as
// an exchange does. Output is asked for a batch at a time.
//
// An operator in which rows wait for something outside (operators.Holder) is woken when it asks for that: at the
// end of the script until its end has left, and wherever time passes. A freeze finds what waits in its tables.
//
// Every run goes through operators/check, ends with all memory given back, and
// balances what the operator counts.
//
// # Scripts
//
//	input 0                      rows below go to input 0 (the default)
//	+I 1 'a' 1000                a row, as package streamtest writes it
//	watermark 1000               event time advances
//	time 1000                    processing time passes; operators whose time has come are woken
//	flush                        held-back rows are asked for
//	end                          bounded input ends: the maximum watermark, Finish
package operatortest
