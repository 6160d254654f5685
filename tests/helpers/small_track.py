"""A recorded track small enough to be made in every test run, and the command line called in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

TRACK = (
    'schema_version = 1\nname = "rivers"\nversion = 1\ntitle = "Rivers"\ndescription = "Two rivers."\n'
    'measures = ["Success@1", "RR@10", "R@10t"]\nprimary = "Success@1"\ndepth = 2\nbaseline = "bm25"\n'
    'systems = ["bm25", "dummy"]\n'
    'parts = [{name = "fi", dataset = "folder(fi):data", lang = "fi"}, '
    '{name = "ru", dataset = "folder(ru):data", lang = "ru"}]\n'
    "families = {resamples = 1000, all_pairs_resamples = 1000}\n"
)
OTHER_CARD = 'schema_version = 1\nname = "other"\ntitle = "Other"\nadapter = "dummy"\nlanguages = ["fi", "ru"]\n'


class Ended(NamedTuple):
    status: int
    out: str
    err: str


class Terminal:
    """``xdr`` as a user types it, in this process."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.patch, self.capture = patch, capture

    def __call__(self, *arguments: str) -> Ended:
        from harness.cli import main

        self.patch.setattr("sys.argv", ["xdr", *arguments])
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        shown = self.capture.readouterr()
        assert "Traceback" not in shown.err
        return Ended(int(ended.value.code or 0), shown.out, shown.err)


def write_track(folder: Path) -> None:
    """track.toml, other.toml and the collection that the track asks."""
    (folder / "data").mkdir()
    docs = [("nile", "The Nile is 6,650 kilometres long."), ("volga", "The Volga is 3,530 kilometres long.")]
    queries = [("q1", "fi", "Kuinka pitkä on Volga?"), ("q2", "fi", "Niilin pituus"), ("q3", "ru", "Длина 6,650 Nile")]
    answers = [("q1", "3,530"), ("q2", "6,650"), ("q3", "6,650")]
    for name, rows in (
        ("docs", [{"doc_id": doc, "text": text} for doc, text in docs]),
        ("queries", [{"query_id": query, "lang": lang, "text": text} for query, lang, text in queries]),
        ("answers", [{"query_id": query, "answers": [text]} for query, text in answers]),
    ):
        (folder / f"data/{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "data/qrels.txt").write_text("q1 0 volga 1\nq2 0 nile 1\nq3 0 nile 1\n")
    (folder / "track.toml").write_text(TRACK)
    (folder / "other.toml").write_text(OTHER_CARD)


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
