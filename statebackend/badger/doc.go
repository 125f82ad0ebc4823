// Package badger keeps what has no room in memory in a Badger database, as a
// statebackend.Tier: blocks of many rows under numbers, never a row at a time. It is
// the one place that knows Badger.
//
// A database belongs to one task manager and is its scratch: Open wipes what a
// former process left, and a clean stop removes it, so nothing is ever recovered out
// of it. Hence nothing is synced, every flush has a commit timestamp of its own,
// and older versions may go at once. Values stay inline: no value-log garbage
// collection, no prefix drops, no expiry. A block carries its number, its length and
// a CRC-32C, which are compared on every read.
//
// # Memory
//
// Options are those of a small database; PlanBytes is what they add up to, which a
// budget must have counted. Tables are mapped files: the kernel counts the pages
// that were touched as resident and takes them back when it needs them. So that they
// don't crowd out others before, the tier asks for it once there are more than a bound.
//
// # Disk
//
// A full disk ends the process (SIGBUS, for files are mapped). Put therefore refuses with
// DISK_PRESSURE while less than a tenth of the disk, or than four times the memtables, is
// free.
package badger
