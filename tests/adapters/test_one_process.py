"""A row is the same whatever else the process did: in its manifest, but for times and memory, and in its rankings' bytes."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import processes
import pytest
import tiny_ragged_models
import yaml

from harness.adapters.loading import adapter_names
from harness.files.package import package_root
from harness.scaffold.scaffold import PROGRAM, write_scaffold

MODEL = package_root() / "systems" / "models" / "mini-xdr"
DOCS = {
    "nile": "The Nile is 6,650 kilometres long.",
    "volga": "The Volga is 3,530 kilometres long.",
    "fuji": "Fuji, 3776 m",
}
QUERIES = [("q1", "fi", "Kuinka pitkä on Volga?"), ("q2", "fi", "Niilin pituus"), ("q3", "ja", "富士山 3776")]
DENSE = f'model = "{MODEL}"\nquery_max_length = 16\npassage_max_length = 32\n'
CARDS = {
    "bm25": ("bm25", ""),
    "dummy": ("dummy", ""),
    "dense": ("dense", DENSE),
    "xqg": (
        "xqg",
        f'{DENSE}generated = "generated.jsonl"\nper_language = 1\nlanguages = ["fi"]\n[parameters.fusion]\nalpha = 0.2\n',
    ),
    "multi-vector": ("multi-vector", 'model = "models/multi-vector"\n'),
    "sparse": ("sparse", 'model = "models/sparse"\n'),
    "one": ("one/adapter.py:Adapter", ""),
    "two": ("two/adapter.py:Adapter", ""),
}
ADAPTER = """
from harness.records import Ranking


class Adapter:
    def __init__(self, parameters):
        pass

    def search(self, request, context):
        import helper
        context.record.facts["from"] = helper.NAME
        with context.record.stage(helper.NAME):
            for query in request.queries:
                docs = sorted(request.docs.ids, reverse=helper.NAME == "two")[: request.depth]
                yield Ranking(query.query_id, docs, [float(len(docs) - i) for i in range(len(docs))])
"""
PLAN = """
schema_version = 1
card = "{card}"
languages = ["fi"]
[[figures]]
name = "count"
title = "t"
x_label = "x"
caption = "c"
[[figures.series]]
label = "l"
points = [{points}]
"""
OPERATOR = ["--allow-code", "--device", "cpu"]
Job = dict[str, Any]


def lines(path: Path, rows: Sequence[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A track, a card for every adapter of this package, and two foreign Python adapters with helpers of one name."""
    home = tmp_path_factory.mktemp("one-process")
    (home / "data").mkdir()
    lines(home / "data/docs.jsonl", [{"doc_id": doc, "text": text} for doc, text in DOCS.items()])
    lines(home / "data/queries.jsonl", [{"query_id": q, "lang": lang, "text": text} for q, lang, text in QUERIES])
    (home / "data/qrels.txt").write_text("q1 0 volga 1\nq2 0 nile 1\nq3 0 fuji 1\n")
    lines(home / "generated.jsonl", [{"doc_id": d, "lang": "fi", "text": t, "source": "s"} for d, t in DOCS.items()])
    (home / "track.toml").write_text(
        'schema_version = 1\nname = "rivers"\nversion = 1\ntitle = "Rivers"\ndescription = ""\nmeasures = ["RR@2"]\n'
        'primary = "RR@2"\ndepth = 2\nbaseline = "bm25"\nparts = [{name = "fi", dataset = "folder(fi):data", lang = "fi"}, '
        '{name = "ja", dataset = "folder(ja):data", lang = "ja"}]\n'
        "families = {resamples = 1000, all_pairs_resamples = 1000}\n"
    )
    for name in ("one", "two"):
        (home / name).mkdir()
        (home / name / "adapter.py").write_text(ADAPTER)
        (home / name / "helper.py").write_text(f'NAME = "{name}"\n')
    shutil.copytree(tiny_ragged_models.shared().multi_vector, home / "models" / "multi-vector")
    shutil.copytree(tiny_ragged_models.shared().splade, home / "models" / "sparse")
    for name, (adapter, parameters) in CARDS.items():
        text = (
            f'schema_version = 1\nname = "{name}"\ntitle = "{name}"\nadapter = "{adapter}"\n[parameters]\n{parameters}'
        )
        (home / f"{name}.toml").write_text(text)
    write_scaffold("program", home / "program", PROGRAM)
    return home


def cards(home: Path) -> dict[str, str]:
    return {name: str(home / f"{name}.toml") for name in CARDS} | {"program": str(home / "program" / "card.toml")}


REMADE = ("one", "two", "program")


