package kernel

// valueBytesMax is the largest text that a function makes of smaller ones by
// a number in its arguments, or by repetition: a batch should be about as large.
const valueBytesMax = 1 << 20

// jsonDepthMax is the deepest nesting of JSON that is looked into.
const jsonDepthMax = 1_000
