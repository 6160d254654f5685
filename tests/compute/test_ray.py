"""Ray: the bytes of the local engine from a cluster of real nodes, also when one is killed in the middle."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_dense as small
import tiny_generators
import tiny_models
from ray_cluster import NODES, RayCluster

import harness.compute.ray_engine
import systems.dense
from harness.adapters.card import load_card
from harness.adapters.contract import Context, SilentProgress
from harness.compute.engine import opened_engine
from harness.compute.jobs import Engine, LocalEngine
from harness.dense import encoding, retrieval
from harness.dense.jobs import EncodingJob, opened_model
from harness.dense.loading import EncoderSettings
from harness.dense.roles import PASSAGES
from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import sha256_of_tree
from harness.recipes.generate import runner
from harness.recipes.generate.load import load_recipe
from harness.recipes.generate.recipe import Operator
from harness.runs.execute import run_system
from harness.runs.manifest import read_manifest
from harness.runs.track_runs import TrackRuns
from harness.tracks import load_track

pytest.importorskip("ray", reason="needs the extra `ray`: pip install -e .[ray]")
BLOCK, BLOCKS = 64, 24
OWN_ADAPTER = """
from harness.dense.jobs import EncodingJob
from systems.dense import Dense

class OwnJob(EncodingJob):
    pass

class Own(Dense):
    def _job(self, engine, context):
        return OwnJob(**vars(super()._job(engine, context)))
