"""Models whose weights nobody keeps: a card names the recipe as ``recipe:PATH``, and ``xdr train`` leaves them in the cache.

In the cache a model is found by the digest of its recipe, wherever that file lies, and used only if it is whole and was made of
the files that the recipe names here (``.kept_models``). What identifies it is the digest of its own files without the record of
the training, whose seconds are other ones each time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.adapters.contract import Pin
from harness.dense.kept_models import check_kept, own_files
from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import RECORD_BYTES
from harness.files.model_digests import TRAINING_RECORD
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import read_toml
from harness.files.writing import cache_home
from harness.files.yaml_records import digest_of

SCHEME = "recipe:"
STATUS = "retrain from recipe"
"""Of a row whose weights are kept nowhere but in the caches of those who trained them."""


def recipe_of(model: str, folder: Path) -> Path | None:
    """The recipe of a model named ``recipe:PATH``, relative to ``folder``; None for any other name.

    Raises ``InvalidInput`` for an absolute path, which nobody else has.
    """
    if not model.startswith(SCHEME):
        return None
    name = model.removeprefix(SCHEME)
    if not name or Path(name).is_absolute():
        raise InvalidInput(f"{model!r:.300} names no recipe: after `{SCHEME}` stands its path, relative to the card")
    return Path(os.path.normpath(folder / name))


def trained_home(recipe: Path) -> Path:
    """The folder of the cache that belongs to a recipe, whether or not it is there. Raises as ``read_toml`` does."""
    return cache_home() / "trained" / f"{recipe.stem}-{digest_of(read_toml(recipe))[:16]}"


def trained_folder(recipe: Path) -> Path:
    """The model that was trained by a recipe on this machine.

    Raises ``InvalidInput`` where there is none, or what lies there is not what the recipe makes, and says how it is made.
    """
    try:
        folder = trained_home(recipe) / "model"
    except (InvalidInput, WrongUsage) as error:
        raise InvalidInput(f"{STATUS}: {error.message}") from error
    if not (folder / TRAINING_RECORD).is_file():
        raise InvalidInput(
            f"{STATUS}: the weights of {recipe.stem} are not kept, and not in the cache of this machine; `xdr train {recipe}` "
            "makes them there, and says with --dry-run how long that takes here"
        )
    try:
        check_kept(recipe, folder)
    except InvalidInput as error:
        raise InvalidInput(f"{STATUS}: {error.message}; `xdr train {recipe}` makes it anew") from error
    return folder


def trained_input(recipe: Path) -> Pin:
    """What identifies the model: known where it is here."""
    try:
        folder = trained_folder(recipe)
    except InvalidInput:
        return Pin("")
    return Pin(digest_of(own_files(folder)), place=folder)


def training_of(recipe: Path) -> Mapping[str, Any]:
    """What a run says of its model's training, from the record beside the weights. Raises as ``trained_folder`` does."""
    path = trained_folder(recipe) / TRAINING_RECORD
    try:
        record = parse_json(read_bytes(path, RECORD_BYTES))
        said = {"seconds": float(record["seconds"]), "device": str(record["device"])}
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput(f"{path} is no training record: train the model again") from error
    return {"recipe": recipe.stem, "digest": digest_of(read_toml(recipe)), **said}
