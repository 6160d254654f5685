"""How far long work is: tasks, each with what it does, how much of it is done, its rate and the time left.

    with progress.task("encode passages", total=n, unit="passages", done=resumed) as advance:
        advance(4096)

What was done before the task began (``done``) counts as done, not as speed. Where tasks are shown is the command's matter:
bars on a terminal, a line a minute in a log, nothing at all in a program that uses this package.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from harness.numbers import amount, duration

Clock = Callable[[], float]

_WINDOW_SECONDS = 60.0
_FEWEST_SAMPLES = 6
_SAMPLE_SECONDS = 0.5
_FIRST_ESTIMATE_SECONDS = 3.0
_LOG_SECONDS = 60.0
_SECONDS_BETWEEN_COUNTS = 0.2


class Advance(Protocol):
    """Says that so many more steps are done. May be called from any thread."""

    def __call__(self, steps: int = 1) -> None: ...


class Progress(Protocol):
    """Where long work is reported."""

    def task(
        self, description: str, total: int | None, unit: str = "", done: int = 0
    ) -> contextlib.AbstractContextManager[Advance]:
        """A task of ``total`` steps (None: nobody knows), ``done`` of them before it began. Tasks may be inside of others."""
        ...


class SilentProgress:
    @contextlib.contextmanager
    def task(self, description: str, total: int | None, unit: str = "", done: int = 0) -> Iterator[Advance]:
        yield lambda steps=1: None


_shown: Progress = SilentProgress()


def show_on(progress: Progress) -> None:
    """Show, from now on, what is reported here by code that is given no ``Progress`` of its own."""
    global _shown  # noqa: PLW0603 (one process has one terminal)
    _shown = progress


def shown() -> Progress:
    return _shown


def task(
    description: str, total: int | None, unit: str = "", done: int = 0
) -> contextlib.AbstractContextManager[Advance]:
    return _shown.task(description, total, unit, done)


Item = TypeVar("Item")


def counted(items: Iterable[Item], advance: Advance, clock: Clock = time.monotonic) -> Iterator[Item]:
    """The items, counted as they pass, and said five times a second: there may be millions of them."""
    waiting, said = 0, clock()
    for item in items:
        yield item
        waiting += 1
        if (now := clock()) - said >= _SECONDS_BETWEEN_COUNTS:
            advance(waiting)
            waiting, said = 0, now
    advance(waiting)


class Pace:
    """Rate and time left of one task, over the last minute, or over the last steps where a step takes longer.

    Time is counted from the first step on: what a task waits for before it, such as a model that is loaded, is not its pace.
    There is no rate before three seconds of steps.
    """

    def __init__(self, total: int | None, done: int = 0, clock: Clock = time.monotonic) -> None:
        self.total, self.done = total, done
        self._clock, self._began = clock, clock()
        self._samples: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def advance(self, steps: int = 1) -> None:
        with self._lock:
            self.done += steps
            sample = (self._clock(), self.done)
            samples = self._samples
            if len(samples) > 1 and sample[0] - samples[-2][0] < _SAMPLE_SECONDS:
                samples[-1] = sample
            else:
                samples.append(sample)
            while len(samples) > _FEWEST_SAMPLES and samples[1][0] < sample[0] - _WINDOW_SECONDS:
                samples.popleft()

    @property
    def elapsed(self) -> float:
        return self._clock() - self._began

    @property
    def rate(self) -> float | None:
        """Steps per second; None as long as it would mean nothing."""
        with self._lock:
            if len(self._samples) < 2:
                return None
            (first, before), (last, done) = self._samples[0], self._samples[-1]
        seconds, steps = last - first, done - before
        return steps / seconds if seconds >= _FIRST_ESTIMATE_SECONDS and steps > 0 else None

    @property
    def seconds_left(self) -> float | None:
        rate = self.rate
        if rate is None or self.total is None:
            return None
        # A step is under way since the last one ended.
        return max(0.0, (self.total - self.done) / rate - (self._clock() - self._samples[-1][0]))

    def in_words(self, unit: str) -> str:
        """How far, how fast, how long still, as far as that is known."""
        words = [amount(self.done, unit)]
        if self.total is not None:
            done = amount(self.done, unit if unit == "bytes" else "")
            share = f"{self.done / self.total:.0%}" if self.total else "all"
            words = [f"{done} of {amount(self.total, unit)} ({share})"]
        if (rate := self.rate) is not None:
            words.append(f"{_rate(rate, unit)}/s")
        if (left := self.seconds_left) is not None:
            words.append(f"{duration(left)} left")
        return ", ".join(words)


def _rate(rate: float, unit: str) -> str:
    if unit == "bytes":
        return amount(rate, unit)
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


class LogProgress:
    """Plain lines for logs: one a minute of every task that takes longer than that, and one at its end."""

    def __init__(self, say: Callable[[str], None], clock: Clock = time.monotonic) -> None:
        self._say, self._clock = say, clock

    @contextlib.contextmanager
    def task(self, description: str, total: int | None, unit: str = "", done: int = 0) -> Iterator[Advance]:
        pace = Pace(total, done, self._clock)
        next_line = self._clock() + _LOG_SECONDS
        spoke = False

        def advance(steps: int = 1) -> None:
            nonlocal next_line, spoke
            pace.advance(steps)
            if (now := self._clock()) >= next_line:
                next_line, spoke = now + _LOG_SECONDS, True
                self._say(f"{description}: {pace.in_words(unit)}")

        yield advance
        if spoke:
            self._say(f"{description}: done, {amount(pace.done, unit)} in {duration(pace.elapsed)}")
