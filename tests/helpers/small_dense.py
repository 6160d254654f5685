"""A small track and cards of dense retrieval over tiny models, and what their runs leave on the disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tiny_models

from harness.adapters.card import load_card
from harness.adapters.consent import Consent
from harness.adapters.contract import Context
from harness.runs.execute import Outcome, run_system
from harness.runs.manifest import run_file
from harness.runs.track_runs import TrackRuns
from harness.tracks import load_track

BLOCK = 16


DOCS = [
    {
        "doc_id": f"d{n:03}",
        "title": ["The Volga", "", "Green tea"][n % 3],
        "text": f"the river {n % 50} flows to the sea",
    }
    for n in range(150)
]


QUERIES = [{"query_id": f"q{n}", "text": f"river {n} sea", "lang": "fi", "topic": f"t{n}"} for n in range(30)]


def write_track(folder: Path, name: str = "small", queries: list[dict[str, str]] = QUERIES) -> Path:
    data = folder / name
    data.mkdir(parents=True)
    relevant = {query["query_id"]: f"d{n:03}" for n, query in enumerate(queries)}
    rows: dict[str, list[dict[str, Any]]] = {
        "docs.jsonl": DOCS,
        "queries.jsonl": queries,
        "answers.jsonl": [{"query_id": query_id, "answers": ["sea"]} for query_id in relevant],
    }
    for file, content in rows.items():
        (data / file).write_text("".join(json.dumps(row) + "\n" for row in content))
    (data / "qrels.txt").write_text("".join(f"{q} 0 {d} 1\n" for q, d in relevant.items()))
    track = folder / f"{name}.toml"
    track.write_text(
        f'schema_version = 1\nname = "{name}"\nversion = 1\ntitle = "Small"\ndescription = "For tests."\n'
        'measures = ["RR@10"]\nprimary = "RR@10"\ndepth = 12\nbaseline = "dense"\n'
        f'[[parts]]\nname = "fi"\ndataset = "folder:{name}"\nlang = "fi"\n'
    )
    return track


def write_card(folder: Path, adapter: str = "dense", **parameters: Any) -> Path:
    folder.mkdir(exist_ok=True)
    chosen = {"model": str(tiny_models.shared().plain), "pooling": "cls", "token_budget": 64} | parameters
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in chosen.items())
    card = folder / "card.toml"
    card.write_text(
        f'schema_version = 1\nname = "dense"\ntitle = "Dense"\nadapter = "{adapter}"\n[parameters]\n{lines}', "utf-8"
    )
    return card


def run(home: Path, track: Path, card: Path, **options: Any) -> Outcome:
    options = {"consent": Consent(code=True)} | options
    context = Context(cache=home / "cache", work=home / "work", **options)
    return run_system(
        TrackRuns(load_track(str(track)), home / "runs"), load_card(str(card)), context, replacing="another"
    )


def run_bytes(home: Path, track: str = "small") -> bytes:
    return run_file(home / "runs" / track / "dense", "fi").read_bytes()


def vectors(home: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(file.relative_to(home)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in sorted((home / "cache" / "vectors").rglob("*"))
        if file.is_file() and file.suffix != ".lock"
    }
