"""Dense retrieval as a whole: the same bytes whatever the operator chooses, and after kill -9 at any moment."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from small_dense import BLOCK, DOCS, QUERIES, run, run_bytes, vectors, write_card, write_track

import systems.dense
from harness.dense import encoding, retrieval
from harness.errors import InvalidInput
from harness.files.writing import exclusive
from harness.leaderboard.pipeline import comparison_of, leaderboard_of, score_all
from harness.runs.manifest import read_manifest, run_file
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import read_run
from harness.tracks import load_track

SLOW_ADAPTER = """
import time
from pathlib import Path
from systems.dense import Dense

class Slow(Dense):
    '''Once a file of that name lies beside this one, sleeps after some blocks, or some rankings, are done.'''
    done = 0

    def _pause(self, stage):
        self.done += 1
        if self.done > 4 and Path(__file__).with_name(stage).exists():
            time.sleep(600)

    def _block(self, docs):
        self._pause("encoding")
        return super()._block(docs)

    def search(self, request, context):
        for ranking in super().search(request, context):
            yield ranking
            self._pause("searching")
"""


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    _use_small_blocks(monkeypatch.setattr)


def _use_small_blocks(setattr_: Callable[[Any, str, Any], None]) -> None:
    setattr_(encoding, "BLOCK_ROWS", BLOCK)
    setattr_(systems.dense, "BLOCK_ROWS", BLOCK)
    setattr_(retrieval, "QUERIES_PER_PASS", 8)


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_track(tmp_path_factory.mktemp("track"))


@pytest.mark.parametrize(
    ("model", "pooling", "similarity"),
    [("plain", "mean", "cosine"), ("sentence", "model", "dot"), ("static", "model", "dot")],
)
def test_rankings_equal_a_direct_computation(
    tmp_path: Path, track: Path, model: str, pooling: str, similarity: str
) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    path = getattr(tiny_models.shared(), model)
    options = {"similarity": similarity, "store_dtype": "float32", "query_prompt": "tea ", "passage_prompt": "lake "}
    run(tmp_path, track, write_card(tmp_path / "card", model=str(path), pooling=pooling, **options))
    if model == "plain":
        reference = SentenceTransformer(modules=[Transformer(str(path)), Pooling(16, "mean")], device="cpu")
    else:
        reference = SentenceTransformer(str(path), device="cpu")
    passages = [f"lake {doc['title']} {doc['text']}" if doc["title"] else f"lake {doc['text']}" for doc in DOCS]
    normalize = similarity == "cosine"
    docs = reference.encode(passages, normalize_embeddings=normalize).astype(np.float64)
    queries = reference.encode([f"tea {query['text']}" for query in QUERIES], normalize_embeddings=normalize)
    expected = np.sort(queries.astype(np.float64) @ docs.T, axis=1)[:, ::-1][:, :12]
    found, _ = read_run(run_file(tmp_path / "runs" / "small" / "dense", "fi"))
    assert list(found.rankings) == [query["query_id"] for query in QUERIES]
    for row, query in enumerate(QUERIES):
        ranked = found.rankings[query["query_id"]]
        np.testing.assert_allclose(ranked.scores, expected[row], rtol=1e-4, atol=1e-4)
        places = [int(doc_id[1:]) for doc_id in ranked.doc_ids]
        np.testing.assert_allclose(queries[row] @ docs[places].T, ranked.scores, rtol=1e-4, atol=1e-4)


def test_the_operators_options_change_no_byte(tmp_path: Path, track: Path) -> None:
    card = write_card(tmp_path / "card")
    options: list[Mapping[str, int]] = [
        {"workers": 1},
        {"workers": 3},
        {"workers": 3, "memory_bytes": 1},
        {"workers": 2, "shard_bytes": 1},
        {"shard_bytes": 1000},
    ]
    results = []
    for number, chosen in enumerate(options):
        run(tmp_path / str(number), track, card, **chosen)
        results.append(run_bytes(tmp_path / str(number)))
    assert all(result == results[0] for result in results)
    shards = [len(list((tmp_path / str(n)).rglob("shard-*"))) for n in range(len(options))]
    assert shards == [1, 1, 1, 10, 5]


@pytest.mark.parametrize(
    "change",
    [{"pooling": "mean"}, {"similarity": "cosine"}, {"query_max_length": 3}, {"passage_max_length": 5},
     {"query_prompt": "tea "}, {"passage_prompt": "tea "}, {"truncate_dim": 5}, {"title": "ignore"},
     {"store_dtype": "float32"}],
)  # fmt: skip
def test_every_parameter_of_the_card_counts(tmp_path: Path, track: Path, change: dict[str, Any]) -> None:
    run(tmp_path, track, write_card(tmp_path / "card"))
    before = run_bytes(tmp_path)
    outcome = run(tmp_path, track, write_card(tmp_path / "card", **change))
    assert not outcome.reused
    assert run_bytes(tmp_path) != before


def test_an_approximate_index_shares_the_vectors_and_records_its_recall(tmp_path: Path, track: Path) -> None:
    run(tmp_path, track, write_card(tmp_path / "card"))
    before = vectors(tmp_path)
    write_card(tmp_path / "card")
    card = tmp_path / "card" / "card.toml"
    card.write_text(card.read_text() + '[parameters.index]\nfactory = "IVF4,Flat"\nnprobe = 1\n')
    run(tmp_path, track, card)
    assert vectors(tmp_path) == before
    execution = read_manifest(tmp_path / "runs" / "small" / "dense").execution.facts
    assert execution["index"] == {"factory": "IVF4,Flat", "nprobe": 1, "training_passages": 200_000}
    recall = execution["recall against exact search"]
    assert (recall["depth"], recall["queries"]) == (12, len(QUERIES))
    assert 0 < recall["recall"] <= 1


def test_an_impossible_index_is_refused_before_anything_is_encoded(tmp_path: Path, track: Path) -> None:
    card = write_card(tmp_path / "card")
    card.write_text(card.read_text() + '[parameters.index]\nfactory = "IVF4,PQ7"\n')
    with pytest.raises(InvalidInput, match="faiss makes no index"):
        run(tmp_path, track, card)
    assert not (tmp_path / "cache" / "vectors").exists()


def test_another_model_of_the_same_name_has_other_vectors(tmp_path: Path, track: Path) -> None:
    card = write_card(tmp_path / "card", model="own")
    tiny_models.bert(tmp_path / "card" / "own", seed=0)
    run(tmp_path, track, card)
    before = run_bytes(tmp_path)
    assert run(tmp_path, track, card).reused
    tiny_models.bert(tmp_path / "card" / "own", seed=1)
    assert not run(tmp_path, track, card).reused
    assert run_bytes(tmp_path) != before
    assert len(list((tmp_path / "cache" / "vectors").glob("*/store.json"))) == 2


def test_another_track_with_the_same_passages_reuses_their_vectors(
    tmp_path: Path, track: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = write_card(tmp_path / "card")
    run(tmp_path, track, card)
    before = vectors(tmp_path)
    monkeypatch.setattr(systems.dense.Dense, "_block", lambda *_: pytest.fail("passages are encoded again"))
    second = write_track(tmp_path, "second", [{**QUERIES[3], "query_id": "other", "text": "tea"}, QUERIES[5]])
    assert not run(tmp_path, second, card).reused
    assert run(tmp_path, track, write_card(tmp_path / "card", query_prompt="tea ")).queries == len(QUERIES)
    assert vectors(tmp_path) == before
    first, _ = read_run(run_file(tmp_path / "runs" / "second" / "dense", "fi"))
    assert set(first.rankings) == {"other", "q5"}


def test_a_damaged_store_is_fixed_by_the_next_run(tmp_path: Path, track: Path) -> None:
    card = write_card(tmp_path / "card")
    run(tmp_path, track, card)
    expected = run_bytes(tmp_path)
    [shard] = (tmp_path / "cache" / "vectors").rglob("shard-*")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    run_file(tmp_path / "runs" / "small" / "dense", "fi").unlink()
    assert not run(tmp_path, track, card).reused
    assert run_bytes(tmp_path) == expected


def test_two_processes_do_not_fill_one_store_at_once(tmp_path: Path, track: Path) -> None:
    card = write_card(tmp_path / "card")
    run(tmp_path, track, card)
    [store] = (tmp_path / "cache" / "vectors").glob("*/store.json")
    second = write_track(tmp_path, "second")
    with exclusive(store.parent.with_suffix(".lock")), pytest.raises(InvalidInput, match="another process"):
        run(tmp_path, second, card)
    assert not run(tmp_path, second, card).reused


def test_the_manifest_says_how_it_was_computed(tmp_path: Path, track: Path) -> None:
    run(tmp_path, track, write_card(tmp_path / "card", store_dtype="float32"), workers=2)
    manifest = read_manifest(tmp_path / "runs" / "small" / "dense")
    execution = manifest.execution
    assert execution.facts["dtype"] == "float32"
    assert execution.facts["store dtype"] == "float32"
    assert execution.facts["token budget"] == 64
    assert execution.device == "cpu"
    stages = {stage.name: stage for stage in execution.stages}
    assert stages.keys() == {"load model", "encode passages", "encode queries", "search"}
    assert stages["encode passages"].bytes == len(DOCS) * 16 * 4
    assert manifest.implementation.inputs.keys() == {"model"}
    assert str(tmp_path) not in "".join(map(str, (manifest.implementation, manifest.execution, manifest.platform)))


def _run_in_child(home: Path, track: Path, card: Path) -> None:
    _use_small_blocks(setattr)
    run(home, track, card)


@contextlib.contextmanager
def _running(home: Path, track: Path, card: Path) -> Iterator[Any]:
    """A process that runs the system; killed at the end, if it is still there."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["systems.dense", "transformers.models.bert.modeling_bert"])
    child = server.Process(target=_run_in_child, args=(home, track, card), daemon=True)
    child.start()
    try:
        yield child
    finally:
        child.kill()
        child.join()


