"""A toy track of three parts over two folders, a card with its adapter, and their runs."""

from __future__ import annotations

import json
from pathlib import Path

from harness.adapters.card import load_card
from harness.adapters.consent import Consent
from harness.adapters.contract import Context
from harness.runs.execute import Outcome, Replacing, run_system
from harness.runs.track_runs import TrackRuns
from harness.tracks import load_track

DOCS = {f"d{i:02}": f"Passage number {i}" for i in range(12)}
QUERIES = {"ar": 6, "fi": 5}
DEPTH = 3

ADAPTER = """
import json
import time
from pathlib import Path

import numpy as np

from harness.files.toml_records import Record
from harness.records import Ranking


class Adapter:
    class Parameters(Record):
        log: str = ""
        pause: float = 0
        backwards: bool = False
        fault: str = ""

    def __init__(self, parameters):
        self.parameters = parameters

    def search(self, request, context):
        if self.parameters.log:
            with Path(self.parameters.log).open("a") as log:
                ids = [query.query_id for query in request.queries]
                log.write(json.dumps([ids, list(request.docs.ids), sorted(context.finished)]) + "\\n")
        queries = request.queries[::-1] if self.parameters.backwards else request.queries
        for query in queries:
            if query.query_id not in context.finished:
                time.sleep(self.parameters.pause)
                yield self.ranking(query, request)

    def ranking(self, query, request):
        found = list(request.docs.ids)[: request.depth]
        return Ranking(query.query_id, found, np.array([1 / (3 + hash_of(query.text + d)) for d in found]))


def hash_of(text):
    return sum(i * ord(letter) for i, letter in enumerate(text, 1))
"""

BAD_ADAPTER = """
import numpy as np
from harness.records import Ranking


class Bad:
    def __init__(self, parameters):
        self.fault = parameters["fault"]

    def search(self, request, context):
        docs = list(request.docs.ids)
        good = [Ranking(query.query_id, docs[:2], [2.0, 1.0]) for query in request.queries]
        first = good[0]
        faulty = {
            "stranger": Ranking("ar/none", docs[:2], [2.0, 1.0]),
            "again": good[1],
            "lengths": first._replace(scores=[1.0]),
            "deep": first._replace(doc_ids=docs[:4], scores=[4.0, 3.0, 2.0, 1.0]),
            "twice": first._replace(doc_ids=[docs[0], docs[0]]),
            "nan": first._replace(scores=[float("nan"), 1.0]),
            "inf": first._replace(scores=np.array([float("-inf"), 1.0], dtype=np.float32)),
            "huge": first._replace(scores=[1e39, 1.0]),
            "unknown": first._replace(doc_ids=[docs[0], "nowhere"]),
            "words": first._replace(scores=["2", "1"]),
            "table": first._replace(scores=[[2.0], [1.0]]),
            "tuple": (first.query_id, docs[:2], [2.0, 1.0]),
        }[self.fault]
        yield good[1]
        yield faulty
"""


def place(home: Path) -> Path:
    """A track of two parts over the same passages and one over others, a card and its adapter."""
    for name, docs in (("data", DOCS), ("other", {"x1": "Another", "x2": "collection"})):
        folder = home / name
        folder.mkdir()
        write_lines(folder / "docs.jsonl", [{"doc_id": d, "text": t} for d, t in docs.items()])
        rows = [
            {"query_id": f"q{i}", "text": f"{lang} {i}?", "lang": lang} for lang, n in QUERIES.items() for i in range(n)
        ]
        own = [{**row, "query_id": f"{row['lang']}-{row['query_id']}"} for row in rows]
        write_lines(folder / "queries.jsonl", own)
    parts = [("ar", "folder(ar):data", "ar"), ("fi", "folder(fi):data", "fi"), ("other", "folder(ar):other", "ar")]
    write_track(home, parts)
    (home / "adapter.py").write_text(ADAPTER)
    return home


def write_lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_track(home: Path, parts: list[tuple[str, str, str]], name: str = "track.toml") -> None:
    text = (
        'schema_version = 1\nname = "toy"\nversion = 1\ntitle = "Toy"\ndescription = ""\nmeasures = ["RR@10"]\n'
        f'primary = "RR@10"\ndepth = {DEPTH}\nbaseline = "mine"\n'
    )
    for part, dataset, lang in parts:
        text += f'[[parts]]\nname = "{part}"\ndataset = "{dataset}"\nlang = "{lang}"\n'
    (home / name).write_text(text)


def write_card(home: Path, top: str = "", adapter: str = "adapter.py:Adapter", **parameters: object) -> None:
    values = "".join(f"{name} = {json.dumps(value)}\n" for name, value in parameters.items())
    text = f'schema_version = 1\nname = "mine"\ntitle = "Mine"\nadapter = "{adapter}"\n{top}\n[parameters]\n{values}'
    (home / "card.toml").write_text(text)


def run(
    home: Path,
    runs: str = "runs",
    track: str = "track.toml",
    seed: int = 42,
    strict: bool = False,
    replacing: Replacing = "nothing",
) -> Outcome:
    context = Context(cache=home / "cache", work=home / "work", seed=seed, consent=Consent(code=True))
    loaded = load_card(str(home / "card.toml"))
    recorded = TrackRuns(load_track(str(home / track)), home / runs)
    return run_system(recorded, loaded, context, strict=strict, replacing=replacing)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.trec.gz")}