@pytest.fixture(scope="module")
def made(home: Path) -> Path:
    """Everything that the tests look at, each task in a process of its own."""
    tasks = [*alone_tasks(home), walk_task(home), *board_tasks(home), *remaking_tasks(home), *ablation_tasks(home)]
    path = home / "tasks.json"
    path.write_text(json.dumps({"track": str(home / "track.toml"), "tasks": tasks}))
    program = [sys.executable, str(Path(processes.__file__)), str(path)]
    done = subprocess.run(program, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return home


def alone_tasks(home: Path) -> list[list[Job]]:
    return [[{"card": card, "runs": f"alone/{name}", "place": f"places/{name}"}] for name, card in cards(home).items()]


def walk_task(home: Path) -> list[Job]:
    steps = enumerate(walk(list(cards(home))))
    return [{"card": cards(home)[name], "runs": f"walk/{i}", "place": f"walk-places/{i}"} for i, name in steps]


def board_tasks(home: Path) -> list[list[Job]]:
    words = [
        "leaderboard",
        "track.toml",
        *cards(home).values(),
        "--runs",
        "board",
        "--reports",
        "pages",
        "--workers",
        "1",
    ]
    return [[{"xdr": [*words, *OPERATOR], "output": "board.txt"}]]


def remaking_tasks(home: Path) -> list[list[Job]]:
    """Rows are submitted, and made again together and one by one."""
    own = [{"xdr": ["submit", "track.toml", cards(home)[name], *OPERATOR], "output": "out.txt"} for name in REMADE]
    again = [*OPERATOR, "--track", "track.toml", "--json"]
    apart = [[{"xdr": ["reproduce", f"runs/rivers/{name}", *again], "output": f"{name}.json"}] for name in REMADE]
    return [own, *apart, [{"xdr": ["reproduce", "runs/rivers", "--all", *again], "output": "all.json"}]]


def ablation_tasks(home: Path) -> list[list[Job]]:
    """A plan of two points, and each of them by itself."""
    points = [f'{{ x = "{count}", parameters = {{ per_language = {count} }} }}' for count in (0, 1)]
    plans = {"plan": ", ".join(points), "plan0": points[0], "plan1": points[1]}
    for name, own in plans.items():
        (home / f"{name}.toml").write_text(PLAN.format(card=home / "xqg.toml", points=own))
    return [[{"ablations": f"{name}.toml", "runs": f"{name}-runs", "place": f"{name}-place"}] for name in plans]


def recorded(folder: Path) -> dict[str, Any]:
    """What a run's folder holds, without times and memory."""
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text("utf-8"))
    manifest["execution"].pop("peak memory bytes", None)
    for stage in manifest["execution"].get("stages", []):
        del stage["seconds"]
    return {"manifest": manifest} | {path.name: path.read_bytes() for path in folder.glob("*.trec.gz")}


@pytest.fixture(scope="module")
def alone(made: Path) -> dict[str, dict[str, Any]]:
    """Every card run in a process of its own."""
    return {name: recorded(made / "alone" / name / "rivers" / name) for name in cards(made)}


def walk(names: Sequence[str]) -> list[str]:
    """A walk on which each name follows each, itself included, just once: an Eulerian circuit (Hierholzer 1873)."""
    left = {name: list(names) for name in names}
    stack, found = [names[0]], []
    while stack:
        if left[stack[-1]]:
            stack.append(left[stack[-1]].pop())
        else:
            found.append(stack.pop())
    return found[::-1]


def test_every_adapter_after_every_other_gives_the_run_that_it_gives_alone(
    made: Path, alone: dict[str, dict[str, Any]]
) -> None:
    # The others stand on rows that were made before, or on a server.
    tried = set(adapter_names()) - {"command", "fuse", "rerank", "server"}
    assert {alone[name]["manifest"]["method"]["card"]["adapter"] for name in alone} >= tried
    steps = walk(list(alone))
    assert {*itertools.pairwise(steps)} == {*itertools.product(alone, alone)}
    for i, name in enumerate(steps):
        after = f"{name} after {steps[i - 1] if i else 'nothing'}"
        assert recorded(made / "walk" / str(i) / "rivers" / name) == alone[name], after
    assert alone["one"]["manifest"]["execution"]["facts"]["from"] == "one"
    assert alone["one"]["fi.trec.gz"] != alone["two"]["fi.trec.gz"]


def test_rows_of_one_leaderboard_are_those_of_their_own_processes(made: Path, alone: dict[str, dict[str, Any]]) -> None:
    for name, expected in alone.items():
        assert recorded(made / "board" / "rivers" / name) == expected, name


def test_rows_made_again_at_once_are_graded_as_one_by_one(made: Path) -> None:
    together = json.loads((made / "all.json").read_text())
    assert set(together) == set(REMADE)
    for name in REMADE:
        assert together[name] == json.loads((made / f"{name}.json").read_text())[name]
        assert together[name]["verdict"] == "identical"


def test_ablations_are_those_of_one_process_for_each_point(made: Path) -> None:
    whole, *single = (runs_in(made / f"{name}-place/cache/ablations/rivers") for name in ("plan", "plan0", "plan1"))
    assert len(whole) == 2
    assert whole == single[0] | single[1]


def runs_in(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.name: recorded(path) for path in folder.iterdir() if path.is_dir()}
