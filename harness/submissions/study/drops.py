"""What perturbed questions cost the rows of a study's contrasts, where its track perturbs its questions.

Weights and title handling are those that were chosen on the questions as they are. A row's drop is tested as that of a system
is; each contrast holds the drops of its first kind against those of its second.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.drops import Dropped, Held, drops_of
from harness.runs.score_file import ScoreFile
from harness.submissions.study.encoder import EncoderStudy
from harness.submissions.study.records import row_name
from harness.submissions.study.world import World


def drops_of_rows(world: World, encoders: Sequence[EncoderStudy]) -> Dropped:
    """Empty where the track perturbs nothing. Raises as ``drops_of`` does."""
    track, contrasts = world.track, world.study.contrasts
    if len(track.parts) == len(track.clean_parts):
        return Dropped()
    kinds = dict.fromkeys(name for contrast in contrasts for name in (contrast.second, contrast.first))
    scores = [_scores(world, encoder, kind) for encoder in encoders for kind in kinds]
    held = [
        Held(row_name(name, contrast.first), row_name(name, contrast.second))
        for name in world.study.encoders
        for contrast in contrasts
    ]
    return drops_of(track, scores, held)


def _scores(world: World, encoder: EncoderStudy, kind: str) -> ScoreFile:
    by_part: dict[tuple[str, str], dict[str, float]] = {}
    for (part, query_id), value in world.values(encoder.of[kind], world.track.primary).items():
        by_part.setdefault((part, world.track.primary), {})[query_id] = value
    langs = {part.name: part.lang for part in world.track.parts}
    return ScoreFile(row_name(encoder.card.card.name, kind), by_part, world.units, langs, {})
