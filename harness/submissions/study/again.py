"""A recorded study made again in a clean place, by the cards, texts and questions that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.adapters.contract import Context
from harness.dense.encoder import resolved_device
from harness.errors import InvalidInput, unknown_name
from harness.files.scratch import scratch_folder
from harness.recipes.reading.kept import KeptReader, remembered
from harness.submissions.study.continued import check_continues, continued
from harness.submissions.study.further import further_study
from harness.submissions.study.reading import ReaderAtHand, RecordedReader, Source, spans_file
from harness.submissions.study.records import StudyReading, StudyResult
from harness.submissions.study.runner import Made, make_study
from harness.tracks import Track


def study_again(
    path: Path, recorded: StudyResult, track: Track, context: Context, only: Sequence[str] = ()
) -> StudyResult:
    """The study in ``path`` made again; writes nothing that stays.

    ``only``: some of the recorded encoders; what is recorded of the others is taken over, and all families are decided
    again. Answers are read again where the reader that gave them was used on this machine, and lies where it lay; else the
    recorded ones are scored. Raises ``InvalidInput`` where the track declares another study now, ``WrongUsage`` for an encoder
    that is not recorded.
    """
    study, languages = track.study, recorded.declared.languages
    if study is not None and study.further is not None and languages != study.languages:
        track = further_study(track, languages).track
    if recorded.track.get("version") != track.version:
        raise InvalidInput(
            f"{path} is of version {recorded.track.get('version')} of track {track.name}, which is at {track.version} now; "
            "give the file of that version with --track"
        )
    check_continues(recorded, track, path)
    encoders = [*dict.fromkeys(row.encoder for row in recorded.rows)]
    for name in only:
        if name not in encoders:
            raise unknown_name("recorded encoder", name, encoders)
    with scratch_folder(context.cache, "reproduce-") as clean:
        own = replace(context, cache=clean / "cache", work=clean / "work")
        chosen = list(only or encoders)
        # A reader may have been given the rows of some encoders alone: there are no answers to what the others find.
        readers = [(reading, [name for name in chosen if name in _read_in(reading)]) for reading in recorded.readings]
        made = [make_study(track, own, read, _source(reading, path, own)) for reading, read in readers if read]
        whole = next((one for one in made if len({row.encoder for row in one.result.rows}) == len(chosen)), None)
        result = (whole or make_study(track, own, chosen)).result
    readings = tuple(reading for one in made for reading in one.result.readings)
    spans = {name: found for one in made for name, found in one.spans.items()}
    return continued(recorded, Made(result.model_copy(update={"readings": readings}), spans), track, path).result


def of_encoders(result: StudyResult, only: Sequence[str]) -> dict[str, Any]:
    """A study as plain data; with ``only`` what it has of these encoders, and nothing of the others."""
    content = result.model_dump(mode="json")
    if not only:
        return content
    for found in (content, *content["readings"]):
        for name in ("rows", "titles", "results", "answers", "expansions"):
            if name in found:
                found[name] = [own for own in found[name] if own["encoder"] in only]
    return content


def _read_in(reading: StudyReading) -> set[str]:
    """The encoders whose rows the reader was given."""
    return {row.encoder for row in reading.rows}


def _source(recorded: StudyReading, path: Path, context: Context) -> Source:
    settings = remembered(str(recorded.reader["name"]), resolved_device(context.device))
    if settings is None:
        return RecordedReader(recorded, spans_file(path, recorded.reading))
    reader = KeptReader(settings, context.workers, keeps=False)
    return ReaderAtHand(reader, context.progress, str(recorded.english.get("name", "")))
