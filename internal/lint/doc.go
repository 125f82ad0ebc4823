// Package lint holds the house rules that a machine can check, as tests.
//
//   - imports_test.go: the graph of folders is a golden file, testdata/imports. A new arrow is a line that somebody adds
//     and defends; run with -rewrite, read the diff, say why in the commit.
//   - floors_test.go: what no golden file may allow: imports go downwards, roots name no implementation, control touches
//     no row, a third-party library lives in one room.
//   - pure_test.go: the rooms that decide have no goroutines, channels, locks, clocks, files or chance of their own.
//   - sizes_test.go: functions of more than 80 lines and files of more than 800 are on a list that only shrinks.
//   - hygiene_test.go: writes to etcd that no leader's term fences, sleeping tests, tests skipped without a reason, paths
//     of one machine.
//
// Each checker is a function from parsed source to complaints, and has a test with planted violations: a rule that
// finds nothing must be known to find something. golangci-lint (.golangci.yml) has the rules that are not ours alone.
package lint
