"""Models in the cache that were trained by a recipe: whether what lies there is still what the recipe has made.

Beside the weights ``kept.json`` says of which recipe they are, and of which files of this machine that the recipe names. Their
own digests are those of the training record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import InvalidInput, WrongUsage
from harness.files.known_digests import known_sha256
from harness.files.limits import RECORD_BYTES
from harness.files.model_digests import KEPT_RECORD, RECORDS, TRAINING_RECORD
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import read_toml
from harness.files.writing import write_text
from harness.files.yaml_records import digest_of

_PROSE = ("name", "title", "description", "origin", "kind", "objective", "prompt", "query_prefix", "passage_prefix")
"""Keys of recipes and cards whose texts name no file."""
_DEEPEST = 8
"""Recipes of recipes; what is deeper goes round in a circle."""


def keep_record(recipe: Path, folder: Path) -> None:
    """Write down, beside a model that a recipe has just made, what it is of. Raises ``InvalidInput`` without its record."""
    said = _record(folder / TRAINING_RECORD).get("recipe")
    content = {"recipe": digest_of(said), "files": local_files(recipe)}
    write_text(folder / KEPT_RECORD, json.dumps(content, indent=1, sort_keys=True) + "\n")


def check_kept(recipe: Path, folder: Path) -> None:
    """Raises ``InvalidInput`` where a kept model's files are not those that its training wrote, its training record is another
    recipe's, or a file that the recipe names is here and is another one than it was then.
    """
    training, kept = _record(folder / TRAINING_RECORD), _record(folder / KEPT_RECORD)
    if kept.get("recipe") != digest_of(training.get("recipe")):
        raise InvalidInput(f"{folder} is of another recipe, by its {TRAINING_RECORD}")
    written = training.get("model_files")
    if not isinstance(written, dict) or own_files(folder) != written:
        raise InvalidInput(f"{folder} is damaged: its files are not those that the training wrote")
    check_local_files(recipe, kept)


def made_of_these_files(recipe: Path, folder: Path) -> bool:
    """Whether what lies in a folder was made of the files that the recipe names as they are now."""
    try:
        check_local_files(recipe, _record(folder / KEPT_RECORD))
    except InvalidInput:
        return False
    return True


def check_local_files(recipe: Path, kept: Mapping[str, Any]) -> None:
    """Raises ``InvalidInput`` for one that is another than ``kept`` says; those that are gone since are not missed."""
    then, now = kept.get("files"), local_files(recipe)
    if not isinstance(then, dict):
        raise InvalidInput(f"{KEPT_RECORD} does not say of which files the model was made")
    # What came later, such as an output folder of a recipe's name, the training cannot have read.
    changed = [name for name, digest in now.items() if then.get(name, digest) != digest]
    if changed:
        raise InvalidInput(f"the model was made with another {changed[0]!r:.300} than that which the recipe names here")


def own_files(folder: Path) -> dict[str, str]:
    """SHA-256 of a model's files by name, without its records and what is to be read."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: known_sha256(path) for name, path in names.items() if name not in RECORDS and path.suffix != ".md"}


def local_files(recipe: Path) -> dict[str, str]:
    """Digests of files and folders of this machine that a recipe names, and the cards and recipes that it names in their turn;
    by the names there. Raises as ``read_toml`` does.
    """
    return dict(sorted(_digests(read_toml(recipe), recipe.parent, 0)))


def _digests(table: Mapping[str, Any], folder: Path, depth: int) -> Iterator[tuple[str, str]]:
    for text in dict.fromkeys(_texts(table)):
        name = text.removeprefix("recipe:")
        path = folder / name
        if not _is_there(path) or not name.strip("./"):
            continue
        if path.is_dir():
            yield text, digest_of(own_files(path))
        elif path.suffix != ".toml":
            yield text, known_sha256(path)
        elif depth < _DEEPEST:
            try:
                named = read_toml(path)
            except (InvalidInput, WrongUsage):
                yield text, known_sha256(path)
                continue
            yield text, digest_of(named)
            yield from ((f"{text}: {below}", digest) for below, digest in _digests(named, path.parent, depth + 1))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            if key not in _PROSE:
                yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
    elif isinstance(value, str):
        yield value


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _record(path: Path) -> Mapping[str, Any]:
    try:
        found = parse_json(read_bytes(path, RECORD_BYTES))
    except (OSError, ValueError, WrongUsage) as error:
        raise InvalidInput(f"{path} is missing, or no record") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"{path} is no record")
    return found
