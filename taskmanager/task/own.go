package task

import (
	"fmt"

	"millrace/connectors"
	"millrace/failure"
	"millrace/internal/stack"
	"millrace/stream"
	"millrace/types"
)

// fault is the class of what a function or a connector of the user's throws, and of an error of such a connector that has no class: a restart may help, and the restart strategy
// says how often.
var fault = failure.Class{Domain: failure.DomainUser, Retry: failure.Restart}

// UserFailure is to be deferred where code of the user's is called: what it throws becomes an error of the user's that names it and has the stack of the user's code.
func UserFailure(err *error, what string, uid types.OperatorUID) {
	if thrown := recover(); thrown != nil {
		*err = threw(thrown, what, uid)
	}
}

// OwnFailure is UserFailure for a connector of the user's. An error that it gave no class is the user's too, for nobody else made it.
func OwnFailure(err *error, what string, uid types.OperatorUID) {
	if thrown := recover(); thrown != nil {
		*err = threw(thrown, what, uid)
		return
	}
	if *err != nil && failure.ClassOf(*err) == (failure.Class{}) {
		*err = failure.With(fmt.Errorf("%s %s: %w", what, uid, *err), fault)
	}
}

// thrownByUser carries what a part of a connector of the user's threw in a call that returns no error, up to where the task's panics are told.
type thrownByUser struct{ error }

// Unwrap returns the failure.
func (t thrownByUser) Unwrap() error { return t.error }

// rethrown is OwnFailure for calls that return no error.
func rethrown(what string, uid types.OperatorUID) {
	if thrown := recover(); thrown != nil {
		panic(thrownByUser{threw(thrown, what, uid)})
	}
}

// threw is the failure of what was thrown, for a function that recovered it and has not returned yet.
func threw(thrown any, what string, uid types.OperatorUID) error {
	return failure.With(fmt.Errorf("%s %s: %s", what, uid, stack.Panic(thrown)), fault)
}

// OwnReader returns a reader of the user's, whose failures are the user's and name the source.
func OwnReader(r connectors.Reader, uid types.OperatorUID) connectors.Reader {
	return &ownReader{r, uid}
}

type ownReader struct {
	r   connectors.Reader
	uid types.OperatorUID
}

const ofSource = "source"

func (o *ownReader) Assign(splits []connectors.SplitState) (err error) {
	defer OwnFailure(&err, ofSource, o.uid)
	return o.r.Assign(splits)
}

func (o *ownReader) NoMoreSplits() {
	defer rethrown(ofSource, o.uid)
	o.r.NoMoreSplits()
}

func (o *ownReader) Read() (b *stream.Batch, status connectors.ReadStatus, err error) {
	defer OwnFailure(&err, ofSource, o.uid)
	return o.r.Read()
}

func (o *ownReader) Finished() []int32 {
	defer rethrown(ofSource, o.uid)
	return o.r.Finished()
}

func (o *ownReader) Positions(dst []connectors.SplitState) []connectors.SplitState {
	defer rethrown(ofSource, o.uid)
	return o.r.Positions(dst)
}

func (o *ownReader) CheckpointComplete(id types.CheckpointID) {
	defer rethrown(ofSource, o.uid)
	o.r.CheckpointComplete(id)
}

func (o *ownReader) Close() (err error) {
	defer OwnFailure(&err, ofSource, o.uid)
	return o.r.Close()
}

// Began implements connectors.Locator.
func (o *ownReader) Began() string {
	defer rethrown(ofSource, o.uid)
	return began(o.r)
}

// OwnWriter returns a writer of the user's, whose failures are the user's and name the sink.
func OwnWriter(w connectors.Writer, uid types.OperatorUID) connectors.Writer {
	return &ownWriter{w, uid}
}

type ownWriter struct {
	w   connectors.Writer
	uid types.OperatorUID
}

const ofSink = "sink"

func (o *ownWriter) Ready() bool {
	defer rethrown(ofSink, o.uid)
	return o.w.Ready()
}

func (o *ownWriter) Write(b *stream.Batch) (err error) {
	defer OwnFailure(&err, ofSink, o.uid)
	return o.w.Write(b)
}

func (o *ownWriter) Prepare(id types.CheckpointID) (err error) {
	defer OwnFailure(&err, ofSink, o.uid)
	return o.w.Prepare(id)
}

func (o *ownWriter) Prepared(id types.CheckpointID) (committables [][]byte, done bool, err error) {
	defer OwnFailure(&err, ofSink, o.uid)
	return o.w.Prepared(id)
}

func (o *ownWriter) CheckpointComplete(id types.CheckpointID) {
	defer rethrown(ofSink, o.uid)
	o.w.CheckpointComplete(id)
}

func (o *ownWriter) CheckpointAborted(id types.CheckpointID) {
	defer rethrown(ofSink, o.uid)
	o.w.CheckpointAborted(id)
}

func (o *ownWriter) Close() (err error) {
	defer OwnFailure(&err, ofSink, o.uid)
	return o.w.Close()
}

// Advance implements connectors.Timed.
func (o *ownWriter) Advance(to stream.Watermark) {
	defer rethrown(ofSink, o.uid)
	if t, ok := o.w.(connectors.Timed); ok {
		t.Advance(to)
	}
}
