"""Texts of a server, held against a stub that speaks chat completions, and misbehaves."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import xdr
from hypothesis import given
from hypothesis import strategies as st
from model_servers import Reply, Stub, running
from tiny_generators import DOCS

from harness.errors import InvalidInput, WrongUsage
from harness.recipes.generate.answers import Answers
from harness.recipes.generate.load import kinds
from harness.recipes.generate.outputs import Output
from harness.recipes.generate.recipe import Operator, Written
from harness.servers import asking
from harness.servers.access import Access

KEY = "sk-secret-1234"


def said(text: str | None, reason: str = "stop") -> Reply:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": reason}
    return Reply(200, {}, json.dumps({"model": "stub-1", "choices": [choice]}).encode())


def echo(body: dict[str, Any], number: int) -> Reply:
    return said(f"{body['messages'][0]['content']} {body['seed']}")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(asking, "LONGEST_PAUSE_SECONDS", 0.01)


def recipe(**changes: Any) -> Any:
    own = {
        "schema_version": 1, "kind": "server", "name": "stub", "title": "Stub", "languages": ["fi", "ru"], "per_language": 2,
        "prompt": "{language}: {passage}", "model": "m", "max_output_tokens": 9,
    } | changes  # fmt: skip
    return kinds()["server"].model_validate(own)


def asked(stub: Stub, *, key_variable: str = "", workers: int = 1, timeout: float = 5, **changes: Any) -> Written:
    operator = Operator(workers=workers, server=Access(stub.url, key_variable, timeout))
    return recipe(**changes).source(Path(), operator).opened({})(DOCS[:2])


def test_every_text_is_one_request_with_its_own_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", KEY)
    with running(echo) as stub:
        found = asked(stub, key_variable="STUB_KEY", workers=4, body={"top_k": 10})
        again = asked(stub)
    assert found.texts == again.texts
    assert [text.rpartition(" ")[0] for by_lang in found.texts for own in by_lang for text in own] == [
        f"{name}: {doc.text}" for doc in DOCS[:2] for name in ("Finnish", "Russian") for _ in range(2)
    ]
    assert len({body["seed"] for body in stub.bodies}) == 8
    assert stub.bodies[0] | {"seed": 0, "messages": []} == {
        "top_k": 10, "model": "m", "messages": [], "max_tokens": 9, "temperature": 1.0, "top_p": 1.0, "seed": 0,
    }  # fmt: skip
    assert set(stub.paths) == {"/v1/chat/completions"}
    assert stub.keys == [f"Bearer {KEY}"] * 8 + [None] * 8
    assert found.counts["answered by model stub-1"] == 8


@pytest.mark.parametrize(
    "fault",
    [Reply(429, {"Retry-After": "0"}, b"slow down"), Reply(500, {}, b""), Reply(200, {}, b"<html>"),
     Reply(200, {}, b'{"choices": []}'), Reply(200, {}, b'{"choices": [{"message": {"content": "\\ud800"}}]}'),
     Reply(200, {}, b"[]")],
    ids=["429", "500", "html", "no-choices", "half-character", "list"],
)  # fmt: skip
def test_what_passes_is_tried_again_and_what_stays_is_one_clear_error(fault: Reply) -> None:
    with running(lambda body, number: fault if number % 2 else echo(body, number)) as stub:
        fixed = asked(stub)
    with running(echo) as stub:
        assert asked(stub).texts == fixed.texts
    with running(lambda body, number: fault) as stub, pytest.raises(InvalidInput) as caught:
        asked(stub)
    assert "passage d00: the server gave no answer in 6 tries" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(stub.bodies) == 6


def test_a_server_that_hangs_is_given_up() -> None:
    def late(body: dict[str, Any], number: int) -> Reply:
        time.sleep(0.3 if number == 1 else 0)
        return echo(body, number)

    with running(late) as stub:
        assert asked(stub, timeout=0.1).texts[0][0]
    assert len(stub.bodies) == 9


@pytest.mark.parametrize("drips", ["headers", "body"])
def test_an_answer_that_drips_ends_at_its_deadline(drips: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte every 20 ms would take 20 s; each of them comes well within the time that the library waits for one."""
    monkeypatch.setattr(asking, "TRIES", 2)
    ended = threading.Event()

    def drip(listener: socket.socket) -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=feed, args=(connection,), daemon=True).start()

    def feed(connection: socket.socket) -> None:
        start = (
            b"HTTP/1.1 200 OK\r\nX-Slow: " if drips == "headers" else b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        )
        with contextlib.suppress(OSError), connection:
            connection.sendall(start)
            while not ended.wait(0.02):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        operator = Operator(server=Access(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", timeout_seconds=0.3))
        try:
            with pytest.raises(InvalidInput, match=r"no answer in 2 tries: no complete answer in 0\.3 seconds"):
                recipe().source(Path(), operator).opened({})(DOCS[:1])
        finally:
            ended.set()
            thread.join()


def test_every_answer_is_kept_as_it_comes(tmp_path: Path) -> None:
    """Of a server that fails for good after five answers; then of one whose second half is damaged on the disk."""
    kept = tmp_path / "answers"

    def once(stub: Stub) -> Written:
        operator = Operator(server=Access(stub.url), answers=kept)
        return recipe().source(Path(), operator).opened({})(DOCS[:2])

    failing = running(lambda body, number: echo(body, number) if number <= 5 else Reply(403, {}, b""))
    with failing as stub, pytest.raises(InvalidInput, match="403"):
        once(stub)
    with running(echo) as stub:
        found = once(stub)
    assert len(stub.bodies) == 3
    with running(echo) as stub:
        assert asked(stub) == found
        assert once(stub) == found
    assert len(stub.bodies) == 8
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2])
    with running(echo) as stub:
        assert once(stub) == found
    assert 0 < len(stub.bodies) < 8


