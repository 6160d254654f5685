"""A sample of PAWS-X small enough that generated questions could be recorded for all of its sentences.

``paws-x/sample/de`` asks 200 of the questions of ``paws-x/de``, the same rows in German, French and Korean, of the English
sentences that are judged for them and of as many others, drawn by their hashes, less those that stand in for adversaries in
``paws-x/sample/de/clean``. That asks the same of as many sentences: without the adversaries that are relevant to no other
question. README.md beside this file says how the generated questions were written.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from harness.collections import paws_x
from harness.collections.paws_x import Task
from harness.collections.perturbed.draws import Draws

LANGUAGES = ("de", "fr", "ko")
QUESTIONS = 200
_DRAWS = Draws(0, "paws-x/sample", "")


class Sample(NamedTuple):
    """Ids in the order in which they were drawn; those that are ``judged`` sorted."""

    queries: tuple[str, ...]
    judged: tuple[str, ...]
    others: tuple[str, ...]


@functools.cache
def sample() -> Sample:
    """What is asked and searched, by the rule that was fixed before any text was generated."""
    tasks = [paws_x.task_of(lang) for lang in LANGUAGES]
    common = set.intersection(*({query.query_id for query in task.queries} for task in tasks))
    queries = _DRAWS.ordered(common, "query")[:QUESTIONS]
    asked = set(queries)
    judged = {doc_id for task in tasks for query_id, doc_id, _ in task.qrels if query_id in asked}
    unjudged = (doc.doc_id for doc in tasks[0].docs if doc.doc_id not in judged)
    others = _DRAWS.ordered(unjudged, "sentence")[: len(judged)]
    return Sample(tuple(queries), tuple(sorted(judged)), tuple(others))


@functools.cache
def tasks(lang: str) -> tuple[Task, Task]:
    """With adversaries, and without: both search as many sentences."""
    whole, drawn = paws_x.task_of(lang), sample()
    asked = set(drawn.queries)
    qrels = tuple(row for row in whole.qrels if row[0] in asked)
    queries = tuple(query for query in whole.queries if query.query_id in asked)
    adversaries, relevant = paws_x.judged(Task((), queries, qrels))
    gone = adversaries - relevant
    both = {*drawn.judged, *drawn.others[len(gone) :]}
    hard = tuple(doc for doc in whole.docs if doc.doc_id in both)
    instead = both - gone | set(drawn.others[: len(gone)])
    easy = tuple(doc for doc in whole.docs if doc.doc_id in instead)
    return Task(hard, queries, qrels), Task(easy, queries, tuple(row for row in qrels if row[1] not in gone))
