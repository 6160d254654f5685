"""``xdr reproduce FILE``: a recorded study, comparison or attack made again, and held against what is recorded."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.console import note, print_json, say
from harness.cli.operator_options import Operator
from harness.errors import InvalidInput, WrongUsage

if TYPE_CHECKING:
    from harness.submissions.record_agreement import RecordAgreement
    from harness.tracks import Track

Plain = Mapping[str, Any]


def reproduce_record(path: Path, track: str, encoders: Sequence[str], operator: Operator, *, as_json: bool) -> bool:
    """Make the record in a file again, and print how the two agree; whether the answers are the same.

    Raises ``InvalidInput`` for a file that is none of these records, and ``WrongUsage`` for encoders of what has none.
    """
    from harness.files.limits import TABLE_BYTES
    from harness.files.reading import parse_json, read_bytes
    from harness.submissions.record_agreement import record_agreement
    from harness.tracks import load_track

    try:
        content = dict(parse_json(read_bytes(path, TABLE_BYTES)))
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is no record of a study, a comparison or an attack; those are JSON") from error
    made = next((again for key, again in _KINDS.items() if key in content), None)
    if made is None:
        raise InvalidInput(
            f"{path} is no record that can be made again: give a study.json, a comparison.json, or the manifest of an attack"
        )
    if encoders and made is not _study:
        raise WrongUsage("--encoder is of recorded studies alone: all systems of a comparison are tested together")
    of = content["attack"] if made is _attack else content
    loaded = load_track(track or _track_of(of, path), operator.consent())
    began = time.monotonic()
    recorded, again = made(path, loaded, encoders, operator)
    agreement = record_agreement(recorded, again, loaded.tolerance.rmse)
    seconds = time.monotonic() - began
    if as_json:
        print_json({**agreement.model_dump(mode="json"), "seconds": round(seconds, 1)})
    else:
        _say(path, agreement, seconds)
    return agreement.verdict != "differs"


def _track_of(content: Any, path: Path) -> str:
    track = content.get("track") if isinstance(content, Mapping) else None
    name = track.get("name") if isinstance(track, Mapping) else None
    if not isinstance(name, str):
        raise InvalidInput(f"{path} does not say of which track it is; name it with --track")
    return name


def _study(path: Path, track: Track, encoders: Sequence[str], operator: Operator) -> tuple[Plain, Plain]:
    from harness.submissions.study.again import of_encoders, study_again
    from harness.submissions.study.records import read_study

    recorded = read_study(path)
    if recorded is None:
        raise InvalidInput(f"{path} is gone")
    again = study_again(path, recorded, track, operator.context(operator.consent()), encoders)
    return of_encoders(recorded, encoders), of_encoders(again, encoders)


def _comparison(path: Path, track: Track, _encoders: Sequence[str], operator: Operator) -> tuple[Plain, Plain]:
    from harness.compare.records import dumped, read_comparison
    from harness.leaderboard.comparison_again import comparison_again

    recorded = read_comparison(path)
    again = comparison_again(path, recorded, track, operator.context(operator.consent()))
    return dumped(recorded), dumped(again)


def _attack(path: Path, track: Track, _encoders: Sequence[str], operator: Operator) -> tuple[Plain, Plain]:
    from harness.submissions.attack.again import attack_again
    from harness.submissions.attack.files import read_manifest

    recorded = read_manifest(path)
    again = attack_again(path, recorded, track, operator.context(operator.consent()))
    return recorded.model_dump(mode="json"), again.model_dump(mode="json")


_KINDS = {"declared": _study, "families": _comparison, "attack": _attack}
"""By a key that the JSON of this kind alone has."""


def _say(path: Path, agreement: RecordAgreement, seconds: float) -> None:
    say(f"{path}: {agreement.verdict}")
    if agreement.verdict == "identical":
        say(f"all {agreement.figures:,} figures come out as they are recorded")
    else:
        say(
            f"{agreement.differing:,} of {agreement.figures:,} figures differ, two numbers by {agreement.largest:.2g} at most"
        )
    for title, lines in (("other answers", agreement.answers), ("other digits", agreement.digits)):
        if lines:
            say(f"{title}, the first {len(lines)}:")
        for line in lines:
            say(f"  {line}")
    note(f"made again in {int(seconds // 60)} min {seconds % 60:.0f} s")
