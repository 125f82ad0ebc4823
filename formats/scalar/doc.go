// Package scalar writes and reads values as text in the way of Java, whose
// classes give Flink's formats their meaning: dates, times and timestamps as
// java.time has them, decimals as BigDecimal, doubles as Double. It works on
// bytes and allocates nothing.
//
// It is not a format: how a value stands in a record (quotes, escapes, blanks),
// and what becomes of one that does not convert, is the format's business.
package scalar