"""
RECIPE = """schema_version = 1
kind = "{kind}"
name = "tiny"
title = "Tiny"
languages = ["fi", "ru"]
per_language = 2
prompt = "Generate a {{language}} question for this passage: {{title}} {{passage}}"
max_prompt_tokens = 80
[model]
name = "{model}"
[decoding]
method = "sample"
top_k = 10
max_output_tokens = 6
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """Small blocks, so that there are many tasks, and searches of three blocks a task."""
    started = RayCluster()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", started.address)
        patch.setattr(encoding, "BLOCK_ROWS", BLOCK)
        patch.setattr(systems.dense, "BLOCK_ROWS", BLOCK)
        patch.setattr(retrieval, "QUERIES_PER_PASS", 16)
        patch.setattr(harness.compute.ray_engine, "_TASK_BYTES", 3 * BLOCK * 16 * 4)
        patch.setattr(runner, "BLOCK_PASSAGES", 2)
        yield started
    started.close()


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("track")
    path = small.write_track(folder)
    texts = [f"the river {n} flows to the sea" for n in range(BLOCK * BLOCKS)]
    write_lines(folder / "small/docs.jsonl", [{"doc_id": f"d{n:04}", "text": text} for n, text in enumerate(texts)])
    (folder / "small/qrels.txt").write_text("q0 0 d0000 1\n")
    return path


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Passages fused with a generated query: encoding, fusing and searching in one run."""
    folder = tmp_path_factory.mktemp("card")
    texts = [f"mikä on river {n % 500}" for n in range(BLOCK * BLOCKS)]
    rows = [{"doc_id": f"d{n:04}", "lang": "fi", "text": text, "source": "t"} for n, text in enumerate(texts)]
    write_lines(folder / "generated.jsonl", rows)
    path = small.write_card(folder, "xqg", store_dtype="float32", generated="generated.jsonl", per_language=1)
    path.write_text(path.read_text() + "fusion = { alpha = 0.1 }\n")
    return path


def write_lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def local(cluster: RayCluster, track: Path, card: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("local"), track, card, "local")


def run(home: Path, track: Path, card: Path, engine: str = "ray", progress: Any = None) -> Path:
    context = Context(cache=home / "cache", work=home / "work", engine=engine, progress=progress or SilentProgress())
    run_system(TrackRuns(load_track(str(track)), home / "runs"), load_card(str(card)), replace(context, workers=2))
    return home


def assert_same_bytes(one: Path, two: Path) -> None:
    assert small.run_bytes(one) == small.run_bytes(two)
    stores = [{name: data for name, (data, _) in small.vectors(home).items()} for home in (one, two)]
    assert stores[0] == stores[1]
    journals = [data for name, data in stores[0].items() if name.endswith("blocks.journal")]
    assert [journal.count(b"\n") for journal in journals] == [BLOCKS]


def test_a_client_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://somewhere:10001")
    with pytest.raises(WrongUsage, match="HOST:PORT"), opened_engine("ray", 1, "cpu"):
        pass


class Killing(SilentProgress):
    """Once blocks are written, freezes the workers of a node; kills the node when the run waits for a task there."""

    def __init__(self, cluster: RayCluster) -> None:
        self.steps, self.killed_after = 0, 0
        self._cluster, self._killer = cluster, threading.Thread(target=self._kill_once_nothing_moves)

    @contextlib.contextmanager
    def task(self, description: str, total: int | None, unit: str = "", done: int = 0) -> Iterator[Any]:
        yield self._count if description == "encode passages" else lambda steps=1: None
        if description == "encode passages":
            self._killer.join()

    def _count(self, steps: int = 1) -> None:
        self.steps += bool(steps)
        if self.steps == 1 and not self._killer.ident:
            self._cluster.freeze_workers()
            self._killer.start()

    def _kill_once_nothing_moves(self) -> None:
        before = 0
        while before < self.steps < BLOCKS:
            before = self.steps
            time.sleep(1)
        if self.steps < BLOCKS:
            self.killed_after = self.steps
            self._cluster.kill()


class TestWhileConnected:
    """One connection for all: each has worker processes of its own, which import PyTorch anew."""

    @pytest.fixture(scope="class")
    def engine(self, cluster: RayCluster) -> Iterator[Engine]:
        with opened_engine("ray", 1, "cpu") as engine:
            yield engine

    @pytest.fixture
    def runs_use_it(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        def opened(name: str, threads: int, device: str) -> Any:
            assert (name, device) == ("ray", "cpu")
            return contextlib.nullcontext(engine)

        monkeypatch.setattr(systems.dense, "opened_engine", opened)

    @pytest.mark.usefixtures("runs_use_it")
    def test_a_run_has_the_bytes_of_one_machine(
        self, tmp_path: Path, cluster: RayCluster, track: Path, card: Path, local: Path
    ) -> None:
        run(tmp_path, track, card)
        assert_same_bytes(tmp_path, local)
        engines = [read_manifest(home / "runs/small/dense").execution.engine for home in (tmp_path, local)]
        assert engines == ["ray", "local"]
        # Every node but that of the command has fetched the model, and keeps it under its digest.
        model = tiny_models.shared().plain
        digest = sha256_of_tree(model)
        kept = [cluster.home(number) / "shipped" / digest / model.name for number in range(NODES)]
        assert [path.is_dir() and sha256_of_tree(path) == digest for path in kept] == [False, True, True]

    @pytest.mark.parametrize(("kind", "model"), [("seq2seq", "mt5"), ("causal", "llama")])
    def test_generated_texts_are_those_of_one_machine(
        self, tmp_path: Path, engine: Engine, kind: str, model: str
    ) -> None:
        docs = [{"doc_id": doc.doc_id, "title": doc.title, "text": doc.text} for doc in tiny_generators.DOCS]
        (tmp_path / "passages").mkdir()
        write_lines(tmp_path / "passages/docs.jsonl", docs)
        recipe = tmp_path / "recipe.toml"
        recipe.write_text(RECIPE.format(kind=kind, model=getattr(tiny_generators, model)()))
        found = {}
        for name, used in (("local", LocalEngine()), ("ray", engine)):
            out = tmp_path / name / "texts"
            out.parent.mkdir()
            job = runner.job_of(f"folder:{tmp_path}/passages", load_recipe(str(recipe)), out)
            runner.generate(job, Operator(), 1 << 20, SilentProgress(), used)
            found[name] = {path.name: path.read_bytes() for path in sorted(out.iterdir())}
        assert found["ray"] == found["local"]
        lines = b"".join(data for name, data in found["ray"].items() if name.endswith(".jsonl")).splitlines()
        assert len(lines) == len(docs)
        texts = [json.loads(line)["generated_queries"].values() for line in lines]
        assert len({text for own in texts for by_language in own for text in by_language}) > len(docs)

    def test_an_error_of_a_task_is_the_error_of_the_local_engine(self, tmp_path: Path, engine: Engine) -> None:
        model = tmp_path / "cut"
        tiny_models.bert(model)
        (model / "model.safetensors").write_bytes(b"cut")
        said = []
        for used in (LocalEngine(), engine):
            job = EncodingJob(EncoderSettings(model, "cls", "dot", "float32", "cpu"), 64, 1)
            with pytest.raises(InvalidInput, match="the model in cut cannot be loaded") as error:
                opened_model(used, job, [PASSAGES])
            said.append(str(error.value))
        assert said[0] == said[1]

    @pytest.mark.usefixtures("runs_use_it")
    def test_a_job_that_only_this_machine_knows_is_refused(self, tmp_path: Path, track: Path) -> None:
        (tmp_path / "own.py").write_text(OWN_ADAPTER)
        card = small.write_card(tmp_path, "own.py:Own")
        with pytest.raises(WrongUsage, match="must be installed with xdr-bench, and an adapter that is a file"):
            small.run(tmp_path, track, card, engine="ray")

    def test_nodes_that_would_compute_otherwise_are_refused_by_name(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX2")
        with pytest.raises(InvalidInput, match="would not give the bytes") as error:
            harness.compute.ray_engine.RayEngine(1, "cpu")
        assert {finding.what for finding in error.value.findings} == {"kernel settings: ''"}
        assert len({finding.where for finding in error.value.findings}) == NODES

    @pytest.mark.usefixtures("runs_use_it")
    def test_a_node_killed_in_the_middle_loses_and_doubles_nothing(
        self, tmp_path: Path, cluster: RayCluster, track: Path, card: Path, local: Path
    ) -> None:
        # The last test: the cluster has one node less from here on.
        progress = Killing(cluster)
        run(tmp_path, track, card, progress=progress)
        assert 1 <= progress.killed_after < BLOCKS
        assert_same_bytes(tmp_path, local)
