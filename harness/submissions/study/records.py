"""What a study found, as records and as a file (``runs/TRACK/study.json``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from harness.compare.contrasts import Interaction, Tested
from harness.compare.records import MACRO
from harness.errors import InvalidInput
from harness.files.limits import RESULT_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Record, checked
from harness.files.writing import write_text
from harness.tracks.study import Study


class Used(Record):
    """Texts of a kind, over all passages: their number, the passages that have any, and tokens by ``tokens_of``'s rule."""

    texts: int
    passages: int
    tokens: int


class Tried(Record):
    """A weight with the macro average of the primary measure over all questions, and in each fold.

    In a fold, titles are handled as in the other one, for which this chooses the weight.
    """

    weight: float
    macro: float
    folds: tuple[float, float]


class StudyRow(Record):
    """An encoder with one kind of texts. ``weights``: what is used in each fold, chosen on the other; ``values``: measure, then

    part or "macro", under these weights. ``none`` is a row without texts and weights.
    """

    encoder: str
    kind: str
    title: str
    used: Used | None
    weights: tuple[float, ...]
    curve: tuple[Tried, ...]
    values: dict[str, dict[str, float]]
    at_equal_weight: dict[str, float]


class Titles(Record):
    """How an encoder's titles are handled in each fold, chosen on the other without any texts, and what was compared."""

    encoder: str
    chosen: tuple[str, str]
    tried: dict[str, tuple[float, float]]


class Result(Record):
    """A declared contrast of one encoder: the primary measure's planned tests, and the other measures' macro averages."""

    name: str
    question: str
    encoder: str
    first: str
    second: str
    may_have_seen: bool
    tests: tuple[Tested, ...]
    beside: dict[str, Tested]
    at_equal_weight: Tested
    interaction: Interaction | None = None


class StudyResult(Record):
    """``articles``: how many each fold has."""

    schema_version: Literal[1]
    track: dict[str, Any]
    primary: str
    declared: Study
    alpha: float
    articles: tuple[int, int]
    questions: int
    titles: tuple[Titles, ...]
    rows: tuple[StudyRow, ...]
    results: tuple[Result, ...]

    @model_validator(mode="after")
    def _whole(self) -> StudyResult:
        kinds = {"none", *(kind.name for kind in self.declared.kinds)}
        for encoder in {row.encoder for row in self.rows} | {found.encoder for found in self.results}:
            own = [row for row in self.rows if row.encoder == encoder]
            if {row.kind for row in own} != kinds or len(own) != len(kinds):
                raise ValueError(f"{encoder} has not one row for every declared kind of texts, and one without texts")
            if not all(MACRO in row.values.get(self.primary, {}) for row in own):
                raise ValueError(f"a row of {encoder} has no macro average of {self.primary}")
        columns = {tuple(test.column for test in found.tests) for found in self.results}
        if len(columns) > 1 or any(found[:1] != (MACRO,) for found in columns):
            raise ValueError("results are not all of the macro average and of the same languages")
        return self

    def row(self, encoder: str, kind: str) -> StudyRow:
        return next(row for row in self.rows if (row.encoder, row.kind) == (encoder, kind))


def write_study(path: Path, result: StudyResult) -> None:
    write_text(path, json.dumps(result.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n")


def read_study(path: Path) -> StudyResult | None:
    """The study in a file, or None where none was made. Raises ``InvalidInput`` for a file that is none."""
    if not path.is_file():
        return None
    try:
        content = dict(parse_json(read_bytes(path, RESULT_BYTES)))
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a study; remove it, and `xdr study` makes it again") from error
    return checked(StudyResult, content, str(path))
