"""What a study found, as records and as a file (``runs/TRACK/study.json``)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator, model_validator

from harness.compare.contrasts import Interaction, Tested
from harness.compare.records import MACRO, Drop, DropDifference, Family
from harness.errors import InvalidInput
from harness.files.limits import RESULT_BYTES
from harness.files.migrations import migrated
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Name, Record, checked
from harness.tracks.study import Contrast, Study


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

    @field_validator("reader")
    @classmethod
    def _with_its_name(cls, reader: dict[str, Any]) -> dict[str, Any]:
        if type(reader.get("name")) is not str:
            raise ValueError("it has no name")
        return reader

    @property
    def exact_match(self) -> float:
        """With the relevant passages alone, macro average: the reader's ceiling."""
        return next(own[MACRO] for name, own in self.gold.items() if name.startswith("EM@"))


class StudyResult(Record):
    """``articles``: how many each fold has; ``answers``: the contrasts that are tested in AnswerRecall as well; ``expansions``:
    rows of texts that are fused with questions; ``drops``: where the track perturbs its questions, what that costs the rows of
    the contrasts, and ``drop_differences``, first less second; ``drop_families``: their families, empty in records that did not
    keep them.
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
    drop_families: tuple[Family, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> StudyResult:
        if found := list(dict.fromkeys([*self._faults_of_rows(), *self._faults_of_tests(), *self._faults_of_drops()])):
            raise ValueError("; ".join(found))
        return self

    @property
    def encoders(self) -> tuple[str, ...]:
        """Those that were run, in the declared order."""
        run = {row.encoder for row in self.rows}
        return tuple(name for name in self.declared.encoders if name in run)

    def _faults_of_rows(self) -> Iterator[str]:
        declared = self.declared
        contrasted = (*self.results, *self.answers, *(found for own in self.readings for found in own.results))
        read = tuple(row for own in self.readings for row in own.rows)
        named = [own.encoder for own in self.titles]
        named += [own.encoder for own in (*self.rows, *self.expansions)] + [own.encoder for own in read]
        named += [own.encoder for own in contrasted]
        if strangers := dict.fromkeys(name for name in named if name not in declared.encoders):
            yield f"{', '.join(strangers)} is not among the declared encoders ({', '.join(declared.encoders)})"
        encoders = dict.fromkeys(named)
        yield from _unlike("titles", [own.encoder for own in self.titles], encoders)
        kinds = ("none", *(kind.name for kind in declared.kinds))
        wanted = [row_name(encoder, kind) for encoder in encoders for kind in kinds]
        yield from _unlike("rows", [row_name(row.encoder, row.kind) for row in self.rows], wanted)
        # An encoder may have been recorded before an expansion was declared.
        expansions = [row_name(row.encoder, row.kind) for row in self.expansions]
        known = [row_name(encoder, own.name) for encoder in encoders for own in declared.expansions]
        yield from _unlike("expansions", expansions, [name for name in known if name in expansions])
        for row in (*self.rows, *self.expansions):
            weights = () if row.kind == "none" else declared.weights
            name = row_name(row.encoder, row.kind)
            if tuple(point.weight for point in row.curve) != weights:
                yield f"the curve of {name} is not that of all declared weights"
            if len(row.weights) != 2 * bool(weights) or not set(row.weights) <= set(weights):
                yield f"the chosen weights of {name} are not one of the declared ones for each of two folds"
            if MACRO not in row.values.get(self.primary, {}):
                yield f"{name} has no macro average of {self.primary}"

    def _faults_of_tests(self) -> Iterator[str]:
        declared = self.declared
        of_answers = [contrast for contrast in declared.contrasts if contrast.question in self._cutoffs]
        yield from self._faults_of("results", self.results, declared.contrasts)
        for result in self.results:
            if (result.interaction is None) == bool(declared.low_resource):
                yield f"results: {result.name} of {result.encoder} has {'no' if declared.low_resource else 'an'} interaction"
        yield from self._faults_of("answers", self.answers, of_answers)
        yield from _unlike("readings", [own.reading for own in self.readings], {own.reading for own in self.readings})
        for own in self.readings:
            yield from self._faults_of(f"reading {own.reading}", own.results, of_answers)
            rows = [row_name(row.encoder, row.kind) for row in own.rows]
            tested = [row_name(one.encoder, kind) for one in own.results for kind in (one.first, one.second)]
            yield from _unlike(f"rows of reading {own.reading}", rows, dict.fromkeys([*tested, *rows]))
            if not any(name.startswith("EM@") for name in own.gold) or any(
                MACRO not in one for one in own.gold.values()
            ):
                yield f"reading {own.reading} has no macro average of its exact match with the relevant passages"
        columns = {tuple(test.column for test in found.tests) for found in self.results}
        for found in (*self.answers, *(one for own in self.readings for one in own.results)):
            columns.add(tuple(test.column for test in found.tests))
        if len(columns) > 1 or any(found[:1] != (MACRO,) or len(set(found)) < len(found) for found in columns):
            yield "tests are not all of the macro average and of the same languages"

    @property
    def _cutoffs(self) -> dict[str, int]:
        return {own.question: own.cutoff for own in self.declared.answers}

    def _faults_of(self, what: str, found: Sequence[Contrasted], contrasts: Sequence[Contrast]) -> Iterator[str]:
        """Results of an encoder: all declared contrasts of a question, each once, or none where it was declared later.

        Those of the primary measure are never declared later.
        """
        asked = {(own.encoder, own.question) for own in found}
        if what == "results":
            asked |= {(row.encoder, own.question) for row in self.rows for own in contrasts}
        wanted = [
            f"{own.name} of {encoder}"
            for encoder in self.declared.encoders
            for own in contrasts
            if (encoder, own.question) in asked
        ]
        yield from _unlike(what, [f"{own.name} of {own.encoder}" for own in found], wanted)
        declared = {own.name: (own.question, own.first, own.second) for own in contrasts}
        beside: dict[str, set[tuple[str, ...]]] = {}
        for own in found:
            where = f"{what}: {own.name} of {own.encoder}"
            if declared.get(own.name) != (own.question, own.first, own.second):
                yield f"{where} is no declared contrast"
            if any(test.p_adjusted is None or test.significant is None for test in own.tests):
                yield f"{where} is not decided"
            if isinstance(own, AnswerResult) and cutoff_of(own.measure) != self._cutoffs.get(own.question):
                yield f"{where} is of {own.measure}, which is not at the declared cutoff"
            beside.setdefault(own.question, set()).add(tuple(own.beside))
        if any(len(names) > 1 for names in beside.values()):
            yield f"{what}: not all have the same measures beside"

    def _faults_of_drops(self) -> Iterator[str]:
        """Every row of a contrast under every perturbation on the same columns; the decided ones held against one another."""
        if not (self.drops or self.drop_differences):
            return
        contrasts = self.declared.contrasts
        kinds = dict.fromkeys(kind for own in contrasts for kind in (own.second, own.first))
        rows = [row_name(encoder, kind) for encoder in self.encoders for kind in kinds]
        columns = dict.fromkeys((drop.perturbation, drop.column) for drop in self.drops)
        wanted = [f"{name}, {perturbation}, {column}" for name in rows for perturbation, column in columns]
        yield from _unlike("drops", [f"{own.system}, {own.perturbation}, {own.column}" for own in self.drops], wanted)
        if any(drop.measure != self.primary for drop in self.drops):
            yield f"drops are not all of {self.primary}"
        tested = [drop for drop in self.drops if drop.column == MACRO and drop.p is not None]
        if any(drop.p_adjusted is None or drop.significant is None for drop in tested):
            yield "drops: a macro average is not decided"
        held = [
            f"{row_name(encoder, own.first)} less {row_name(encoder, own.second)}, {perturbation}"
            for encoder in self.encoders
            for own in contrasts
            for perturbation in dict.fromkeys(drop.perturbation for drop in tested)
        ]
        differences = [f"{own.system} less {own.against}, {own.perturbation}" for own in self.drop_differences]
        yield from _unlike("differences of drops", differences, held)

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
    again = f"remove it, and `xdr study {path.resolve().parent.name}` makes it again"
    try:
        content = dict(parse_json(read_bytes(path, RESULT_BYTES)))
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a study; {again}") from error
    content = migrated("study", content, str(path))
    try:
        return checked(StudyResult, content, str(path))
    except InvalidInput as error:
        raise InvalidInput(f"{path} is not a study that this version can read; {again}", error.findings) from error


def row_name(encoder: str, kind: str) -> str:
    """How drops name a row.

    >>> row_name("mini-xdr", "questions")
    'mini-xdr/questions'
    """
    return f"{encoder}/{kind}"


def cutoff_of(measure: str) -> int | None:
    """None where a name holds none.

    >>> cutoff_of("EM@15(a-reader)")
    15
    """
    found = re.search(r"@(\d{1,9})", measure)
    return int(found[1]) if found else None


def _unlike(what: str, found: Sequence[str], wanted: Iterable[str]) -> Iterator[str]:
    """What is missing, not declared or there more than once."""
    have, need = Counter(list(found)), Counter(list(wanted))
    for said, names in (("lacks", need - have), ("has, beyond what is declared or twice,", have - need)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            yield f"{what} {said} {'; '.join(list(names)[:3])}{more}"
