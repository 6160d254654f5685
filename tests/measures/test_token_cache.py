"""Tokens on disk: found by the next process, never wrong, never in the way."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from harness.measures import token_cache as module
from harness.measures.token_cache import TokenCache, token_cache
from harness.measures.tokens import word_tokenize
from harness.records import Doc

DOCS = [Doc(f"d{n}", "", f'It is "passage" no. {n}. Don\'t panic; {n * n}% is fine.') for n in range(40)]


def joined_tokens(docs: list[Doc]) -> list[str]:
    return [" ".join(word_tokenize(doc.text)) for doc in docs]


EXPECTED = joined_tokens(DOCS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens" / "cache.sqlite"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were tokenized rather than found."""
    texts: list[str] = []

    def counted(text: str) -> list[str]:
        texts.append(text)
        return word_tokenize(text)

    monkeypatch.setattr(module, "word_tokenize", counted)
    return texts


def read(path: Path, docs: list[Doc] = DOCS) -> list[str]:
    """As a new process would: nothing in memory."""
    with TokenCache(path).opened() as cache:
        passages = [cache.tokens(doc) for doc in docs]
    assert [passage.length for passage in passages] == [len(passage.joined.split()) for passage in passages]
    return [passage.joined for passage in passages]


def test_passages_are_tokenized_once_for_all_processes(path: Path, calls: list[str]) -> None:
    assert read(path, DOCS[:30]) == EXPECTED[:30]
    assert len(calls) == 30
    assert read(path) == EXPECTED
    assert calls == [doc.text for doc in DOCS]
    assert read(path) == EXPECTED
    assert len(calls) == 40
    assert [file.name for file in path.parent.iterdir()] == ["cache.sqlite"]


def test_another_process_finds_them(path: Path) -> None:
    read(path)
    program = f"""
from pathlib import Path
from harness.measures import token_cache
from harness.records import Doc
token_cache.word_tokenize = None
with token_cache.TokenCache(Path({str(path)!r})).opened() as cache:
    print(cache.tokens(Doc(*{tuple(DOCS[3])!r})).joined)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == EXPECTED[3] + "\n"


def test_all_kinds_of_texts_and_ids_come_back(path: Path, calls: list[str]) -> None:
    texts = ["", " \n", "\x00", "\ud800 x", "é\u0085東京 😀", '"', "x" * 100_000]
    docs = [Doc(f"d\ud800\x00{n}", "", text) for n, text in enumerate(texts)]
    assert read(path, docs) == read(path, docs) == joined_tokens(docs)
    assert len(calls) == len(texts)


def test_a_passage_with_another_text_is_another_passage(path: Path) -> None:
    read(path)
    changed = [Doc(doc.doc_id, doc.title, f"{doc.text} Changed.") for doc in DOCS]
    assert read(path, changed) == joined_tokens(changed)


def test_collections_and_tokenizers_have_files_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    first = token_cache("a" * 64)
    assert token_cache("a" * 64) is first
    assert token_cache("b" * 64)._path != first._path
    monkeypatch.setattr(module, "tokenizer_version", lambda: "another")
    assert token_cache("a" * 64)._path != first._path


def test_no_row_is_believed_that_is_not_as_it_was_written(path: Path, calls: list[str]) -> None:
    read(path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE passages SET joined = 'It is fine .' WHERE doc_id = ?", (b"d1",))
        connection.execute("UPDATE passages SET joined = NULL WHERE doc_id = ?", (b"d2",))
        connection.execute("UPDATE passages SET checksum = 7 WHERE doc_id = ?", (b"d3",))
        # Another passage's tokens, with the checksum that they had there.
        joined, checksum = connection.execute(
            "SELECT joined, checksum FROM passages WHERE doc_id = ?", (b"d5",)
        ).fetchone()
        connection.execute("UPDATE passages SET joined = ?, checksum = ? WHERE doc_id = ?", (joined, checksum, b"d4"))
    calls.clear()
    assert read(path) == EXPECTED
    assert calls == [doc.text for doc in DOCS[1:5]]
    assert read(path) == EXPECTED
    assert len(calls) == 4, "fixed rows are found again"


def damaged(damage: str, data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    if damage == "truncated":
        return data[:place]
    if damage == "zeros":
        return data[:place] + bytes(min(700, len(data) - place)) + data[place + 700 :]
    if damage == "flipped":
        changed = bytearray(data)
        for _ in range(40):
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    return {"empty": b"", "no database": b"It is no database. " * 99, "longer": data + b"x" * place}[damage]


@pytest.mark.parametrize("damage", ["truncated", "zeros", "flipped", "empty", "no database", "longer"])
def test_a_damaged_file_is_fixed_and_never_gives_wrong_tokens(path: Path, damage: str, calls: list[str]) -> None:
    read(path)
    whole = path.read_bytes()
    rng = random.Random(8)
    for _ in range(25):
        path.write_bytes(damaged(damage, whole, rng))
        for _ in range(3):
            assert read(path) == EXPECTED
        calls.clear()
        assert read(path) == EXPECTED
        assert calls == []


def test_a_database_of_something_else_is_replaced(path: Path, calls: list[str]) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE passages (place INTEGER)")
    assert read(path) == read(path) == EXPECTED
    assert len(calls) == 40


def test_a_place_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert read(tmp_path / "file" / "cache.sqlite") == EXPECTED
    (tmp_path / "folder.sqlite").mkdir()
    assert read(tmp_path / "folder.sqlite") == EXPECTED


def test_a_file_that_another_process_holds_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS_TO_WAIT", 0.01)
    read(path, DOCS[:5])
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert read(path) == EXPECTED
        connection.rollback()
        assert connection.execute("SELECT count(*) FROM passages").fetchone() == (5,)


def _read_in_random_order(path: Path, seed: int) -> bool:
    rng = random.Random(seed)
    docs = rng.sample(DOCS, len(DOCS))
    return all(read(path, docs[:count]) == joined_tokens(docs[:count]) for count in range(1, 41, 3))


def test_processes_may_share_a_file(path: Path, calls: list[str]) -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert all(pool.starmap(_read_in_random_order, [(path, seed) for seed in range(4)]))
    calls.clear()
    assert read(path) == EXPECTED
    assert calls == []


def test_an_error_within_the_block_keeps_what_was_tokenized(path: Path, calls: list[str]) -> None:
    def interrupted() -> None:
        with TokenCache(path).opened() as cache:
            cache.tokens(DOCS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert read(path, DOCS[:1]) == EXPECTED[:1]
    assert len(calls) == 1


def test_memory_and_the_number_of_unwritten_rows_are_bounded(
    path: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_UNWRITTEN", 8)
    cache = TokenCache(path)
    assert cache.tokens.cache_info().maxsize
    with cache.opened():
        for place, doc in enumerate(DOCS, 1):
            cache.tokens(doc)
            with contextlib.closing(sqlite3.connect(path)) as connection:
                assert connection.execute("SELECT count(*) FROM passages").fetchone() == (place // 8 * 8,)


def test_without_a_block_the_file_is_not_touched(path: Path) -> None:
    cache = TokenCache(path)
    assert cache.tokens(DOCS[0]).joined == EXPECTED[0]
    assert not path.parent.exists()
