"""Training pairs from files of a recipe's author: rows in Tevatron's format, questions in SQuAD's and in XOR-TyDi's variant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.collections.formats.squad import read_squad
from harness.errors import Finding, InvalidInput, reported
from harness.files.limits import TEXT_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.recipes.rows import Passage, Row, read_rows
from harness.recipes.train.gold_paragraphs import read_gold_paragraphs
from harness.recipes.train.pairs import Pair, Side
from harness.recipes.train.sources import SourceRecipe


def read_own(source: SourceRecipe, folder: Path) -> list[Pair]:
    """The pairs of a source that reads a file beside the recipe. Raises ``InvalidInput`` with all that is wrong in its file."""
    name = str(source.path)
    if source.kind == "squad":
        (lang,) = source.languages
        # The collection's reader checks the shape; where answers begin it does not keep.
        read_squad(folder / name, lang)
        return list(answered(parse_json(read_bytes(folder / name, TEXT_BYTES)), name, lang))
    if source.kind == "gold-paragraphs":
        return read_gold_paragraphs(folder / name, source)
    chosen = [
        row
        for row in read_rows(folder / name).rows
        if (not source.languages or row.lang in source.languages) and (not source.labels or row.label in source.labels)
    ]
    if not chosen:
        raise InvalidInput(f"{name} has no row of the languages and labels that the recipe names")
    groups = _groups(chosen)
    return [_pair(row, name, group) for row, group in zip(chosen, groups, strict=True)]


def _pair(row: Row, file: str, group: str) -> Pair:
    positives, negatives = ([_side(passage) for passage in side] for side in (row.positives, row.negatives))
    return Pair(
        Side(row.query, row.lang),
        positives[0],
        file,
        group,
        positives=tuple(positives[1:]),
        negatives=tuple(negatives),
        english=row.query_en or (row.query if row.lang == "en" else ""),
    )


def _side(passage: Passage) -> Side:
    return Side(passage.default_text(), "", False, passage.title, passage.score)


def _groups(rows: Sequence[Row]) -> list[str]:
    """A name for each row, the same for rows that share a question or a positive, directly or through others."""
    parents: dict[str, str] = {}

    def root(key: str) -> str:
        parents.setdefault(key, key)
        while parents[key] != key:
            parents[key] = key = parents[parents[key]]
        return key

    def keys(row: Row) -> list[str]:
        return [f"question {row.query}", *(f"passage {passage.default_text()}" for passage in row.positives)]

    for row in rows:
        first, *others = keys(row)
        for key in others:
            parents[root(key)] = root(first)
    return [root(keys(row)[0]) for row in rows]


def answered(content: Any, file: str, lang: str) -> Iterator[Pair]:
    """A pair for every question with an answer in SQuAD's JSON, whose first answer stands where it says.

    Raises ``InvalidInput`` with every answer that does not.
    """
    findings = []
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            context = str(paragraph["context"])
            for question in paragraph["qas"]:
                if not question.get("answers"):
                    continue
                answer = question["answers"][0]
                text, start = str(answer["text"]), answer.get("answer_start")
                if not isinstance(start, int) or context[start : start + len(text)] != text or not text:
                    where = f"{file}: question {question.get('id')!r:.80}"
                    findings.append(Finding("error", where, f"its answer does not stand at character {start!r:.20}"))
                    continue
                yield Pair(
                    Side(str(question["question"]), lang),
                    Side(context, lang, False),
                    file,
                    f"passage {context[:80]}",
                    answer=(start, start + len(text)),
                )
    if findings:
        raise InvalidInput(f"{file} has answers that are not in their passages", reported(findings, file))
