"""mteb's side of ``end_to_end.py``: python benchmarks/mteb_whole.py TRACK.toml MODEL prepend|ignore RESULT.json"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"

import mteb
import torch
from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper
from mteb_side import BATCH, MEASURES, SPLIT, task_of
from sentence_transformers import SentenceTransformer

from harness.tracks import load_track

MEASURE = "R@10"


class Timed(SentenceTransformerEncoderWrapper):  # type: ignore[misc, unused-ignore]
    """Knows how long it encoded."""

    seconds = 0.0

    def encode(self, *given: Any, **options: Any) -> Any:
        began = time.perf_counter()
        vectors = super().encode(*given, **options)
        self.seconds += time.perf_counter() - began
        return vectors


def main() -> None:
    track, model, titles, result = sys.argv[1:5]
    torch.set_num_threads(os.cpu_count() or 1)
    encoder = Timed(SentenceTransformer(model, device="cpu"))
    found = mteb.evaluate(
        encoder,
        task_of(load_track(track), titles == "prepend"),
        cache=None,
        co2_tracker=False,
        encode_kwargs={"batch_size": BATCH, "show_progress_bar": False},
        show_progress_bar=False,
    )
    means = {row["hf_subset"]: row[MEASURES[MEASURE]] for row in found.task_results[0].scores[SPLIT]}
    Path(result).write_text(json.dumps({"encoding": encoder.seconds, "means": means}), "utf-8")


if __name__ == "__main__":
    main()
