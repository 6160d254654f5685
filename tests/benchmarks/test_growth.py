"""The benchmark of growth: its made-up rows are rows, its commands do what they are for, its page fits what it is given."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("parallel", [False, True])
def test_made_up_rows_are_scored_and_better_systems_score_more(tmp_path: Path, parallel: bool) -> None:
    from growth_world import Size, World

    from harness.leaderboard.pipeline import score_all
    from harness.runs.track_runs import TrackRuns
    from harness.tracks import load_track

    world = World(tmp_path, Size(systems=3, languages=2, questions=400, passages=40, parallel=parallel))
    world.make()
    scores = score_all(TrackRuns(load_track(str(world.track)), world.runs))
    means = [score.macro(("ar", "am"), "Success@10") for score in scores]
    assert [score.system for score in scores] == world.systems
    assert all(mean is not None for mean in means)
    assert means == sorted(means)
    assert means[0] < means[-1]
    shared = {unit for (part, _), (_, unit) in scores[0].units.items() if part == "ar"}
    assert (shared == {unit for (part, _), (_, unit) in scores[0].units.items() if part == "am"}) == parallel


def test_commands_are_measured_and_what_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import growth
    from growth_world import Size

    monkeypatch.setitem(growth.AXES, "questions", growth.Axis((8,), (), lambda n: Size(2, 2, n, 30)))
    wrong = growth.Command("wrong", ("questions",), lambda world: ["report", str(world.folder / "nothing")])
    commands = [*(command for command in growth.COMMANDS if command.name in ("list TRACK", "score")), wrong]
    options = argparse.Namespace(folder=tmp_path, limit=120.0, memory=8.0)
    found = list(growth.point("questions", 8, commands, options))
    assert [one["command"] for one in found] == ["list TRACK", "score", "wrong"]
    assert ["failed" in one for one in found] == [False, False, True]
    assert found[2]["failed"].startswith("status 2")
    assert all(one["processor_seconds"] > 0 and one["peak_bytes"] > 10**7 for one in found)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
    late = growth.point("questions", 8, commands[:1], argparse.Namespace(folder=tmp_path, limit=0.0, memory=8.0))
    assert [one["failed"] for one in late] == ["stopped after 0 s"]


def measurement(axis: str, point: int, command: str, seconds: float, **more: Any) -> dict[str, Any]:
    size = {"systems": point, "languages": 8, "questions": 800, "passages": 5000, "depth": 10, "parallel": False}
    own = {"axis": axis, "point": point, "size": size, "command": command, "processor_seconds": seconds}
    return {**own, "seconds": seconds, "peak_bytes": 1e8 * point, "load": 1.5, **more}


def test_the_page_states_exponents_and_the_reason_of_every_steep_one() -> None:
    import growth_page

    measurements = [
        *(measurement("systems", n, "compare", 0.01 * n**2) for n in (10, 100)),
        *(measurement("systems", n, "score", 0.1 * n) for n in (10, 100)),
        measurement("systems", 100, "report TRACK", 1.0, failed="stopped after 9 s"),
        *(measurement("questions", n, "diff", 0.01 * n**2) for n in (10, 100)),
        *(measurement("questions", n, "submit", 1.0, floor_bytes=2e9) for n in (10, 100)),
    ]
    machine = {"cpu": "processor", "cores": 2, "memory_bytes": 8 << 30}
    before = {"machine": machine, "measurements": [measurement("systems", 100, "score", 40.0)]}
    page = growth_page.written([{"machine": machine, "measurements": measurements}], [before])
    assert "processor, 2 cores, 8 GiB" in page
    assert "| `compare` | 1.0 | 100.0 | 2.00 / 2.00 | 1,000 | 10,000 | 1.00 / 1.00 |" in page
    assert "- `compare` by systems, time n^2.00: all pairs of systems are tested" in page
    assert "- `diff` by questions, time n^2.00: no reason in the program is known" in page
    assert "| `submit` | 1.0 | 1.0 | 0.00 / 0.00 | ≤ 1,000 | 10,000 |  |" in page
    assert "`score` by systems, " not in page
    assert "Other work took part" not in page
    busy = [{**found, "load": 9.0} for found in measurements]
    assert "Other work took part" in growth_page.written([{"machine": machine, "measurements": busy}])
    assert "- `report TRACK` at 100 systems: stopped after 9 s." in page
    assert "| `score` | 100 systems | 40.0 | 10.0 | 10,000 | 10,000 | 1.5 | 1.5 |" in page


def test_every_command_of_the_program_is_measured_or_has_a_reason() -> None:
    import growth
    from typer.main import get_command

    from harness.cli import app

    named = " ".join([*(command.name for command in growth.COMMANDS), *growth.NO_AXIS]).replace(",", "").split()
    assert set(get_command(app).commands) - set(named) == set()  # type: ignore[attr-defined]
