"""Late interaction and learned sparse retrieval as a whole: the library's scores, the same bytes, and after kill -9 too."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_ragged_models as tiny
from small_dense import DOCS, QUERIES, run, run_bytes, vectors, write_card, write_track
from small_track import Terminal

from harness.adapters.conformance import conformance_tests
from harness.adapters.contract import Context, Request, inputs_of, missing_of
from harness.collections.view import Docs
from harness.dense.encoder import Encoder
from harness.errors import InvalidInput
from harness.ragged import jobs, system
from harness.records import Doc, Query
from harness.runs.manifest import read_manifest, run_file
from harness.runs.trec import read_run
from systems.multi_vector import MultiVector
from systems.sparse import Sparse

BLOCK = 16
ADAPTERS = {"multi-vector": MultiVector, "sparse": Sparse}
SLOW_ADAPTER = """
import time
from pathlib import Path
from systems.{module} import {name}

class Slow({name}):
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


def model_of(adapter: str) -> Path:
    return tiny.shared().multi_vector if adapter == "multi-vector" else tiny.shared().splade


def made(adapter: str, **parameters: Any) -> Any:
    kind = ADAPTERS[adapter]
    return kind(kind.Parameters.model_validate({"model": str(model_of(adapter)), **parameters}))


TestMultiVector = conformance_tests(lambda: made("multi-vector", token_budget=64))
TestMeanMaxSim = conformance_tests(lambda: made("multi-vector", similarity="meanmaxsim", store_dtype="float32"))
TestSparse = conformance_tests(lambda: made("sparse", token_budget=64))
TestPlainCosine = conformance_tests(
    lambda: made("sparse", model=str(tiny.shared().masked), pooling="max", similarity="cosine", max_active_dims=4)
)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    _use_small_blocks(monkeypatch.setattr)


def _use_small_blocks(setattr_: Callable[[Any, str, Any], None]) -> None:
    for module in (jobs, system):
        setattr_(module, "BLOCK_TEXTS", BLOCK)
    setattr_(system, "QUERIES_PER_PASS", 8)


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_track(tmp_path_factory.mktemp("track"))


def card_of(folder: Path, adapter: str, named: str | None = None, **parameters: Any) -> Path:
    """Without what the helper's cards say of a dense model."""
    card = write_card(folder, named or adapter)
    chosen = {"model": str(model_of(adapter)), "token_budget": 64} | parameters
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in chosen.items())
    card.write_text(card.read_text().partition("[parameters]")[0] + f"[parameters]\n{lines}")
    return card


