"""Models that are trained into the cache, where cards that name their recipe find them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

from harness.dense.kept_models import keep_record, made_of_these_files
from harness.dense.trained_models import trained_folder, trained_home
from harness.errors import InvalidInput
from harness.files.writing import explained_write_errors, folder_lock, replaced_folder
from harness.progress import Progress
from harness.recipes.train.delta import RECORD, TENSORS, assemble
from harness.recipes.train.outputs import WORK
from harness.recipes.train.recipe import load_recipe
from harness.recipes.train.record import FILE_NAME, TrainingRecord
from harness.recipes.train.runner import Operator, share_of_this_process, train

_MAKING = "making"
"""The folder of a training, with its checkpoints, until what it makes is whole."""


def train_into_cache(
    recipe: Path, progress: Progress, operator: Operator, delta: Path | None = None
) -> tuple[Path, TrainingRecord | None]:
    """The model's folder in the cache, and the record of its training; None where the model was there.

    Of a recipe with saved = "delta" the delta stays beside the whole model, which is made of it again when it is gone.
    ``delta``: a folder with one that was trained elsewhere, to be taken instead. What is there and damaged, or made of other
    files than those that the recipe names, is replaced; a model comes to its place at once, whole. Raises as ``train`` and
    ``assemble`` do, and ``InvalidInput`` where another process is at it.
    """
    home = trained_home(recipe)
    model, kept = home / "model", home / "delta"
    if delta is None and _is_whole(recipe):
        return model, None
    if share_of_this_process().number > 0:
        # The first of several processes puts the model in its place, and holds it for all.
        return model, train(recipe, home / _MAKING, progress, operator)
    with folder_lock(home, wait=False):
        if delta is not None:
            _put(recipe, model, lambda new: assemble(recipe, delta, new, progress))
            if delta.resolve() != kept.resolve():
                _put(recipe, kept, lambda new: _copy_delta(delta, new))
            return model, None
        if getattr(load_recipe(recipe).recipe.model, "saved", "whole") == "whole":
            return model, _trained(recipe, model, progress, operator)
        is_kept = (kept / FILE_NAME).is_file() and made_of_these_files(recipe, kept)
        record = None if is_kept else _trained(recipe, kept, progress, operator)
        _put(recipe, model, lambda new: assemble(recipe, kept, new, progress))
        return model, record


def _is_whole(recipe: Path) -> bool:
    with contextlib.suppress(InvalidInput):
        return trained_folder(recipe).is_dir()
    return False


def _trained(recipe: Path, place: Path, progress: Progress, operator: Operator) -> TrainingRecord:
    """Train beside the place: a training that was killed goes on there, and what it left is never taken for a model."""
    making = place.with_name(_MAKING)
    record = train(recipe, making, progress, operator)
    keep_record(recipe, making)
    shutil.rmtree(place, ignore_errors=True)
    with explained_write_errors(place):
        making.replace(place)
    return record


def _put(recipe: Path, place: Path, make: Callable[[Path], object]) -> None:
    with replaced_folder(place) as new:
        make(new)
        shutil.rmtree(new / WORK, ignore_errors=True)
        keep_record(recipe, new)


def _copy_delta(delta: Path, new: Path) -> None:
    for name in (TENSORS, RECORD, FILE_NAME):
        with explained_write_errors(new / name):
            shutil.copyfile(delta / name, new / name)
