"""Adapters in files: each is loaded alone, with its own helpers, whatever other adapters the process has loaded."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run_places

from harness.adapters.card import LoadedCard, load_card
from harness.adapters.consent import Consent
from harness.adapters.contract import Context
from harness.errors import InvalidInput
from harness.files.package import package_root
from harness.runs.execute import run_system
from harness.runs.manifest import read_manifest
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import read_run
from harness.tracks import load_track

ALLOWED = Consent(code=True)
ADAPTER = """
{top}
from harness.records import Ranking


class Adapter:
    def __init__(self, parameters):
        pass

    def search(self, request, context):
        {late}
        for query in request.queries:
            docs = sorted(request.docs.ids, reverse=helper.BACKWARDS)[: request.depth]
            yield Ranking(query.query_id, docs, [float(len(docs) - i) for i in range(len(docs))])
"""

# How an adapter comes by its helper: at the top of its file, and when it searches.
WAYS = {
    "import": ("import helper", "pass"),
    "lazy": ("", "import helper"),
    "from": ("from helper import BACKWARDS\nimport helper", "pass"),
    "relative": ("from . import helper", "pass"),
    "importlib": ("", "import importlib; helper = importlib.import_module('helper')"),
    "computed": ("", "from importlib import import_module; helper = import_module('hel' + 'per')"),
    "builtin": ("", "helper = __import__('helper')"),
    "path": ("import sys; sys.path.insert(0, __file__.rpartition('/')[0])\nimport helper", "pass"),
    "package": ("import parts.helper as helper", "pass"),
    "namespace": ("from loose import helper", "pass"),
    "folder on the path": ("import sys; sys.path.append(__file__.rpartition('/')[0] + '/lib')\nimport helper", "pass"),
    "by its file": (
        "import importlib.util, sys; spec = importlib.util.spec_from_file_location('helper', __file__.rpartition('/')[0]"
        " + '/helper.py'); helper = importlib.util.module_from_spec(spec); sys.modules['helper'] = helper;"
        " spec.loader.exec_module(helper)",
        "pass",
    ),
}
HELPER_OF = {
    "package": "parts/helper.py",
    "namespace": "loose/helper.py",
    "folder on the path": "lib/helper.py",
}


def write(folder: Path, way: str, backwards: bool) -> Path:
    top, late = WAYS[way]
    helper = folder / HELPER_OF.get(way, "helper.py")
    helper.parent.mkdir(parents=True)
    if way == "package":
        (folder / "parts" / "__init__.py").write_text("")
    helper.write_text(f"BACKWARDS = {backwards}\n")
    (folder / "adapter.py").write_text(ADAPTER.format(top=top, late=late))
    (folder / "card.toml").write_text(
        f'schema_version = 1\nname = "{folder.name}"\ntitle = "x"\nadapter = "adapter.py:Adapter"\n'
    )
    return helper


def rank(home: Path, folder: Path, runs: str) -> tuple[list[str], dict[str, Any]]:
    """The ranking of the first question, and the digests of own source files in the manifest."""
    context = Context(cache=home / "cache", work=home / "work", consent=ALLOWED)
    loaded = load_card(str(folder / "card.toml"))
    track = load_track(str(home / "track.toml"))
    outcome = run_system(TrackRuns(track, home / runs), loaded, context, replacing="another")
    found, _ = read_run(outcome.folder / "ar.trec.gz")
    sources = read_manifest(outcome.folder).implementation.source
    own = {name: digest for name, digest in sources.items() if not name.startswith(("harness/", "systems/"))}
    return list(found.rankings["ar-q0"].doc_ids), own


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return run_places.place(tmp_path)


@pytest.mark.parametrize("way", WAYS)
def test_two_adapters_have_their_own_helpers_and_manifests_vouch_for_what_ran(home: Path, way: str) -> None:
    path_before, modules_before = list(sys.path), set(sys.modules)
    helpers = {name: write(home / name, way, backwards) for name, backwards in (("one", False), ("two", True))}
    (one, of_one), (two, of_two) = (rank(home, home / name, "runs") for name in helpers)
    assert one == sorted(run_places.DOCS)[: run_places.DEPTH]
    assert two == sorted(run_places.DOCS, reverse=True)[: run_places.DEPTH]
    for name, sources in (("one", of_one), ("two", of_two)):
        relative = helpers[name].relative_to(home / name).as_posix()
        assert sources[relative] == hashlib.sha256(helpers[name].read_bytes()).hexdigest()
        assert sources.keys() - {"parts/__init__.py"} == {"adapter.py", relative}
    assert sys.path == path_before
    added = {
        name for name in set(sys.modules) - modules_before if name.partition(".")[0] in ("helper", "parts", "loose")
    }
    assert not added
    assert not list(home.rglob("__pycache__")), "nothing is left beside an adapter"


def test_an_adapter_without_a_helper_does_not_find_that_of_another(home: Path) -> None:
    for way in ("path", "by its file", "importlib"):
        write(home / f"with-{way.replace(' ', '-')}", way, backwards=False)
        rank(home, home / f"with-{way.replace(' ', '-')}", "runs")
    write(home / "without", "lazy", backwards=False).unlink()
    with pytest.raises(InvalidInput, match="No module named 'helper'"):
        rank(home, home / "without", "runs")


@pytest.mark.parametrize("way", ["import", "lazy", "computed"])
def test_a_changed_helper_is_another_run_of_the_changed_code(home: Path, way: str) -> None:
    helper = write(home / "one", way, backwards=False)
    before, _ = rank(home, home / "one", "runs")
    assert rank(home, home / "one", "runs")[0] == before
    # As many bytes as before, at the same time: no compiled form of it may be taken for the new one.
    helper.write_text("BACKWARDS = 12345\n")
    after, _ = rank(home, home / "one", "runs")
    assert after == sorted(run_places.DOCS, reverse=True)[: run_places.DEPTH]


def test_two_cards_of_one_file_share_no_state(home: Path) -> None:
    for name in ("one", "two"):
        (home / f"{name}.toml").write_text(
            f'schema_version = 1\nname = "{name}"\ntitle = "x"\nadapter = "counting.py:Counting"\n'
        )
    (home / "counting.py").write_text(
        "COUNT = []\nfrom harness.records import Ranking\n\n\nclass Counting:\n    def __init__(self, parameters):\n"
        "        pass\n\n    def search(self, request, context):\n        COUNT.append(1)\n"
        "        for query in request.queries:\n"
        "            yield Ranking(query.query_id, list(request.docs.ids)[:1], [float(len(COUNT))])\n"
    )
    first, second = (load_card(str(home / f"{name}.toml")) for name in ("one", "two"))
    track = load_track(str(home / "track.toml"))
    found = []
    for card in (first, second, first):
        context = Context(cache=home / "cache", work=home / "work", consent=ALLOWED)
        outcome = run_system(TrackRuns(track, home / f"runs{len(found)}"), card, context)
        found.append(read_run(outcome.folder / "ar.trec.gz")[0].rankings["ar-q0"].scores[0])
    assert found == [1.0] * 3


CARELESS = """
import os
import random

