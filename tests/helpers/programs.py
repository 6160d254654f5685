"""Small programs as systems: where they lie, and how the tests run them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest

from harness.adapters.box import sandbox
from harness.adapters.contract import Context, Request
from harness.collections.view import Docs
from harness.errors import InvalidInput
from harness.records import Doc, Query, Ranking
from systems.command import Command

REQUEST = Request(
    Docs([Doc("d1", "Volga", 'The "long" river'), Doc("d2", "", "Tea\nand ёж"), Doc("d3", "", "Fuji")]),
    (Query("p/q1", "Volga?", "fi", "q1"), Query("p/q2", "富士", "ja", "q2")),
    2,
)
GOOD = "printf 'p/q1 Q0 d1 1 2.5 t\\np/q1 Q0 d3 2 1 t\\np/q2 Q0 d2 1 0.125 t\\n'"
FOUND = {"p/q1": ["d1", "d3"], "p/q2": ["d2"]}

needs_bwrap = pytest.mark.skipif(sandbox.why_not() != "", reason=f"no isolation here: {sandbox.why_not()}")


def context_in(tmp_path: Path) -> Context:
    return Context(cache=tmp_path / "cache", work=tmp_path / "work")


def script(tmp_path: Path, text: str, name: str = "search.sh", *, executable: bool = True) -> Path:
    path = tmp_path / "card" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(0o755 if executable else 0o644)
    return path


def command(tmp_path: Path, words: list[str], **parameters: Any) -> Command:
    folder = tmp_path / "card"
    folder.mkdir(exist_ok=True)
    return Command(Command.Parameters.model_validate({"command": words, **parameters}, context={"folder": folder}))


def search(tmp_path: Path, words: list[str], request: Request = REQUEST, **parameters: Any) -> list[Ranking]:
    return list(command(tmp_path, words, **parameters).search(request, context_in(tmp_path)))


def shell(tmp_path: Path, body: str, **parameters: Any) -> list[Ranking]:
    script(tmp_path, f"#!/bin/sh\n{body}\n")
    return search(tmp_path, ["./search.sh"], **parameters)


def python(tmp_path: Path, body: str, **parameters: Any) -> list[Ranking]:
    script(tmp_path, body, "search.py")
    return search(tmp_path, ["python3", "search.py"], **parameters)


def alive(argument: str) -> bool:
    """Whether a process with exactly this argument lives."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if argument in path.read_text("utf-8", "replace").split("\0"):
                return True
    return False


def unlikely_seconds() -> str:
    """An argument of ``sleep`` by which its process is known."""
    return f"{300 + time.time_ns() % 1_000_000 / 1e6:.6f}"


def error_of(tmp_path: Path, body: str, **limits: float) -> str:
    with pytest.raises(InvalidInput) as caught:
        shell(tmp_path, body, **limits)
    return str(caught.value)


def error_of_python(tmp_path: Path, body: str, **limits: float) -> str:
    with pytest.raises(InvalidInput) as caught:
        python(tmp_path, body, **limits)
    return str(caught.value)
