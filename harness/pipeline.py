"""The way of a result, from runs on disk to the leaderboard's data: score, compare, build."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.compare import Comparison, compare_systems, write_comparison
from harness.errors import InvalidInput
from harness.leaderboard import Leaderboard, build, write_leaderboard
from harness.manifest import FILE_NAME as MANIFEST
from harness.manifest import read_manifest
from harness.reproductions import read_reproductions
from harness.score import ScoreFile, score_system
from harness.tracks import Track

COMPARISON = "comparison.json"


def recorded_systems(runs: Path, track: Track) -> list[str]:
    """Names of the systems that have a run of the track on disk."""
    folder = runs / track.name
    return sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}")) if folder.is_dir() else []


def score_all(track: Track, runs: Path, systems: Iterable[str] | None = None) -> list[ScoreFile]:
    """Scores of all recorded systems. Raises ``InvalidInput`` with the troubles of all runs that cannot be scored."""
    names = list(systems) if systems is not None else recorded_systems(runs, track)
    if not names:
        raise InvalidInput(
            f"no runs of track {track.name} in {runs / track.name}; `xdr run {track.name} SYSTEM` makes one"
        )
    scores, troubles = [], []
    for name in names:
        try:
            scores.append(score_system(track, runs / track.name / name))
        except InvalidInput as error:
            troubles.append(f"{name}: {error}")
    if troubles:
        raise InvalidInput("\n".join(troubles))
    return scores


def compare_all(track: Track, runs: Path, scores: list[ScoreFile]) -> Comparison:
    comparison = compare_systems(track, scores)
    write_comparison(runs / track.name / COMPARISON, comparison)
    return comparison


def build_leaderboard(track: Track, runs: Path, scores: list[ScoreFile], comparison: Comparison) -> Leaderboard:
    manifests = {score.system: read_manifest(runs / track.name / score.system) for score in scores}
    reproductions = {name: read_reproductions(runs / track.name / name) for name in manifests}
    board = build(track, scores, comparison, manifests, reproductions)
    write_leaderboard(runs / track.name, board)
    return board
