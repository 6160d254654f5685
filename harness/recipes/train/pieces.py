"""A static table that begins with what another encoder makes of every piece of its vocabulary alone.

As model2vec does it (github.com/MinishLab/model2vec, distill): each piece is encoded by itself, the vectors are whitened, and
frequent pieces count for less, by a / (a + p) (Arora, Liang and Ma 2017, "A simple but tough-to-beat baseline for sentence
embeddings"). Unlike there, p is the probability that the teacher's own unigram tokenizer gives the piece, so that nothing is
counted but which pieces are kept.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.errors import InvalidInput
from harness.progress import Progress
from harness.recipes.train.sources import PiecesRecipe
from harness.recipes.train.teachers import Teacher, pieces_of
from harness.recipes.train.whitening import whitened

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

_UNKNOWN = "<unk>"
_DECIMALS = 4
"""Of the log probabilities in tokenizer.json: a fifth of the file would be digits that change no cut."""


class PieceTable(NamedTuple):
    """``weights``: float32, shape (pieces, the teacher's dimensions), the unknown piece first, which counts for nothing."""

    tokenizer: Tokenizer
    weights: torch.Tensor


def piece_table(recipe: PiecesRecipe, teacher: Teacher, texts: Sequence[str], progress: Progress) -> PieceTable:
    """The pieces that are most frequent in ``texts``. Raises ``InvalidInput`` for a teacher without a unigram tokenizer."""
    import torch

    tokenizer = teacher.encoder.tokenizer()
    described = json.loads(tokenizer.to_str()) if tokenizer is not None else {"model": {"type": "none"}}
    if described["model"]["type"] != "Unigram":
        raise InvalidInput(
            f"pieces of {recipe.card}: its tokenizer is of the type {described['model']['type']!r}; needed is a Unigram one"
        )
    kept = most_frequent(tokenizer, texts, recipe.vocabulary - 1)
    if not kept:
        raise InvalidInput(f"pieces of {recipe.card}: the tokenizer's sources hold no text")
    vocabulary = described["model"]["vocab"]
    probabilities = np.exp(np.array([vocabulary[piece][1] for piece in kept]))
    vectors = whitened(pieces_of(teacher, kept, progress), recipe.whitening)
    shares = recipe.frequency / (recipe.frequency + probabilities / probabilities.sum())
    table = vectors * shares[:, None]
    # Of the size that a table drawn from a normal distribution has, for which learning rates are usually chosen.
    table = np.vstack([np.zeros((1, table.shape[1])), table / table.std()]).astype(np.float32)
    return PieceTable(_cut(described, [vocabulary[piece] for piece in kept]), torch.from_numpy(table))


def most_frequent(tokenizer: Tokenizer, texts: Iterable[str], count: int) -> list[int]:
    """The ``count`` most frequent pieces of the texts, special ones excepted; of equals those that come first; ascending."""
    found: Counter[int] = Counter()
    texts = list(texts)
    for first in range(0, len(texts), 1000):
        for encoding in tokenizer.encode_batch(texts[first : first + 1000], add_special_tokens=False):
            found.update(encoding.ids)
    described = json.loads(tokenizer.to_str())
    special = {entry["id"] for entry in described["added_tokens"]} | {described["model"]["unk_id"]}
    ranked = sorted((-times, piece) for piece, times in found.items() if piece not in special)
    return sorted(piece for _, piece in ranked[:count])


def _cut(described: dict[str, Any], vocabulary: Sequence[Sequence[Any]]) -> Tokenizer:
    """The tokenizer with these pieces alone, which cuts what it now lacks into smaller ones."""
    from tokenizers import Tokenizer

    model = {
        "type": "Unigram",
        "unk_id": 0,
        "vocab": [[_UNKNOWN, 0.0], *([piece, round(score, _DECIMALS)] for piece, score in vocabulary)],
        "byte_fallback": False,
    }
    left_out: dict[str, Any] = dict.fromkeys(("post_processor", "truncation", "padding", "decoder"))
    left_out["added_tokens"] = []
    return Tokenizer.from_str(json.dumps({**described, **left_out, "model": model}))
