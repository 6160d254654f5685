"""Questions' vectors that a run keeps until it is recorded: encoded once, known by their model, and never believed damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from small_dense import BLOCK, DOCS, QUERIES, run, run_bytes, write_card, write_track

import systems.dense
from harness.adapters.card import load_card
from harness.adapters.contract import Context, Request
from harness.collections.view import Docs
from harness.dense import encoding
from harness.records import Doc, Query
from harness.runs.manifest import run_file


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "BLOCK_ROWS", BLOCK)
    monkeypatch.setattr(systems.dense, "BLOCK_ROWS", BLOCK)


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_track(tmp_path_factory.mktemp("track"))


def texts_encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All texts that are encoded from now on, as they come."""
    asked: list[str] = []
    encoded = encoding._encoded

    def noted(encoder: Any, texts: list[str], *given: Any) -> Any:
        asked.extend(texts)
        return encoded(encoder, texts, *given)

    monkeypatch.setattr(encoding, "_encoded", noted)
    return asked


def test_questions_that_parts_share_are_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts of other passages, asked the same: two requests, which give what each gives alone."""
    one, two = (write_track(tmp_path, name) for name in ("one", "two"))
    docs = tmp_path / "two" / "docs.jsonl"
    docs.write_text(docs.read_text().replace("sea", "ocean"))
    part = '[[parts]]\nname = "more"\ndataset = "folder:two"\nlang = "fi"\n'
    two.write_text(two.read_text().partition("[[parts]]")[0] + part)
    both = tmp_path / "both.toml"
    both.write_text(one.read_text().replace('name = "one"', 'name = "both"') + part)
    card = write_card(tmp_path / "card")
    alone = {name: run(tmp_path / name, track, card).folder for name, track in (("fi", one), ("more", two))}
    asked = texts_encoded(monkeypatch)
    together = run(tmp_path / "together", both, card).folder
    questions = [query["text"] for query in QUERIES]
    assert [text for text in asked if text in questions] == questions
    for name, folder in alone.items():
        assert run_file(together, name).read_bytes() == run_file(folder, name).read_bytes()


def test_questions_that_were_kept_are_those_of_the_model_that_asks(tmp_path: Path) -> None:
    """In one folder of work, as somebody's own program may give to several systems."""

    def scores(system: Any, work: Path) -> list[list[float]]:
        queries = tuple(Query(q["query_id"], q["text"], q["lang"], q["topic"]) for q in QUERIES)
        docs = Docs(Doc(doc["doc_id"], doc["title"], doc["text"]) for doc in DOCS)
        context = Context(cache=tmp_path / "cache", work=work)
        return [ranking.scores.tolist() for ranking in system.search(Request(docs, queries, 5), context)]

    for name, seed in (("one", 0), ("two", 1)):
        tiny_models.bert(tmp_path / name, seed=seed)
    systems_of = [
        load_card(str(write_card(tmp_path / f"card-{name}", model=str(tmp_path / name)))).system()
        for name in ("one", "two")
    ]
    apart = [scores(system, tmp_path / f"work-{place}") for place, system in enumerate(systems_of)]
    assert apart[0] != apart[1]
    assert [scores(system, tmp_path / "work") for system in systems_of] == apart


def test_a_run_that_was_killed_does_not_encode_its_questions_again(
    tmp_path: Path, track: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = write_card(tmp_path / "card")
    expected = run_bytes(tmp_path) if run(tmp_path, track, card) else b""
    shutil.rmtree(tmp_path / "runs")
    asked = texts_encoded(monkeypatch)
    questions = [query["text"] for query in QUERIES]

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(systems.dense, "search_in_passes", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, track, card)
    assert [text for text in asked if text in questions] == questions
    (kept,) = (tmp_path / "work").rglob("results")
    left = tmp_path / "left"
    shutil.copytree(kept, left)
    assert len(list(left.glob("*.npz"))) == 2, "a file for each block"

    def again(damage: Callable[[bytes], bytes]) -> list[str]:
        """What is encoded where the file of one block is damaged, and the seals are whole."""
        shutil.rmtree(tmp_path / "runs", ignore_errors=True)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(left, kept)
        first = min(kept.glob("*.npz"))
        first.write_bytes(damage(first.read_bytes()))
        asked.clear()
        run(tmp_path, track, card)
        assert run_bytes(tmp_path) == expected
        assert not kept.exists(), "a run that is recorded leaves none"
        return [text for text in asked if text in questions]

    assert again(lambda data: data) == []
    for damage in (lambda data: data[:-40], lambda data: data[:400] + bytes([data[400] ^ 1]) + data[401:]):
        assert len(again(damage)) in (BLOCK, len(QUERIES) - BLOCK), "that block, and no other"
