"""Results that lie in a run's folder until it is recorded: one that was killed does not compute them again.

Rankings are written when all questions are encoded and searched. What is kept on the way there is questions' vectors.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from harness.compute.jobs import Engine, Job
from harness.files.derived import Derived, Made
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
    """``key``: a digest of all that the result depends on."""

    key: str
    task: Task


class Results(NamedTuple, Generic[Task, Result]):
    """``computed``: the tasks whose results did not lie there."""

    results: list[Result]
    computed: list[Task]


def kept_results(
    engine: Engine, job: Job[Task, Result], tasks: Sequence[Kept[Task]], form: Form[Result], work: Path
) -> Results[Task, Result]:
    """The result of every task, in their order; those that lie in ``work`` are read, unless they were cut off or damaged."""
    places = [_Place(work, own.key) for own in tasks]
    found = {place: form.unpacked(arrays) for place in places if (arrays := place.read()) is not None}
    lacking = {place: own.task for place, own in zip(places, tasks, strict=True) if place not in found}
    for place, result in zip(lacking, engine.results(job, lacking.values()), strict=True):
        place.write(form.packed(result))
        found[place] = result
    return Results([found[place] for place in places], list(lacking.values()))


def drop_results(work: Path) -> None:
    """What lies in the folder of a run that has been recorded."""
    shutil.rmtree(work / _FOLDER, ignore_errors=True)


class _Place(NamedTuple):
    work: Path
    key: str

    @property
    def _file(self) -> Path:
        return self.work / _FOLDER / f"{self.key[:32]}.npz"

    @property
    def _sealed(self) -> Derived:
        return Derived(self._file.with_suffix(".seal"), self.key)

    def read(self) -> Arrays | None:
        if self._sealed.kept() is None:
            return None
        with np.load(self._file, allow_pickle=False) as arrays:
            return dict(arrays)

    def write(self, arrays: Arrays) -> None:
        with atomic_write(self._file, durable=False) as file:
            np.savez(file, **arrays)
        self._sealed.keep(Made([self._file]))
