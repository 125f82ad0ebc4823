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
// # Writing
//
// The sink is exactly-once. What a subtask writes between two barriers goes to a
// staged file under a hidden name, which is on disk before the checkpoint is
// acknowledged. Once the checkpoint is complete the committer links the staged
// file to its final name, part-<job>-<operator>-<subtask>-<checkpoint>, and
// removes the staged name. Both can be repeated: a link that is there already, to
// the same file, is success. If the process dies
//
//   - before the staged file is synced: the checkpoint can't be complete; the
//     rows are read again, and Recover removes the leftover;
//   - between that and the completion of the checkpoint: the same;
//   - after completion, before or after the link: Recover links, or finds the link;
//   - after the staged name is removed: Recover finds the final name alone.
//
// A final file that somebody takes away in the moment between its commit and the
// next complete checkpoint can't be told from a lost one: a restore then stops and
// names it.
//
// Every path is opened below the root that the option path names; links that lead
// out of it are refused. Readers, writers and coordinator tasks must see the same
// directory: with several machines, a shared file system.
//
// # Goroutines
//
// A reader owns one that reads ahead, a writer one that writes; Close ends both.
package files
