package csv

// callBytesMax bounds the payload bytes that one Decode takes in, so that the
// 32-bit offsets of a column can't overflow.
const callBytesMax = 512 << 20
