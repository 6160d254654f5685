"""Dense retrieval: encoding in batches that depend on content alone, a sharded store, exact search with exact ties."""
