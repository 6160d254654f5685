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
        before = self._key(*place)

        def hash_of(item: Item) -> bytes:
            found = before.copy()
            found.update(f", {json.dumps(item)}]".encode("ascii"))
            return found.digest()

        return sorted(set(items), key=lambda item: (hash_of(item), item))

    def number(self, below: int, *place: int | str) -> int:
        """A number from 0 to ``below`` - 1."""
        found = self._key(*place)
        found.update(b"]")
        return int.from_bytes(found.digest(), "big") % below

    def _key(self, *place: int | str) -> hashlib.blake2b:
        """The hash of a list in JSON that is not closed yet."""
        beginning = json.dumps([self.seed, self.recipe, self.record, *place]).removesuffix("]")
        return hashlib.blake2b(beginning.encode("ascii"), digest_size=8)
