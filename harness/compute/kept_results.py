"""Results that lie in a run's folder until it is recorded: one that was killed does not compute them again.

Rankings are written when all questions are encoded and searched. What is kept on the way there is questions' vectors.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from harness.compute.jobs import Engine, Job
from harness.files.writing import atomic_write

_FOLDER = "results"

Task = TypeVar("Task")
Result = TypeVar("Result")
Arrays = Mapping[str, Any]
"""NumPy arrays by name."""


class Form(NamedTuple, Generic[Result]):
    """A result as arrays, by name, and what it is made of them again."""

    packed: Callable[[Result], Arrays]
    unpacked: Callable[[Arrays], Result]


class Kept(NamedTuple, Generic[Task]):
    """``key``: a digest of all that the result depends on, beside what ``work`` stands for."""

    key: str
    task: Task


def kept_results(
    engine: Engine, job: Job[Task, Result], tasks: Sequence[Kept[Task]], form: Form[Result], work: Path
) -> list[Result]:
    """The result of every task, in their order; those that lie in ``work`` are read.

    ``work``: a folder of this run alone, which stands for the model and all that its card says. A file that was cut off or
    damaged counts as none.
    """
    paths = [work / _FOLDER / f"{task.key[:32]}.npz" for task in tasks]
    found = {path: form.unpacked(arrays) for path in paths if (arrays := _read(path)) is not None}
    lacking = {path: own.task for path, own in zip(paths, tasks, strict=True) if path not in found}
    for path, result in zip(lacking, engine.results(job, lacking.values()), strict=True):
        with atomic_write(path, durable=False) as file:
            np.savez(file, **form.packed(result))
        found[path] = result
    return [found[path] for path in paths]


def drop_results(work: Path) -> None:
    """What lies in the folder of a run that has been recorded."""
    shutil.rmtree(work / _FOLDER, ignore_errors=True)


def _read(path: Path) -> Arrays | None:
    if not path.is_file():
        return None
    try:
        # The sum of every array is held against the one that was written with it.
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
