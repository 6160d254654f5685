"""What a reader answers from the first passages of a study's rows: exact match, beside the reader's ceiling.

Read are the passages that rows of the question's contrasts, and the row without texts, have among the first, and those that are
relevant. The answers lie beside the study, ``study.read-NAME.jsonl.gz``, a line for each part, question and passage, so that
they can be scored again without the reader.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from harness.compare.records import MACRO
from harness.errors import InvalidInput
from harness.files.limits import LINE_BYTES, TEXT_BYTES
from harness.files.reading import parse_json, read_lines
from harness.measures import Judged, parse
from harness.measures.read_answers import FAMILIES, name_of
from harness.measures.readings import Answered, reading_name
from harness.progress import Progress
from harness.recipes.reading.kept import KeptReader
from harness.runs.gold_readings import gold_values
from harness.runs.read import Texts, question_texts
from harness.runs.readings import Recorded, RecordedReadings, gold_of
from harness.submissions.study.answers import AnswerScores, answer_result
from harness.submissions.study.encoder import NONE, EncoderStudy
from harness.submissions.study.records import AnswerResult, ReadRow, StudyReading
from harness.submissions.study.world import World

Asked = tuple[str, str, str]
"""Part, question and passage."""
Spans = Mapping[Asked, Answered]
_KEYS = ("part", "query_id", "doc_id", "text", "score")


class Who(NamedTuple):
    """The reader, and the English questions that it was given (empty: those that were asked)."""

    reading: str
    reader: Mapping[str, object]
    english: Mapping[str, object]
    device: str
    libraries: Mapping[str, str]


class Source(Protocol):
    """Where answers come from."""

    def who(self, world: World) -> Who: ...

    def answers(self, world: World, asked: Sequence[Asked]) -> list[Answered]: ...


@dataclass
class ReaderAtHand:
    """A reader's folder. ``english``: a collection of the same questions in English, where the reader is given those."""

    reader: KeptReader
    progress: Progress
    english: str = ""
    _texts: Texts | None = field(default=None, init=False)

    def who(self, world: World) -> Who:
        name = reading_name(self.reader.name, bool(self.english))
        identity = {"name": self.reader.name, **self.reader.identity}
        return Who(name, identity, self._questions(world).english, self.reader.device, self.reader.libraries)

    def _questions(self, world: World) -> Texts:
        if self._texts is None:
            self._texts = question_texts(list(world.track.clean_parts), self.english)
        return self._texts

    def answers(self, world: World, asked: Sequence[Asked]) -> list[Answered]:
        texts, docs = self._questions(world).by_part, {doc.doc_id: doc.text for doc in world.asked.docs}
        pairs = [(texts[part][query_id], docs[doc_id]) for part, query_id, doc_id in asked]
        found = []
        with self.reader.opened(), self.progress.task("read", len(pairs), "passages") as advance:
            for answer in self.reader.answers(pairs):
                found.append(Answered(answer.text, answer.score))
                advance()
        return found


@dataclass(frozen=True)
class RecordedReader:
    """The answers that lie beside a recorded study."""

    recorded: StudyReading
    file: Path

    def who(self, world: World) -> Who:
        own = self.recorded
        return Who(own.reading, own.reader, own.english, own.device, own.libraries)

    def answers(self, world: World, asked: Sequence[Asked]) -> list[Answered]:
        known = self._known
        if missing := [own for own in asked if own not in known]:
            part, query_id, doc_id = missing[0]
            raise InvalidInput(
                f"{self.file} has no answer to {len(missing):,} questions from passages that are found now, such as "
                f"{query_id!r:.80} of part {part} from {doc_id!r:.80}; give the reader's folder: --reader FOLDER"
            )
        return [known[own] for own in asked]

    @functools.cached_property
    def _known(self) -> dict[Asked, Answered]:
        return read_spans(self.file, self.recorded)


