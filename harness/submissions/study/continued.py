"""A study that is made encoder by encoder: what is recorded of the others stays, where the same was declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import Finding, InvalidInput
from harness.files.two_values import in_words
from harness.submissions.study.records import StudyResult
from harness.submissions.study.runner import decided
from harness.tracks import Track


def check_continues(recorded: StudyResult, track: Track, path: Path) -> None:
    """Raise ``InvalidInput`` unless the track declares what is recorded in ``path``, or is a later version of it."""
    version = recorded.track.get("version")
    if isinstance(version, int) and version < track.version:
        return
    now = {"version": track.version, "primary": track.primary, "alpha": track.families.alpha}
    before = {"version": version, "primary": recorded.primary, "alpha": recorded.alpha}
    declared = track.study.model_dump(mode="json") if track.study else {}
    _refuse(path, {**before, **_flat(recorded.declared.model_dump(mode="json"))}, {**now, **_flat(declared)})


def continued(recorded: StudyResult, made: StudyResult, track: Track, path: Path) -> StudyResult:
    """``made`` with what is recorded of the other encoders, all in the declared order, and the families decided anew.

    A record of an earlier version of the track gives nothing. Raises ``InvalidInput`` where questions are not the same.
    """
    if recorded.track.get("version") != track.version:
        return made
    same = ("questions", "articles")
    _refuse(path, *({name: getattr(found, name) for name in same} for found in (recorded, made)))
    new = {row.encoder for row in made.rows}
    order = made.declared.encoders.index

    def joined(name: str) -> list[Any]:
        others = set(made.declared.encoders) - new
        kept = [found for found in getattr(recorded, name) if found.encoder in others]
        return sorted([*kept, *getattr(made, name)], key=lambda found: order(found.encoder))

    rows, titles, results = joined("rows"), joined("titles"), joined("results")
    results = decided(track, results, len(titles))
    return made.model_copy(update={"rows": tuple(rows), "titles": tuple(titles), "results": tuple(results)})


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
        if key in ("kinds", "contrasts"):
            yield f"study.{key}", [entry["name"] for entry in value]
            for entry in value:
                yield from ((f"study.{key}.{entry['name']}.{name}", own) for name, own in entry.items())
        else:
            yield f"study.{key}", value
