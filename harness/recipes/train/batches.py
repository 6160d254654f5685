"""Batches without false negatives: two pairs of one group (one sentence in many languages) never share a batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from harness.recipes.train.pairs import Pair
from harness.recipes.train.stages import Batches


class Share(NamedTuple):
    """Of every batch, process ``number`` of ``processes`` has a part, all of one size."""

    number: int = 0
    processes: int = 1


ALONE = Share()


class Buckets(NamedTuple):
    """Pairs in the order in which they are numbered; ``sizes`` of the parts that share no batch, and their weights."""

    pairs: list[Pair]
    sizes: list[int]
    weights: list[int]

    def groups(self) -> list[list[str]]:
        ends = list(itertools.accumulate(self.sizes))
        return [
            [pair.group for pair in self.pairs[end - size : end]] for end, size in zip(ends, self.sizes, strict=True)
        ]


def bucketed(sources: Sequence[Sequence[Pair]], weights: Sequence[int], batches: Batches) -> Buckets:
    """By source; by source and languages of anchor and positive; or all in one, where a weight repeats a source's pairs."""
    if batches == "mixed":
        mixed = [pair for pairs, weight in zip(sources, weights, strict=True) for pair in list(pairs) * weight]
        return Buckets(mixed, [len(mixed)], [1])
    parts: list[tuple[list[Pair], int]] = []
    for pairs, weight in zip(sources, weights, strict=True):
        by_key: dict[tuple[str, str], list[Pair]] = {}
        for pair in pairs:
            key = (pair.anchor.lang, pair.positive.lang) if batches == "language" else ("", "")
            by_key.setdefault(key, []).append(pair)
        parts += [(part, weight) for part in by_key.values()]
    return Buckets(
        [pair for part, _ in parts for pair in part], [len(part) for part, _ in parts], [w for _, w in parts]
    )


class GroupedBatches:
    """Batches of row numbers, another order in every epoch, the same for the same seed.

    ``sources``: for each source, the group of each of its rows; rows are numbered through all sources in order. A batch
    holds rows of one source. In an epoch a source is gone through ``weights[source]`` times. With several processes each
    iterates over its own part of every batch; rows that cannot be divided among them are left out of a batch.
    """

    def __init__(
        self,
        sources: Sequence[Sequence[str]],
        weights: Sequence[int],
        batch_size: int,
        seed: int,
        share: Share = ALONE,
    ) -> None:
        self._members: list[list[list[int]]] = []
        first = 0
        for groups in sources:
            members: dict[str, list[int]] = {}
            for number, group in enumerate(groups, first):
                members.setdefault(group, []).append(number)
            self._members.append(list(members.values()))
            first += len(groups)
        self._weights, self._batch_size, self._seed, self._share = weights, batch_size, seed, share
        self.epoch = 0

    @property
    def processes(self) -> int:
        return self._share.processes

    @property
    def rows(self) -> int:
        return sum(len(rows) for members in self._members for rows in members)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        """Batches per epoch; it depends on the sizes of the groups alone, so it is the same in every epoch."""
        return len(self._batches(Random(0)))

    def rows_per_epoch(self) -> int:
        return sum(map(len, self._batches(Random(0))))

    def __iter__(self) -> Iterator[list[int]]:
        number, processes = self._share
        for batch in self._batches(Random(f"{self._seed} {self.epoch}")):
            size = len(batch) // processes
            yield batch[number * size : (number + 1) * size]
        self.epoch += 1

    def _batches(self, choice: Random) -> list[list[int]]:
        batches = []
        for members, weight in zip(self._members, self._weights, strict=True):
            for _ in range(weight):
                batches += self._of_source(members, choice)
        choice.shuffle(batches)
        return batches

    def _of_source(self, members: list[list[int]], choice: Random) -> list[list[int]]:
        """The n-th round takes the n-th row of every group that has so many, and is cut into batches."""
        shuffled = [choice.sample(rows, len(rows)) for rows in members]
        processes = self._share.processes
        batches = []
        for place in range(max(map(len, shuffled), default=0)):
            rows = [group[place] for group in shuffled if len(group) > place]
            choice.shuffle(rows)
            count = -(-len(rows) // self._batch_size)
            # Batches of nearly equal size: a handful of rows left over would be too few negatives.
            cuts = [len(rows) * i // count for i in range(count + 1)]
            sized = [(a, a + (b - a) // processes * processes) for a, b in itertools.pairwise(cuts)]
            batches += [rows[a:b] for a, b in sized if b - a > 1]
        return batches
