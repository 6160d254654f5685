"""Leaderboards out of a few numbers, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

from score_files import scores_of, track_of

from harness.adapters.card import Card
from harness.compare.compare import compare_systems
from harness.leaderboard.bounds import Reach
from harness.leaderboard.building import build
from harness.leaderboard.table import Leaderboard
from harness.runs.manifest import Implementation, Manifest, Method, PartRecord, TrackRecord
from harness.runs.provenance import Execution, Platform
from harness.runs.score_file import ScoreFile
from harness.runs.withdrawal import Withdrawal
from harness.tracks import Track


def manifest_of(score: ScoreFile, title: str = "", keys: Mapping[str, Any] = MappingProxyType({})) -> Manifest:
    card = {"schema_version": 1, "name": score.system, "title": title or score.system, "adapter": "dummy", **keys}
    record = PartRecord(dataset="", lang="", docs="", queries="", query_count=0, ranking="r")
    return Manifest(
        schema_version=2,
        tag=score.system,
        track=TrackRecord(name="toy", version=1, depth=1),
        method=Method(card=Card.model_validate(card)),
        data=dict.fromkeys(score.parts, record),
        implementation=Implementation(),
        platform=Platform(),
        execution=Execution(device="cpu", isolation="bwrap"),
    )


def means(**by_part: float) -> dict[str, dict[str, float]]:
    """Ten questions per part whose mean is the given multiple of a tenth, of hits and misses."""
    return {part: {f"{part}{i}": float(i < round(10 * mean)) for i in range(10)} for part, mean in by_part.items()}


def no_collections(track: Track) -> dict[str, dict[str, Reach]]:
    """Ceilings have tests of their own, with collections; these tables have none."""
    return {part.name: dict.fromkeys(track.measures, Reach(0.75, 0.25)) for part in track.parts}


def board_of(
    track: Track,
    *scores: ScoreFile,
    titles: Mapping[str, str] | None = None,
    withdrawn: Mapping[str, Withdrawal] | None = None,
    cards: Mapping[str, Mapping[str, Any]] | None = None,
) -> Leaderboard:
    """The table of these scores, with cards' titles and other keys by system, and withdrawals."""
    titles, withdrawn, cards = titles or {}, withdrawn or {}, cards or {}
    manifests = {s.system: manifest_of(s, titles.get(s.system, ""), cards.get(s.system, {})) for s in scores}
    comparison = compare_systems(track, [score for score in scores if score.system not in withdrawn])
    with patch("harness.leaderboard.building.bounds_of", no_collections):
        return build(track, scores, comparison, manifests, withdrawn)


def toy_board(**fields: Any) -> Leaderboard:
    return board_of(
        track_of("fi", "ja", "en", macro=["fi", "ja"]),
        scores_of("base", means(fi=0.1, ja=0.3, en=0.9)),
        scores_of("better", means(fi=1.0, ja=1.0, en=0.1)),
        scores_of("partial", means(fi=1.0, en=1.0)),
        **fields,
    )
