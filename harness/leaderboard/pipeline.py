"""The way of a result, from runs on disk to the leaderboard's data: score, compare, build."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness import progress
from harness.compare import Comparison, compare_systems, write_comparison
from harness.compare.compare import check_comparable
from harness.errors import InvalidInput
from harness.leaderboard.exports import write_leaderboard
from harness.leaderboard.table import Leaderboard, build, read_leaderboard
from harness.runs.commands import Commands
from harness.runs.definition import check_recorded_definitions
from harness.runs.manifest import FILE_NAME as MANIFEST
from harness.runs.manifest import read_manifest
from harness.runs.score import score_system
from harness.runs.score_file import ScoreFile
from harness.runs.withdrawal import Withdrawal, read_withdrawal
from harness.submissions.reproductions import read_reproductions
from harness.submissions.staging import check_whole
from harness.tracks import Track, check_same_definition
from harness.tracks.check import check_track
from harness.tracks.units import unit_warnings

COMPARISON = "comparison.json"


def recorded_systems(runs: Path, track: Track) -> list[str]:
    """Names of the systems that have a run of the track on disk. Raises ``InvalidInput`` as ``check_whole`` does."""
    check_whole(runs)
    folder = runs / track.name
    return sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}")) if folder.is_dir() else []


def check_definitions(track: Track, runs: Path, but: frozenset[str] = frozenset()) -> None:
    """Raise ``InvalidInput`` where runs or a table are recorded for another definition under the track's name and version.

    ``but``: systems whose runs are about to be replaced.
    """
    check_recorded_definitions(track, runs, but)
    if but:
        return
    try:
        recorded = Track.recorded(read_leaderboard(runs / track.name).track)
    except (InvalidInput, ValueError):
        return  # none, or one that is damaged: it is made anew
    where = f"{runs / track.name} holds the table of another definition of track {track.name}, version {track.version}"
    check_same_definition(recorded, track, where)


def score_all(track: Track, runs: Path, systems: Iterable[str] | None = None) -> list[ScoreFile]:
    """Scores of all recorded systems. Raises ``InvalidInput`` with the troubles of all runs that cannot be scored."""
    names = list(systems) if systems is not None else recorded_systems(runs, track)
    if not names:
        command = Commands(track, runs).run("SYSTEM")
        raise InvalidInput(f"no runs of track {track.name} in {runs / track.name}; `{command}` makes one")
    check_track(track)
    scores, troubles = [], []
    with progress.task("score", len(names), "systems") as advance:
        for name in names:
            try:
                scores.append(score_system(track, runs / track.name / name))
            except InvalidInput as error:
                troubles.append(f"{name}: {error}")
            advance(1)
    if troubles:
        raise InvalidInput("\n".join(troubles))
    return scores


def withdrawals_of(track: Track, runs: Path, systems: Iterable[str]) -> dict[str, Withdrawal]:
    """Which of the systems are withdrawn. Raises ``InvalidInput`` when the baseline is one of them."""
    found = {name: read_withdrawal(runs / track.name / name) for name in systems}
    withdrawn = {name: withdrawal for name, withdrawal in found.items() if withdrawal is not None}
    if baseline := withdrawn.get(track.baseline):
        raise InvalidInput(
            f"{track.baseline}, the baseline of track {track.name}, was withdrawn on {baseline.date} ({baseline.reason}); "
            "nothing can be tested against it: name another baseline in the track's file, and raise its version"
        )
    return withdrawn


def standing_scores(track: Track, runs: Path, scores: Iterable[ScoreFile]) -> list[ScoreFile]:
    """The scores without those of withdrawn systems: these alone are tested. Raises ``InvalidInput``."""
    scores = list(scores)
    withdrawn = withdrawals_of(track, runs, (score.system for score in scores))
    return [score for score in scores if score.system not in withdrawn]


def comparison_of(track: Track, runs: Path, scores: list[ScoreFile]) -> Comparison:
    """All tests of the track. Withdrawn systems stand in the same table, so they must be comparable; none is tested."""
    check_comparable(track, scores)
    comparison = compare_systems(track, standing_scores(track, runs, scores))
    return comparison.model_copy(update={"warnings": unit_warnings(track)})


def compare_all(track: Track, runs: Path, scores: list[ScoreFile]) -> Comparison:
    comparison = comparison_of(track, runs, scores)
    write_comparison(runs / track.name / COMPARISON, comparison)
    return comparison


def leaderboard_of(track: Track, runs: Path, scores: list[ScoreFile], comparison: Comparison) -> Leaderboard:
    manifests = {score.system: read_manifest(runs / track.name / score.system) for score in scores}
    reproductions = {name: read_reproductions(runs / track.name / name) for name in manifests}
    return build(track, scores, comparison, manifests, withdrawals_of(track, runs, manifests), reproductions)


def build_leaderboard(track: Track, runs: Path, scores: list[ScoreFile], comparison: Comparison) -> Leaderboard:
    board = leaderboard_of(track, runs, scores, comparison)
    write_leaderboard(runs / track.name, board)
    return board
