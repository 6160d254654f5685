"""The test of all pairs on boards of every kind: errors and power, beside the test that was used before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.compare.all_pairs import Column, all_pairs_of
from validity_studies import pooled_max_t, step_down
from validity_studies.boards import Board, null_boards, power_boards
from validity_studies.simulation import unit_names
from validity_studies.tests_and_intervals import Plan, Table

RESAMPLES = 499
_BATCH = 40
RUNS = Path(__file__).parent.parent.parent / "runs" / "mini"


def family_wise_error(plan: Plan, boards: Sequence[Board] | None = None) -> Table:
    """Share of boards in which any two equal systems were called different."""
    rows, claims = [], []
    experiments = max(1, plan.experiments // 5)
    bound = 0.05 + 3 * _error(0.05, experiments)
    for number, board in enumerate(null_boards(RUNS) if boards is None else boards):
        generator = plan.generator(7, number)
        wrong = np.zeros(2)
        for scores in _drawn(board, experiments, generator):
            for place, decided in enumerate((_before(scores), _today(scores, plan))):
                wrong[place] += sum((found & board.equal).any() for found in decided)
        before, today = wrong / experiments
        rows.append((board.name, _shown(before, experiments), _shown(today, experiments)))
        if board.symmetric:
            claims.append((f"{board.name}: at most {100 * bound:.1f}%", bool(today <= bound)))
    return Table(
        "Family-wise error of all pairs at 5%",
        f"Share of {experiments} boards in which any two equal systems were called different, +- one standard error; "
        f"{RESAMPLES} resamples. Before: randomised Tukey test (labels permuted within units, raw differences). Today: "
        "studentised max-T under signs of units. Boards of 200 questions unless they say otherwise. Skewed differences "
        "break the one assumption of tests by signs, that a difference is as likely to be d as -d.",
        ("board", "before", "today"),
        tuple(rows),
        tuple(claims),
    )


def all_pairs_power(plan: Plan, boards: Sequence[Board] | None = None) -> Table:
    """How often the pair that does differ is found, by the test before, today's, and today's in steps."""
    rows, claims = [], []
    experiments = max(1, plan.experiments // 10)
    for number, board in enumerate(power_boards() if boards is None else boards):
        generator = plan.generator(8, number)
        found = np.zeros(3)
        for scores in _drawn(board, experiments, generator):
            names = unit_names(len(scores[0]))
            steps = [step_down.significant(own, names, RESAMPLES, plan.seed) for own in scores]
            for place, decided in enumerate((_before(scores), _today(scores, plan), steps)):
                found[place] += sum(one[0, 1] for one in decided)
        shares = found / experiments
        rows.append((board.name, *(_shown(share, experiments) for share in shares)))
        limit = shares[0] - 0.1 - 3 * _error(0.5, experiments)
        claims.append(
            (f"{board.name}: today's finds about as much as the one before, or more", bool(shares[1] >= limit))
        )
    return Table(
        "Power of all pairs at 5%",
        f"Share of {experiments} boards of 200 questions in which the first two systems, which differ, were called different, "
        "+- one standard error. In steps: the pairs that are decided leave the distribution (Romano and Wolf). What the "
        "steps add is little, and they do not bound wrong directions, which rank intervals need; the single step is used.",
        ("board", "before", "today", "today, in steps"),
        tuple(rows),
        tuple(claims),
    )


def _drawn(board: Board, experiments: int, generator: np.random.Generator) -> Iterator[list[NDArray[np.float64]]]:
    """Some boards at a time: all have the same units, and so the same signs."""
    for start in range(0, experiments, _BATCH):
        yield [board.draw(generator) for _ in range(min(_BATCH, experiments - start))]


def _before(scores: list[NDArray[np.float64]]) -> list[NDArray[np.bool_]]:
    return pooled_max_t.significant(np.stack(scores), RESAMPLES)


def _today(scores: list[NDArray[np.float64]], plan: Plan) -> list[NDArray[np.bool_]]:
    columns = [Column(own, unit_names(len(own))) for own in scores]
    return [found.significant for found in all_pairs_of(columns, RESAMPLES, plan.seed, most_times=1)]


def _error(rate: float, experiments: int) -> float:
    return float(np.sqrt(rate * (1 - rate) / experiments))


def _shown(rate: float, experiments: int) -> str:
    return f"{100 * rate:.1f}% +- {100 * _error(float(np.clip(rate, 0.5 / experiments, 1)), experiments):.1f}"