def test_a_killed_command_asks_only_for_what_it_had_no_answer_to(tmp_path: Path) -> None:
    docs = [{"doc_id": f"d{i}", "text": f"Passage {i}."} for i in range(5)]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    (tmp_path / "queries.jsonl").write_text('{"query_id": "q", "lang": "fi", "text": "?"}\n')
    (tmp_path / "recipe.toml").write_text(
        'schema_version = 1\nkind = "server"\nname = "stub"\ntitle = "Stub"\nlanguages = ["fi", "ru"]\nper_language = 2\n'
        'prompt = "{language}: {passage}"\nmodel = "m"\nmax_output_tokens = 9\n'
    )

    def words(stub: Stub, out: str) -> list[str]:
        own = ["generate", f"folder:{tmp_path}", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / out)]
        return [*own, "--server", stub.url, "--workers", "2"]

    went_on = threading.Event()

    def then_slow(body: dict[str, Any], number: int) -> Reply:
        if number > 12:
            went_on.wait(30)
        return echo(body, number)

    with running(then_slow) as stub:
        command = [sys.executable, "-m", "harness", *words(stub, "a.jsonl")]
        killed = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while len(stub.bodies) < 14 and killed.poll() is None:
            time.sleep(0.01)
        killed.kill()
        killed.wait()
        went_on.set()
    answered = 12
    with running(echo) as stub:
        assert xdr(*words(stub, "a.jsonl"), cwd=tmp_path).returncode == 0
    assert len(stub.bodies) == len(docs) * 4 - answered
    with running(echo) as stub:
        assert xdr(*words(stub, "b.jsonl"), cwd=tmp_path).returncode == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert not (tmp_path / "a.jsonl.partial").exists()


@given(st.lists(st.tuples(st.text(), st.booleans(), st.text(max_size=9)), max_size=5))
def test_answers_come_back_as_they_were(rows: list[tuple[str, bool, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers"
        answers = Answers(path)
        for number, (text, is_cut, model) in enumerate(rows):
            answers.add({"seed": number}, (Output(text, is_cut=is_cut), model))
        again = Answers(path)
        assert len(again) == len(rows)
        for number, (text, is_cut, model) in enumerate(rows):
            assert again.get({"seed": number}) == (Output(text, is_cut=is_cut), model)
        again.keep_only([{"seed": 0}])
        assert len(Answers(path)) == min(1, len(rows))


def test_a_refusal_is_not_tried_again_and_does_not_show_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", KEY)
    reply = Reply(401, {}, f"bad key {KEY}\nsorry".encode())
    with running(lambda body, number: reply) as stub, pytest.raises(InvalidInput) as caught:
        asked(stub, key_variable="STUB_KEY")
    assert "HTTP status 401: bad key (key) sorry; is the key right?" in str(caught.value)
    assert len(stub.bodies) == 1


def test_redirections_are_not_followed() -> None:
    with running(echo) as other:
        reply = Reply(307, {"Location": f"{other.url}/chat/completions"}, b"")
        with running(lambda body, number: reply) as stub, pytest.raises(InvalidInput, match="HTTP status 307"):
            asked(stub)
    assert not other.bodies


def test_empty_content_and_cut_texts_are_counted() -> None:
    with running(lambda body, number: said(None, "length")) as stub:
        found = asked(stub, max_passage_characters=5)
    assert found.texts[0] == (("", ""), ("", ""))
    assert (found.counts["empty"], found.counts["cut at the greatest length"], found.counts["prompts cut"]) == (8, 8, 4)


def test_no_server_is_an_error_with_its_kind() -> None:
    with running(echo) as stub:
        pass
    with pytest.raises(InvalidInput, match="6 tries: ConnectionError, is it running at the address given"):
        asked(stub)


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "http://user:pass@host/v1", "http://[", "ftp://host", "http://h?q=1"]
)
def test_addresses_are_checked_before_anything_is_sent(url: str) -> None:
    with pytest.raises(WrongUsage, match="--server"):
        recipe().source(Path(), Operator(server=Access(url) if url else None))


@pytest.mark.parametrize("value", [None, "", "two words", "ключ"])
def test_a_missing_or_impossible_key_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("STUB_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("STUB_KEY", value)
    with pytest.raises(WrongUsage, match="--api-key-variable STUB_KEY") as caught:
        recipe().source(Path(), Operator(server=Access("http://localhost/v1", "STUB_KEY")))
    assert not value or value not in str(caught.value)
