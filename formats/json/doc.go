// Package json is the JSON format: objects to rows and back, with the meaning
// that Flink's json format gives them, straight between bytes and columns.
//
// # Decoding
//
// A plan is made once from the projected schema. For each record the decoder
// guesses that keys come in the order of the record before, as they do in
// practice: a guess is checked by comparing two words, a miss costs a look-up.
// A wanted value is converted where it stands, by the plan's op, and appended
// to its column. An unwanted one is skipped: the decoder finds its end and
// looks no closer. Nothing is allocated for a record, save for those with a key
// twice.
//
// How values convert:
//
//   - TINYINT to BIGINT take numbers and strings that hold an integer between
//     blanks; INT and BIGINT cut fractions off numbers (not off strings). Out of
//     range is refused.
//   - FLOAT and DOUBLE take numbers and what Java's parseDouble takes as text,
//     NaN and Infinity among it. Too large is infinite.
//   - DECIMAL takes numbers and text, rounds half up, and is NULL beyond its
//     precision.
//   - BOOLEAN takes true, false, and text or numbers, which are true if they
//     spell true in any case.
//   - CHAR and VARCHAR take any value: the text of a scalar as it stands, the
//     compact JSON of an object or array. Lengths are not enforced.
//   - BINARY and VARBINARY take base64.
//   - DATE, TIME and timestamps take text in the form of the options, with 0 to 9
//     digits of fraction, cut to the type's precision. As in Java's resolver, a
//     SQL timestamp may name the 31st of any month (its last day is meant) and
//     24:00:00.
//   - ROW and MAP take objects, ARRAY takes arrays. MAP keys are text.
//   - null, and a field that is missing, are NULL; in a NOT NULL column they are
//     refused.
//
// Of a key that stands twice in an object the last value counts. \u escapes
// that are half of a surrogate pair become ?, as Java encodes them. A record is
// refused with the column, the byte and the reason, and leaves no part of itself
// in the columns. An empty payload yields no row.
//
// # Where it differs from Flink
//
//   - Bytes that are not UTF-8 become U+FFFD in wanted text, one for each longest
//     malformed piece, as Java decodes; Flink's parser refuses such a record.
//   - Control characters that stand unescaped in wanted strings are refused, as
//     JSON says, unless json.allow-unescaped-control-chars is set; Flink takes them.
//   - Anything but blanks behind the object is refused; Flink does not look.
//   - An object or array is refused for BOOLEAN; Flink makes it false.
//   - Of a key that stands twice Flink (with its streaming parser, the default)
//     may stop before the last.
//   - NULL in a NOT NULL column is refused here; Flink lets it through.
//   - Timestamps are cut to the type's precision; Flink keeps all digits.
//   - In an object or array that becomes text, a key that stands twice stays twice.
//   - A record that is an array of objects is refused, as by Flink's default parser.
//
// # Where it differs from encoding/json
//
// Unread values are skipped: strings to their closing quote, objects and arrays
// by counting brackets, so that malformed bytes inside go unseen. Keys match
// exactly, not in any case. Nesting stops at 1,000, not 10,000. A record must be
// an object. Half a surrogate pair is ?, not U+FFFD, and a malformed piece of
// UTF-8 one U+FFFD, not one a byte. The fuzz targets hold the decoder to
// agreement in everything else.
//
// # Encoding
//
// Fields in the order of the columns, text as Jackson writes it: quotes,
// backslashes and control characters escaped and nothing else, malformed UTF-8
// as U+FFFD. Doubles are written as Java 19 and later print them (1.0, 1.0E10, the
// shortest digits; NaN and Infinity as text), decimals as BigDecimal's toString
// or toPlainString, timestamps without trailing zeros of the fraction. JSON has
// no form for a retraction: a row of kind -U or -D is an error of the user.
//
// The package is not a JSON library: it has no tree, no path, no schema inference.
package json
