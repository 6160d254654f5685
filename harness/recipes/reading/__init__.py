"""Readers: models that find the answer to a question as a span of a passage."""

from harness.recipes.reading.reader import Answer, Reader, ReaderSettings

__all__ = ["Answer", "Reader", "ReaderSettings"]