def library_scores(adapter: str) -> np.ndarray:
    """By encode_query, encode_document and similarity, with titles and the prompts of the test's card."""
    from sentence_transformers import MultiVectorEncoder, SparseEncoder

    passages = [f"{doc['title']} {doc['text']}" if doc["title"] else doc["text"] for doc in DOCS]
    kind: Any = MultiVectorEncoder if adapter == "multi-vector" else SparseEncoder
    model = kind(str(model_of(adapter)), device="cpu", local_files_only=True)
    queries = model.encode_query([query["text"] for query in QUERIES], prompt="tea ")
    documents = model.encode_document(passages, prompt="lake ")
    return model.similarity(queries, documents).numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_rankings_are_those_of_the_librarys_similarity(tmp_path: Path, track: Path, adapter: str) -> None:
    options = {"query_prompt": "tea ", "passage_prompt": "lake "}
    stored = {"store_dtype": "float32"} if adapter == "multi-vector" else {}
    run(tmp_path, track, card_of(tmp_path / "card", adapter, **options, **stored))
    right = library_scores(adapter)
    best = np.sort(right, axis=1)[:, ::-1][:, :12]
    found, _ = read_run(run_file(tmp_path / "runs" / "small" / "dense", "fi"))
    assert np.ptp(best) > 0.01
    for row, query in enumerate(QUERIES):
        ranked = found.rankings[query["query_id"]]
        np.testing.assert_allclose(ranked.scores, best[row], rtol=1e-4, atol=1e-4)
        places = [int(doc_id[1:]) for doc_id in ranked.doc_ids]
        np.testing.assert_allclose(right[row, places], ranked.scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_operators_options_change_no_byte(tmp_path: Path, track: Path, adapter: str) -> None:
    card = card_of(tmp_path / "card", adapter)
    options = [{"workers": 1}, {"workers": 3, "memory_bytes": 1}, {"workers": 2, "shard_bytes": 1}]
    for number, chosen in enumerate(options):
        run(tmp_path / str(number), track, card, **chosen)
    results = [run_bytes(tmp_path / str(number)) for number in range(len(options))]
    assert results == [results[0]] * len(options)
    assert [len(list((tmp_path / str(n)).rglob("shard-*"))) for n in range(len(options))] == [1, 1, 10]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_second_run_encodes_no_passage_again(
    tmp_path: Path, track: Path, adapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, track, card_of(tmp_path / "card", adapter))
    before = vectors(tmp_path)
    shutil.rmtree(tmp_path / "runs")
    monkeypatch.setattr(system.RaggedSystem, "_append", lambda *_: pytest.fail("passages are encoded again"))
    other = {"similarity": "meanmaxsim"} if adapter == "multi-vector" else {}
    run(tmp_path, track, card_of(tmp_path / "card", adapter, query_prompt="tea ", **other))
    assert vectors(tmp_path) == before


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_manifest_says_how_it_was_computed(tmp_path: Path, track: Path, adapter: str) -> None:
    run(tmp_path, track, card_of(tmp_path / "card", adapter, passage_max_length=6))
    manifest = read_manifest(tmp_path / "runs" / "small" / "dense")
    facts = manifest.execution.facts
    what = "vectors" if adapter == "multi-vector" else "weights"
    assert facts[what]["passages"] == round(facts[what]["each passage"] * len(DOCS))
    assert facts["similarity"] == ("maxsim" if adapter == "multi-vector" else "dot")
    assert facts["maximum lengths"]["passages"] == 6
    (encoding,) = (stage for stage in manifest.execution.stages if stage.name == "encode passages")
    assert encoding.facts["passages encoded"] == len(DOCS)
    assert manifest.execution.truncated["passages"] == len(DOCS)
    assert any(note.startswith("cut at 6 tokens, passages: 150 of 150") for note in manifest.execution.notes)
    assert facts.get("store dtype") == ("float16" if adapter == "multi-vector" else None)
    expected = {"multi-vector": "maxsim", "sparse": "inverted lists"}[adapter]
    assert manifest.implementation.versions[expected] == 1


@contextlib.contextmanager
def _running(home: Path, track: Path, card: Path) -> Iterator[Any]:
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["systems.multi_vector", "systems.sparse", "small_dense"])
    child = server.Process(target=_run_in_child, args=(home, track, card), daemon=True)
    child.start()
    try:
        yield child
    finally:
        child.kill()
        child.join()


def _run_in_child(home: Path, track: Path, card: Path) -> None:
    _use_small_blocks(setattr)
    run(home, track, card)


def _lines(files: Iterator[Path]) -> int:
    return sum(file.read_bytes().count(b"\n") for file in files)


@pytest.mark.parametrize("stage", ["encoding", "searching"])
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_killed_run_goes_on_to_the_bytes_of_an_undisturbed_one(
    tmp_path: Path, track: Path, adapter: str, stage: str
) -> None:
    card = card_of(tmp_path / "card", adapter, "slow.py:Slow")
    kind = ADAPTERS[adapter]
    source = SLOW_ADAPTER.format(module=kind.__module__.rpartition(".")[2], name=kind.__name__)
    (tmp_path / "card" / "slow.py").write_text(source)
    run(tmp_path / "undisturbed", track, card)
    home, switch = tmp_path / "killed", tmp_path / "card" / stage
    switch.touch()
    pattern = "cache/vectors/*/blocks.journal" if stage == "encoding" else "work/small/*/rankings-*.jsonl"
    expected = 4 if stage == "encoding" else 1
    with _running(home, track, card) as child:
        while _lines(home.glob(pattern)) < expected:
            assert child.is_alive(), "the run ended before it could be killed"
            time.sleep(0.02)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    assert not (home / "runs" / "small" / "dense" / "manifest.yaml").exists()
    switch.unlink()
    run(home, track, card)
    assert run_bytes(home) == run_bytes(tmp_path / "undisturbed")
    stored, undisturbed = vectors(home), vectors(tmp_path / "undisturbed")
    assert {k: v[0] for k, v in stored.items()} == {k: v[0] for k, v in undisturbed.items()}


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_run_that_was_killed_does_not_encode_its_questions_again(
    tmp_path: Path, track: Path, adapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = card_of(tmp_path / "card", adapter)
    run(tmp_path / "undisturbed", track, card)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(system, "in_passes", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, track, card)
    asked: list[str] = []
    tokenized = Encoder.tokenized
    monkeypatch.setattr(
        Encoder, "tokenized", lambda self, texts, role: asked.extend(texts) or tokenized(self, texts, role)
    )
    run(tmp_path, track, card)
    assert not {query["text"] for query in QUERIES} & set(asked)
    assert run_bytes(tmp_path) == run_bytes(tmp_path / "undisturbed")


def request() -> Request:
    docs = Docs(Doc(doc["doc_id"], doc["title"], doc["text"]) for doc in DOCS)
    return Request(docs, tuple(Query(q["query_id"], q["text"], q["lang"], q["topic"]) for q in QUERIES), 12)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_estimate_of_the_disk_is_what_a_run_writes(tmp_path: Path, adapter: str) -> None:
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    asked = request()
    said = made(adapter).estimate(asked, context, timed=False)
    disk = next(figure for figure in said.figures if figure.kind == "disk")
    assert not (tmp_path / "cache").exists()
    list(made(adapter).search(asked, context))
    written = sum(path.stat().st_size for path in disk.path.glob("shard-*"))
    assert disk.amount == pytest.approx(written, rel=0.1)
    again = made(adapter).estimate(asked, context, timed=True)
    assert {figure.kind: figure.amount for figure in again.figures}["disk"] == 0
    assert next(figure for figure in again.figures if figure.kind == "resumed").amount == len(DOCS)
    assert {"load model", "encode passages", "encode questions"} <= {f.what for f in again.figures if f.kind == "time"}


def test_as_many_batches_at_once_as_the_memory_holds_numbers_of_all_terms(tmp_path: Path) -> None:
    model = shutil.copytree(tiny.shared().splade, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "vocab_size": 250_000}))
    large, small = (made("sparse", model=str(folder)) for folder in (model, tiny.shared().splade))
    context = Context(cache=tmp_path, work=tmp_path, memory_bytes=9 << 30)
    # 768 tokens of 250,000 terms, twice four bytes each, are 1.54 GB.
    assert [own._job(8, context).batches_at_once for own in (large, small)] == [6, 8]


