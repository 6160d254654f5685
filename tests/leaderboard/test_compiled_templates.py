"""Compiled templates are kept, and never those of another template or of other settings."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import jinja2
import pytest

from harness.leaderboard.site.compiled import CompiledBeside


class Compiling(jinja2.Environment):
    compiled = 0

    def _generate(self, *arguments: Any, **options: Any) -> str:
        self.compiled += 1
        return super()._generate(*arguments, **options)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    (tmp_path / "settings.py").write_text("trim_blocks = True")
    (tmp_path / "page.html").write_text("{{ 1 + 1 }} of {{ name }}")
    return tmp_path


def shown(place: Path) -> tuple[str, int]:
    """The page as a new process would show it, and how many templates it compiled."""
    compiled = CompiledBeside([place / "settings.py"])
    environment = Compiling(loader=jinja2.FileSystemLoader(place), bytecode_cache=compiled, autoescape=True)
    return environment.get_template("page.html").render(name="ten"), environment.compiled


def kept(place: Path) -> list[Path]:
    return sorted((place / "__pycache__").glob("*.template"))


def test_a_template_is_compiled_once(place: Path) -> None:
    assert [shown(place), shown(place)] == [("2 of ten", 1), ("2 of ten", 0)]
    assert len(kept(place)) == 1


def test_a_changed_template_is_compiled_again(place: Path) -> None:
    shown(place)
    (place / "page.html").write_text("{{ name }}!")
    assert [shown(place), shown(place)] == [("ten!", 1), ("ten!", 0)]


def test_changed_settings_compile_again(place: Path) -> None:
    shown(place)
    (place / "settings.py").write_text("trim_blocks = False")
    assert [shown(place)[1], shown(place)[1]] == [1, 0]


def test_another_version_of_jinja_compiles_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown(place)
    monkeypatch.setattr(jinja2, "__version__", "0")
    assert [shown(place)[1], shown(place)[1]] == [1, 0]


@pytest.mark.parametrize("kept_bytes", [slice(0), slice(9), slice(30), slice(-5)])
def test_a_damaged_file_is_made_again(place: Path, kept_bytes: slice) -> None:
    shown(place)
    (file,) = kept(place)
    whole = file.read_bytes()
    file.write_bytes(whole[kept_bytes])
    assert [shown(place), shown(place)] == [("2 of ten", 1), ("2 of ten", 0)]
    assert file.read_bytes() == whole


def test_nothing_is_kept_where_that_cannot_be_or_is_not_wanted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "__pycache__").write_text("no folder")
    assert [shown(place), shown(place)] == [("2 of ten", 1)] * 2
    (place / "__pycache__").unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert [shown(place), shown(place)] == [("2 of ten", 1)] * 2
    assert not (place / "__pycache__").exists()


def test_a_moved_folder_compiles_its_own(place: Path, tmp_path: Path) -> None:
    """Compiled templates name their file, for errors."""
    shown(place)
    moved = shutil.copytree(place, tmp_path / "moved")
    assert [shown(moved)[1], shown(moved)[1]] == [1, 0]
