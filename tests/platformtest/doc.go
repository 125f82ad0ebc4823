// Package platformtest is what the proofs from outside share: a platform of real processes (three servers of etcd, an S3
// server, a Kafka broker, job managers and task managers), the main job on it as its clients see it, input whose every record
// is a function of its number, and the model that the output must be.
//
// It shares nothing with the engine but topics, figures and the public job service. Whoever uses it calls RemoveBinary and
// CloseSharedBroker behind his tests. Nothing here waits for time to pass: Await looks at conditions.
package platformtest