def test_passages_without_any_vector_stand_last_and_are_told(tmp_path: Path) -> None:
    model = tiny.multi_vector(tmp_path / "model", skipped=[*tiny.PUNCTUATION, "[CLS]", "[SEP]"])
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    docs = Docs([Doc("z-empty", "", "... ,"), Doc("a", "", "tea"), Doc("b", "", "the river")])
    asked = Request(docs, (Query("q", "tea", "en", "q"),), 3)
    ranking = next(iter(made("multi-vector", model=str(model)).search(asked, context)))
    assert ranking.doc_ids[-1] == "z-empty"
    assert float(ranking.scores[-1]) == -1e9
    assert "1 of 3 passages have no vectors, and stand last" in context.record.facts["notes"]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_numbers_that_are_not_finite_are_told_with_the_text(tmp_path: Path, adapter: str) -> None:
    from safetensors.torch import load_file, save_file

    model = shutil.copytree(model_of(adapter), tmp_path / "model")
    file = model / "model.safetensors"
    weights = load_file(file)
    table = next(values for name, values in weights.items() if "word_embeddings" in name)
    table[tiny.token_id("volga")] = float("nan")
    save_file(weights, file, metadata={"format": "pt"})
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    with pytest.raises(InvalidInput, match=r"gives vectors for passages d000, .* not finite in float32"):
        list(made(adapter, model=str(model)).search(request(), context))


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_it_names_its_model_and_says_what_is_not_here(adapter: str) -> None:
    assert inputs_of(made(adapter)) == {"model": model_of(adapter)}
    assert missing_of(made(adapter)) == []
    assert "no model folder" in missing_of(made(adapter, model="./nowhere"))[0]
    hub = missing_of(made(adapter, model="some/model", revision="0" * 40))[0]
    assert "neither a folder nor to be had from the Hugging Face hub" in hub


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_row_is_looked_ahead_run_and_reproduced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], adapter: str
) -> None:
    from small_track import write_track as write_rivers

    write_rivers(tmp_path)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model_of(adapter), "model")
    Path("own.toml").write_text(
        f'schema_version = 1\nname = "own"\ntitle = "Own"\nadapter = "{adapter}"\n[parameters]\nmodel = "model"\n'
    )
    xdr = Terminal(monkeypatch, capsys)
    ahead = xdr("run", "track.toml", "own.toml", "--dry-run", "--device", "cpu")
    assert ahead.status == 0, ahead.err
    assert "encode passages" in ahead.out
    assert xdr("run", "track.toml", "own.toml", "--device", "cpu").status == 0
    ended = xdr("reproduce", "runs/rivers/own", "--track", "track.toml", "--card", "own.toml", "--device", "cpu")
    assert ended.status == 0, ended.err
    assert "own on rivers: identical" in ended.out
