// Package changelog turns one kind of changelog into another.
//
//   - Normalize takes changes by key, some of which may be said twice, or take back what nobody has, as the log of a database or
//     a compacted topic gives them: an upsert changelog in, whole rows by key out, retract or upsert. It keeps the last row of each key
//     (operators/keyed), as Flink's ChangelogNormalize does. A deletion may have the key's columns alone; the row that is taken
//     back is the one that is kept. Rows that the filter leaves out are as good as deleted.
//   - Materialize takes rows that are told apart otherwise than by the sink's primary key, out of order among those with one
//     primary key, and gives an upsert changelog by it. It keeps all rows of each primary key by their arrival; the last one
//     counts, and when it goes, the one before it. That is Flink's SinkUpsertMaterializer, but for one point: a row that comes
//     again under the upsert key goes behind the others and counts, as it does in the sink; Flink keeps its old place, and the
//     next deletion may show a row that is gone.
//   - DropUpdateBefore leaves -U out, for a consumer to which the +U says by its key what it takes back. Where a -U may be alone (a
//     condition kept one half of an update, or the key itself has changed), it is given the consumer's key: a -U goes if the next row of the batch has its
//     key, and is a -D otherwise. So the consumer's last row of a key is right, and most updates are one row; Flink gives such consumers both.
//
// # Costs
//
// Normalize is one look-up and one typed loop a column for a batch. Materialize reads the rows of all primary keys of a batch, which are
// one or two each where the query is made well; a primary key with n rows costs reading them for each batch that has it, and n
// comparisons of a hash for each row of it.
//
// A row that takes back what is not there is counted (Counts.Expired) and passed over, as Flink does.
package changelog
