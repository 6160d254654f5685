"""One training of a static encoder that goes on from another one, by a recipe that lies beside its rows."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.files.reading import parse_json
from harness.files.writing import sha256_of_file, write_text
from harness.progress import Progress
from harness.recipes.rows import Row, write_rows
from harness.recipes.train.record import FILE_NAME, TrainingRecord
from harness.recipes.train.runner import train

LANGUAGES = ("ar", "bn", "fi", "ja", "ko", "ru", "te")
"""Of the track mini and of XOR-TyDi's training questions."""
ROWS = "rows.jsonl.gz"
START = Path(__file__).parents[2] / "systems" / "models" / "mini-xdr"

RECIPE = """schema_version = 2
name = "{name}"
title = "{title}"
seed = {seed}
transductive = ["{transductive}"]

[model]
kind = "static"
start = "{start}"

[[stages]]
name = "round"
objective = "contrastive"
steps = {steps}
batch_size = {batch_size}
negatives = {negatives}
token_dropout = {token_dropout}
optimizer = {{ learning_rate = {learning_rate}, warmup = 0.05 }}
sources = [
    {{ kind = "questions-parallel", languages = {languages} }},
    {{ kind = "xor-answers", languages = {languages} }},
    {{ kind = "tydi-questions", weight = 2 }},{rows}
]
"""
"""The labelled data is that of the start's own last stage, as far as it is questions."""


@dataclass(frozen=True)
class Budget:
    """What a method and its control have in common.

    ``weight``: how often an epoch goes through the rows; ``languages``: of the labelled questions.
    """

    steps: int
    learning_rate: float
    batch_size: int = 128
    token_dropout: float = 0.2
    negatives: int = 0
    weight: int = 1
    languages: Sequence[str] = LANGUAGES


@dataclass(frozen=True)
class Variant:
    """One row of the table in one round, for one seed. ``transductive``: the collection whose passages the rows know."""

    name: str
    title: str
    seed: int
    transductive: str
    rows: Sequence[Row] = ()


def trained(variant: Variant, budget: Budget, folder: Path, progress: Progress) -> tuple[Path, TrainingRecord]:
    """The model's folder and its record; one that was trained before is taken as it is, if of the same recipe and rows."""
    place = folder / f"{variant.name}-{variant.seed}"
    place.mkdir(parents=True, exist_ok=True)
    if variant.rows:
        write_rows(place / ROWS, variant.rows)
    source = f'\n    {{ kind = "rows", path = "{ROWS}", weight = {budget.weight} }},' if variant.rows else ""
    recipe = RECIPE.format(
        **{**vars(variant), **vars(budget), "rows": source, "languages": json.dumps(list(budget.languages))},
        start=os.path.relpath(START, place),
    )
    model = place / "model"
    # The same rows give the same bytes, so that their digest says whether the model is of these.
    key = f"{recipe}\n# {sha256_of_file(place / ROWS) if variant.rows else 'no rows'}\n"
    recipe_file = place / "recipe.toml"
    is_done = (model / FILE_NAME).is_file() and recipe_file.is_file() and recipe_file.read_text("utf-8") == key
    if not is_done:
        (model / FILE_NAME).unlink(missing_ok=True)
        write_text(recipe_file, key)
        train(recipe_file, model, progress)
    return model, TrainingRecord.model_validate(parse_json((model / FILE_NAME).read_bytes()))
