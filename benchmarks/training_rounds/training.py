"""One training of a static encoder that goes on from a committed one, by a recipe that lies beside its rows."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.files.reading import parse_json
from harness.files.writing import sha256_of_file, write_text
from harness.progress import Progress
from harness.recipes.rows import Row, write_rows
from harness.recipes.train.record import FILE_NAME, TrainingRecord
from harness.recipes.train.runner import train

ROOT = Path(__file__).parents[2]
START = ROOT / "systems" / "models" / "mini-xdr"

RECIPE = """schema_version = 2
name = "{name}"
title = "{name}"
seed = {seed}
transductive = {transductive}

[model]
kind = "static"
start = "{start}"

[[stages]]
name = "round"
{objective}
{length}
batch_size = {batch_size}
batches = "{batches}"
negatives = {negatives}
token_dropout = {token_dropout}
optimizer = {{ learning_rate = {learning_rate}, warmup = 0.05 }}
sources = [
{sources}
]
"""

Source = Mapping[str, Any]
"""One of a recipe's sources, key by key."""


@dataclass(frozen=True)
class Budget:
    """What a method and its controls have in common: so many ``steps``, or else ``epochs`` of pairs as many."""

    learning_rate: float
    steps: int | None = None
    epochs: int | None = None
    batch_size: int = 128
    token_dropout: float = 0.2

    @property
    def length(self) -> str:
        return f"epochs = {self.epochs}" if self.steps is None else f"steps = {self.steps}"


@dataclass(frozen=True)
class Variant:
    """One row of a table for one seed. ``rows``: by the names of the files in which sources of kind rows find them.

    ``transductive``: the collections about whose passages the rows ask; ``negatives``: of each row, in the batch.
    """

    name: str
    seed: int
    sources: Sequence[Source]
    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    transductive: Sequence[str] = ()
    negatives: int = 0
    batches: str = "source"
    objective: str = 'objective = "contrastive"'


def trained(variant: Variant, budget: Budget, folder: Path, progress: Progress) -> tuple[Path, TrainingRecord]:
    """The model's folder and its record; one that was trained before is taken as it is, if of the same recipe and rows."""
    place = folder / f"{variant.name}-{variant.seed}"
    place.mkdir(parents=True, exist_ok=True)
    for name, rows in variant.rows.items():
        write_rows(place / name, rows)

    def recipe(start: str) -> str:
        own = {"transductive": json.dumps(list(variant.transductive)), "sources": _sources(variant), "start": start}
        return RECIPE.format(**{**vars(variant), **vars(budget), **own, "length": budget.length})

    # The same rows give the same bytes, so that their digests say whether the model is of these, wherever the start lies.
    key = recipe("start") + "".join(f"# {name} {sha256_of_file(place / name)}\n" for name in sorted(variant.rows))
    model, key_file, recipe_file = place / "model", place / "key.txt", place / "recipe.toml"
    is_of_these = key_file.is_file() and key_file.read_text("utf-8") == key
    if not is_of_these:
        shutil.rmtree(model, ignore_errors=True)
        write_text(key_file, key)
    if not (model / FILE_NAME).is_file():
        write_text(recipe_file, recipe(os.path.relpath(START, place)))
        train(recipe_file, model, progress)
    return model, TrainingRecord.model_validate(parse_json((model / FILE_NAME).read_bytes()))


def _sources(variant: Variant) -> str:
    def inline(source: Source) -> str:
        return ", ".join(f"{key} = {json.dumps(value)}" for key, value in source.items())

    return "\n".join(f"    {{ {inline(source)} }}," for source in variant.sources)
