"""ARCHITECTURE.md tells of the rooms that there are, in the order that the import rule has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")


def described_rooms() -> list[str]:
    rows = re.findall(r"^\| (`[a-z]+/`|leaves) \|", TEXT, flags=re.MULTILINE)
    return [name.strip("`/") for name in rows]


def test_every_room_is_described_in_the_order_of_the_import_rule() -> None:
    rule = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0]
    names = [name.strip() for layer in rule["layers"] for name in layer.split(":")]
    layers = [name.removeprefix("harness.") for name in names if name.startswith("harness.")]
    rooms = [name for name in layers if (ROOT / "harness" / name).is_dir()]
    assert described_rooms() == [*rooms, "leaves"]
    assert {path.name for path in (ROOT / "harness").iterdir() if (path / "__init__.py").is_file()} == set(rooms)
    leaves = {path.stem for path in (ROOT / "harness").glob("*.py")} - {"__init__", "__main__", "registration"}
    row = next(line for line in TEXT.splitlines() if line.startswith("| leaves |"))
    assert set(re.findall(r"`([a-z]+)`", row)) == leaves == set(layers) - set(rooms) - {"registration"}


def test_where_to_begin_is_there() -> None:
    files = re.findall(r"\| `([a-z_/]+\.py)` \|$", TEXT, flags=re.MULTILINE)
    assert len(files) == len(described_rooms()) - 1
    assert [name for name in files if not (ROOT / "harness" / name).is_file()] == []


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.name
)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    """Of the checkout; models of others are for the reader to bring."""
    text = page.read_text("utf-8")
    named = re.findall(r"(?<![\w/.])((?:tests|harness|systems|benchmarks|xdr_bench)/[\w./*-]*\w)", text)
    absent = [name for name in named if not list(ROOT.glob(name)) and not list(ROOT.glob(f"{name}.*"))]
    assert [name for name in absent if not name.startswith("systems/models/")] == []


def test_tests_that_the_makefile_names_are_there() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    listed = re.search(r"LOWEST_TESTS := \$\(addprefix tests/,(.*?)\)", text, flags=re.DOTALL)
    assert listed is not None
    names = [name for name in listed[1].split() if name != "\\"]
    assert len(names) > 10
    assert [name for name in names if not (ROOT / "tests" / name).is_file()] == []
