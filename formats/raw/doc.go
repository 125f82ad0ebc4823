// Package raw is the raw format, as in Flink: the payload of a message is the
// value of the one column of the schema, a CHAR, VARCHAR, BINARY or VARBINARY.
//
// Bytes are taken as they are: a VARCHAR is not checked for UTF-8, which is the
// only charset (raw.charset); whoever needs valid text decodes into BYTES. An
// empty payload is an empty value. A missing payload yields no row, and a NULL
// value can't be encoded: a format has no way to say "no payload". Flink's raw
// format also takes numbers and BOOLEAN; this one does not.
package raw
