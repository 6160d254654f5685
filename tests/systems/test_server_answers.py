"""Answers of a server that are not what was asked for: each is one clear error, and nothing is half written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from model_servers import Body, Reply, answer_of, of_words, running, said, well
from served_rows import REFUSED, card, make_small_and_quick, run_bytes, served
from small_dense import write_track

from harness.errors import InvalidInput


@pytest.fixture(autouse=True)
def _small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small_and_quick(monkeypatch)


@pytest.fixture
def track(tmp_path: Path) -> Path:
    return write_track(tmp_path)


def changed(body: Body, **changes: Any) -> Reply:
    return said(answer_of(body, of_words(body["input"])) | changes)


def with_rows(body: Body, change: Any) -> Reply:
    answer = answer_of(body, of_words(body["input"]))
    change(answer["data"])
    return said(answer)


def first_vector(body: Body, value: Any) -> Reply:
    return with_rows(body, lambda rows: rows[0].update(embedding=value))


WRONG = {
    "fewer": (lambda body: with_rows(body, list.pop), r"4 vectors for 5 texts"),
    "more": (lambda body: with_rows(body, lambda rows: rows.append(rows[0])), r"6 vectors for 5 texts"),
    "none": (lambda body: said({"object": "list"}), r"no list `data` of vectors"),
    "a list": (lambda body: said([1, 2]), r"no list `data` of vectors"),
    "an index twice": (lambda body: with_rows(body, lambda rows: rows[1].update(index=0)), r"index 0 a second time"),
    "an index too high": (lambda body: with_rows(body, lambda rows: rows[1].update(index=5)), r"index 5; expected are 0 to 4"),
    "no index": (lambda body: with_rows(body, lambda rows: rows[1].pop("index")), r"index None"),
    "an index that is true": (lambda body: with_rows(body, lambda rows: rows[1].update(index=True)), r"index True"),
    "a row that is none": (lambda body: with_rows(body, lambda rows: rows.__setitem__(0, 3)), r"index None"),
    "no vector": (lambda body: first_vector(body, None), r"no list of numbers"),
    "an empty vector": (lambda body: first_vector(body, []), r"no list of numbers"),
    "a vector of vectors": (lambda body: first_vector(body, [[1.0] * 16]), r"no list of numbers"),
    "a vector with a null": (lambda body: first_vector(body, [None] * 16), r"no list of numbers"),
    "a vector of texts": (lambda body: first_vector(body, ["1"] * 16), r"no list of numbers"),
    "base64 of half a number": (lambda body: first_vector(body, "AAAAAAA="), r"no list of numbers"),
    "no base64": (lambda body: first_vector(body, "?"), r"no list of numbers"),
    "base64 of NaN": (lambda body: first_vector(body, "AADAfw==" * 1), r"not finite in float32"),
    "too large a number": (lambda body: first_vector(body, [1e39] * 16), r"not finite in float32"),
    "NaN": (lambda body: Reply(200, {}, b'{"data": [NaN]}'), r"invalid: .*NaN"),
    "other dimensions": (lambda body: first_vector(body, [1.0] * 15), r"15 dimensions, not of 16, as others have"),
    "another model": (lambda body: changed(body, model="other"),
                      r"answers as model 'other', and not as 'stub-embedder'; .* answers_as"),
    "a model that is a number": (lambda body: changed(body, model=3), r"answers as model 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_one_clear_error_and_nothing_is_half_written(tmp_path: Path, track: Path, name: str) -> None:
    """The twelfth request is of passages. What came before it is kept, and nothing of it is asked for again."""
    wrong, expected = WRONG[name]
    with running(lambda body, number: wrong(body) if number == 12 else well(body, number)) as stub:
        with pytest.raises(InvalidInput, match=expected) as caught:
            served(tmp_path / "home", track, stub, workers=1)
        assert "passage d0" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(stub.bodies) == 12
        assert not (tmp_path / "home/runs/small/served").exists()
        stub.answered[:] = [text for body in stub.bodies[:11] for text in body["input"]]
        served(tmp_path / "home", track, stub, workers=1)
    again = stub.answered
    with running() as stub:
        served(tmp_path / "well", track, stub, workers=1)
    assert Counter(again) == Counter(stub.answered)
    assert run_bytes(tmp_path / "home") == run_bytes(tmp_path / "well")


def test_vectors_in_another_order_are_taken_by_their_index(tmp_path: Path, track: Path) -> None:
    with running(lambda body, number: with_rows(body, list.reverse)) as stub:
        served(tmp_path / "reversed", track, stub)
    with running() as stub:
        served(tmp_path / "well", track, stub)
    assert run_bytes(tmp_path / "reversed") == run_bytes(tmp_path / "well")


def test_another_number_of_dimensions_after_a_stop_is_noticed(tmp_path: Path, track: Path) -> None:
    stops = running(lambda body, number: REFUSED if number == 12 else well(body, number))
    with stops as stub, pytest.raises(InvalidInput, match="403"):
        served(tmp_path, track, stub, workers=1)
    is_smaller = running(lambda body, number: said(answer_of(body, of_words(body["input"])[:, :8])))
    with is_smaller as stub, pytest.raises(InvalidInput, match=r"passage d\d+.* 8 dimensions, not of 16"):
        served(tmp_path, track, stub, workers=1)
    with running() as stub, pytest.raises(InvalidInput, match=r"16 dimensions, not of 8, as the card says"):
        served(tmp_path, track, stub, card(tmp_path, dimensions=8), workers=1)
