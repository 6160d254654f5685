"""Mining: rows to train on, from a retrieval run and a labeller of what it found."""
