"""Models that come as a pinned file of another format: converted once, into a folder of the cache that libraries can load.

A card names one as ``pinned:NAME``. What identifies it is the pin; what was converted is checked against the digest that was
taken when it was made, and made again where it is damaged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness import progress
from harness.collections.storage.pinned import pinned_files, verified_path
from harness.dense import four_bit
from harness.errors import InvalidInput, unknown_name
from harness.files.derived import Derived, Made
from harness.files.writing import made_below_cache_home, replaced_folder, sha256_of_tree

SCHEME = "pinned:"


@dataclass(frozen=True)
class Conversion:
    """``convert(file, folder)`` writes the model in the pinned file into an empty folder, the same bytes each time."""

    file: str
    version: int
    convert: Callable[[Path, Path], None]


CONVERSIONS = {
    "multilingual-e5-small-q4": Conversion(
        "multilingual-e5-small-q4/e5-small-q4.bin", four_bit.CONVERSION_VERSION, four_bit.convert
    )
}
_checked: set[Path] = set()


def conversion_of(model: str) -> Conversion | None:
    """That of a model named ``pinned:NAME``; None for any other name. Raises ``InvalidInput`` for an unknown NAME."""
    if not model.startswith(SCHEME):
        return None
    name = model.removeprefix(SCHEME)
    if name not in CONVERSIONS:
        raise InvalidInput(unknown_name("pinned model", name, CONVERSIONS).message)
    return CONVERSIONS[name]


def digest_of_pin(conversion: Conversion) -> str:
    return pinned_files()[conversion.file].sha256


def converted_folder(model: str, conversion: Conversion) -> Path:
    """The model's folder in the cache, which is made if need be; waits for another process that makes it.

    Raises ``InvalidInput`` where the pinned file is absent and cannot be fetched, or is not what was pinned.
    """
    name = model.removeprefix(SCHEME)
    digest = digest_of_pin(conversion)
    home = made_below_cache_home("models") / f"{name}-{digest[:16]}-{conversion.version}"
    folder = home / name
    if folder in _checked and folder.is_dir():
        return folder

    def convert() -> Made:
        file = verified_path(conversion.file)
        with replaced_folder(folder) as temporary, progress.task(f"convert {conversion.file}", None):
            conversion.convert(file, temporary)
        return Made([folder])

    Derived(home / "converted.seal", [digest, conversion.version], sha256_of_tree).made(convert)
    _checked.add(folder)
    return folder
