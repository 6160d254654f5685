"""Whether questions that were chosen against one system cost another one more than unselected edits of the same kind do.

The chosen questions are draws of the unselected ones' distribution, taken by what one system made of several of them. Were that
of no account to another system, its scores on the chosen text and R other draws would be exchangeable, but for rare texts,
which weigh more among the chosen, and unedited ones, which are never chosen; the test takes one of the 1 + R as chosen,
one choice for a unit (choices.py). A loss beyond the unselected draws is then what transfers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compare.choices import rechosen
from harness.compare.corrections import check_resamples, correct
from harness.compare.drops import family_of, smallest_detectable
from harness.compare.estimates import bootstrapped, bounds_of_interval
from harness.compare.monte_carlo import standard_error
from harness.compare.records import MACRO, Family, Transfer
from harness.compare.signed_sums import Draws
from harness.compare.versions import Versions, versions_of
from harness.runs.score_file import ScoreFile
from harness.tracks import Track


class _Pair(NamedTuple):
    """``against``: the chosen questions in the place of the clean ones, and the unselected draws; ``clean``: of the column."""

    attacked: str
    against: Versions
    clean: float

    @property
    def is_tested(self) -> bool:
        return self.against.column == MACRO and self.against.system != self.attacked


def transfers_of(track: Track, scores: Sequence[ScoreFile]) -> tuple[tuple[Transfer, ...], tuple[Family, ...]]:
    """Of every attack and system, by column; on macro averages one family of the systems that were not attacked.

    The family counts whole, as that of drops: systems of the track's file that were not run have p = 1. Raises ``InvalidInput``
    where the resamples are too few for it.
    """
    pairs = [pair for score in scores for pair in _pairs(track, score)]
    tested = [place for place, pair in enumerate(pairs) if pair.is_tested]
    families = track.families
    declared = {(system, own.perturbation) for own in track.attacks for system in track.systems if system != own.system}
    size = len(declared | {(pairs[place].against.system, pairs[place].against.perturbation) for place in tested})
    found = [_transfer(track, pair) for pair in pairs]
    if not tested:
        return tuple(found), ()
    check_resamples("transfers", size, families.resamples, families.alpha)
    level = families.alpha / size
    drawn = [_p_and_detectable(track, pairs[place].against, level) for place in tested]
    decided = correct(np.array([p for p, _ in drawn]), families.correction, families.alpha, size - len(tested))
    for order, (place, (p, detectable)) in enumerate(zip(tested, drawn, strict=True)):
        found[place] = found[place].model_copy(
            update={
                "p": p,
                "p_error": float(standard_error(np.array(p), families.resamples)),
                "p_adjusted": float(decided.p_adjusted[order]),
                "significant": bool(decided.significant[order]),
                "detectable": detectable,
            }
        )
    return tuple(found), (family_of(track, "transfers", size),)


def _pairs(track: Track, score: ScoreFile) -> Iterator[_Pair]:
    own: Mapping[tuple[str, str], Versions] = {
        (versions.perturbation, versions.column): versions for versions in versions_of(track, score, track.primary)
    }
    for attack in track.attacks:
        for (perturbation, column), chosen in own.items():
            control = own.get((attack.control, column))
            if perturbation != attack.perturbation or control is None:
                continue
            # Both are of the same topics in the same order: those of the clean parts of the column.
            scores = np.concatenate([chosen.scores[:, 1:2], control.scores[:, 1:]], axis=1)
            yield _Pair(attack.system, replace(chosen, scores=scores), chosen.table(chosen.scores[:, 0]).macro)


def _p_and_detectable(track: Track, versions: Versions, level: float) -> tuple[float, float]:
    units = sorted(set(versions.units))
    shares: NDArray[np.float64] = versions.shares({unit: row for row, unit in enumerate(units)})[:, :, None]
    tested = rechosen(shares, units, Draws(track.families.resamples, track.families.seed), [0])
    return float(tested.p[0]), smallest_detectable(tested.resampled[0], level)


def _transfer(track: Track, pair: _Pair) -> Transfer:
    versions = pair.against
    loss = versions.table(-versions.drops)
    return Transfer(
        system=versions.system,
        perturbation=versions.perturbation,
        attacked=pair.attacked,
        column=versions.column,
        draws=versions.scores.shape[1] - 1,
        clean=pair.clean,
        unselected=versions.table(versions.perturbed).macro,
        found=versions.table(versions.scores[:, 0]).macro,
        loss=loss.macro,
        interval=bounds_of_interval(bootstrapped(track, loss)),
    )
