"""A distribution of somebody else, installed for one test: its modules and its entry points, in a folder of ``PYTHONPATH``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest


def install(
    place: Path,
    name: str,
    modules: Mapping[str, str],
    entry_points: Mapping[str, Mapping[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """``modules``: texts by file name; ``entry_points``: by group and name. Processes that are started afterwards see it."""
    folder = place / f"site-{name}"
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    for file, text in modules.items():
        (folder / file).write_text(text, "utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
    lines = [
        line
        for group, entries in entry_points.items()
        for line in (f"[{group}]", *(f"{key} = {value}" for key, value in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")])))
    monkeypatch.syspath_prepend(str(folder))
    return folder
