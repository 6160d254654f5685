"""A cross-encoder as teacher: how well a passage answers a question that it is read with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.compute.platform import library_versions
from harness.dense.cross_encoder import CROSS_ENCODER_VERSION, CrossScorer, CrossSettings
from harness.dense.model_places import model_folder
from harness.files.model_digests import sha256_of_model
from harness.files.yaml_records import digest_of
from harness.recipes.train.pairs import Side
from harness.recipes.train.seen import seen_by
from harness.recipes.train.transductive import transductive_of

_TOKENS = 8192
"""In a batch, padding included."""
_LIBRARIES = ("numpy", "sentence-transformers", "tokenizers", "torch", "transformers")


@dataclass(frozen=True)
class CrossTeacher:
    """``digest``: of the model's files and all that its scores depend on; ``transductive``, ``seen``: by its record."""

    scorer: CrossScorer
    digest: str
    transductive: tuple[str, ...]
    seen: tuple[str, ...]

    def scores(self, asked: Sequence[tuple[Side, Side]]) -> NDArray[np.float32]:
        """As the model gives them, before any activation: of each question and its passage, title first."""
        import torch

        threads = torch.get_num_threads()
        try:
            return self.scorer.score([(question.text, passage.text) for question, passage in asked], _TOKENS).scores
        finally:
            # What is trained afterwards depends on their number, which scoring sets for itself.
            torch.set_num_threads(threads)


def load_cross_encoder(name: str, folder: Path, device: str) -> CrossTeacher:
    """A cross-encoder of sentence-transformers, in a folder beside the recipe. Raises ``InvalidInput``."""
    path = model_folder(name, None, folder)
    scorer = CrossScorer(CrossSettings(path, "float32", device))
    said = {
        "files": sha256_of_model(path),
        "version": CROSS_ENCODER_VERSION,
        "length": scorer.max_length,
        "prompt": scorer.prompt,
        "device": device,
        "libraries": library_versions(_LIBRARIES),
    }
    return CrossTeacher(scorer, digest_of(said), transductive_of(path), seen_by(path))
