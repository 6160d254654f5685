"""A study that is made encoder by encoder: what is recorded of the others stays, where the same was declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import Finding, InvalidInput
from harness.files.two_values import in_words
from harness.submissions.study.reading import described, read_spans, spans_file
from harness.submissions.study.records import StudyReading, StudyResult
from harness.submissions.study.runner import Made, decided, decided_reading
from harness.tracks import Track


def check_continues(recorded: StudyResult, track: Track, path: Path) -> None:
    """Raise ``InvalidInput`` unless the track declares what is recorded in ``path``, or is a later version of it."""
    version = recorded.track.get("version")
    if isinstance(version, int) and version < track.version:
        return
    now = {"version": track.version, "primary": track.primary, "alpha": track.families.alpha}
    before = {"version": version, "primary": recorded.primary, "alpha": recorded.alpha}
    was = recorded.declared.model_dump(mode="json", exclude={"further"})
    declared = track.study.model_dump(mode="json", exclude={"further"}) if track.study else {}
    _refuse(path, {**before, **_flat(was)}, {**now, **_flat(_but_added(declared, was))})


def continued(recorded: StudyResult, made: Made, track: Track, path: Path) -> Made:
    """``made`` with what is recorded of the other encoders, all in the declared order, and the families decided anew.

    A record of an earlier version of the track gives nothing. Raises ``InvalidInput`` where questions are not the same, or
    where a recorded reader's answers do not lie beside the study.
    """
    if recorded.track.get("version") != track.version:
        return made
    same = ("questions", "articles")
    _refuse(path, *({name: getattr(found, name) for name in same} for found in (recorded, made.result)))
    join = _Joined(made.result)
    if join.keeps(recorded.rows):
        _refuse(path, *({"measures": _measures(found)} for found in (recorded, made.result)))
    names = ("rows", "titles", "results", "answers", "expansions")
    update = {name: join.of(getattr(recorded, name), getattr(made.result, name)) for name in names}
    update |= {name: tuple(decided(track, update[name])) for name in ("results", "answers")}
    readings = {found.reading: found for found in made.result.readings}
    spans = dict(made.spans)
    for old in recorded.readings:
        now = readings.get(old.reading)
        both = {name: join.of(getattr(old, name), getattr(now, name, ())) for name in ("rows", "results")}
        if now is not None and join.keeps(old.rows):
            _check_same_reader(path, old, now)
            spans[old.reading] = {**read_spans(spans_file(path, old.reading), old), **spans[old.reading]}
            both |= described(spans[old.reading])
        readings[old.reading] = decided_reading(track, (now or old).model_copy(update=both))
    update["readings"] = tuple(own for own in readings.values() if own.rows)
    return Made(made.result.model_copy(update=update), spans)


def _measures(found: StudyResult) -> list[str]:
    return list(dict.fromkeys([found.primary, *(name for result in found.results for name in result.beside)]))


class _Joined:
    """Joins what is recorded of the encoders that were not made now with what was made, in the declared order."""

    def __init__(self, made: StudyResult) -> None:
        self._order = made.declared.encoders.index
        self._others = set(made.declared.encoders) - {row.encoder for row in made.rows}

    def keeps(self, before: Sequence[Any]) -> bool:
        return any(found.encoder in self._others for found in before)

    def of(self, before: Sequence[Any], now: Sequence[Any]) -> tuple[Any, ...]:
        kept = [found for found in before if found.encoder in self._others]
        return tuple(sorted([*kept, *now], key=lambda found: self._order(found.encoder)))


def _check_same_reader(path: Path, recorded: StudyReading, now: StudyReading) -> None:
    """A reading goes by a name; what it is of, the reader and the English questions that it was given, has digests."""
    findings = [
        Finding("error", f"{path}: {what} of {now.reading}", in_words(before, found))
        for what, before, found in (
            ("reader", dict(recorded.reader), dict(now.reader)),
            ("English questions", dict(recorded.english), dict(now.english)),
        )
        if before != found
    ]
    if findings:
        raise InvalidInput(
            f"{path} holds answers of another reader, or to other questions, under the name {now.reading}, and is left as it "
            "is; read all encoders in one command, without --encoder, or write elsewhere with --runs",
            findings,
        )


def _but_added(declared: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The declaration without the answers and expansions that it has got since: they change nothing of what is recorded."""
    kept = {
        key: [own for own in declared.get(key, ()) if _id(own) in {_id(other) for other in recorded[key]}]
        for key in ("answers", "expansions")
    }
    return {**declared, **kept}


def _id(entry: Mapping[str, Any]) -> str:
    return str(entry.get("name") or entry["question"])


def _refuse(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    findings = [
        Finding("error", f"{path}: {key}", in_words(before.get(key), now.get(key)))
        for key in dict.fromkeys([*before, *now])
        if before.get(key) != now.get(key)
    ]
    if findings:
        raise InvalidInput(
            f"{path} holds a study of another declaration under this name and version, and is left as it is; give the "
            "track a higher version in its file, or write elsewhere with --runs",
            findings,
        )


def _flat(declared: Mapping[str, Any]) -> dict[str, Any]:
    """By a place that the file's author knows: kinds and contrasts each by its name."""
    return dict(_places(declared))


def _places(declared: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in declared.items():
        if key in ("kinds", "contrasts", "answers", "expansions"):
            yield f"study.{key}", [_id(entry) for entry in value]
            for entry in value:
                yield from ((f"study.{key}.{_id(entry)}.{name}", own) for name, own in entry.items())
        else:
            yield f"study.{key}", value
