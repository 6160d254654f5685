"""What a reader answered to a question from one passage, as measures of answers ask for it.

A reading is named by its reader, with the first eight signs of the reader's digest, and by which text of the questions it was
given: ``tydi-reader-0123abcd`` as they were asked, ``tydi-reader-0123abcd-english`` their English versions. What two readers
answered has two names, so that no table mixes them.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from harness.errors import InvalidInput

READER = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}-[0-9a-f]{8}")
ENGLISH = "english"


class Answered(NamedTuple):
    """``text``: a span of the passage, empty for no answer; ``score``: higher is surer, comparable within a question."""

    text: str
    score: float


class Readings(Protocol):
    """What readers answered to the questions of one part."""

    def of(self, reading: str, query_id: str, doc_id: str) -> Answered:
        """Raises ``InvalidInput`` where that passage was not read for that question."""
        ...


class NotRead:
    """The readings of what nobody has read."""

    def of(self, reading: str, query_id: str, doc_id: str) -> Answered:
        raise InvalidInput(
            f"measures of answers are computed from what the reader {reading} answered, which lies beside a recorded run: "
            "`xdr read RUN READER` writes it, then `xdr score` scores the run"
        )


NOT_READ = NotRead()


def reading_name(reader: str, is_english: bool) -> str:
    """
    >>> reading_name("tydi-reader-0123abcd", True)
    'tydi-reader-0123abcd-english'
    """
    return f"{reader}-{ENGLISH}" if is_english else reader
