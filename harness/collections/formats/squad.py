"""Any file in SQuAD's JSON as a collection: ``squad:PATH``; paragraphs are the passages.

A paragraph's id is the article's title and the paragraph's number in it, ``Super_Bowl_50-3``, so that files which
hold the same articles in other languages give the same ids. Of a file of version 2.0 the questions that have no answer
(``is_impossible``, or an empty list of answers) are left out: no paragraph is relevant to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.collections.formats.folder import language_in
from harness.collections.handlers import AnswerStrings, Dataset, Docs, Qrels, Queries, Remarks
from harness.errors import Finding, InvalidInput, reported
from harness.files.limits import TEXT_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.records import Answers, Doc, Query

PATTERN = r"^squad(?:\(([^()]*)\))?:(.+)$"
BIBTEX = LICENCE = ""  # whose files they are knows that
RELEVANCE = {1: "the paragraph that the question was written for"}


def ids() -> list[str]:
    return []


@dataclass(frozen=True)
class SquadFile:
    docs: tuple[Doc, ...]
    queries: tuple[Query, ...]
    qrels: tuple[tuple[str, str, int], ...]
    answers: tuple[Answers, ...]
    unanswerable: tuple[str, ...] = ()
    """Ids of questions that were left out, as the file says that they have no answer."""


def read_squad(path: Path, lang: str, *, hidden_answers: bool = False) -> SquadFile:
    """Read a SQuAD file, v1.1 or v2.0. Raises ``InvalidInput`` with every place that does not have the format's shape.

    ``hidden_answers``: answers may be empty texts, as where a publisher keeps them back; they are left out.
    """
    return parse_squad(read_bytes(path, TEXT_BYTES), str(path), lang, hidden_answers=hidden_answers)


def parse_squad(data: bytes, where: str, lang: str, *, hidden_answers: bool = False) -> SquadFile:
    """Read SQuAD JSON that came from ``where``; raises as ``read_squad`` does."""
    try:
        content = parse_json(data)
    except ValueError as error:
        raise InvalidInput(f"{where} is not a JSON file: {error}") from error
    reader = _Reader(where, lang, hidden_answers)
    reader.read(content)
    if reader.findings:
        raise InvalidInput(f"{where} is not in SQuAD's format, v1.1 or v2.0", reported(reader.findings, where))
    return SquadFile(
        tuple(reader.docs),
        tuple(reader.queries),
        tuple(reader.qrels),
        tuple(reader.answers),
        tuple(reader.unanswerable),
    )


def distinct(docs: Iterable[Doc]) -> tuple[Doc, ...]:
    """Passages without those whose text another one before them has: judged apart, equal texts would be a lottery."""
    return tuple({doc.text: doc for doc in reversed(tuple(docs))}.values())[::-1]


def over_pool(content: SquadFile, pool: tuple[Doc, ...]) -> SquadFile:
    """The questions of a file asked of ``pool``, in which their paragraphs are found by text, whatever their ids.

    Raises ``InvalidInput`` when a paragraph is not in the pool.
    """
    in_pool = {doc.text: doc.doc_id for doc in pool}
    if strangers := [doc.doc_id for doc in content.docs if doc.text not in in_pool]:
        raise InvalidInput(f"{len(strangers)} paragraphs are not among the passages to search, first {strangers[0]!r}")
    text_of = {doc.doc_id: doc.text for doc in content.docs}
    qrels = tuple((query_id, in_pool[text_of[doc_id]], grade) for query_id, doc_id, grade in content.qrels)
    return replace(content, docs=pool, qrels=qrels)


class _Reader:
    """Walks data / paragraphs / qas and notes what is not as the format says, by its place in the file."""

    def __init__(self, where: str, lang: str, hidden_answers: bool) -> None:
        self.where, self.lang, self._hidden_answers = where, lang, hidden_answers
        self.docs: list[Doc] = []
        self.queries: list[Query] = []
        self.qrels: list[tuple[str, str, int]] = []
        self.answers: list[Answers] = []
        self.unanswerable: list[str] = []
        self.findings: list[Finding] = []
        self._seen: set[str] = set()

    def read(self, content: Any) -> None:
        for a, article in enumerate(self._list(content, "data", "")):
            place = f"data[{a}]"
            title = self._text(article, "title", place, required=False)
            stem = re.sub(r"\s+", "_", title) or f"article{a}"
            for p, paragraph in enumerate(self._list(article, "paragraphs", place)):
                self._paragraph(paragraph, f"{stem}-{p}", title.replace("_", " "), f"{place}.paragraphs[{p}]")

    def _paragraph(self, paragraph: Any, doc_id: str, title: str, place: str) -> None:
        self._new_id(f"passage {doc_id}", place)
        self.docs.append(Doc(doc_id, title, self._text(paragraph, "context", place)))
        for q, question in enumerate(self._list(paragraph, "qas", place)):
            where = f"{place}.qas[{q}]"
            query_id = self._id(question, where)
            if query_id.split() not in ([query_id], []):
                self._find(where, f"question id {query_id!r} holds white space", "ids as TREC runs need them")
            elif query_id:
                self._new_id(f"question {query_id}", where)
            text = self._text(question, "question", where)
            texts = self._answers(question, where)
            if texts is None:
                self.unanswerable.append(query_id)
                continue
            self.queries.append(Query(query_id, text, self.lang, query_id))
            self.qrels.append((query_id, doc_id, 1))
            self.answers.append(Answers(query_id, texts))

    def _id(self, question: Any, where: str) -> str:
        number = question.get("id") if isinstance(question, dict) else None
        if isinstance(number, int) and not isinstance(number, bool):
            return str(number)
        return self._text(question, "id", where)

    def _answers(self, question: Any, where: str) -> tuple[str, ...] | None:
        """The different answers of a question; None where the file says that there is none."""
        asked = question if isinstance(question, dict) else {}
        impossible = asked.get("is_impossible", False)
        if not isinstance(impossible, bool):
            self._find(where, f"'is_impossible' is {impossible!r:.40}", "true or false")
            return ()
        if isinstance(asked.get("answers"), dict):
            self._find(
                where, "'answers' is an object, as in rows of the Hugging Face hub", "SQuAD's own list of objects"
            )
            return ()
        found = self._list(asked, "answers", where) if not impossible or "answers" in asked else []
        if impossible and found:
            self._find(where, "'is_impossible' is true, and there are answers", "one or the other")
        if not found and not self._hidden_answers:
            return None
        texts = [
            self._text(answer, "text", f"{where}.answers[{i}]", required=not self._hidden_answers)
            for i, answer in enumerate(found)
        ]
        return None if impossible else tuple(dict.fromkeys(filter(None, texts)))

    def _new_id(self, name: str, place: str) -> None:
        if name in self._seen:
            self._find(place, f"a second {name}", "ids that occur once")
        self._seen.add(name)

    def _list(self, parent: Any, key: str, place: str) -> list[Any]:
        value = parent.get(key) if isinstance(parent, dict) else None
        if not isinstance(value, list):
            self._find(place, f"no list {key!r}", "the shape of SQuAD")
            return []
        return value

    def _text(self, parent: Any, key: str, place: str, *, required: bool = True) -> str:
        value = parent.get(key) if isinstance(parent, dict) else None
        if isinstance(value, str) and (value or not required):
            return value
        if required or value is not None:
            self._find(place, f"no text {key!r}", "the shape of SQuAD")
        return ""

    def _find(self, place: str, what: str, expected: str) -> None:
        self.findings.append(Finding("error", f"{self.where}:{place or 'top level'}", what, expected))


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    lang, path = language_in(dataset_id, groups[0]), Path(groups[1])
    content = read_squad(path, lang)
    return Dataset(
        Remarks(lambda: _remarks(content, path)),
        Docs(lambda: content.docs, None),
        Queries(lambda: content.queries, lang or None),
        Qrels(lambda: content.qrels, RELEVANCE),
        AnswerStrings(lambda: content.answers),
    )


def _remarks(content: SquadFile, path: Path) -> Iterator[Finding]:
    if left_out := content.unanswerable:
        total = len(left_out) + len(content.queries)
        what = f"{len(left_out)} of {total} questions have no answer, says the file, and are not asked (first: {left_out[0]})"
        yield Finding("warning", path.name, what)
