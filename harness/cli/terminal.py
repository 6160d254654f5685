"""Progress bars on a terminal, by Rich: what is done, how far it is, its rate and the time left."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.progress import Advance, Clock, Pace

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


class TerminalProgress:
    """One line for each open task, below each other; gone when the last one ends. ``console``: default standard error."""

    def __init__(self, console: Console | None = None, clock: Clock = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._lock = threading.Lock()
        self._bars: Progress | None = None
        self._open = 0

    @contextlib.contextmanager
    def task(self, description: str, total: int | None, unit: str = "", done: int = 0) -> Iterator[Advance]:
        pace = Pace(total, done, self._clock)
        bars = self._opened()
        bar = bars.add_task(description, total=total, completed=done, pace=pace, unit=unit)

        def advance(steps: int = 1) -> None:
            pace.advance(steps)
            bars.update(bar, completed=pace.done)

        try:
            yield advance
        finally:
            bars.remove_task(bar)
            self._closed()

    def refresh(self) -> None:
        """Draw the present state now, not at the next tenth of a second."""
        if self._bars is not None:
            self._bars.refresh()

    def _opened(self) -> Progress:
        with self._lock:
            if self._bars is None:
                self._bars = self._display()
                self._bars.start()
            self._open += 1
            return self._bars

    def _closed(self) -> None:
        with self._lock:
            self._open -= 1
            if self._bars is not None and not self._open:
                self._bars.stop()
                self._bars = None

    def _display(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
        from rich.text import Text

        class Pacing(ProgressColumn):
            def render(self, task: Task) -> Text:
                fields: dict[str, Any] = task.fields
                return Text(fields["pace"].in_words(fields["unit"]))

        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            Pacing(),
            console=self._console or Console(stderr=True),
            transient=True,
            # What goes into a pipe must not end up among the bars.
            redirect_stdout=sys.stdout.isatty(),
        )
