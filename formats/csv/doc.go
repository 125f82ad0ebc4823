// Package csv is the CSV format: records of fields between delimiters to rows
// and back, with the meaning that Flink's csv format gives them.
//
// # Decoding
//
// A payload is one record; a line end behind it is not part of it. Fields stand
// in the order of the columns, or in that of csv.columns where it is given:
// then fields that no column asks for are stepped over. A record has as many fields as
// are expected, no more and no fewer.
//
//   - A field that begins with a quote, blanks before it aside, ends with one;
//     two of them within mean one. It may contain delimiters and line breaks.
//   - With csv.escape-character the character behind that one is meant as it
//     stands, save for n, r, t and 0: line feed, carriage return, tab and NUL.
//   - Integers, DECIMAL, FLOAT, DOUBLE and BOOLEAN may have blanks around them.
//     Out of range is refused; DECIMAL rounds half up, and is NULL beyond its
//     precision; a BOOLEAN is true if it spells true in any case.
//   - CHAR and VARCHAR are the text as it stands. Malformed UTF-8 becomes U+FFFD.
//   - BINARY and VARBINARY are base64.
//   - DATE is yyyy-MM-dd, TIME HH:mm:ss, timestamps are yyyy-MM-dd HH:mm:ss with 0 to 9
//     digits of fraction, and a Z behind a TIMESTAMP_LTZ.
//   - ARRAY and ROW are a field whose elements stand between
//     csv.array-element-delimiter, with blanks around each cut off; an
//     empty field is an empty ARRAY. Elements are scalars.
//   - A field that equals csv.null-literal and is not quoted is NULL. An empty field is
//     empty text and no number.
//
// MAP has no form. An empty payload yields no row; with
// csv.allow-comments neither does one that begins with #. A record is refused with the column,
// the byte and the reason, and leaves no part of itself in the columns.
//
// # Where it differs from Flink
//
//   - The null literal in quotes is text; Flink reads NULL.
//   - Anything but blanks behind a closing quote is refused, and so is a second record in a
//     payload; Flink does not look.
//   - NULL in a NOT NULL column is refused here; Flink lets it through.
//   - A field is quoted where it must be; Flink also quotes each of more than 24 characters.
//   - What can't be written so that it is read back (a delimiter in a field
//     without quotes, an element with the element delimiter in it) is an error of
//     the user; Flink writes it.
//
// # Encoding
//
// Fields in the order of the columns, quoted where the text has a delimiter, a
// quote, the escape character, a line break or blanks at an end, or is the null
// literal. CSV has no form for a retraction: a row of kind -U or -D is an error
// of the user.
package csv
