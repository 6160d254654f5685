"""Models that are trained into the cache, where cards that name their recipe find them."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.dense.trained_models import trained_home
from harness.files.writing import explained_write_errors
from harness.progress import Progress
from harness.recipes.train.delta import RECORD, TENSORS, assemble
from harness.recipes.train.recipe import load_recipe
from harness.recipes.train.record import FILE_NAME, TrainingRecord
from harness.recipes.train.runner import Operator, train


def train_into_cache(
    recipe: Path, progress: Progress, operator: Operator, delta: Path | None = None
) -> tuple[Path, TrainingRecord | None]:
    """The model's folder in the cache, and the record of its training; None where the model was there.

    Of a recipe with saved = "delta" the delta stays beside the whole model, which is made of it again when it is gone.
    ``delta``: a folder with one that was trained elsewhere, to be taken instead. Raises as ``train`` and ``assemble`` do.
    """
    home = trained_home(recipe)
    model, kept = home / "model", home / "delta"
    if (model / FILE_NAME).is_file() and delta is None:
        return model, None
    if delta is not None:
        assemble(recipe, delta, model, progress)
        if delta.resolve() != kept.resolve():
            with explained_write_errors(kept):
                shutil.rmtree(kept, ignore_errors=True)
                kept.mkdir(parents=True)
                for name in (TENSORS, RECORD, FILE_NAME):
                    shutil.copyfile(delta / name, kept / name)
        return model, None
    if getattr(load_recipe(recipe).recipe.model, "saved", "whole") == "whole":
        return model, train(recipe, model, progress, operator)
    record = None if (kept / FILE_NAME).is_file() else train(recipe, kept, progress, operator)
    assemble(recipe, kept, model, progress)
    return model, record