def _wait_until(ready: Callable[[], bool], child: Any) -> None:
    while not ready():
        assert child.is_alive(), "the run ended before it could be killed"
        time.sleep(0.02)


def _lines(files: Iterator[Path]) -> int:
    return sum(file.read_bytes().count(b"\n") for file in files)


@pytest.mark.parametrize("stage", ["encoding", "searching"])
def test_a_killed_run_goes_on_to_the_bytes_of_an_undisturbed_one(tmp_path: Path, track: Path, stage: str) -> None:
    card = write_card(tmp_path / "card", "slow.py:Slow")
    (tmp_path / "card" / "slow.py").write_text(SLOW_ADAPTER)
    run(tmp_path / "undisturbed", track, card)

    home, switch = tmp_path / "killed", tmp_path / "card" / stage
    switch.touch()
    pattern = "cache/vectors/*/blocks.journal" if stage == "encoding" else "work/small/*/rankings-*.jsonl"
    expected = 4 if stage == "encoding" else 1
    with _running(home, track, card) as child:
        _wait_until(lambda: _lines(home.glob(pattern)) >= expected, child)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert child.exitcode == -signal.SIGKILL
    assert not (home / "runs" / "small" / "dense" / "manifest.yaml").exists()
    left = _lines(home.glob(pattern))
    switch.unlink()

    outcome = run(home, track, card)
    assert run_bytes(home) == run_bytes(tmp_path / "undisturbed")
    stored, undisturbed = vectors(home), vectors(tmp_path / "undisturbed")
    assert {k: v[0] for k, v in stored.items()} == {k: v[0] for k, v in undisturbed.items()}
    assert outcome.resumed == (0 if stage == "encoding" else left)
    assert not list(home.glob("work/small/*/rankings-*.jsonl"))


