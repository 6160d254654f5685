"""How fast servers are asked, and how their answers are kept."""

from __future__ import annotations

import datetime
import email.utils
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_servers import Reply, running, well

from harness.errors import InvalidInput
from harness.servers import asking
from harness.servers.access import Access
from harness.servers.asking import Asker, Pace, asked_pause
from harness.servers.kept import KeptAnswers


class Clock(threading.Event):
    """Time passes where it is waited for."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0.0
        return False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(asking, "time", found)
    return found


def test_requests_begin_no_faster_than_the_operator_allows(clock: Clock) -> None:
    pace, begun = Pace(30), []
    for _ in range(4):
        pace.wait(clock)
        begun.append(clock.now)
    assert begun == [0, 2, 4, 6]
    clock.now = 100
    pace.wait(clock)
    assert clock.now == 100


def test_a_pause_that_the_server_asks_for_holds_all_requests(clock: Clock) -> None:
    pace = Pace(0)
    pace.hold(7)
    pace.hold(3)
    pace.wait(clock)
    assert clock.now == 7


def test_a_server_is_not_asked_before_the_time_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[float] = []
    monkeypatch.setattr(Pace, "hold", lambda self, seconds: held.append(seconds))
    monkeypatch.setattr(asking, "FIRST_PAUSE_SECONDS", 0.001)
    limited = running(lambda body, number: Reply(429, {"Retry-After": "45"}, b"") if number < 3 else well(body, number))
    with limited as stub:
        asker = Asker(Access(stub.url), "embeddings", 1)
        asker.answer({"input": ["x"]}, lambda answer: answer.content, "passage d1")
    assert held == [45, 45]


def test_a_date_in_retry_after_counts() -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    assert 3000 < asked_pause(email.utils.format_datetime(later, usegmt=True)) <= 3600
    assert asked_pause("Wed, 21 Oct 99999999999999999999 07:28:00 GMT") == 0


@given(st.text(max_size=40))
def test_any_retry_after_is_some_seconds(text: str) -> None:
    assert asked_pause(text) >= 0


def test_the_first_failure_is_the_error_of_all() -> None:
    def ask(task: int) -> int:
        if task % 2:
            raise InvalidInput(f"task {task}")
        return task

    asker = Asker(Access("http://localhost"), "embeddings", 4)
    with pytest.raises(InvalidInput, match=r"^task [13579]$"):
        asker.all_of(range(10), ask)
    assert asker.all_of(range(0, 10, 2), ask) == [0, 2, 4, 6, 8]


@given(st.lists(st.tuples(st.text(), st.integers(0, 9)), min_size=1, max_size=5), st.integers(1, 60))
def test_a_damaged_end_costs_its_own_answers_and_no_later_one(rows: list[tuple[str, int]], lost: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers"
        kept = KeptAnswers(path, 1 << 12)
        for place, row in enumerate(rows):
            kept.add({f"key {place}": row})
        content = path.read_bytes()
        path.write_bytes(content[:-lost])
        whole = content[:-lost].count(b"\n")
        again = KeptAnswers(path, 1 << 12)
        assert path.read_bytes() == content[:-lost]  # whoever only reads changes nothing
        assert [again.get(f"key {place}") for place in range(whole)] == rows[:whole]
        again.add({"later": ("x",)})
        last = KeptAnswers(path, 1 << 12)
        assert (len(last), last.get("later")) == (whole + 1, ("x",))
