"""A folder as a collection, a track of it, and runs of a few passages, for the tests of scoring."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.adapters.card import Card
from harness.collections.view import load
from harness.measures import Judged
from harness.records import Ranking
from harness.runs.execute import track_record
from harness.runs.manifest import SCHEMA_VERSION, Implementation, Manifest, Method, PartRecord, run_file, write_manifest
from harness.runs.provenance import Execution, Platform
from harness.runs.trec import write_run
from harness.tracks import Track

DOCS = {"d1": "Oslo is in Norway", "d2": "Rome is in Italy", "d3": "I cannot say", "d4": "", "d5": "Oslo again"}
QUERIES = {"fi-1": "fi", "fi-2": "fi", "fi-3": "fi", "ja-1": "ja", "ja-2": "ja"}
QRELS = {"fi-1": {"d1": 1}, "fi-2": {"d2": 1}, "fi-3": {"d1": 1}, "ja-1": {"d5": 1}, "ja-2": {"d2": 1}}
ANSWERS = {"fi-1": ["Oslo"], "fi-2": ["Rome"], "fi-3": ["yes"], "ja-1": ["Oslo"], "ja-2": ["Italy"]}
Rankings = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class World:
    """A folder as a collection, a track of it, and a place for runs."""

    home: Path
    track: Track

    def run(self, rankings: Mapping[str, Rankings], name: str = "toy", **card: Any) -> Path:
        """Write runs by part, best passage first, with their manifest; returns the system's folder."""
        folder = self.home / "runs" / name
        data = {}
        for part, own in rankings.items():
            rows = [Ranking(q, list(ids), np.arange(len(ids), 0, -1, dtype=np.float32)) for q, ids in own.items()]
            text = write_run(run_file(folder, part), rows, name)
            digests = self.track.part(part).collection.digests
            data[part] = PartRecord(
                dataset=part,
                lang=part,
                docs=digests.docs,
                queries=digests.queries,
                query_count=0,
                ranking=hashlib.sha256(text).hexdigest(),
            )
        own_card = Card(schema_version=1, name=name, title=name, adapter="dummy", **card)
        write_manifest(
            folder,
            Manifest(
                schema_version=SCHEMA_VERSION,
                tag=name,
                track=track_record(self.track),
                method=Method(card=own_card),
                data=data,
                implementation=Implementation(),
                platform=Platform(),
                execution=Execution(device="cpu", isolation="none"),
            ),
        )
        return folder


def collection_in(
    home: Path,
    docs: Mapping[str, str] = DOCS,
    queries: Mapping[str, str] = QUERIES,
    qrels: Mapping[str, Mapping[str, int]] | None = QRELS,
    answers: Mapping[str, Sequence[str]] | None = ANSWERS,
) -> Path:
    def lines(rows: list[dict[str, Any]]) -> str:
        return "".join(json.dumps(row) + "\n" for row in rows)

    home.mkdir(parents=True)
    (home / "docs.jsonl").write_text(lines([{"doc_id": d, "text": text} for d, text in docs.items()]))
    asked = [{"query_id": q, "text": "?", "lang": lang, "topic": q.split("-")[-1]} for q, lang in queries.items()]
    (home / "queries.jsonl").write_text(lines(asked))
    if qrels is not None:
        rows = [f"{q} 0 {d} {grade}\n" for q, own in qrels.items() for d, grade in own.items()]
        (home / "qrels.txt").write_text("".join(rows))
    if answers is not None:
        (home / "answers.jsonl").write_text(lines([{"query_id": q, "answers": list(a)} for q, a in answers.items()]))
    return home


def track_of(folder: Path, langs: Sequence[str] = ("fi", "ja"), **fields: Any) -> Track:
    content = {
        "schema_version": 1,
        "name": "toy",
        "version": 1,
        "title": "Toy",
        "description": "",
        "parts": [{"name": lang, "dataset": f"folder({lang}):{folder}", "lang": lang} for lang in langs],
        "measures": ["R@2t", "RR"],
        "primary": "R@2t",
        "depth": 3,
        "baseline": "base",
    }
    return Track.model_validate({**content, **fields})


RANKINGS: dict[str, Rankings] = {
    "fi": {"fi-1": ["d2", "d1"], "fi-2": ["d2"], "fi-3": ["d2", "d3", "d1"]},
    "ja": {"ja-1": ["d5"], "ja-2": ["d1", "d2"]},
}


def judged_toy(folder: Path) -> Judged:
    return Judged(load(f"folder(fi):{folder}"))
