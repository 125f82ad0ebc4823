// Package codec converts job graphs between Go and protobuf, and reads the
// JSON files in which people write them.
//
// FromProto is the border at which a graph from elsewhere becomes ours: it
// never panics, whatever the message, it bounds what it builds (limits.go), and
// reports everything that it finds wrong at once, each problem with its vertex
// and field. It answers only whether the message is a graph at all; whether the
// graph can run is jobgraph.Validate's question.
//
// A graph that went through ToProto and FromProto is equal to the one before,
// but for the difference between nil and empty slices and maps.
package codec
