package sdk

import "millrace/cmd/command"

// Main makes the user's binary a millrace binary that has the job: `mybin submit --cluster ...` describes and submits it, `mybin taskmanager` runs tasks of it, `mybin run`
// runs it in this process, `mybin explain` shows what it is made of; every other command is that of millrace. It does not return.
//
// The job may be described many times in a process; see the package comment on what it may depend on.
func Main(job func(*Env), options ...MainOption) {
	command.Main(command.Options{Program: ProgramOf("", job, options...)})
}

// MainOption says something of the program.
type MainOption func(*mainOptions)

type mainOptions struct {
	version string
	own     connected
}

// Version is what the program says of itself, for people.
func Version(text string) MainOption { return func(o *mainOptions) { o.version = text } }
