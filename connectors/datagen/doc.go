// Package datagen is a source of made-up rows, with the options of Flink's
// connector of that name: each column is random within bounds, or counts up.
//
// # The rows
//
// Row n is a function of n, of the option seed and of the columns' names alone,
// so that any row can be made at any time, in any task, and a restart repeats
// it. Splits take the rows in turn; a split's position is the number of its next
// row. Row n is due n/rows-per-second after the first start of the job, and no
// sooner: what a column says of the present (a TIMESTAMP, the DATE) is that time.
//
// Columns are random unless fields.<column>.kind says sequence. The fields of a
// ROW are addressed as fields.<column>.<field>, the elements of an ARRAY as
// fields.<column>.element, keys and values of a MAP as fields.<column>.key and
// .value. Text is of hexadecimal digits.
//
// The source ends behind number-of-rows, or with the first of its sequences,
// also of one that nobody reads.
//
// # Where it differs from Flink
//
//   - The rows of one seed are the same at every run; Flink's differ.
//   - Random FLOAT and DOUBLE begin at 0 and end at the largest value; those and
//     DECIMAL have 64 random bits.
//   - Of a DECIMAL, min and max are decimal, and the default is every value of the type.
//   - A TIMESTAMP is the time at which its row is due, in UTC, less what
//     fields.<column>.max-past allows.
//
// # Goroutines
//
// A reader owns one, its alarm; Close ends it.
package datagen
