"""What Tevatron's loader makes of a file for training, written anew from what its source does.

Source: texttron/tevatron at 0a9626f, src/tevatron/retriever/dataset.py, ``TrainDataset`` and ``DistilTrainDataset``: the file
is opened by Hugging Face's ``load_dataset("json")``; of a row, one positive and ``group_size - 1`` negatives are taken by epoch
and a hash of place and seed; titles are put before texts where the column is there.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Example(NamedTuple):
    """Texts as they go to the tokenizer, the positive first; ``scores`` of them, None where the file has none."""

    query: str
    passages: list[str]
    scores: list[float | None]


class Loader:
    def __init__(self, path: Path, cache: Path, corpus: Path | None = None) -> None:
        self._rows = _opened(path, cache)
        self._corpus: Mapping[str, Any] = {}
        if corpus is not None:
            self._corpus = {passage["docid"]: passage for passage in _opened(corpus, cache)}

    def __len__(self) -> int:
        return len(self._rows)

    def example(self, item: int, group_size: int, epoch: int = 0, seed: int = 42) -> Example:
        row = self._rows[item]
        hashed = hash(item + seed)
        inline = "positive_passages" in row
        positives, negatives = (
            row[f"{side}_passages" if inline else f"{side}_document_ids"] for side in ("positive", "negative")
        )
        chosen = [positives[(hashed + epoch) % len(positives)], *_negatives(negatives, group_size - 1, epoch, hashed)]
        if inline:
            texts = [f"{one['title']} {one['text']}" if "title" in one else one["text"] for one in chosen]
            return Example(row["query"], texts, [one.get("score") for one in chosen])
        return Example(row["query_text"], [self._corpus[docid]["text"] for docid in chosen], [None] * len(chosen))


def _negatives(listed: Sequence[Any], size: int, epoch: int, hashed: int) -> list[Any]:
    if len(listed) < size:
        return random.choices(listed, k=size)
    if size == 0:
        return []
    shuffled = list(listed)
    random.Random(hashed).shuffle(shuffled)
    offset = epoch * size % len(listed)
    return (shuffled * 2)[offset : offset + size]


def _opened(path: Path, cache: Path) -> Any:
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(cache))
