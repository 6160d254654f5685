"""A system's scores on a topic in its versions: the clean one and the draws of a perturbation, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.compare.records import MACRO
from harness.compare.units import UnitTable, tabulate
from harness.errors import InvalidInput
from harness.runs.score_file import ScoreFile
from harness.tracks import Track


@dataclass(frozen=True)
class Versions:
    """One system's scores on the topics of a column: float64, shape (topics, 1 + R), the clean part's first."""

    system: str
    perturbation: str
    measure: str
    column: str
    scores: NDArray[np.float64]
    topics: tuple[tuple[str, str], ...]  # part and query id
    units: tuple[str, ...]

    @property
    def perturbed(self) -> NDArray[np.float64]:
        """Mean over the draws, shape (topics,)."""
        return np.asarray(self.scores[:, 1:].mean(axis=1))

    @property
    def drops(self) -> NDArray[np.float64]:
        return np.asarray(self.scores[:, 0] - self.perturbed)

    @property
    def are_hits(self) -> bool:
        return bool(np.isin(self.scores, (0.0, 1.0)).all())

    @property
    def hit(self) -> NDArray[np.bool_]:
        return np.asarray(self.scores[:, 0] > 0)

    def table(self, values: NDArray[np.float64]) -> UnitTable:
        return tabulate(values, [part for part, _ in self.topics], self.units)

    def table_of(self, kept: NDArray[np.bool_], values: NDArray[np.float64]) -> UnitTable | None:
        """Values of some topics alone; None where a part has none of them."""
        own = [(topic[0], unit) for topic, unit, keep in zip(self.topics, self.units, kept, strict=True) if keep]
        if len({part for part, _ in own}) < len({part for part, _ in self.topics}):
            return None
        return tabulate(values[kept], [part for part, _ in own], [unit for _, unit in own])

    def shares(self, places: Mapping[str, int]) -> NDArray[np.float64]:
        """What each unit adds to the column's mean in each version, shape (units, 1 + R)."""
        sizes = Counter(part for part, _ in self.topics)
        weights = np.array([1 / (len(sizes) * sizes[part]) for part, _ in self.topics])
        found = np.zeros((len(places), self.scores.shape[1]))
        np.add.at(found, [places[unit] for unit in self.units], self.scores * weights[:, None])
        return found


def versions_of(track: Track, score: ScoreFile, measure: str) -> Iterator[Versions]:
    """Of every perturbation and column on which the system has the clean part and all draws."""
    by_perturbation: dict[str, dict[str, Versions]] = {}
    for part in track.clean_parts:
        for perturbation, draws in track.draws_of(part.name).items():
            values = [score.values.get((name, measure), {}) for name in (part.name, *(draw.name for draw in draws))]
            if not all(values):
                continue
            ids = sorted(values[0])
            if strangers := [draw.name for draw, own in zip(draws, values[1:], strict=True) if sorted(own) != ids]:
                raise InvalidInput(f"part {strangers[0]} is scored on other questions than {part.name}; score it again")
            by_perturbation.setdefault(perturbation, {})[part.name] = Versions(
                score.system,
                perturbation,
                measure,
                part.name,
                np.array([[own[query_id] for own in values] for query_id in ids]),
                tuple((part.name, query_id) for query_id in ids),
                tuple(score.units[part.name, query_id][1] for query_id in ids),
            )
    for perturbation, parts in by_perturbation.items():
        if all(name in parts for name in track.macro_parts):
            inside = [parts[name] for name in track.macro_parts]
            yield Versions(
                score.system,
                perturbation,
                measure,
                MACRO,
                np.concatenate([own.scores for own in inside]),
                tuple(topic for own in inside for topic in own.topics),
                tuple(unit for own in inside for unit in own.units),
            )
        yield from parts.values()
