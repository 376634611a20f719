/// Reads bbolt files, in which Docker keeps the names of its volumes and networks, so that a data root of Docker's can be taken over.
///
/// Nothing is ever written: after a rollback, Docker finds its files as it left them. A file is read whole pages at a time, by
/// position, and never mapped: one that is cut off while it is read must not kill the process.
///
/// ```
///  file = pages of one size, 1 KiB to 64 KiB, in practice the machine's
///
///  page      0        8      10     12         16
///            │ id u64 │flags │count │overflow  │ elements …           flags: 1 branch, 2 leaf, 4 meta, 16 free list
///            │        │ u16  │ u16  │ u32      │                      overflow: so many pages more belong to this one
///
///  meta      pages 0 and 1, of which the valid one with the higher txid counts; after the page's header
///            │ magic u32 │ version u32 │ pageSize u32 │ flags u32 │ root u64 │ sequence u64 │ freelist u64 │ pages u64 │ txid u64 │ FNV-1a u64 │
///
///  branch    │ pos u32 │ ksize u32 │ page u64 │ …    pos counts from the start of its own element
///  leaf      │ flags u32 │ pos u32 │ ksize u32 │ vsize u32 │ …    flags 1: the value is a bucket
///
///  bucket    │ root u64 │ sequence u64 │    and when root is 0, one leaf page right here ("inline")
/// ```
/// All numbers are little-endian: bbolt writes the machine's order, and all machines this engine runs on agree.
///
/// @see <a href="https://pkg.go.dev/go.etcd.io/bbolt">bbolt</a>, whose `page.go`, `db.go` and `bucket.go` define the format
package io.balena.engine.daemon.bbolt;
