package script

import "time"

const (
	// variablesMax bounds how many places of a text name variables.
	variablesMax = 10_000
	// cancelTimeout is how long the job of a query that nobody wants any longer may take to be told.
	cancelTimeout = 5 * time.Second
)
