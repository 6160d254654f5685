"""A collection of records that are at hand: nothing is read, and nothing has to be registered under a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.collections.view import Collection
from harness.errors import Finding, InvalidInput, reported
from harness.records import Answers, Doc, Query

if TYPE_CHECKING:
    from harness.collections import handlers

_GRADES = {0: "not relevant", 1: "relevant"}


def collection_of(
    docs: Iterable[Doc] | None,
    queries: Iterable[Query],
    *,
    qrels: Mapping[str, Mapping[str, int]] | None = None,
    answers: Mapping[str, Sequence[str]] | None = None,
    name: str = "in-memory",
) -> Collection:
    """A collection of records in memory, with everything that one of files has: order, digests, references.

    ``qrels``: grades by query id and document id; ``answers``: accepted strings by query id. None: the collection has none.
    ``docs`` is None for judgements of passages that nobody has at hand: measures from qrels need no more.
    ``name`` stands where the id of a dataset stands in messages and manifests.

    Raises ``InvalidInput`` with all ids that occur twice, are empty or hold white space, as TREC runs cannot have them, and
    all texts that hold a lone surrogate.
    """

    from harness.collections import handlers

    all_docs, all_queries = list(docs or ()), list(queries)
    findings = [*record_faults("passage", all_docs), *record_faults("query", all_queries)]
    if findings:
        raise InvalidInput(f"collection {name} is not valid", reported(findings, name))
    dataset = handlers.Dataset(
        handlers.Docs(lambda: all_docs, None) if docs is not None else None,
        handlers.Queries(lambda: all_queries, None),
        *_truth(qrels, answers),
    )
    return Collection(name, dataset)


def judged_by(
    collection: Collection,
    qrels: Mapping[str, Mapping[str, int]] | None,
    answers: Mapping[str, Sequence[str]] | None,
) -> Collection:
    """The passages and queries of a collection with other judgements and answers; None: those that it has."""

    from harness.collections import handlers

    own = collection.dataset
    docs = own.docs_handler() if own.has_docs() else None
    judgements, accepted = _truth(
        collection.qrels if qrels is None else qrels, collection.answers if answers is None else answers
    )
    return Collection(collection.dataset_id, handlers.Dataset(docs, own.queries_handler(), judgements, accepted))


def _truth(
    qrels: Mapping[str, Mapping[str, int]] | None, answers: Mapping[str, Sequence[str]] | None
) -> tuple[handlers.Qrels | None, handlers.AnswerStrings | None]:
    from harness.collections import handlers

    judgements = [(q, doc, int(grade)) for q, grades in (qrels or {}).items() for doc, grade in grades.items()]
    accepted = [Answers(query_id, tuple(own)) for query_id, own in (answers or {}).items()]
    return (
        handlers.Qrels(lambda: judgements, _GRADES) if qrels is not None else None,
        handlers.AnswerStrings(lambda: accepted) if answers is not None else None,
    )


def record_faults(kind: str, records: Sequence[Doc] | Sequence[Query]) -> Iterator[Finding]:
    counts = Counter(record[0] for record in records)
    for record_id, count in counts.items():
        if not record_id or record_id.split() != [record_id]:
            yield Finding("error", kind, f"id {record_id!r:.80}", "an id without white space, as TREC runs need")
        if count > 1:
            yield Finding("error", kind, f"id {record_id!r:.80} is there {count} times", "unique ids")
    for record in records:
        try:
            "".join(record).encode()
        except UnicodeEncodeError:
            what = f"{record[0]!a:.80} holds a lone surrogate (half of a UTF-16 pair), which is no text"
            yield Finding("error", kind, what, "text that UTF-8 can hold")