import numpy as np

from harness.records import Ranking


class Careless:
    def __init__(self, parameters):
        pass

    def search(self, request, context):
        value = random.random() + np.random.rand() + len(os.environ.get("LEFT_BY_A_RUN", ""))
        os.environ["LEFT_BY_A_RUN"] = "x" * 5
        os.chdir("/")
        np.seterr(all="raise")
        for query in request.queries:
            yield Ranking(query.query_id, list(request.docs.ids)[:1], [value])
"""


def test_a_run_starts_from_the_same_state_of_the_process_as_the_one_before_it(home: Path) -> None:
    (home / "careless.py").write_text(CARELESS)
    folder, errors = Path.cwd(), np.geterr()
    found = []
    for name in ("one", "two"):
        (home / f"{name}.toml").write_text(
            f'schema_version = 1\nname = "{name}"\ntitle = "x"\nadapter = "careless.py:Careless"\n'
        )
        context = Context(cache=home / "cache", work=home / "work", consent=ALLOWED)
        outcome = run_system(
            TrackRuns(load_track(str(home / "track.toml")), home / "runs"),
            load_card(str(home / f"{name}.toml")),
            context,
        )
        found.append(read_run(outcome.folder / "ar.trec.gz")[0].rankings["ar-q0"].scores[0])
    assert found[0] == found[1]
    assert Path.cwd() == folder
    assert np.geterr() == errors
    assert "LEFT_BY_A_RUN" not in os.environ


RICH = """
from __future__ import annotations

import dataclasses
import enum
import typing
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from harness.files.toml_records import Record
from shapes import Shape, doubled


class Kind(enum.Enum):
    ONE = "one"


@dataclasses.dataclass(frozen=True)
class Pair:
    left: Shape
    right: int


class Adapter:
    class Parameters(Record):
        kind: Kind = Kind.ONE
        shapes: tuple[Shape, ...] = ()

    def __init__(self, parameters):
        self.parameters = parameters
        self.pair = Pair(Shape(size=1), 2)

    def hints(self):
        return typing.get_type_hints(Pair)

    def in_processes(self):
        with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
            return list(pool.map(doubled, [1, 2])), list(pool.map(own, [self.pair]))


def own(pair):
    return pair
"""
SHAPES = """
from harness.files.toml_records import Record


class Shape(Record):
    size: int


def doubled(number):
    import later
    return later.times(number)
