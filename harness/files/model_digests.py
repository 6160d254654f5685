"""What identifies a model's folder: its files, without what a training has noted beside them."""

from __future__ import annotations

from pathlib import Path

from harness.files.writing import sha256_of_tree

TRAINING_RECORD = "training.json"
KEPT_RECORD = "kept.json"
RECORDS = (TRAINING_RECORD, KEPT_RECORD)
"""What lies beside a model and does not identify it."""


def sha256_of_model(folder: Path) -> str:
    """As of a tree, without ``RECORDS``: a training's seconds are other ones each time, its bytes the same.

    Keys of caches, starts and teachers go by it. What a recorded run says of its model does not: it is of the whole tree, as it
    has always been, so that no run of record becomes another one.
    """
    return sha256_of_tree(folder, but=RECORDS)
