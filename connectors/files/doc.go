// Package files reads and writes directories of files with a record a line.
//
// # Reading
//
// The source is bounded: at its first start it lists the files under path, with
// the length that each has then, and reads just these. Every file is a split, its
// position a byte. Readers take a piece of each of their files in turn, so that
// event time passes in all of them at about the same pace. Names that begin with a
// dot or an underscore, and those with ".inprogress" in them, are not read.
//
// # Partitions
//
// Columns that are keys stand in the names of directories and not in records, as in Hive and
// Flink: dt=2024-01-01/hm=12%3A00/part-... Characters that Hive escapes are escaped; NULL
// and text of no length are the option partition.default-name, which is read as NULL. A value
// stands there as SQL writes it. The source reads what lies below directories of all
// keys, in their order, and nothing beside them.
//
// # Writing
//
// The sink is exactly-once. What a subtask writes between two barriers goes to
// staged files, one for each directory (and one more whenever one is full or old), under
// hidden names in the table's own directory. They are on disk before the checkpoint is
// acknowledged. Once the checkpoint is complete the committer makes the directories, links the staged
// files to their final names, part-<job>-<operator>-<subtask>-<checkpoint>[-<n>], and
// removes the staged names. All of it can be repeated: a link that is there already, to
// the same file, is success. If the process dies
//
//   - before the staged files are synced: the checkpoint can't be complete; the
//     rows are read again, and Recover removes the leftovers;
//   - between that and the completion of the checkpoint: the same;
//   - after completion, before or after a directory or a link: Recover makes it, or finds it;
//   - after the staged name is removed: Recover finds the final name alone.
//
// A final file that somebody takes away in the moment between its commit and the
// next complete checkpoint can't be told from a lost one: a restore then stops and
// names it.
//
// # Complete partitions
//
// With sink.partition-commit.policy.kind, writers put how far event time was into what is
// to be committed, at each checkpoint. The committer takes the least of them, and makes the success file of
// each partition whose time has come, behind the files of that checkpoint. Partitions that wait have a
// mark, a hidden file in the table's directory. If the process dies
//
//   - before a mark is there: the commit is not confirmed, and Recover repeats it;
//   - after it: whoever commits next reads the marks;
//   - between the success file and the end of the mark: both are repeated, to the same effect.
//
// A commit that is repeated may make a mark again of a partition that is complete: its success file comes
// twice, as it does behind late rows. A job that is cancelled leaves the marks of its unfinished partitions; the next one that
// writes the table by the same operator takes them over.
//
// # Overwriting
//
// A sink that overwrites (INSERT OVERWRITE) replaces the directories of the keys into which rows go, and the one of
// partition.static even where none comes; without keys it replaces all of the table. That comes at the end of the input alone.
// Until then a commit links files to their final names below a hidden directory, .overwrite-<job>-<operator>, the collection,
// which Recover makes when the job begins. The commit that has the end of all writers' input collects its own
// files, and then goes from directory to directory of the collection: it removes what is there, hidden names and
// the names of the collection aside, and links the collection's files to their names. At last the collection is
// renamed, and removed. All of it can be repeated while the collection has its name, since that says which files stay. If
// the process dies
//
//   - before the end of the input: the table is as it was; Recover takes files of later checkpoints than the restored one out of the
//     collection, or begins it anew where there is no checkpoint;
//   - while the last files are collected: the same; Recover collects them;
//   - while old files are removed, or between that and the links: readers miss rows until Recover has removed the rest and made
//     the links; it leaves those that are there;
//   - between the links and the end of the collection: Recover finds all links, and nothing to remove;
//   - after the collection has got another name: Recover finds none, knows that all is done, and removes what is left of it.
//
// A job that falls back behind the end of the input is refused as soon as a file of the later checkpoint has its name, before anything
// of the collection is touched. A job that goes on from another's checkpoint links that one's collection into its own, which has its name when it is
// whole. A job that is cancelled leaves the table as it was, and its collection.
//
// Every path is opened below the root that the option path names; links that lead
// out of it are refused. Readers, writers and coordinator tasks must see the same
// directory: with several machines, a shared file system.
//
// # Goroutines
//
// A reader owns one that reads ahead, a writer one that writes; Close ends both.
package files