def test_what_was_cut_is_noted_in_the_manifest_told_by_the_command_and_shown_on_the_row(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from harness.cli import app

    track = write_track(tmp_path)
    card = write_card(tmp_path / "card", query_max_length=4, query_prompt="sea ")
    invoked = CliRunner().invoke(app, ["run", str(track), str(card), "--runs", str(tmp_path / "runs")])
    assert invoked.exit_code == 0, invoked.output
    manifest = read_manifest(tmp_path / "runs" / "small" / "dense")
    assert manifest.execution.prompts == {"query": "sea ", "passage": ""}
    assert manifest.execution.truncated["queries"] == {"fi": len(QUERIES)}
    assert manifest.execution.kernel in ("torch-fused", "torch")
    [note] = manifest.notes
    assert note.startswith(f"cut at 4 tokens, questions: {len(QUERIES)} of {len(QUERIES)} fi")
    assert f"warning: dense: {note}" in invoked.output
    shown = CliRunner().invoke(app, ["report", str(tmp_path / "runs/small/dense"), "--track", str(track)])
    assert f"warning: {note}" in shown.output
    loaded, runs = load_track(str(track)), tmp_path / "runs"
    scores = score_all(TrackRuns(loaded, runs))
    board = leaderboard_of(TrackRuns(loaded, runs), scores, comparison_of(TrackRuns(loaded, runs), scores))
    assert note in board.rows[0].warnings


def test_a_run_and_the_look_ahead_before_it_load_the_model_once(
    tmp_path: Path, track: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from harness.cli import app
    from harness.dense import encoder

    loads: list[Path] = []
    loaded_model = encoder.loaded_model
    monkeypatch.setattr(
        encoder, "loaded_model", lambda settings, made: loads.append(settings.path) or loaded_model(settings, made)
    )
    encoder._kept.clear()
    card = write_card(tmp_path / "card")
    invoked = CliRunner().invoke(app, ["run", str(track), str(card), "--runs", str(tmp_path / "runs")])
    assert invoked.exit_code == 0, invoked.output
    assert loads == [tiny_models.shared().plain]
