"""Random draws that depend on a text's own key, the place in the text and the token alone, never on its batch.

The Gumbel-max form of sampling: the token with the greatest score + g, where g = -log(-log(u)) and u is uniform, is a draw from
the softmax of the scores. Each u is a hash of (key, place, token), so that neither the neighbours in a batch, nor the order of
batches, nor the machine that resumes a killed job, changes what is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Weyl constant and mixers of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), as the signed numbers that torch has.
_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX_1 = 0xBF58476D1CE4E5B9 - (1 << 64)
_MIX_2 = 0x94D049BB133111EB - (1 << 64)


def key_of(seed: int, doc_id: str, lang: str, number: int) -> int:
    """The key of one text, a signed whole number of 64 bits."""
    data = f"{seed}\0{doc_id}\0{lang}\0{number}".encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little", signed=True)


class KeyedDraw:
    """A logits processor of transformers that leaves one token possible in each row: the one drawn.

    ``keys``: one for each row. ``warpers``: transformers' own (temperature, top-k, top-p), applied first in this order.
    ``candidates``: as many of the highest scores are drawn from, enough for what top-k leaves, ties included.
    """

    def __init__(
        self,
        keys: Sequence[int],
        warpers: Sequence[Callable[[torch.Tensor, torch.Tensor], torch.Tensor]],
        candidates: int,
    ) -> None:
        self._keys, self._warpers, self._candidates = list(keys), warpers, candidates
        self._first_length = -1

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """``input_ids``: shape (rows, length so far); ``scores``: float32, shape (rows, vocabulary)."""
        import torch

        if self._first_length < 0:
            self._first_length = input_ids.shape[1]
        for warper in self._warpers:
            scores = warper(input_ids, scores)
        best, tokens = torch.topk(scores, min(self._candidates, scores.shape[1]))
        keys = torch.tensor(self._keys, dtype=torch.int64, device=scores.device)
        noise = gumbel(keys, input_ids.shape[1] - self._first_length, tokens)
        drawn = tokens.gather(1, (best.double() + noise).argmax(1, keepdim=True))
        return torch.full_like(scores, -torch.inf).scatter_(1, drawn, 0.0)


def gumbel(keys: torch.Tensor, place: int, tokens: torch.Tensor) -> torch.Tensor:
    """Standard Gumbel noise, float64, shape of ``tokens`` (rows, candidates); ``keys``: int64, shape (rows,)."""
    import torch

    mixed = _mixed(keys + torch.full_like(keys, place) * _GOLDEN)
    mixed = _mixed(mixed[:, None] + (tokens + 1) * _GOLDEN)
    uniform = ((mixed >> 11 & ((1 << 53) - 1)).double() + 0.5) * 2.0**-53
    return -torch.log(-torch.log(uniform))


def _mixed(values: torch.Tensor) -> torch.Tensor:
    """SplitMix64's finalizer; the shifts fill with zeros, as those of unsigned numbers do."""
    values = (values ^ (values >> 30 & ((1 << 34) - 1))) * _MIX_1
    values = (values ^ (values >> 27 & ((1 << 37) - 1))) * _MIX_2
    return values ^ (values >> 31 & ((1 << 33) - 1))
