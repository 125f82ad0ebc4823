package query

// NameBytesMax is the longest name of a query: with what a plan calls an operator it is a uid.
const NameBytesMax = 40
