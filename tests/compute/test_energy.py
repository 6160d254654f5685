"""Joules by the kernel's counters: of whole packages, continued where a counter began again, and never half of the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.adapters.contract import SERVED, Record
from harness.compute import energy
from harness.compute.energy import Energy
from harness.runs.provenance import execution_of


def zone(folder: Path, name: str, microjoules: int, largest: int = 1_000_000, called: str = "package-0") -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "name").write_text(f"{called}\n")
    (folder / name / "energy_uj").write_text(f"{microjoules}\n")
    (folder / name / "max_energy_range_uj").write_text(f"{largest}\n")
    return folder / name / "energy_uj"


def test_packages_are_added_up_and_their_parts_are_not(tmp_path: Path) -> None:
    first, second = zone(tmp_path, "intel-rapl:0", 100), zone(tmp_path, "intel-rapl:1", 5, called="package-1-die-0")
    part = zone(tmp_path, "intel-rapl:0:0", 7, called="core")
    zone(tmp_path, "dtpm", 7)
    found = Energy(tmp_path)
    assert found.joules() == 0
    first.write_text("500100")
    second.write_text("250005")
    part.write_text("900000")
    assert found.joules() == pytest.approx(0.75)
    assert found.joules() == pytest.approx(0.75)


def test_the_zone_of_a_whole_machine_is_not_added_to_the_package_that_it_contains(tmp_path: Path) -> None:
    package, machine = zone(tmp_path, "intel-rapl:0", 0), zone(tmp_path, "intel-rapl:1", 0, called="psys")
    found = Energy(tmp_path)
    package.write_text("300000")
    machine.write_text("900000")
    assert found.joules() == pytest.approx(0.3)
    machine.unlink()
    assert found.joules() == pytest.approx(0.3)
    package.with_name("name").unlink()
    assert Energy(tmp_path).joules() is None


def test_a_machine_that_tells_of_itself_and_not_of_its_processors_is_not_known(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", 0, called="psys")
    assert Energy(tmp_path).joules() is None


def test_a_counter_that_began_again_is_continued(tmp_path: Path) -> None:
    counter = zone(tmp_path, "intel-rapl:0", 900_000)
    found = Energy(tmp_path)
    counter.write_text("100000")
    assert found.joules() == pytest.approx(0.2)
    counter.write_text("99999")
    assert found.joules() == pytest.approx(1.199999)


@pytest.mark.parametrize("damage", ["no folder", "no zone", "no counter", "no number", "no range", "one of two"])
def test_what_the_machine_does_not_tell_is_not_known(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "powercap"
    if damage != "no folder":
        folder.mkdir()
    if damage not in ("no folder", "no zone"):
        counter = zone(folder, "intel-rapl:0", 1, largest=0 if damage == "no range" else 1000)
        if damage in ("no counter", "one of two"):
            counter.unlink()
        if damage == "one of two":
            zone(folder, "intel-rapl:1", 1)
        if damage == "no number":
            counter.write_text("much")
    assert Energy(folder).joules() is None


def test_a_counter_that_goes_away_ends_what_is_known(tmp_path: Path) -> None:
    counter = zone(tmp_path, "intel-rapl:0", 1)
    found = Energy(tmp_path)
    counter.unlink()
    assert found.joules() is None
    counter.write_text("5")
    assert found.joules() is None


def test_a_stage_has_the_joules_of_its_time_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = zone(tmp_path, "intel-rapl:0", 0, largest=10**12)
    found = Energy(tmp_path)
    monkeypatch.setattr(energy, "_of_this_machine", lambda: found)
    record = Record()
    with record.stage("before"):
        counter.write_text("1000000")
    with record.stage("encode passages"):
        counter.write_text("3500000")
    assert [stage["joules"] for stage in record.stages] == [1.0, 2.5]
    counter.unlink()
    with record.stage("search"):
        pass
    assert "joules" not in record.stages[-1]


@pytest.mark.parametrize(
    ("facts", "is_told"),
    [
        ({}, True),
        ({"device": "cpu", "engine": "local"}, True),
        ({"device": "cuda"}, False),
        ({"device": "cpu", "engine": "ray"}, False),
        ({SERVED: "org/name"}, False),
    ],
)
def test_a_manifest_has_joules_where_these_processors_did_all_the_work(facts: dict[str, str], is_told: bool) -> None:
    stages = [{"name": "search", "seconds": 1.0, "joules": 5.0, "other": 7}]
    (stage,) = execution_of(facts, stages, 1, 1, None).stages
    assert stage.facts == ({"joules": 5.0} if is_told else {}) | {"other": 7}
