// Package rank keeps the first rows of each partition: Top-N (ROW_NUMBER in a range of ranks), and the first or last row of each
// key.
//
// # Rank
//
// The rows stand in an ordered map by (partition, order), whose order is the ORDER BY in bytes (operators/ordering) and behind it
// the number that the row had on its arrival in the partition. Beside it a value table has a row a partition: how
// many rows there are, the next number, and how the order of the last row in the ranks begins. The strategies are
// Flink's (AppendOnlyTopNFunction, UpdatableTopNFunction, RetractableTopNFunction), the algorithm is not: Flink moves row by row
// through the ranks behind a change; here a batch is one change of each partition.
//
//   - A batch's keys are looked up in the partitions' table at once. A row whose order is behind the last rank of a
//     full partition ends there, at the price of a look-up and a comparison of eight bytes: of a Top-N over appended rows these
//     are nearly all.
//   - The rest is grouped by partition, and worked on some partitions at a time, whose ranks before the batch are read in one
//     scan. What they are afterwards is merged in memory (AppendFast, UpdateFast) or read again (Retract). The difference is the
//     output: rank by rank where the rank is given, and where it isn't only the rows that enter or leave. So a row that is
//     pushed from rank 3 to rank 4 costs nothing there.
//   - Without the rank, an AppendFast reads no ranks but as many rows of the partition's end as new ones come.
//   - A Retract has all rows in its table. It reads the ranks of those partitions only in which something happens
//     before the last rank or there is room. A row that is taken back is found by the hash of its columns, in an ordered map that
//     says with which arrival it stands in the order: Flink searches all rows of equal order, of which there may be any number.
//
// What ranks are given for is read whole: N rows of memory for each partition in work, and O(N) for each change of it.
// A -U stands directly in front of the +U of its rank, so that the upsert key (partition, rank) is changed in order. (Flink 2.3
// takes an updated row's old rank back before it gives the new one; here the two are changes of two keys.)
//
// In windows the end of the window is the first column of the order, and the namespace in the partitions' table. Nothing is
// given before the watermark closes the window; rows that come later are late, and those that are given leave the tables as they are. Behind FinalOnly the same code keeps
// the rows, and gives them at the end of the input.
//
// A partition that has not changed for the TTL is as good as absent, with all its rows, and forgotten by a sweep
// of some partitions a batch. (Flink lets each rank of a partition go by itself.)
package rank
