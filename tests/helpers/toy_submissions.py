"""A track of three questions in two languages, to which the tests of submissions add rows."""

from __future__ import annotations

import json
from pathlib import Path

from harness.runs.track_runs import TrackRuns
from harness.submissions.submit import Target
from harness.tracks import load_track

PASSAGES = {"nile": "The Nile flows north.", "volga": "The Volga flows south.", "arno": "The Arno is short."}
QUERIES = {"fi": ["fi1", "fi2"], "ru": ["ru1"]}
CARD = 'schema_version = 1\nname = "mine"\ntitle = "Mine"\n'


def write_toy(folder: Path) -> None:
    """The collection, ``track.toml`` and ``card.toml``, a card of finished runs."""
    data = folder / "data"
    data.mkdir()
    (data / "docs.jsonl").write_text(
        "".join(json.dumps({"doc_id": d, "title": d.title(), "text": t}) + "\n" for d, t in PASSAGES.items())
    )
    rows = [{"query_id": q, "text": f"{q}?", "lang": lang} for lang, ids in QUERIES.items() for q in ids]
    (data / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (data / "qrels.txt").write_text("fi1 0 nile 1\nfi2 0 nile 1\nru1 0 volga 1\n")
    (folder / "track.toml").write_text(
        'schema_version = 1\nname = "toy"\nversion = 1\ntitle = "Toy"\ndescription = ""\nmeasures = ["RR@2"]\n'
        'primary = "RR@2"\ndepth = 2\nbaseline = "mine"\n[families]\nresamples = 1000\n'
        + "".join(f'[[parts]]\nname = "{part}"\ndataset = "folder({part}):data"\nlang = "{part}"\n' for part in QUERIES)
    )
    (folder / "card.toml").write_text(CARD)


def target(home: Path, replace: bool = False) -> Target:
    return Target(TrackRuns(load_track(str(home / "track.toml")), home / "runs"), replace)
