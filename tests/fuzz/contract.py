"""What every reader promises, whatever the bytes: it returns, or raises an error that is meant for the user."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
TARGETS = sorted(path.stem for path in (HERE / "targets").glob("[a-z]*.py"))


def load(name: str) -> ModuleType:
    return importlib.import_module(f"{__package__}.targets.{name}")


def seeds(name: str) -> list[Path]:
    """The target's own samples, else those of its folder of the corpus."""
    if hasattr(target := load(name), "seeds"):
        own: list[Path] = target.seeds()
        return own
    return sorted((HERE / "corpus" / name).iterdir())


def place(target: ModuleType, folder: Path) -> Path:
    """Where the reader's input lies. A suffix without a dot is a whole name."""
    suffix: str = target.SUFFIX
    return folder / (f"input{suffix}" if suffix.startswith(".") else suffix)


def hold(target: ModuleType, data: bytes, folder: Path) -> None:
    """Give the bytes to the reader. Every error but an ``XdrError`` with a message passes through: it is a defect."""
    from harness.errors import XdrError

    path = place(target, folder)
    path.write_bytes(data)
    try:
        target.read(path)
    except XdrError:
        return
