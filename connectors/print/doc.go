// Package print is a sink that writes each row as a line of text, as Flink's
// print connector does: the row kind and the values, with the subtask in front
// where there are several.
//
//	+I[1, apple, 2024-01-01T10:00:00.123]
//	2> -U[7, null, 2024-01-01T10:00]
//	bids:2> +U[7, [1, 2], 2024-01-01T10:00]
//
// Rows come out when they are written, before any checkpoint: after a failure
// some come out twice. A line is written whole, however many subtasks share the
// writer.
//
// Values are Java's text of Flink's external types: timestamps as LocalDateTime
// or Instant print them, doubles as 1.0 and 1.0E10, bytes as numbers.
package print
