"""Where the tasks of a run are computed: in this process, or on the machines of a cluster. Never part of a result.

A job is a picklable description of what its tasks share (a model's folder, a card's settings). Whoever computes tasks opens
it once and then asks for one task after another. A task's result depends on the job and the task alone, not on who computed
it, what came before, or how often a lost task was begun again; so every engine gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Task_contra = TypeVar("Task_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)


class Job(Protocol[Task_contra, Result_co]):
    """Picklable, as are its tasks and their results."""

    def opened(self) -> Callable[[Task_contra], Result_co]:
        """Load what the tasks share, once per process, and return what computes one task."""
        ...


class Engine(Protocol):
    def results(self, job: Job[Task, Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The result of every task, in the order of the tasks; tasks are taken as they are needed, not all at first."""
        ...


class LocalEngine:
    """One task after the other in this process; whatever runs at once inside of a task is the task's own business."""

    def results(self, job: Job[Task, Result], tasks: Iterable[Task]) -> Iterator[Result]:
        yield from map(job.opened(), tasks)
