"""Batches without false negatives: two pairs of one group (one sentence in many languages) never share a batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from random import Random


class GroupedBatches:
    """Batches of row numbers, another order in every epoch, the same for the same seed.

    ``sources``: for each source, the group of each of its rows; rows are numbered through all sources in order. A batch
    holds rows of one source. In an epoch a source is gone through ``weights[source]`` times.
    """

    def __init__(self, sources: Sequence[Sequence[str]], weights: Sequence[int], batch_size: int, seed: int) -> None:
        self._members: list[list[list[int]]] = []
        first = 0
        for groups in sources:
            members: dict[str, list[int]] = {}
            for number, group in enumerate(groups, first):
                members.setdefault(group, []).append(number)
            self._members.append(list(members.values()))
            first += len(groups)
        self._weights, self._batch_size, self._seed, self._epoch = weights, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        """Batches per epoch; it depends on the sizes of the groups alone, so it is the same in every epoch."""
        return len(self._batches(Random(0)))

    def __iter__(self) -> Iterator[list[int]]:
        yield from self._batches(Random(f"{self._seed} {self._epoch}"))
        self._epoch += 1

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
        batches = []
        for place in range(max(map(len, shuffled), default=0)):
            rows = [group[place] for group in shuffled if len(group) > place]
            choice.shuffle(rows)
            count = -(-len(rows) // self._batch_size)
            # Batches of nearly equal size: a handful of rows left over would be too few negatives.
            cuts = [len(rows) * i // count for i in range(count + 1)]
            batches += [rows[a:b] for a, b in itertools.pairwise(cuts) if b - a > 1]
        return batches
