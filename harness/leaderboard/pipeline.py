"""The way of a result, from runs on disk to the leaderboard's data: score, compare, build."""

from __future__ import annotations

from collections.abc import Iterable

from harness import progress
from harness.compare.compare import check_comparable, compare_systems
from harness.compare.records import Comparison, write_comparison
from harness.errors import InvalidInput
from harness.leaderboard.building import build
from harness.leaderboard.exports import write_leaderboard
from harness.leaderboard.table import Leaderboard, read_leaderboard
from harness.runs.score import score_system
from harness.runs.score_file import ScoreFile
from harness.runs.track_runs import TrackRuns
from harness.runs.withdrawal import Withdrawal
from harness.submissions.reproductions import read_reproductions
from harness.submissions.staging import check_whole
from harness.tracks import check_same_definition
from harness.tracks.check import check_track
from harness.tracks.units import unit_warnings


def recorded_systems(runs: TrackRuns) -> list[str]:
    """Names of the systems that have a run of the track on disk. Raises ``InvalidInput`` as ``check_whole`` does."""
    check_whole(runs.root)
    return [run.name for run in runs.recorded()]


def check_definitions(runs: TrackRuns, but: frozenset[str] = frozenset()) -> None:
    """Raise ``InvalidInput`` where runs or a table are recorded for another definition under the track's name and version.

    ``but``: systems whose runs are about to be replaced.
    """
    runs.check_definitions(but)
    if but:
        return
    track = runs.track
    try:
        recorded = read_leaderboard(runs.folder).track
    except (InvalidInput, ValueError):
        return  # none, or one that is damaged: it is made anew
    where = f"{runs.folder} holds the table of another definition of track {track.name}, version {track.version}"
    check_same_definition(recorded, track, where)


def score_all(runs: TrackRuns, systems: Iterable[str] | None = None) -> list[ScoreFile]:
    """Scores of all recorded systems. Raises ``InvalidInput`` with the troubles of all runs that cannot be scored."""
    names = list(systems) if systems is not None else recorded_systems(runs)
    if not names:
        command = runs.commands.run("SYSTEM")
        raise InvalidInput(f"no runs of track {runs.track.name} in {runs.folder}; `{command}` makes one")
    check_track(runs.track)
    scores, troubles = [], []
    with progress.task("score", len(names), "systems") as advance:
        for name in names:
            try:
                scores.append(score_system(runs.run(name)))
            except InvalidInput as error:
                troubles.append(f"{name}: {error}")
            advance(1)
    if troubles:
        raise InvalidInput("\n".join(troubles))
    return scores


def withdrawals_of(runs: TrackRuns, systems: Iterable[str]) -> dict[str, Withdrawal]:
    """Which of the systems are withdrawn. Raises ``InvalidInput`` when the baseline is one of them."""
    track, found = runs.track, {name: runs.run(name).withdrawal for name in systems}
    withdrawn = {name: withdrawal for name, withdrawal in found.items() if withdrawal is not None}
    if baseline := withdrawn.get(track.baseline):
        raise InvalidInput(
            f"{track.baseline}, the baseline of track {track.name}, was withdrawn on {baseline.date} ({baseline.reason}); "
            "nothing can be tested against it: name another baseline in the track's file, and raise its version"
        )
    return withdrawn


def standing_scores(runs: TrackRuns, scores: Iterable[ScoreFile]) -> list[ScoreFile]:
    """The scores without those of withdrawn systems: these alone are tested. Raises ``InvalidInput``."""
    scores = list(scores)
    withdrawn = withdrawals_of(runs, (score.system for score in scores))
    return [score for score in scores if score.system not in withdrawn]


def comparison_of(runs: TrackRuns, scores: list[ScoreFile]) -> Comparison:
    """All tests of the track. Withdrawn systems stand in the same table, so they must be comparable; none is tested."""
    track = runs.track
    check_comparable(track, scores)
    comparison = compare_systems(track, standing_scores(runs, scores))
    return comparison.model_copy(update={"warnings": unit_warnings(track)})


def compare_all(runs: TrackRuns, scores: list[ScoreFile]) -> Comparison:
    comparison = comparison_of(runs, scores)
    write_comparison(runs.comparison_file, comparison)
    return comparison


def leaderboard_of(runs: TrackRuns, scores: list[ScoreFile], comparison: Comparison) -> Leaderboard:
    manifests = {score.system: runs.run(score.system).manifest for score in scores}
    reproductions = {name: read_reproductions(runs.run(name).reproductions) for name in manifests}
    return build(runs.track, scores, comparison, manifests, withdrawals_of(runs, manifests), reproductions)


def build_leaderboard(runs: TrackRuns, scores: list[ScoreFile], comparison: Comparison) -> Leaderboard:
    board = leaderboard_of(runs, scores, comparison)
    write_leaderboard(runs.folder, board)
    return board
