"""Reading of row files, ours and Tevatron's, in the two forms that its loader takes (src/tevatron/retriever/dataset.py).

With passages in every row, or with ``positive_document_ids``, ``negative_document_ids`` and ``query_text``, whose passages
stand in a corpus file of lines with ``docid``, ``title`` and ``text``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from harness import progress
from harness.collections.formats.json_rows import id_of, object_of, text_of, texts_of
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.findings import Findings
from harness.files.limits import COLLECTION_BYTES, FAULTS, LINE_BYTES
from harness.files.reading import NotText, decoded, parse_json, read_lines
from harness.languages import same_language
from harness.recipes.rows.record import Passage, Row

Made = TypeVar("Made")

OWN_KEYS = ("lang", "source", "label", "query_en")
WITH_PASSAGES = ("query_id", "query", "positive_passages", "negative_passages", "answers", *OWN_KEYS)
BY_ID = (
    "query_id", "query_text", "positive_document_ids", "negative_document_ids", "positive_scores", "negative_scores",
    "answers", *OWN_KEYS,
)  # fmt: skip
OF_PASSAGES = ("docid", "title", "text", "score")


@dataclass(frozen=True)
class RowFile:
    """All rows of a file in its order, and what is to be known of it, such as keys that nobody reads."""

    rows: tuple[Row, ...]
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _ById:
    """A row whose passages stand elsewhere: their ids, and a score or None for each."""

    line: int
    fields: Mapping[str, Any]
    positives: tuple[tuple[str, float | None], ...]
    negatives: tuple[tuple[str, float | None], ...]

    def made(self, passage_of: Mapping[str, Passage]) -> Row:
        sides = (
            tuple(passage_of[docid]._replace(score=score) for docid, score in side)
            for side in (self.positives, self.negatives)
        )
        return Row(**self.fields, positives=next(sides), negatives=next(sides))


def read_rows(path: Path, corpus: Path | None = None) -> RowFile:
    """Read a file of rows, gzip or plain; ``corpus`` has the passages of rows that name them by id alone.

    Raises ``InvalidInput`` with every faulty line and its number, ``WrongUsage`` where there is no such file, or where rows
    name passages by id and there is no corpus.
    """
    findings = Findings(path.name)
    found: list[Row | _ById] = []
    with progress.task(f"read {path.name}", None, "rows") as advance:
        texts: dict[str, str] = {}
        for number, value in progress.counted(_objects(path, findings), advance):
            made = _checked(number, findings, partial(_row, value, texts, _Notes(findings, number)))
            found += [made] if made is not None else []
    by_id = [row for row in found if isinstance(row, _ById)]
    passages: Mapping[str, Passage] = {}
    if by_id and corpus is None:
        raise WrongUsage(
            f"{path.name}:{by_id[0].line} names its passages by id; give the corpus file that has them "
            "(lines of docid, title, text)"
        )
    if by_id and corpus is not None:
        passages = _passages(corpus, {docid for row in by_id for docid, _ in row.positives + row.negatives})
    elif corpus is not None:
        findings.add("warning", 0, "corpus", f"no row needs the passages of {corpus.name}")
    rows: list[Row] = []
    for row in found:
        made_row = _resolved(row, passages, findings) if isinstance(row, _ById) else row
        rows += [made_row] if made_row is not None else []
    if not rows and not findings.has_errors:
        findings.add("error", 0, "empty", "no rows", "at least one")
    if findings.has_errors:
        raise InvalidInput(f"{path} cannot be trained on", findings.result())
    return RowFile(tuple(rows), tuple(findings.result()))


def _objects(path: Path, findings: Findings) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of the lines that are not blank; what is none is a finding, and after many the reading ends."""
    faults = 0
    for number, line in read_lines(path, COLLECTION_BYTES, LINE_BYTES):
        if faults == FAULTS:
            return
        if not line.strip():
            continue
        try:
            value = object_of(parse_json(decoded(line)))
        except NotText as error:
            faults += 1
            findings.add("error", number, "not text", error.at(0), hint=error.hint)
        except (ValueError, TypeError) as error:
            faults += 1
            findings.add("error", number, "no JSON object", str(error), "one JSON object a line")
        else:
            yield number, value


def _checked(number: int, findings: Findings, make: Callable[[], Made]) -> Made | None:
    """What ``make`` makes; None, and a finding, where it raises ``ValueError`` or ``TypeError``."""
    try:
        return make()
    except (ValueError, TypeError) as error:
        findings.add("error", number, "row", str(error), "a row in Tevatron's format")
        return None


