"""Reading and writing files: bounded readers, atomic writers, records, locks, digests, journals and shards."""
