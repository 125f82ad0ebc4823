package kernel

import "errors"

// What rows fail of, for users.
var (
	errPosition = errors.New("array positions begin at 1")
	errElements = errors.New("the array has more than one element")
)
