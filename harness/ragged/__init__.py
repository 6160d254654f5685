"""Texts that become as many vectors, or weights of words, as they need: encode, store, search (multi-vector and sparse)."""
