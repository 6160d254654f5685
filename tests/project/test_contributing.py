"""CONTRIBUTING.md tells of plug-ins what is true of them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from harness.registry import Plugins
from harness.scaffold.scaffold import COLLECTION, MEASURE, write_scaffold

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
KINDS = (
    "harness.adapters.loading",
    "harness.collections.plugins",
    "harness.leaderboard.exports",
    "harness.measures.by_name",
    "harness.recipes.generate.load",
    "harness.tracks",
)


def test_every_kind_of_plug_in_is_told_and_no_other() -> None:
    groups = {importlib.import_module(module).PLUGINS.group for module in KINDS}
    assert set(re.findall(r"`(xdr\.[a-z]+)`", TEXT)) == groups
    made = {
        str(path)
        for path in (ROOT / "harness").rglob("*.py")
        if re.search(r"^PLUGINS = ", path.read_text("utf-8"), re.M)
    }
    assert len(made) == len(KINDS)
    assert Plugins("x", "xdr.nothing").names() == []


def test_examples_are_as_long_as_is_said(tmp_path: Path) -> None:
    named = re.findall(r"`(tests/data/plugins/\w+\.py)` \((\d+) lines\)", TEXT)
    assert named
    for name, lines in named:
        assert len((ROOT / name).read_text("utf-8").splitlines()) == int(lines)
    begun = re.findall(r"`xdr new ([a-z-]+) --(measure|collection)` writes one \((\d+) lines\)", TEXT)
    assert {kind for _, kind, _ in begun} == {"measure", "collection"}
    for name, kind, lines in begun:
        write_scaffold(name, tmp_path / kind, {"measure": MEASURE, "collection": COLLECTION}[kind])
        written = tmp_path / kind / f"{name.replace('-', '_')}.py"
        assert len(written.read_text("utf-8").splitlines()) == int(lines)


def test_conformance_tests_are_where_they_are_said_to_be() -> None:
    modules = re.findall(r"`(harness\.[\w.]+\.conformance)`", TEXT)
    assert len(modules) == 4
    for module in modules:
        assert callable(importlib.import_module(module).conformance_tests)
