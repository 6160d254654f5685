"""Ray: the bytes of the local engine from a cluster of real nodes, also when one is killed in the middle."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import test_dense_system as small
import tiny_models
from ray_cluster import NODES, RayCluster

from harness.card import load_card
from harness.engine import opened_engine
from harness.errors import InvalidInput, WrongUsage
from harness.files import sha256_of_tree
from harness.manifest import read_manifest
from harness.run import run_system
from harness.system import Context, SilentProgress
from harness.tracks import load_track

pytest.importorskip("ray", reason="needs the extra ray")
pytestmark = pytest.mark.xdist_group("ray")
PASSAGES = 30_000
"""Eight blocks."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    started = RayCluster()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", started.address)
        yield started
    started.close()


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("track")
    path = small.write_track(folder)
    rows = ({"doc_id": f"d{n:05}", "title": "", "text": f"the river {n} flows to the sea"} for n in range(PASSAGES))
    (folder / "small/docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "small/qrels.txt").write_text("q0 0 d00000 1\n")
    return path


@pytest.fixture(scope="module", params=["dense", "xqg"])
def card(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "dense":
        return small.write_card(folder)
    texts = ({"doc_id": f"d{n:05}", "lang": "fi", "text": f"river {n % 500}", "source": "t"} for n in range(PASSAGES))
    (folder / "generated.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    parameters = {"model": str(tiny_models.shared().static), "pooling": "model", "generated": "generated.jsonl"}
    path = small.write_card(folder, "xqg", **parameters, per_language=1)
    path.write_text(path.read_text() + "fusion = { alpha = 0.1 }\n")
    return path


@pytest.fixture(scope="module")
def local(track: Path, card: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("local"), track, card, "local")


def run(home: Path, track: Path, card: Path, engine: str = "ray", progress: Any = None) -> Path:
    context = Context(cache=home / "cache", work=home / "work", engine=engine, progress=progress or SilentProgress())
    run_system(load_track(str(track)), load_card(str(card)), home / "runs", replace(context, workers=2))
    return home


def assert_same_bytes(one: Path, two: Path) -> None:
    assert small.run_bytes(one) == small.run_bytes(two)
    stores = [{name: data for name, (data, _) in small.vectors(home).items()} for home in (one, two)]
    assert stores[0] == stores[1]
    assert sum(data.count(b"\n") for name, data in stores[0].items() if name.endswith("blocks.jsonl")) == 8


def test_a_cluster_gives_the_bytes_of_one_machine(
    tmp_path: Path, cluster: RayCluster, track: Path, card: Path, local: Path
) -> None:
    run(tmp_path, track, card)
    assert_same_bytes(tmp_path, local)
    engines = [read_manifest(home / "runs/small/dense").execution["engine"] for home in (tmp_path, local)]
    assert engines == ["ray", "local"]
    # Every node but that of the command has fetched the model, and keeps it under its digest.
    models = tiny_models.shared()
    model = models.plain if "cls" in card.read_text() else models.static
    digest = sha256_of_tree(model)
    kept = [cluster.home(number) / "shipped" / digest / model.name for number in range(NODES)]
    assert [path.is_dir() and sha256_of_tree(path) == digest for path in kept] == [False, True, True]


def test_a_node_killed_in_the_middle_loses_and_doubles_nothing(
    tmp_path: Path, cluster: RayCluster, track: Path, card: Path, local: Path
) -> None:
    victim = cluster.add()

    class Killing(SilentProgress):
        steps = 0

        def task(self, description: str, total: int) -> Any:
            @contextlib.contextmanager
            def counted() -> Iterator[Any]:
                yield lambda steps=1: self.count(description, steps)

            return counted()

        def count(self, description: str, steps: int) -> None:
            if description == "encode passages" and steps:
                self.steps += 1
                if self.steps == 2:
                    cluster.kill(victim)

    progress = Killing()
    run(tmp_path, track, card, progress=progress)
    assert progress.steps >= 8
    assert_same_bytes(tmp_path, local)
    cluster.remove(victim)


def test_an_error_of_a_task_is_the_error_of_the_local_engine(tmp_path: Path, cluster: RayCluster, track: Path) -> None:
    model = tmp_path / "cut"
    tiny_models.bert(model)
    (model / "model.safetensors").write_bytes(b"cut")
    card = small.write_card(tmp_path / "card", model=str(model))
    said = []
    for engine in ("local", "ray"):
        with pytest.raises(InvalidInput, match="the model in cut cannot be loaded") as error:
            run(tmp_path / engine, track, card, engine)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_a_node_with_other_kernels_is_refused_by_name(cluster: RayCluster) -> None:
    other = cluster.add({"ATEN_CPU_CAPABILITY": "default"})
    try:
        with pytest.raises(InvalidInput, match="would not give the bytes") as error, opened_engine("ray", 1, "cpu"):
            pass
    finally:
        cluster.remove(other)
    assert any("PyTorch kernels: 'DEFAULT'" in finding.what for finding in error.value.findings)
    assert len({finding.where for finding in error.value.findings}) == 1


def test_without_a_cluster_it_is_said_how_to_start_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://somewhere:10001")
    with pytest.raises(WrongUsage, match="HOST:PORT"), opened_engine("ray", 1, "cpu"):
        pass


def test_without_the_extra_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WrongUsage, match=r"pip install 'xdr-bench\[ray\]'"), opened_engine("ray", 1, "cpu"):
        pass
