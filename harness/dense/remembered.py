"""Vectors that are wanted again: a card that is tried with many weights encodes the same texts each time.

What is remembered is a function of all that it is remembered by, so it has the bytes that would be computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

MOST_BYTES = 256 << 20
"""170,000 vectors of 384 dimensions; the oldest blocks are forgotten first."""


class Sized(Protocol):
    @property
    def vectors(self) -> Any: ...


Block = TypeVar("Block", bound=Sized)


class _Blocks:
    def __init__(self) -> None:
        self.known: OrderedDict[Hashable, Any] = OrderedDict()
        self.bytes = 0

    def add(self, key: Hashable, block: Sized) -> None:
        self.known[key] = block
        self.bytes += block.vectors.nbytes
        while self.bytes > MOST_BYTES:
            _, oldest = self.known.popitem(last=False)
            self.bytes -= oldest.vectors.nbytes


_remembered: ContextVar[_Blocks | None] = ContextVar("remembered", default=None)


@contextlib.contextmanager
def blocks_remembered() -> Iterator[None]:
    """Within, a block of texts that was encoded in this process is not encoded again in the same way."""
    token = _remembered.set(_Blocks())
    try:
        yield
    finally:
        _remembered.reset(token)


def remembered_block(texts: Sequence[str], how: tuple[Hashable, ...], encode: Callable[[], Block]) -> Block:
    """What ``encode`` gives; within ``blocks_remembered`` from memory where it was asked for before.

    ``how``: all that the vectors depend on, beside the texts. Whoever is given a block does not write into it.
    """
    memory = _remembered.get()
    if memory is None:
        return encode()
    digest = hashlib.blake2b(digest_size=32)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    key = (digest.digest(), *how)
    if key in memory.known:
        memory.known.move_to_end(key)
        found: Block = memory.known[key]
        return found
    made = encode()
    memory.add(key, made)
    return made
