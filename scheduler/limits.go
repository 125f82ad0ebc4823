package scheduler

// namesShown bounds how many task managers a reason names.
const namesShown = 8
