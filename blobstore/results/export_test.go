package results

// DecodeIndex takes an index apart.
var DecodeIndex = decodeIndex
