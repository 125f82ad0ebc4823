// Package ordering knows how the order that SQL gives rows becomes bytes, so that comparing these bytewise is
// comparing the rows. Tables of state order rows by such bytes (statebackend.Orders), and whatever sorts rows without a
// table compares them too: Top-N, ORDER BY, OVER.
//
// # The bytes
//
// A column is a byte that tells NULL from values and then the value; a DESC column's bytes are turned over, but for
// NULL, which stands where NULLS FIRST or LAST says: it is 0x00 or 0xFF, and no value begins with either.
//
//	integers, times, BOOLEAN, DECIMAL   0x80 + n and the n last bytes of the value, n as small as it may be; below
//	                                    zero 0x7F - n, and the n last bytes of the two's complement
//	FLOAT, DOUBLE                       0x80, then 4 or 8 bytes; -0 is 0, and NaN, of which there is one, is the greatest
//	strings, binary                     0x80, the bytes with 0x00 0x01 for 0x00, and 0x00 0x00
//
// Small numbers are short, so that a table's first eight bytes, which decide most of its comparisons, reach
// into what follows, and an INT that a later version of a query makes a BIGINT keeps its place. The byte for NULL is there
// whatever the type says, for the same reason. The idea of tags that carry sign and length is that of the
// keys of FoundationDB's tuples and of CockroachDB.
//
// The bytes are durable: they stand in checkpoints. testdata/bytes.golden has them.
package ordering
