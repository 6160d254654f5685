"""The guide as a site: every page is in its menu, every public name in its reference, and it loads nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

import xdr_bench

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))


def pages(nav: Any) -> Iterator[str]:
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            for value in entry.values():
                yield from pages([value] if isinstance(value, str) else value)


def test_every_page_is_in_the_menu_once() -> None:
    assert sorted(pages(CONFIG["nav"])) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_every_public_name_is_in_the_reference_once() -> None:
    text = "".join((ROOT / "docs" / name).read_text("utf-8") for name in ("api.md", "api-adapters.md"))
    assert sorted(re.findall(r"^::: xdr_bench\.(\w+)$", text, flags=re.MULTILINE)) == sorted(
        set(xdr_bench.__all__) - {"__version__"}
    )


class Loaded(HTMLParser):
    """Addresses of what a browser fetches for a page by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "img", "iframe", "source") and values.get("src"):
            self.found.append(values["src"] or "")
        if tag == "link" and values.get("rel") in ("stylesheet", "icon", "preload", "preconnect", "modulepreload"):
            self.found.append(values.get("href") or "")


def test_it_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    for module in ("mkdocs", "material", "mkdocstrings"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}: pip install -e .[docs]")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in pages(CONFIG["nav"]):
        page = Loaded()
        page.feed((tmp_path / "site" / name).with_suffix(".html").read_text("utf-8"))
        assert page.found
        assert [address for address in page.found if re.match(r"(https?:)?//", address)] == [], name
    styles = "".join(path.read_text("utf-8") for path in (tmp_path / "site").rglob("*.css"))
    assert not re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)]*", styles)
    reference = (tmp_path / "site/api.html").read_text("utf-8")
    assert "d_z where each is one query" in reference, "docstrings are on the page"
