package kafka

import (
	"slices"

	"millrace/types"
)

// This file is the committer's judgement: the two tables of
// docs/design/0002-kafka-transactions.md. It knows nothing of how answers come.

// endVerdict is what an answer to EndTxn means.
type endVerdict uint8

const (
	// endDone: the decision is durable; the marker confirms it.
	endDone endVerdict = iota
	// endBusy: an end of this id is in progress; the same request again.
	endBusy
	// endDoubt: the answer says nothing of the outcome; the same request again.
	endDoubt
	// endRefused: definitive, and either way: the marker decides.
	endRefused
	// endForbidden: somebody has to allow it first.
	endForbidden
)

var (
	refusals = []int16{
		codeInvalidTxnState, codeProducerFenced, codeInvalidProducerEpoch, codeInvalidProducerIDMap, codeUnknownProducerID,
		codeTransactionalIDAbsent, codeTransactionAbortable,
	}
	prohibitions = []int16{29, 30, 31, 35, 53} // authorization failures; no common version
)

// judgeEnd reads the code of an answer to EndTxn(commit).
func judgeEnd(code int16) endVerdict {
	switch {
	case code == codeNone:
		return endDone
	case code == codeConcurrent:
		return endBusy
	case slices.Contains(refusals, code):
		return endRefused
	case slices.Contains(prohibitions, code):
		return endForbidden
	}
	return endDoubt
}

// markerVerdict is what a marker means.
type markerVerdict uint8

const (
	// markerConfirmed: the transaction is committed, and can be read.
	markerConfirmed markerVerdict = iota
	// markerUnstable: it is about to change; again.
	markerUnstable
	// markerUnknown: there was no proper answer; again.
	markerUnknown
	// markerLost: the transaction is not committed and never will be.
	markerLost
	// markerInDoubt: it is so long ago that nothing can be known.
	markerInDoubt
	// markerContradicts: a commit that was answered with success is not there.
	markerContradicts
)

// judgeMarker reads a marker for a transaction of a checkpoint. done tells that
// EndTxn was answered with success rather than refused; old, that marker and id
// may have been forgotten by the broker.
func judgeMarker(m Marker, code int16, checkpoint types.CheckpointID, done, old bool) markerVerdict {
	switch {
	case code == codeUnstableOffset:
		return markerUnstable
	case code != codeNone:
		return markerUnknown
	case m.Offset >= 0 && types.CheckpointID(m.Offset) >= checkpoint:
		return markerConfirmed
	case old:
		return markerInDoubt
	case done:
		return markerContradicts
	}
	return markerLost
}
