package metrics

// ScopesMax bounds how many tasks and jobs one Registry publishes. Beyond it a scope still counts, and Snapshot and
// Prometheus do not show it: a cluster must not fail because its metrics do not fit.
const ScopesMax = 100_000

// FunctionsMax bounds how many functions one scope may register.
const FunctionsMax = 1000
