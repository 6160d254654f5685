"""Rate and time left: what they count, when they are first shown, and where."""

from __future__ import annotations

import io
import re
import threading

import pytest
from rich.console import Console

from harness import progress
from harness.cli.console import progress as progress_of_the_command
from harness.cli.terminal import TerminalProgress
from harness.progress import LogProgress, Pace, SilentProgress


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def go_on(pace: Pace, clock: Clock, steps: int, seconds: float, times: int) -> None:
    for _ in range(times):
        clock.now += seconds
        pace.advance(steps)


def test_what_was_resumed_counts_as_done_and_not_as_speed(clock: Clock) -> None:
    pace = Pace(total=1_000_000, done=900_000, clock=clock)
    go_on(pace, clock, steps=100, seconds=1, times=11)
    assert pace.rate == pytest.approx(100)
    assert pace.seconds_left == pytest.approx((1_000_000 - 901_100) / 100)


def test_no_rate_is_shown_before_it_means_something(clock: Clock) -> None:
    pace = Pace(total=100, clock=clock)
    assert pace.rate is None
    go_on(pace, clock, steps=1, seconds=1, times=1)
    assert (pace.rate, pace.seconds_left) == (None, None)
    go_on(pace, clock, steps=1, seconds=1, times=2)
    assert pace.rate is None
    go_on(pace, clock, steps=1, seconds=1, times=1)
    assert pace.rate == pytest.approx(1)
    assert pace.in_words("queries") == "4 of 100 queries (4%), 1/s, 1 min 36 s left"


def test_what_a_task_waits_for_before_its_first_step_is_not_its_pace(clock: Clock) -> None:
    pace = Pace(total=100, clock=clock)
    clock.now += 3600
    go_on(pace, clock, steps=10, seconds=2, times=5)
    assert pace.rate == pytest.approx(5)


def test_the_rate_follows_a_task_that_slows_down(clock: Clock) -> None:
    pace = Pace(total=10**6, clock=clock)
    go_on(pace, clock, steps=100, seconds=0.1, times=1000)
    go_on(pace, clock, steps=1, seconds=1, times=120)
    assert pace.rate == pytest.approx(1)


def test_steps_that_take_many_minutes_have_a_rate_and_a_time_left_that_falls_between_them(clock: Clock) -> None:
    pace = Pace(total=40_960, clock=clock)
    go_on(pace, clock, steps=4096, seconds=600, times=3)
    assert pace.rate == pytest.approx(4096 / 600)
    assert pace.seconds_left == pytest.approx(7 * 600)
    clock.now += 300
    assert pace.seconds_left == pytest.approx(7 * 600 - 300)
    clock.now += 10**6
    assert pace.seconds_left == 0


def test_a_task_of_unknown_length_has_a_rate_and_no_time_left(clock: Clock) -> None:
    pace = Pace(total=None, clock=clock)
    go_on(pace, clock, steps=2_000_000, seconds=1, times=5)
    assert pace.in_words("bytes") == "10.0 MB, 2.0 MB/s"


def test_no_step_of_many_threads_is_lost() -> None:
    pace = Pace(total=8000)
    threads = [threading.Thread(target=lambda: [pace.advance() for _ in range(1000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pace.done == 8000


def terminal(clock: Clock) -> tuple[TerminalProgress, io.StringIO]:
    screen = io.StringIO()
    # The time at which Rich draws is its own; at the end of a task the last state is drawn in any case.
    return TerminalProgress(Console(file=screen, force_terminal=True, width=160), clock), screen


def plain(screen: io.StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())


def test_a_terminal_shows_what_is_done_how_far_it_is_its_rate_and_the_time_left(clock: Clock) -> None:
    bars, screen = terminal(clock)
    with bars.task("encode passages", 10_000, "passages", done=5_000) as advance:
        for _ in range(5):
            clock.now += 2
            advance(500)
        bars.refresh()
        shown = plain(screen)
    assert "encode passages" in shown
    assert "7,500 of 10,000 passages (75%), 250/s, 10 s left" in shown


def test_a_terminal_shows_a_task_inside_another_and_clears_both(clock: Clock) -> None:
    bars, screen = terminal(clock)
    with bars.task("[mini]: rankings", 600, "queries") as outer:
        with bars.task("encode passages", 4096, "passages") as inner:
            inner(1024)
            bars.refresh()
            shown = plain(screen)
        outer(600)
    assert "[mini]: rankings" in shown
    assert "1,024 of 4,096 passages (25%)" in shown
    # Rich takes a display away by erasing its lines, and shows the cursor again.
    assert "\x1b[2K\x1b[?25h" in screen.getvalue()
    with bars.task("search", 1, "queries"):
        pass


def test_a_task_that_fails_leaves_the_terminal_in_order(clock: Clock) -> None:
    bars, screen = terminal(clock)
    with pytest.raises(ValueError, match="broken"), bars.task("search", 10):
        raise ValueError("broken")
    assert "\x1b[?25h" in screen.getvalue()


def test_a_log_gets_a_line_a_minute_and_one_at_the_end_of_a_long_task(clock: Clock) -> None:
    lines: list[str] = []
    with LogProgress(lines.append, clock).task("index", 10_000_000_000, "bytes", done=1_000_000_000) as advance:
        for _ in range(130):
            clock.now += 1
            advance(10_000_000)
    assert lines == [
        "index: 1.6 GB of 10.0 GB (16%), 10.0 MB/s, 14 min 0 s left",
        "index: 2.2 GB of 10.0 GB (22%), 10.0 MB/s, 13 min 0 s left",
        "index: done, 2.3 GB in 2 min 10 s",
    ]


def test_a_log_hears_nothing_of_a_short_task(clock: Clock) -> None:
    lines: list[str] = []
    with LogProgress(lines.append, clock).task("score", 9, "systems") as advance:
        clock.now += 59
        advance(9)
    assert lines == []


def test_bars_are_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(progress_of_the_command(), LogProgress)
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", screen)
    assert isinstance(progress_of_the_command(), TerminalProgress)


def test_items_are_counted_as_they_pass_and_all_in_the_end(clock: Clock) -> None:
    counts: list[int] = []

    def slowly() -> list[int]:
        found = []
        for item in progress.counted(range(25), counts.append, clock):
            clock.now += 0.0625
            found.append(item)
        return found

    assert slowly() == list(range(25))
    assert sum(counts) == 25
    assert len(counts) == 7


def test_code_without_a_progress_of_its_own_reports_where_the_command_shows_it(clock: Clock) -> None:
    lines: list[str] = []
    before = progress.shown()
    progress.show_on(LogProgress(lines.append, clock))
    try:
        with progress.task("score", 2, "systems") as advance:
            clock.now += 61
            advance(1)
    finally:
        progress.show_on(before)
    assert lines[0] == "score: 1 of 2 systems (50%)"
    with SilentProgress().task("score", 2) as advance:
        advance(1)
