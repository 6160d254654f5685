"""Made-up leaderboards with known truth, of the kinds that there are: near-copies, independent systems, unequal noise, ..."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Draw = Callable[[np.random.Generator], NDArray[np.float64]]

SIZES = (80, 110, 150, 190, 230, 270, 300)


@dataclass(frozen=True)
class Board:
    """``draw`` makes contributions, shape (units, K), whose expected sums are ``truth``, shape (K,), up to one constant.

    ``symmetric``: the differences of equal systems are distributed symmetrically about 0, which the test assumes.
    """

    name: str
    truth: NDArray[np.float64]
    draw: Draw
    symmetric: bool = True

    @property
    def equal(self) -> NDArray[np.bool_]:
        """Shape (K, K): pairs of different systems that are equally good."""
        same = np.isclose(self.truth[:, None], self.truth[None, :])
        np.fill_diagonal(same, False)
        return np.asarray(same)


def null_boards(runs: Path | None) -> list[Board]:
    """No system differs from another, or some do not. ``runs``: recorded scores whose covariance is used, if there are any."""
    boards = [continuous(systems, [1.0] * systems) for systems in (5, 10, 20)]
    boards += [hits(systems) for systems in (5, 10, 20)]
    boards += [
        continuous(5, [3.0] + [1.0] * 4),
        continuous(10, [3.0] + [1.0] * 9),
        continuous(10, [3.0] * 2 + [1.0] * 8),
    ]
    boards += [copies(5, 1, 0.03), copies(10, 1, 0.03), copies(20, 1, 0.03), copies(10, 2, 0.03), copies(20, 2, 0.03)]
    boards += [copies(10, 1, 0.1), copies(20, 2, 0.1), copies(20, 2, 0.2)]
    boards += [unequal_languages(10, 1), unequal_languages(10, 2), shared_passages(8)]
    boards += [partial_copies(), partial_better(8, 1), partial_better(8, 4)]
    boards += [rare(5, discordant) for discordant in (3, 5, 10)]
    boards += [few_units(5, 10), few_units(5, 20), skewed(5)]
    if runs is not None:
        boards += recorded(runs)
    return boards


def continuous(systems: int, deviations: list[float], units: int = 200) -> Board:
    """Normal scores of equal mean; the deviation of each system's own part."""
    loud = sum(deviation > 1 for deviation in deviations)
    name = f"{systems} systems, graded, " + (f"{loud} with three times the noise" if loud else "equal noise")

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        scores = generator.standard_normal((units, systems)) * np.array(deviations)
        return np.asarray(scores + generator.standard_normal((units, 1)))

    return Board(name, np.zeros(systems), draw)


def hits(systems: int, units: int = 200) -> Board:
    """Exchangeable hits, the questions of all difficulties."""

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        rates = generator.uniform(0.05, 0.9, (units, 1))
        return (generator.random((units, systems)) < rates).astype(np.float64)

    return Board(f"{systems} systems, hits, exchangeable", np.zeros(systems), draw)


def _copies(generator: np.random.Generator, units: int, copies: int, share: float) -> NDArray[np.float64]:
    """Near-copies: hits of one base of rate 1/2, each with a share of the questions decided anew by a coin of its own."""
    base = generator.integers(0, 2, (units, 1))
    changed = generator.random((units, copies)) < share
    return np.where(changed, 1 - base, base).astype(np.float64)


def copies(systems: int, independent: int, share: float, units: int = 200) -> Board:
    """Hits of rate 1/2: systems that toss coins, and near-copies of another."""

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        own = generator.integers(0, 2, (units, independent)).astype(np.float64)
        return np.concatenate([own, _copies(generator, units, systems - independent, share)], axis=1)

    name = f"{systems} systems, hits, {independent} independent, the others copies with {share:.0%} changed"
    return Board(name, np.zeros(systems), draw)


def unequal_languages(systems: int, independent: int) -> Board:
    """The macro average of seven languages of 80 to 300 questions, near-copies with 5% changed."""

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        parts = []
        for size in SIZES:
            own = generator.integers(0, 2, (size, independent)).astype(np.float64)
            both = np.concatenate([own, _copies(generator, size, systems - independent, 0.05)], axis=1)
            parts.append(both / (len(SIZES) * size))
        return np.concatenate(parts)

    name = (
        f"{systems} systems, macro of 80 to 300 questions, {independent} independent, the others copies with 5% changed"
    )
    return Board(name, np.zeros(systems), draw)


def shared_passages(systems: int, passages: int = 198, languages: int = 3) -> Board:
    """Each unit is a passage asked about in three languages; systems find or miss it in several of them together."""

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        passage = generator.standard_normal((passages, 1, systems)) * 0.6
        latent = passage + generator.standard_normal((passages, languages, systems)) * 0.8
        return np.asarray((latent > 0).sum(axis=1) / (passages * languages))

    return Board(f"{systems} systems, hits, passages shared by {languages} languages", np.zeros(systems), draw)


