"""Rows of models behind servers: a card, a run of it, and what that leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from model_servers import MODEL, Reply, Stub
from small_dense import BLOCK, run

import systems.dense
import systems.server
from harness.dense import encoding
from harness.runs.execute import Outcome
from harness.runs.manifest import Manifest, read_manifest
from harness.servers import asking
from harness.servers.access import Access

REFUSED = Reply(403, {}, b"no more")


def make_small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few texts, and no pauses that a test would wait for."""
    for module in (encoding, systems.dense, systems.server):
        monkeypatch.setattr(module, "BLOCK_ROWS", BLOCK)
    monkeypatch.setattr(asking, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(asking, "LONGEST_PAUSE_SECONDS", 0.01)


def in_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {in_toml(own)}" for key, own in value.items()) + "}"
    return json.dumps(value)


def card(folder: Path, **parameters: Any) -> Path:
    chosen = {"model": MODEL, "batch_texts": 5, "store_dtype": "float32"} | parameters
    lines = "".join(f"{key} = {in_toml(value)}\n" for key, value in chosen.items())
    path = folder / "served.toml"
    path.write_text(
        f'schema_version = 1\nname = "served"\ntitle = "S"\nadapter = "server"\n[parameters]\n{lines}', "utf-8"
    )
    return path


def served(home: Path, track: Path, stub: Stub, own: Path | None = None, **options: Any) -> Outcome:
    access = Access(stub.url, options.pop("key_variable", ""), options.pop("timeout", 20.0))
    return run(home, track, own or card(track.parent), server=access, **options)


def run_bytes(home: Path) -> bytes:
    return (home / "runs/small/served/fi.trec.gz").read_bytes()


def manifest(home: Path) -> Manifest:
    return read_manifest(home / "runs/small/served")
