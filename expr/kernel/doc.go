// Package kernel evaluates expressions on whole vectors.
//
// Compile checks a tree, folds its constants and binds every node to kernels
// for its types; the Program then runs over batches. A kernel is a loop over
// slices of one element type: encodings, NULLs and selections are settled
// before it, so that it has neither branches on them nor calls in it. Constants
// stay one value; a function with a single dictionary argument runs over the
// distinct values; a column reference costs nothing.
//
// # Selections
//
// Cheap kernels that can't fail run over all physical rows. What is dear or can
// fail runs over the selected rows only, and the right side of AND and OR, the
// branches of CASE and the arguments of COALESCE see only the rows that reach
// them: a row that a guard keeps out never causes an error.
//
// # Semantics
//
// They are Flink's; docs/semantics.md settles the doubtful points and names
// the tests that guard them.
//
// # Ownership and concurrency
//
// A Program is for one goroutine: it keeps scratch memory so that a batch costs
// no allocation beyond pooled buffers. The vectors that it returns are the
// caller's; the batch is borrowed for the call.
//
// # Sessions
//
// What a value depends on besides its arguments, the time zone, the clock and
// the seed of chance, is given by a Session. It is no place for functions with
// state that must outlive a failure.
//
// # Functions of others
//
// NewRows and NewVectors make a function of a Go func; wiring registers it with
// expr.Registry as Signature.Impl.
package kernel