def partial_copies(units: int = 200) -> Board:
    """Two independent systems of rate 1/2, and eight near-copies of rate 0.15: none differs within its kind."""

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        loud = generator.integers(0, 2, (units, 2)).astype(np.float64)
        base = generator.random((units, 1)) < 0.15
        # A question that is changed is decided anew with the same rate, so that all copies have it.
        changed, anew = generator.random((units, 8)) < 0.1, generator.random((units, 8)) < 0.15
        return np.concatenate([loud, np.where(changed, anew, base).astype(np.float64)], axis=1)

    return Board(
        "10 systems, hits, 2 independent of rate 0.5, 8 copies of rate 0.15", np.array([1.0] * 2 + [0.0] * 8), draw
    )


def partial_better(systems: int, better: int, units: int = 200) -> Board:
    """Some systems are better than the rest by one standard deviation."""
    shift = np.array([1.0] * better + [0.0] * (systems - better))

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        scores = generator.standard_normal((units, systems)) + generator.standard_normal((units, 1))
        return np.asarray((scores + shift > 0), np.float64)

    return Board(f"{systems} systems, hits, {better} of them far better", shift, draw)


def rare(systems: int, discordant: int, units: int = 200) -> Board:
    """Each system misses one or the other half of so many questions of its own that two systems differ on about that many."""

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        changed = generator.random((units, systems)) < discordant / 2 / units
        return np.where(changed, generator.integers(0, 2, (units, systems)), 0.5)

    return Board(f"{systems} systems, two differ on about {discordant} of {units} questions", np.zeros(systems), draw)


def few_units(systems: int, units: int) -> Board:
    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        scores = generator.standard_normal((units, systems)) * np.linspace(1, 3, systems)
        return np.asarray(scores + generator.standard_normal((units, 1)))

    return Board(f"{systems} systems, graded, unequal noise, {units} units", np.zeros(systems), draw)


def skewed(systems: int, units: int = 1200) -> Board:
    """Differences of mean 0 that are not symmetric: 3% are 1, the rest -0.031. The first system is the plain one."""

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        scores = np.where(generator.random((units, systems)) < 0.03, 1.0, -0.03 / 0.97)
        scores[:, 0] = 0
        return scores

    return Board(f"{systems} systems, skewed differences (3% at +1)", np.zeros(systems), draw, symmetric=False)


def recorded(runs: Path) -> list[Board]:
    """Normal scores with the covariance, between units, of the macro averages of a recorded track, all means equal.

    Beside the recorded systems a second board has eight that are close to one of them, as checkpoints are.
    """
    from harness.compare.estimates import table_of
    from harness.compare.records import MACRO
    from harness.runs.score_file import read_scores
    from harness.tracks import load_track
    from harness.tracks.units import units_of

    track = load_track(runs.name)
    # Units as the track declares them today, whatever they were when the scores were recorded.
    units = units_of(track)
    scores = [replace(read_scores(path), units=units) for path in sorted(runs.glob("*/scores.parquet"))]
    tables = [table_of(track, score, None, MACRO, track.primary)[0] for score in scores]
    own = np.stack([table.contributions() for table in tables if table is not None], axis=1)
    root = np.linalg.cholesky(np.cov(own.T) + 1e-12 * np.eye(own.shape[1]))
    near = next((place for place, score in enumerate(scores) if score.system == "mini-xdr"), 0)
    deviation = float(own[:, near].std())

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        return np.asarray(generator.standard_normal(own.shape) @ root.T)

    def with_copies(generator: np.random.Generator) -> NDArray[np.float64]:
        scores = draw(generator)
        return np.concatenate(
            [scores, scores[:, [near]] + 0.1 * deviation * generator.standard_normal((len(own), 8))], axis=1
        )

    systems = own.shape[1]
    return [
        Board(f"{systems} systems, covariance of the recorded track {track.name}", np.zeros(systems), draw),
        Board(f"the same and 8 close to {scores[near].system}", np.zeros(systems + 8), with_copies),
    ]


def power_boards() -> list[Board]:
    """One pair differs: the first two systems. The others toss coins, or are like these."""
    boards = []
    for points in (0.04, 0.1):
        boards += [_better_copy(points, loud) for loud in (0, 3, 8)]
    boards += [_better(systems, points) for systems in (4, 10) for points in (0.1, 0.15)]
    return boards


def _better_copy(points: float, loud: int, units: int = 200) -> Board:
    """The second system is the first with so many of its misses turned to hits, beside systems that toss coins."""

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        base = generator.integers(0, 2, units).astype(np.float64)
        better = base.copy()
        better[generator.random(units) < 2 * points] = 1
        own = generator.integers(0, 2, (units, loud)).astype(np.float64)
        return np.column_stack([base, better, own])

    name = f"a copy better by {100 * points:g} points" + (f", {loud} independent systems" if loud else " alone")
    return Board(name, np.array([0.0, points] + [0.0] * loud), draw)


def _better(systems: int, points: float, units: int = 200) -> Board:
    """Exchangeable hits, the second system better by so many points."""

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        rates = generator.uniform(0.2, 0.7, (units, 1))
        shift = np.array([0.0, points] + [0.0] * (systems - 2))
        return np.asarray((generator.random((units, systems)) < rates + shift), np.float64)

    truth = np.array([0.0, points] + [0.0] * (systems - 2))
    return Board(f"{systems} equal systems, one better by {100 * points:g} points", truth, draw)
