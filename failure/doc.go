// Package failure says what an error means to the job it happened in.
//
// An error has a class on two axes. The domain says whose it is: the user's (a bad option, an undecodable record), an
// external system's (a broker that does not answer), or ours (a bug). The retry says what helps: nothing, trying the
// call again after a while, or restarting the tasks from the last checkpoint. The class is set once, where the
// knowledge is, and travels inside the error through any wrapping; the job's lifecycle reads it, nobody else branches
// on it. An error that nobody classified is internal and restarts: the safe reading of what we did not foresee, and the
// zero value of Class.
//
// Beside the class the package has the shape of text that a user reads: Message (primary, detail, hint, place) and
// Problems, which gathers every complaint about an input before it is refused, so that a user fixes them in one go.
//
// Callers classify at the border they own and wrap with fmt.Errorf("...: %w", err) above it. Classifying again outside
// an already classified error overrides it, so do that only with better knowledge. errors.Is and errors.As see through
// everything here.
//
// The package is not a logger and holds no sentinels: those belong to the packages whose contracts they are part of.
package failure
