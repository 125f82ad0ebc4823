package scheduler

const (
	// namesShown bounds how many task managers a reason names.
	namesShown = 8
	// shortBuild is how many digits of a build people are shown.
	shortBuild = 12
)
