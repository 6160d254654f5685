"""Whether the files of one collection speak of one another: judgements and answers of its queries, and of its passages."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Protocol

from harness.errors import Finding
from harness.records import Query

_SHOWN = 3
"""Examples that a finding names."""


class _Docs(Container[str], Sized, Protocol):
    pass


@dataclass(frozen=True)
class Named:
    """What one file names: how many entries it has, and the names of those entries that lead to nothing, with their number."""

    what: str
    entries: int
    lost: int
    unknown: tuple[str, ...]
    kind: str

    def finding(self, where: str) -> Finding | None:
        """None where all is known; an error where nothing is."""
        if not self.lost:
            return None
        shown = ", ".join(f"{name!r:.80}" for name in self.unknown[:_SHOWN])
        more = f" and {len(self.unknown) - _SHOWN} more" if len(self.unknown) > _SHOWN else ""
        said = f"{self.lost} of {self.entries} {self.what} name {self.kind} that the collection does not have: {shown}{more}"
        if self.lost == self.entries:
            return Finding(
                "error", where, said, f"ids of its {self.kind}", "are the ids written alike in all its files?"
            )
        # What is judged and cannot be found is missed by everybody: measures have it in their denominators.
        effect = "every system misses them" if self.kind == "passages" else "they count for nothing"
        return Finding("warning", where, said, f"ids of its {self.kind}", effect)


@dataclass(frozen=True)
class References:
    """What a collection's files name, and which of its queries have no text."""

    named: tuple[Named, ...]
    without_text: tuple[str, ...]
    queries: int

    def findings(self, where: str) -> Iterator[Finding]:
        yield from (found for named in self.named if (found := named.finding(where)) is not None)
        if self.without_text:
            what = (
                f"{len(self.without_text)} of {self.queries} queries have no text (first: {self.without_text[0]!r:.80})"
            )
            yield Finding("warning", where, what, "a question", "whatever is found for them is chance")


def look_through(
    queries: Sequence[Query],
    docs: _Docs,
    qrels: Mapping[str, Mapping[str, int]] | None,
    answers: Iterable[str] | None,
) -> References:
    """``qrels`` by query and document; ``answers``: the ids of the queries that have some. None: there is no such file."""
    known = {query.query_id for query in queries}
    named = []
    if qrels is not None:
        judgements = sum(map(len, qrels.values()))
        unknown = [query_id for query_id in qrels if query_id not in known]
        lost = sum(len(qrels[query_id]) for query_id in unknown)
        named.append(Named("judgements", judgements, lost, tuple(unknown), "queries"))
        pairs = [(query_id, doc_id) for query_id, grades in qrels.items() if query_id in known for doc_id in grades]
        lost_docs = [doc_id for _, doc_id in pairs if doc_id not in docs]
        named.append(Named("judgements", len(pairs), len(lost_docs), tuple(dict.fromkeys(lost_docs)), "passages"))
    if answers is not None:
        ids = list(answers)
        unknown = [query_id for query_id in ids if query_id not in known]
        named.append(Named("lists of answers", len(ids), len(unknown), tuple(unknown), "queries"))
    return References(tuple(named), tuple(q.query_id for q in queries if not q.text.strip()), len(queries))
