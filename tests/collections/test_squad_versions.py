"""SQuAD's JSON in its versions: what has no answer is not asked, and a form that only looks alike is refused by name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_track import Ended, Terminal, write_track

from harness.collections import load
from harness.collections.formats.squad import parse_squad
from harness.errors import InvalidInput

CONTENT = {
    "version": "v2.0",
    "data": [
        {
            "title": "Vuoksi",
            "paragraphs": [
                {
                    "context": "The Vuoksi is 162 kilometres long.",
                    "qas": [
                        {"id": 34001, "question": "How long?", "is_impossible": False, "answers": [{"text": "162"}]},
                        {"id": "s2", "question": "How wide?", "is_impossible": True, "answers": [],
                         "plausible_answers": [{"text": "162"}]},
                        {"id": "s3", "question": "How deep?", "answers": []},
                        {"id": "s4", "question": "Where?", "is_impossible": True},
                    ],
                }
            ],
        }
    ],
}  # fmt: skip


def changed(path: list[Any], value: Any) -> bytes:
    content: Any = copy.deepcopy(CONTENT)
    at = content
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return json.dumps(content).encode()


def test_questions_without_an_answer_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "v2.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(CONTENT).encode())
    collection = load(f"squad(fin):{path}")
    assert [(query.query_id, query.lang) for query in collection.queries] == [("34001", "fi")]
    assert collection.qrels == {"34001": {"Vuoksi-0": 1}}
    assert collection.answers == {"34001": ("162",)}
    assert [finding.what for finding in collection.remarks] == [
        "3 of 4 questions have no answer, says the file, and are not asked (first: s2)"
    ]


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (["is_impossible"], "yes", "'is_impossible' is 'yes'; expected true or false"),
        (["is_impossible"], True, "'is_impossible' is true, and there are answers"),
        (
            ["answers"],
            {"text": ["162"], "answer_start": [14]},
            "'answers' is an object, as in rows of the Hugging Face hub",
        ),
        (["answers"], None, "no list 'answers'"),
        (["id"], 1.5, "no text 'id'"),
        (["id"], True, "no text 'id'"),
    ],
)
def test_forms_that_only_look_like_it_are_named_by_their_place(place: list[Any], value: Any, said: str) -> None:
    data = changed(["data", 0, "paragraphs", 0, "qas", 0, *place], value)
    with pytest.raises(InvalidInput) as caught:
        parse_squad(data, "file.json", "fi")
    assert f"file.json:data[0].paragraphs[0].qas[0]: {said}" in str(caught.value)


QUESTIONS = st.lists(
    st.tuples(st.sampled_from([None, False, True]), st.lists(st.sampled_from(["a", "b"]), max_size=2)).filter(
        lambda question: not (question[0] and question[1])
    )
)


@given(QUESTIONS)
def test_asked_are_those_that_have_an_answer(questions: list[tuple[bool | None, list[str]]]) -> None:
    rows = [
        {"id": f"q{number}", "question": "?", "answers": [{"text": text} for text in answers]}
        | ({} if impossible is None else {"is_impossible": impossible})
        for number, (impossible, answers) in enumerate(questions)
    ]
    content = {"data": [{"title": "t", "paragraphs": [{"context": "c", "qas": rows}]}]}
    found = parse_squad(json.dumps(content).encode(), "file.json", "en")
    expected = [f"q{number}" for number, (_, answers) in enumerate(questions) if answers]
    assert [query.query_id for query in found.queries] == expected == [query_id for query_id, _, _ in found.qrels]
    assert set(found.unanswerable) == {f"q{number}" for number in range(len(questions))} - set(expected)


@pytest.fixture
def xdr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    write_track(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


def test_what_was_left_out_is_told_before_a_run(xdr: Callable[..., Ended]) -> None:
    Path("v2.json").write_text(json.dumps(CONTENT))
    track = Path("track.toml").read_text().partition("parts =")[0]
    Path("track.toml").write_text(track + 'parts = [{name = "en", dataset = "squad(eng):v2.json", lang = "en"}]\n')
    ended = xdr("leaderboard", "track.toml")
    assert ended.status == 0, ended.err
    assert "warning: part en: 3 of 4 questions have no answer, says the file, and are not asked" in ended.err
    board = json.loads(Path("runs/rivers/leaderboard.json").read_text())
    assert board["columns"][0]["queries"]["Success@1"] == 1
