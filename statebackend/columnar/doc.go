// Package columnar is the state backend that keeps everything in memory, in
// structures without pointers, and writes snapshots as Arrow files.
//
// # Tables
//
// A Value table is a set of parts, one a namespace. A part's rows are words:
// the key's first, then the columns', in blocks of 64 Ki rows that never move
// (the first begins small and doubles). A flat hash index finds them; it grows
// by migrating a few entries for each key that is asked for, so no batch pays
// for a growth. NULL keys stand under the hash of NULL. Byte strings stand in an
// arena beside the rows, which is compacted a few rows a call once half of it
// is dead. Dropping a namespace gives blocks, index and arena to the next one;
// in steady state nothing is allocated. Timers are such rows under an index,
// and a heap of (time, slot). Lists are byte strings.
//
// A Multimap and an OrderedMap are rows in such blocks, whose deleted slots are
// reused, below a row a key: a treap in the order of a sequence number or of a byte
// string (sortedTable). One structure serves both, an iteration goes on from an order
// and so stands changes, and a key with a million rows costs twenty-odd steps. Where
// rows are looked for by their orders, an index of them is made beside (orderindex.go). A
// broadcast map is a Value table of bytes.
//
// The memory of a store's tables is bounded with that of others (OpenSpec.Budget):
// what is kept for reuse is given up first, then adding state is refused. Snapshots and the log of
// removed keys are counted in SizeBytes, but never refused: a checkpoint must
// not fail because the state is nearly full.
//
// Where a store has a Tier, rows of Value tables that did not change since the last
// freeze leave memory in blocks when it is nearly full, and come back one by one
// (tier.go, away.go; docs/design/0007-state-tier.md).
//
// # Evolution
//
// Files are read as what they say they are, so that Open needs no declaration. A declaration with other columns (Evolves) then
// recasts the rows block by block, each in its slot: what stands in front of the columns, indexes, trees and byte strings stay as they are,
// and the memory that it takes is a block's. Rows in the tier are recast when they come back. A table that
// evolved begins its files anew with a base, so a chain is of one layout, and so is what Merge folds; a chain that is not
// is refused as corrupt. Tables whose columns are the declared ones know nothing of all this.
//
// # Changes
//
// One bit a row marks what changed; a removal keeps its key; a dropped
// namespace is one record. Freeze copies marked rows in the order of their
// slots, which is all that happens while the task waits. Write sorts the copy
// by key group and encodes it, on any goroutine. Where more rows were removed from a
// namespace than are left, the delta drops it and writes what is left.
//
// # Files, format version 2
//
// Integers are little-endian.
//
//	prolog   "MRST", version (uint16), 0 (uint16)
//	section  header as JSON: kind (base, delta), task, parallelism, key groups, tables with their columns
//	section  rows ...
//	section  footer as JSON: every section of rows with its offset, and the key groups in it with their first rows
//	trailer  the footer's offset and length (uint64 each), SHA-256 of everything before it
//
// A section is 32 bytes (kind, op, table, rows, first and last key group, length, CRC-32C
// of header and payload) and a payload. The payload of rows is a whole Arrow IPC stream of one record batch,
// which ordinary tools read: key_group, op (1 put, 2 remove, 3 drop), namespace (where the table has
// namespaces), time (of timers), sequence (of a multimap's rows), order (bytes, of an ordered map's), key (the value where one column of at most 64
// bits is the key, else stream's canonical bytes), and for puts the columns of the
// table; those of multimaps and ordered maps may be NULL. The entries of a list are one column, entry. The
// rows of a broadcast map (key, value) all stand under the file's first key group. Rows are sorted by
// key group, in a table the drops first, then removals, then puts; a reader applies
// them in this order. A drop holds for the key groups of the file. A delta has all entries of each list.
//
// A column's description may have nullOf, the column of whose NULL it tells; that of a list or a broadcast map entries, the columns
// that somebody says are in the bytes of its entries or values; that of an ordered map or a broadcast map orders, the same of its orders or keys. Files without them say nothing of it, and a
// program that does not know them reads files that have them.
//
// A reader checks each section before it applies it, into a store that nobody
// sees until the last file's SHA-256 was right. Lengths are checked against
// limits before memory is taken, and memory grows with the bytes that arrive.
//
// A change of this format is a new FormatVersion, with prose here, a sample
// in testdata and a test that reads it. Version 1 differs in that it has no multimaps,
// ordered maps and broadcast maps; it is still read. A program that knows version 1
// alone refuses version 2 and names both.
//
// # What it is not
//
// It knows no files or stores: those come as statebackend.File and io.Writer.
// It starts no goroutine.
package columnar
