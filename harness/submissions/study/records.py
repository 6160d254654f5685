"""What a study found, as records and as a file (``runs/TRACK/study.json``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from harness.compare.contrasts import Interaction, Tested
from harness.compare.records import MACRO, Drop, DropDifference
from harness.errors import InvalidInput
from harness.files.limits import RESULT_BYTES
from harness.files.migrations import migrated
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Name, Record, checked
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


class Contrasted(Record):
    """A declared contrast of one encoder with the planned tests of one measure: of the macro average, then of every part.

    ``beside``: macro averages of other measures.
    """

    name: str
    question: str
    encoder: str
    first: str
    second: str
    may_have_seen: bool
    tests: tuple[Tested, ...]
    beside: dict[str, Tested]


class AnswerResult(Contrasted):
    """Of a measure of answers."""

    measure: str


class Result(Contrasted):
    """Of the primary measure."""

    at_equal_weight: Tested
    interaction: Interaction | None = None


class ReadRow(Record):
    """What a reader answers from the first passages of an encoder with a kind of texts; by measure and part, or "macro"."""

    encoder: str
    kind: str
    values: dict[str, dict[str, float]]


class StudyReading(Record):
    """What one reader answered. ``gold``: its values with the relevant passages alone, by measure and part, or "macro".

    ``file``: digest of the answers' lines, which lie beside the study; ``pairs``: how many. ``english``: name and digest of the
    English questions that the reader was given; empty where it was given those that were asked.
    """

    reading: Name
    reader: dict[str, Any]
    english: dict[str, Any]
    device: str
    libraries: dict[str, str]
    top: int
    pairs: int
    file: str
    gold: dict[str, dict[str, float]]
    rows: tuple[ReadRow, ...]
    results: tuple[AnswerResult, ...]

    @property
    def exact_match(self) -> float:
        """With the relevant passages alone, macro average: the reader's ceiling."""
        return next(own[MACRO] for name, own in self.gold.items() if name.startswith("EM@"))


class StudyResult(Record):
    """``articles``: how many each fold has; ``answers``: the contrasts that are tested in AnswerRecall as well; ``expansions``:
    rows of texts that are fused with questions; ``drops``: where the track perturbs its questions, what that costs the rows of
    the contrasts, and ``drop_differences``, first less second.
    """

    schema_version: Literal[2]
    track: dict[str, Any]
    primary: str
    declared: Study
    alpha: float
    articles: tuple[int, int]
    questions: int
    titles: tuple[Titles, ...]
    rows: tuple[StudyRow, ...]
    results: tuple[Result, ...]
    answers: tuple[AnswerResult, ...] = ()
    readings: tuple[StudyReading, ...] = ()
    expansions: tuple[StudyRow, ...] = ()
    drops: tuple[Drop, ...] = ()
    drop_differences: tuple[DropDifference, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> StudyResult:
        kinds = {"none", *(kind.name for kind in self.declared.kinds)}
        for encoder in {row.encoder for row in self.rows} | {found.encoder for found in self.results}:
            own = [row for row in self.rows if row.encoder == encoder]
            if {row.kind for row in own} != kinds or len(own) != len(kinds):
                raise ValueError(f"{encoder} has not one row for every declared kind of texts, and one without texts")
            if not all(MACRO in row.values.get(self.primary, {}) for row in own):
                raise ValueError(f"a row of {encoder} has no macro average of {self.primary}")
        contrasted = [*self.results, *self.answers, *(found for own in self.readings for found in own.results)]
        columns = {tuple(test.column for test in found.tests) for found in contrasted}
        if len(columns) > 1 or any(found[:1] != (MACRO,) for found in columns):
            raise ValueError("results are not all of the macro average and of the same languages")
        if any(MACRO not in values for own in self.readings for values in own.gold.values()):
            raise ValueError("a reading has no macro average with the relevant passages")
        return self

    def row(self, encoder: str, kind: str) -> StudyRow:
        return next(row for row in self.rows if (row.encoder, row.kind) == (encoder, kind))


def study_text(result: StudyResult) -> str:
    return json.dumps(result.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def read_study(path: Path) -> StudyResult | None:
    """The study in a file, or None where none was made.

    Raises ``InvalidInput`` for a file that is none, with all that is wrong with it and how to go on.
    """
    if not path.is_file():
        return None
    again = f"remove it, and `xdr study {path.parent.name}` makes it again"
    try:
        content = dict(parse_json(read_bytes(path, RESULT_BYTES)))
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a study; {again}") from error
    content = migrated("study", content, str(path))
    try:
        return checked(StudyResult, content, str(path))
    except InvalidInput as error:
        raise InvalidInput(f"{path} is not a study that this version can read; {again}", error.findings) from error
