"""Random choices that depend on a seed, a recipe, a record's id and a place in it, and on nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item", int, str)


@dataclass(frozen=True)
class Draws:
    """Choices for one text. ``recipe``: the digest of what the recipe does; ``record``: the id of the query or passage.

    A choice is the item whose hash is the smallest, so that one more item to choose from changes few choices, and neither
    order nor platform changes any.
    """

    seed: int
    recipe: str
    record: str

    def ordered(self, items: Iterable[Item], *place: int | str) -> list[Item]:
        """The different items in random order; ``place`` tells the choices for one text from one another."""
        return sorted(set(items), key=lambda item: (self._hash(*place, item), item))

    def number(self, below: int, *place: int | str) -> int:
        """A number from 0 to ``below`` - 1."""
        return int.from_bytes(self._hash(*place), "big") % below

    def _hash(self, *place: int | str) -> bytes:
        key = json.dumps([self.seed, self.recipe, self.record, *place])
        return hashlib.blake2b(key.encode("ascii"), digest_size=8).digest()
