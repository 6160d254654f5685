"""Text of strangers on terminals: it is shown, and obeyed by nothing."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_track import Terminal, write_track

from harness.cli.console import note, print_error, print_json, say
from harness.errors import Finding, InvalidInput
from harness.visible import is_blank, steers, visible

_DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_TEXT = st.text(st.one_of(st.characters(), st.sampled_from(_DIRECTIONS + "\x1b\x9b\x07\n\r\u200b\u200c\u200d\ufeff")))


@given(_TEXT)
def test_nothing_that_is_shown_steers_or_hides(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    shown.encode("utf-8")
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp", "Co", "Cn") for c in shown)
    assert not set(shown) & set(_DIRECTIONS[3:] + "\ufeff\u200b")
    assert len(shown.splitlines()) <= 1
    # What is left of it stands in its order, so that nothing was made up but codes.
    kept = iter(shown)
    assert all(c in kept for c in text if c.isprintable() and c.isascii())


@given(_TEXT)
def test_what_steers_is_the_first_control_surrogate_separator_or_direction(text: str) -> None:
    turning = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
    found = [
        c
        for c in text
        if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(c) in turning
    ]
    assert steers(text) == "".join(found[:1])


@pytest.mark.parametrize(
    "text",
    [
        "xlm-r (large)",
        "ما هذا؟\u200f (C++\u200f)",
        "نمی‌خواهم",
        "क्‍ष",
        "東京　大学",
        "Ünïcödé",
        "👩‍🔬 ❤️",
        "葛󠄀城",
        "한국어",
        "ภาษาไทย",
        "\\x1b",
    ],
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
    assert not steers(text)
    assert not is_blank(text)


@pytest.mark.parametrize(
    "text", ["", " ", "\u200b", "\u00a0\u3000", "\u3164", "\u2800", "\u200d\ufe0f", "\u0301", "\u202e"]
)
def test_what_cannot_be_seen_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2J", "a\\x1b[2J"),
        ("one\ntwo\r\t", "one\\ntwo\\r\\t"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb", "a\\u202eb"),
        ("id\u200b", "id\\u200b"),
        ("id\u200d1", "id\\u200d1"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
        ("\u2028", "\\u2028"),
    ],
)
def test_codes(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(_TEXT)
def test_a_message_cannot_pose_as_another(text: str) -> None:
    """Whatever stands in a message, lines of it are set in: only its first begins where ours begin."""
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()) as output:
        print_error(InvalidInput(f"unknown {text}", [Finding("error", text, text)]))
        note(text)
        say(text, text)
    first, *others = errors.getvalue().split("\n")[:-2]
    assert first.startswith("xdr: ")
    assert all(line.startswith("  ") for line in others)
    assert len(output.getvalue().split("\n")) == 3


@given(st.recursive(_TEXT | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner)))
def test_json_is_the_same_value_and_steers_nothing(value: object) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as output:
        print_json(value)
    assert json.loads(output.getvalue()) == value
    assert all(c == "\n" or c.isprintable() for c in output.getvalue())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Terminal:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    write_track(tmp_path)
    return Terminal(monkeypatch, capsys)


def test_ids_of_a_run_are_shown_as_codes(terminal: Terminal, tmp_path: Path) -> None:
    rows = ["q1\x1b[2J\x1b]0;pwned\x07 Q0 nile 1 2", "q2 Q0 volga\x9b31m 1 1"]
    lines = "".join(f"{row} tag\u202e\n" for row in rows)
    (tmp_path / "fi.trec.gz").write_bytes(gzip.compress(lines.encode()))
    done = terminal("validate", "fi.trec.gz", "--track", "track.toml", "--part", "fi")
    assert done.status == 1
    assert "q1\\x1b[2J\\x1b]0;pwned\\x07" in done.err
    assert "volga\\x9b31m" in done.err
    assert not any(unicodedata.category(c) in ("Cc", "Cf") for c in done.err.replace("\n", ""))
