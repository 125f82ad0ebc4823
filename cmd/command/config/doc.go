// Package config reads what a millrace process is told: flags over environment over a YAML file, under Flink's names
// where Flink has one.
//
// Spec declares every key once; there are no others. A key that is not declared is an error that names the nearest one
// that is, wherever it came from, and every problem says where its value stands. In the file keys may be nested or
// dotted. In the environment a key is in capitals, with _ for every dot and dash, behind MILLRACE_:
// MILLRACE_TASKMANAGER_NUMBEROFTASKSLOTS. On the command line any key is -D key=value, and the usual ones have flags of
// their own.
//
// The package decides nothing but precedence, and what a graph that leaves things open runs with (Complete). It reads
// the file and the environment once, in Load, and is not consulted afterwards: a Config is immutable.
package config
