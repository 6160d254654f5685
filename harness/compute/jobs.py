"""What is computed somewhere: jobs, their tasks, and the engine of this process.

A job is a picklable description of what its tasks share (a model's folder, a card's settings). Whoever computes tasks opens
it once and then asks for one task after another. A task's result depends on the job and the task alone, not on who computed
it, what came before, or how often a lost task was begun again; so every engine gives the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Task_contra = TypeVar("Task_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)


class Job(Protocol[Task_contra, Result_co]):
    """Picklable, as are its tasks and their results."""

    @property
    def files(self) -> Mapping[str, Path]:
        """Files and folders on this machine that its tasks read, by name; an engine takes them to where they are needed."""
        ...

    def opened(self, files: Mapping[str, Path]) -> Callable[[Task_contra], Result_co]:
        """Load what the tasks share, once per process, and return what computes one task. ``files``: where they lie here."""
        ...


class Engine(Protocol):
    """``threads``: how many a task may use. ``task_bytes``: how large a task may be that carries as much as it likes."""

    @property
    def threads(self) -> int: ...
    @property
    def task_bytes(self) -> int: ...

    def results(self, job: Job[Task, Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The result of every task, in the order of the tasks; tasks are taken as they are needed, not all at first.

        A job stays open until another one is asked for. Raises what a task raises.
        """
        ...


class LocalEngine:
    """One task after the other in this process; whatever runs at once inside of a task is the task's own business."""

    # Nothing is sent anywhere.
    task_bytes = sys.maxsize

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._open: tuple[Any, Callable[[Any], Any]] | None = None

    def results(self, job: Job[Task, Result], tasks: Iterable[Task]) -> Iterator[Result]:
        if self._open is None or self._open[0] is not job:
            # The one before goes first: two models need not fit into memory.
            self._open = None
            self._open = (job, job.opened(job.files))
        yield from map(self._open[1], tasks)