def _row(value: dict[str, Any], texts: dict[str, str], notes: _Notes) -> Row | _ById:
    """Raises ``ValueError`` with all that is wrong."""
    with_passages = value.get("positive_passages") is not None or "positive_document_ids" not in value
    notes.strangers(value, WITH_PASSAGES if with_passages else BY_ID)
    parts = _Parts()
    fields: dict[str, Any] = {
        "query_id": parts.read("", id_of, value, "query_id"),
        "query": parts.read("", text_of, value, "query" if with_passages else "query_text"),
        "answers": parts.read((), texts_of, value, "answers") if value.get("answers") is not None else (),
        **{key: parts.read("", text_of, value, key, "") for key in OWN_KEYS},
    }
    fields["lang"] = same_language(fields["lang"]) if fields["lang"] else ""
    if not with_passages:
        ids = [parts.read((), _ids, value, side, notes) for side in ("positive", "negative")]
        parts.check()
        return _ById(notes.line, fields, ids[0], ids[1])
    sides = [parts.read((), _listed, value, f"{side}_passages", texts, notes) for side in ("positive", "negative")]
    parts.check()
    return Row(**fields, positives=sides[0], negatives=sides[1])


class _Parts:
    """The parts of a row, each read by itself, so that all that is wrong with a row is told at once."""

    def __init__(self) -> None:
        self._faults: list[str] = []

    def read(self, instead: Any, reader: Callable[..., Any], *given: Any) -> Any:
        try:
            return reader(*given)
        except TypeError as error:
            self._faults.append(str(error))
            return instead

    def check(self) -> None:
        if self._faults:
            raise ValueError("; ".join(self._faults))


@dataclass(frozen=True)
class _Notes:
    """Where warnings of one line go."""

    findings: Findings
    line: int

    def strangers(self, value: Mapping[str, Any], known: Collection[str]) -> None:
        """Tevatron allows of more keys than it reads; a misspelt one is not to go unseen."""
        for key in value:
            if key not in known and value[key] is not None:
                self.findings.add("warning", self.line, f"key {key!r:.60}", f"the key {key!r:.60} is not read")

    def repeated(self, docid: str, key: str) -> None:
        what = f"passage {docid!r:.80} stands several times in {key}"
        self.findings.add("warning", self.line, "repeated passage", what, hint="it is taken once")


def _listed(value: Mapping[str, Any], key: str, texts: dict[str, str], notes: _Notes) -> tuple[Passage, ...]:
    """The passages under a key; equal texts of a file are one text in memory. Raises ``TypeError``."""
    listed = value.get(key)
    if listed is None and key == "negative_passages":
        return ()
    if not isinstance(listed, list):
        raise TypeError(f"no list of passages {key!r} in the object")
    passages: dict[Passage, None] = {}
    for place, item in enumerate(listed, 1):
        try:
            passage = _passage(object_of(item))
        except TypeError as error:
            raise TypeError(f"{key} {place}: {error}") from None
        notes.strangers(item, OF_PASSAGES)
        kept = passage._replace(
            title=texts.setdefault(passage.title, passage.title), text=texts.setdefault(passage.text, passage.text)
        )
        if kept in passages:
            notes.repeated(kept.docid, key)
        passages[kept] = None
    return tuple(passages)


def _passage(item: Mapping[str, Any]) -> Passage:
    return Passage(id_of(item, "docid"), text_of(item, "title", ""), text_of(item, "text"), _score(item.get("score")))


def _score(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"the score {value!r:.80} is no finite number")
    return float(value)


def _ids(value: Mapping[str, Any], side: str, notes: _Notes) -> tuple[tuple[str, float | None], ...]:
    """Ids and scores of one side, each id once, in order. Raises ``TypeError``."""
    key = f"{side}_document_ids"
    listed = value.get(key)
    if not isinstance(listed, list):
        raise TypeError(f"no list of ids {key!r} in the object")
    ids = [id_of({key: item}, key) for item in listed]
    given = value.get(f"{side}_scores")
    if given is not None and (not isinstance(given, list) or len(given) != len(ids)):
        raise TypeError(f"{side}_scores is no list of {len(ids)} numbers, one for each of {key}")
    scores = [_score(score) for score in given] if given is not None else [None] * len(ids)
    for docid in {docid for docid, count in Counter(ids).items() if count > 1}:
        notes.repeated(docid, key)
    return tuple(dict(zip(ids, scores, strict=True)).items())


def _passages(corpus: Path, wanted: set[str]) -> dict[str, Passage]:
    """The wanted passages of a corpus file. Raises ``InvalidInput`` with its faulty lines."""
    findings = Findings(corpus.name)
    found: dict[str, Passage] = {}
    with progress.task(f"read {corpus.name}", None, "passages") as advance:
        for number, value in progress.counted(_objects(corpus, findings), advance):
            passage = _checked(number, findings, partial(_passage, value))
            if passage is None or passage.docid not in wanted:
                continue
            known = found.setdefault(passage.docid, passage)
            if known != passage:
                what = f"another passage with the id {passage.docid!r:.80}"
                findings.add("error", number, "id twice", what, "each id once")
    if findings.has_errors:
        raise InvalidInput(f"{corpus} cannot be read", findings.result())
    return found


def _resolved(row: _ById, passages: Mapping[str, Passage], findings: Findings) -> Row | None:
    missing = [docid for docid, _ in row.positives + row.negatives if docid not in passages]
    if missing:
        what = f"{len(missing)} passages are not in the corpus, first {missing[0]!r:.80}"
        findings.add("error", row.line, "unknown passages", what, "ids of the corpus")
        return None
    return _checked(row.line, findings, partial(row.made, passages))
