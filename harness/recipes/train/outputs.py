"""The folder that a model is written into."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from harness.errors import WrongUsage
from harness.recipes.train import record

WORK = ".training"
"""The folder below that of the model in which checkpoints lie until it is finished."""


def check_output(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise WrongUsage(f"{output} is a file; name a folder for the model")
    if output.is_dir() and not (output / record.FILE_NAME).is_file():
        strangers = [entry.name for entry in output.iterdir() if entry.name not in ("README.md", WORK)]
        if strangers:
            raise WrongUsage(f"{output} is not empty and holds no {record.FILE_NAME}; choose another folder")


def check_libraries() -> None:
    missing = [name for name in ("accelerate", "datasets", "sentencepiece") if importlib.util.find_spec(name) is None]
    if missing:
        raise WrongUsage(f"training needs {', '.join(missing)}: pip install 'xdr-bench[train]'")


def quiet() -> None:
    """The libraries' bars, and their remarks on weights that a new head lacks: what is to be said, the command says."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


def move_files(folder: Path, output: Path) -> list[str]:
    """Move all files below ``folder`` to the same places below ``output``; their relative names."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    for name in names:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        # Written through temporary files that only the owner may read.
        (folder / name).chmod(0o644)
        (folder / name).replace(output / name)
    return names
