"""The local engine: tasks in their order, taken when they are needed, one job open at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.compute.engine import opened_engine
from harness.compute.jobs import LocalEngine
from harness.errors import WrongUsage


class Recorded:
    """A job that notes in ``events`` what is done with it."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.name, self.events = name, events

    @property
    def files(self) -> Mapping[str, Path]:
        return {"model": Path(f"/models/{self.name}")}

    def opened(self, files: Mapping[str, Path]) -> Callable[[int], int]:
        self.events.append(f"open {files['model']}")

        def doubled(task: int) -> int:
            self.events.append(f"{self.name} {task}")
            return 2 * task

        return doubled


def test_tasks_are_taken_one_by_one_and_computed_in_their_order() -> None:
    events: list[str] = []

    def tasks() -> list[int]:
        for number in (3, 1, 2):
            events.append(f"take {number}")
            yield number

    results = LocalEngine().results(Recorded("a", events), tasks())
    assert next(results) == 6
    assert events == ["open /models/a", "take 3", "a 3"]
    assert list(results) == [2, 4]
    assert events[3:] == ["take 1", "a 1", "take 2", "a 2"]


def test_a_job_stays_open_until_another_one_is_asked_for() -> None:
    events: list[str] = []
    engine, one, two = LocalEngine(), Recorded("a", events), Recorded("b", events)
    for job in (one, one, two, one):
        assert list(engine.results(job, [1])) == [2]
    assert [event for event in events if event.startswith("open")] == [
        "open /models/a",
        "open /models/b",
        "open /models/a",
    ]


def test_an_engine_of_another_name_is_refused() -> None:
    with (
        pytest.raises(WrongUsage, match="unknown engine 'locale'; did you mean 'local'"),
        opened_engine("locale", 1, "cpu"),
    ):
        pass


def test_without_the_extra_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WrongUsage, match=r"pip install 'xdr-bench\[ray\]'"), opened_engine("ray", 1, "cpu"):
        pass