class ReadStudy:
    """One reader's answers to the first passages of all encoders of a study, for all questions that [[study.answers]] names.

    Every row is read to the largest cutoff and has the measures of each, so that there is one reading of a reader.
    """

    def __init__(self, world: World, source: Source) -> None:
        self._world, self._source, self._who = world, source, source.who(world)
        reader, english = str(self._who.reader["name"]), bool(self._who.english)
        self._top = max(own.cutoff for own in world.study.answers)
        self._names = {
            own.question: [name_of(family, own.cutoff, reader, english) for family in FAMILIES]
            for own in world.study.answers
        }
        self._measures = [parse(name) for name in dict.fromkeys(name for own in self._names.values() for name in own)]
        self._contrasts = [own for own in world.study.contrasts if own.question in self._names]
        self.spans: dict[Asked, Answered] = {}
        self._rows: list[ReadRow] = []
        self._results: list[AnswerResult] = []

    def add(self, encoder: EncoderStudy) -> None:
        world = self._world
        kinds = dict.fromkeys([NONE, *(name for own in self._contrasts for name in (own.first, own.second))])
        first = {kind: {part: own[:, : self._top] for part, own in encoder.first[kind].items()} for kind in kinds}
        wanted: dict[Asked, None] = {}
        for part in world.track.clean_parts:
            for own in first.values():
                for query_id, doc_ids in world.documents(own, part.name).items():
                    ids = (*doc_ids, *gold_of(part.collection, query_id))
                    wanted |= dict.fromkeys((part.name, query_id, doc_id) for doc_id in ids)
        new = [own for own in wanted if own not in self.spans]
        self.spans |= dict(zip(new, self._source.answers(world, new), strict=True))
        scores = AnswerScores(world, self._measures, self._judged())
        by_kind = {kind: scores.of(own) for kind, own in first.items()}
        name = encoder.card.card.name
        for kind, by_measure in by_kind.items():
            values = {measure: world.mean_of(own) for measure, own in by_measure.items()}
            self._rows.append(ReadRow(encoder=name, kind=kind, values=values))
        for contrast in self._contrasts:
            names = self._names[contrast.question]
            tested = {name: {kind: by[name] for kind, by in by_kind.items()} for name in names}
            self._results.append(answer_result(world, encoder.card, contrast, tested))

    def _judged(self) -> dict[str, Judged]:
        name, top = self._who.reading, self._top
        found = {}
        for part in self._world.track.clean_parts:
            own = {(query, doc): answer for (of, query, doc), answer in self.spans.items() if of == part.name}
            readings = RecordedReadings({name: Recorded(own, top, "the study's answers")})
            found[part.name] = Judged(part.collection, readings)
        return found

    def recorded(self) -> StudyReading:
        by_part = {part: gold_values(self._measures, own) for part, own in self._judged().items()}
        gold = {}
        for measure in self._measures:
            own = {part: values[measure.name] for part, values in by_part.items()}
            inside = [own[name] for name in self._world.track.macro_parts]
            gold[measure.name] = {**own, MACRO: math.fsum(inside) / len(inside)}
        return StudyReading(
            reading=self._who.reading,
            reader=dict(self._who.reader),
            english=dict(self._who.english),
            device=self._who.device,
            libraries=dict(self._who.libraries),
            top=self._top,
            **described(self.spans),
            gold=gold,
            rows=tuple(self._rows),
            results=tuple(self._results),
        )


def spans_file(study: Path, reading: str) -> Path:
    """Where the answers lie beside a study's file."""
    return study.with_name(f"{study.stem}.read-{reading}.jsonl.gz")


def lines_of(spans: Spans) -> bytes:
    """A line for each, in the order of their keys; no answer is an empty text and a score of null."""
    rows = (
        (*key, found.text, found.score if math.isfinite(found.score) else None) for key, found in sorted(spans.items())
    )
    return b"".join(json.dumps(dict(zip(_KEYS, row, strict=True)), ensure_ascii=False).encode() + b"\n" for row in rows)


def described(spans: Spans) -> dict[str, Any]:
    """What a study says of the file of answers."""
    return {"pairs": len(spans), "file": hashlib.sha256(lines_of(spans)).hexdigest()}


def read_spans(path: Path, recorded: StudyReading) -> dict[Asked, Answered]:
    """Raises ``InvalidInput`` where the file is missing, or not the one that the study describes."""
    again = "read again with the reader: `xdr study TRACK --reader FOLDER`"
    if not path.is_file():
        raise InvalidInput(f"{path}, the answers of {recorded.reading}, is missing; {again}")
    found: dict[Asked, Answered] = {}
    try:
        for _, line in read_lines(path, TEXT_BYTES, LINE_BYTES):
            part, query_id, doc_id, text, score = (parse_json(line)[key] for key in _KEYS)
            found[part, query_id, doc_id] = Answered(text, -math.inf if score is None else float(score))
        same = hashlib.sha256(lines_of(found)).hexdigest() == recorded.file
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput(f"{path} does not hold answers of a reader: {error}; {again}") from error
    if not same:
        raise InvalidInput(f"{path} does not hold the answers that the study describes; {again}")
    return found
