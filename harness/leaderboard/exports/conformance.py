"""Contract tests for formats of leaderboards. One line in a test file gives a new format all of them:

TestPlainText = conformance_tests(plain_text.text_of)

They need pytest, and nothing else that is not here. That the format's own readers read what it says no such test can know.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from harness.adapters.card import Card
from harness.collections.in_memory import collection_of
from harness.compare.compare import compare_systems
from harness.leaderboard.building import build
from harness.leaderboard.exports.json import to_json
from harness.leaderboard.table import Leaderboard
from harness.records import Doc, Query
from harness.runs.manifest import SCHEMA_VERSION, Implementation, Manifest, Method, TrackRecord
from harness.runs.provenance import Execution, Platform
from harness.runs.score_file import ScoreFile
from harness.runs.withdrawal import Withdrawal
from harness.tracks import Part, Track

HOSTILE = (
    "<script>alert(1)</script>",
    "a | b || c",
    "50% of R&D_{x}^2 #1 ~ $x$",
    r"\input{/etc/passwd} \write18{ls}",
    "\"quoted\", 'single', `code`, {brace}, }, {",
    "=HYPERLINK(0)",
    "@someone #1 https://example.org www.example.org",
    "[link](https://example.org) ![x](y) *b* _i_",
    "-- --- -->",
    "日本語 العربية नमस्ते ёж 😀 e\u0301",
    "nan",
)
"""Titles that a card may have, each of which means something to some format."""


def toy_board(title: str = "Better", words: str = "") -> Leaderboard:
    """A table of a baseline, a better system, one without one of the languages, and a withdrawn one; in two languages."""
    collection = collection_of(
        [Doc(f"d{number}", "", "a passage") for number in range(12)],
        [Query(f"q{number}", "a question?", "fi", f"q{number}") for number in range(10)],
        qrels={f"q{number}": {f"d{number}": 1} for number in range(10)},
        name="toy/all",
    )
    parts = [Part.of(collection, name, name) for name in ("fi", "ja")]
    families = {"resamples": 1000, "all_pairs_resamples": 1000}
    track = Track.of("toy", parts, ["RR"], baseline="base", families=families, title=words or "Toy", depth=10)
    scores = [
        _scores("base", {"fi": 2, "ja": 3}),
        _scores("better", {"fi": 9, "ja": 10}),
        _scores("partial", {"fi": 5}),
        _scores("gone", {"fi": 10, "ja": 10}),
    ]
    withdrawn = {"gone": Withdrawal(date=datetime.date(2026, 11, 25), reason=words or "trained on the questions")}
    comparison = compare_systems(track, [score for score in scores if score.system not in withdrawn])
    manifests = {
        score.system: _manifest(score, title if score.system == "better" else score.system, words) for score in scores
    }
    return build(track, scores, comparison, manifests, withdrawn)


def conformance_tests(text_of: Callable[[Leaderboard], str]) -> type:
    """A class of pytest tests that hold a format against what every one of them keeps to."""

    class ConformanceTests:
        def test_it_is_made_of_the_record_alone_and_the_same_each_time(self) -> None:
            board = toy_board()
            text = text_of(board)
            assert isinstance(text, str)
            assert text.strip(), "nothing was written"
            assert text.endswith("\n"), "the last line has no end"
            assert text_of(toy_board()) == text
            assert text_of(Leaderboard.model_validate_json(to_json(board))) == text, "another text from the file"

        def test_it_is_plain_text(self) -> None:
            for title in ("Better", *HOSTILE):
                text = text_of(toy_board(title, title))
                text.encode("utf-8")
                signs = {sign for sign in text if sign < " " and sign not in "\n\t"}
                assert not signs, f"control characters {signs!r}"

        def test_no_title_can_add_a_line(self) -> None:
            plain = text_of(toy_board()).count("\n")
            for title in HOSTILE:
                assert text_of(toy_board(title)).count("\n") == plain, (
                    f"the title {title!r} changes the number of lines"
                )

        def test_what_is_missing_is_no_number(self) -> None:
            assert not re.search(r"\b(nan|inf|infinity|none)\b", text_of(toy_board()), re.IGNORECASE)

    return ConformanceTests


def _scores(system: str, hits: Mapping[str, int], context: Mapping[str, Any] = MappingProxyType({})) -> ScoreFile:
    """Ten questions a part, of which so many are answered."""
    values = {(part, "RR"): {f"q{i}": float(i < count) for i in range(10)} for part, count in hits.items()}
    return ScoreFile(
        system=system,
        values=values,
        units={(part, f"q{i}"): (f"{part} {i}", f"{part} {i}") for part in hits for i in range(10)},
        langs={part: part for part in hits},
        context={
            "key": f"key of {system}",
            "measures": {"RR": "1"},
            "track": {"name": "toy", "version": 1, "depth": 10, "unit": "topic"},
            "data": {part: {"docs": "d", "queries": "q", "qrels": "r", "answers": ""} for part in hits},
            "languages": {part: part for part in hits},
            "warnings": {},
            "ties": {},
            **context,
        },
    )


def _manifest(score: ScoreFile, title: str, words: str) -> Manifest:
    card = Card(
        schema_version=1,
        name=score.system,
        title=title,
        adapter="dummy",
        languages=tuple(score.parts),
        description=words,
        authors=(words,) if words else (),
        paper=words,
        licence=words,
    )
    return Manifest(
        schema_version=SCHEMA_VERSION,
        tag=score.system,
        track=TrackRecord(name="toy", version=1, depth=10),
        method=Method(card=card),
        data={},
        implementation=Implementation(),
        platform=Platform(),
        execution=Execution(device="cpu", isolation="bwrap"),
    )
