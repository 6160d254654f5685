"""The per-query view: each question, its answers, and what every system put first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.collections.view import load
from harness.manifest import run_file
from harness.records import Doc
from harness.runs import read_run
from harness.score import ScoreFile
from harness.tracks import Part, Track

SHOWN = 3
_SNIPPET = 220


class Passage(NamedTuple):
    """A passage in a ranking: ``pieces`` are (text, is an answer) in order."""

    title: str
    relevant: bool
    pieces: tuple[tuple[str, bool], ...]


class SystemView(NamedTuple):
    system: str
    value: float | None
    first_relevant: int | None
    passages: tuple[Passage, ...]


class QueryView(NamedTuple):
    query_id: str
    text: str
    answers: tuple[str, ...]
    relevant: tuple[str, ...]
    systems: tuple[SystemView, ...]


def query_views(track: Track, part: Part, scores: Sequence[ScoreFile], runs: Path) -> list[QueryView]:
    """One view per query of the part, in the collection's order, with the systems in the order given."""
    collection = load(part.dataset_id)
    qrels, answers = collection.qrels or {}, collection.answers or {}
    served = [score for score in scores if part.name in score.langs]
    rankings = {
        score.system: read_run(file)[0].rankings
        for score in served
        # A language that a card declares but was not run has no file: it counts 0.
        if (file := run_file(runs / track.name / score.system, part.name)).is_file()
    }
    views = []
    for query in collection.queries:
        relevant = {doc_id for doc_id, grade in qrels.get(query.query_id, {}).items() if grade > 0}
        accepted = answers.get(query.query_id, ())
        systems = []
        for score in served:
            ranked = rankings.get(score.system, {}).get(query.query_id)
            doc_ids = ranked.doc_ids[: track.depth] if ranked else ()
            places = [rank for rank, doc_id in enumerate(doc_ids, 1) if doc_id in relevant]
            shown = [_passage(collection.docs.get(doc_id), doc_id in relevant, accepted) for doc_id in doc_ids[:SHOWN]]
            value = score.values.get((part.name, track.primary), {}).get(query.query_id)
            systems.append(SystemView(score.system, value, places[0] if places else None, tuple(shown)))
        titles = tuple(collection.docs.get(doc_id).title or doc_id for doc_id in sorted(relevant))
        views.append(QueryView(query.query_id, query.text, accepted, titles, tuple(systems)))
    return views


def _passage(doc: Doc, relevant: bool, answers: Sequence[str]) -> Passage:
    return Passage(doc.title or doc.doc_id, relevant, marked(_window(doc.text, answers), answers))


def _window(text: str, answers: Sequence[str]) -> str:
    """The part of a passage to show: around the first answer in it, else its beginning."""
    places = [place for answer in answers if answer and (place := text.find(answer)) >= 0]
    start = max(0, min(places) - _SNIPPET // 2) if places else 0
    start = text.rfind(" ", 0, start) + 1 if start else 0
    end = start + _SNIPPET
    return ("… " if start else "") + text[start:end] + ("…" if end < len(text) else "")


def marked(text: str, answers: Sequence[str]) -> tuple[tuple[str, bool], ...]:
    """The text cut into pieces that are answers and pieces that are not.

    >>> marked("built in 1889.", ["1889"])
    (('built in ', False), ('1889', True), ('.', False))
    """
    pieces: list[tuple[str, bool]] = []
    rest = text
    wanted = sorted({answer for answer in answers if answer.strip()}, key=len, reverse=True)
    while rest:
        found = [(place, answer) for answer in wanted if (place := rest.find(answer)) >= 0]
        if not found:
            break
        place, answer = min(found, key=lambda pair: (pair[0], -len(pair[1])))
        if place:
            pieces.append((rest[:place], False))
        pieces.append((answer, True))
        rest = rest[place + len(answer) :]
    if rest:
        pieces.append((rest, False))
    return tuple(pieces)