"""


def rich(folder: Path) -> LoadedCard:
    folder.mkdir()
    (folder / "adapter.py").write_text(RICH)
    (folder / "shapes.py").write_text(SHAPES)
    (folder / "later.py").write_text("def times(number):\n    return 2 * number\n")
    (folder / "card.toml").write_text(
        'schema_version = 1\nname = "rich"\ntitle = "x"\nadapter = "adapter.py:Adapter"\n[parameters]\nkind = "one"\n'
        "shapes = [{size = 3}]\n"
    )
    return load_card(str(folder / "card.toml"))


def test_classes_of_adapters_work_with_pydantic_dataclasses_pickle_and_processes(tmp_path: Path) -> None:
    system: Any = rich(tmp_path / "rich").system(ALLOWED)
    rich(tmp_path / "other").system(ALLOWED)
    assert system.parameters.shapes[0].size == 3
    assert system.hints()["left"].__name__ == "Shape"
    assert pickle.loads(pickle.dumps(system)).pair == system.pair
    if "fork" in multiprocessing.get_all_start_methods():
        assert system.in_processes() == ([2, 4], [system.pair])


def test_an_earlier_load_of_a_file_goes_on_to_work_beside_a_later_one(tmp_path: Path) -> None:
    loaded = rich(tmp_path / "rich")
    first: Any = loaded.system(ALLOWED)
    second: Any = loaded.system(ALLOWED)
    assert type(first) is not type(second)
    doubled = sys.modules[type(first).__module__].doubled if type(first).__module__ in sys.modules else None
    assert doubled is None, "the later load has taken its place"
    assert pickle.loads(pickle.dumps(first)).pair == first.pair
    assert pickle.loads(pickle.dumps(second)).pair == second.pair
    assert first.in_processes() == ([2, 4], [first.pair])


def test_a_folder_of_data_does_not_hide_an_installed_package(home: Path) -> None:
    (home / "numpy").mkdir()
    (home / "numpy" / "data.txt").write_text("")
    run_places.write_card(home)
    assert rank(home, home, "runs")[0]


def test_this_project_is_never_taken_from_beside_an_adapter(home: Path) -> None:
    for name in ("harness", "systems"):
        (home / name).mkdir()
        (home / name / "__init__.py").write_text("raise RuntimeError\n")
    run_places.write_card(home)
    assert set(rank(home, home, "runs")[1]) == {"adapter.py"}


# Errors of an adapter's own code


FAULTS = {
    "at the top": ("1 / 0\nclass Adapter: pass\n", "adapter.py", ["line 1, in <module>", "1 / 0", "ZeroDivisionError"]),
    "not Python": ("class Adapter\n", "adapter.py", ["line 1", "SyntaxError"]),
    "in its making": (
        "class Adapter:\n    def __init__(self, parameters):\n        self.x = parameters['none']\n",
        "adapter.py",
        ["line 3, in __init__", "KeyError: 'none'"],
    ),
    "no parameters taken": (
        "class Adapter:\n    def search(self, request, context):\n        return []\n",
        "",
        ["Adapter() takes no arguments"],
    ),
    "another signature": (
        "class Adapter:\n    def __init__(self, parameters): pass\n    def search(self, request):\n        return []\n",
        "",
        ["search() takes 2 positional arguments but 3 were given"],
    ),
    "nothing to go through": (
        "class Adapter:\n    def __init__(self, parameters): pass\n    def search(self, request, context): pass\n",
        "",
        ["'NoneType' object is not iterable"],
    ),
    "in a helper, late": (
        "import helper\nclass Adapter:\n    def __init__(self, parameters): pass\n    def search(self, request, context):\n"
        "        yield from helper.found(request)\n",
        "helper.py",
        ["adapter.py", "line 5, in search", "helper.py", "line 2, in found", "IndexError"],
    ),
    "the end of the process": (
        "import sys\nclass Adapter:\n    def __init__(self, parameters): sys.exit(0)\n",
        "adapter.py",
        ["it ended the process (exit status 0)"],
    ),
    "in its inputs": (
        "class Adapter:\n    def __init__(self, parameters): pass\n    def inputs(self): return open('none')\n",
        "adapter.py",
        ["line 3, in inputs", "FileNotFoundError"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_of_an_adapter_is_told_by_its_own_lines(home: Path, fault: str) -> None:
    text, file, told = FAULTS[fault]
    (home / "adapter.py").write_text(text)
    (home / "helper.py").write_text("def found(request):\n    return [][1]\n")
    run_places.write_card(home)
    with pytest.raises(InvalidInput) as caught:
        rank(home, home, "runs")
    shown = str(caught.value)
    for part in (file, *told):
        assert part in shown
    assert str(package_root() / "harness") not in shown
    assert "xdr_adapter_" not in shown
