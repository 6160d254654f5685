"""What a comparison says as text: its counts apart from all else, and the same bytes as if they had been written with it."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from score_files import random_hits, scores_of, track_of

from harness.compare.compare import compare_systems
from harness.compare.records import Comparison, json_text, read_comparison, write_comparison
from harness.errors import InvalidInput
from harness.tracks import Track

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-3, 10**6)
    | st.floats(0, 1)
    | st.text(st.characters(codec="utf-8"), max_size=4)
)
contents = st.recursive(
    leaves | st.lists(st.integers(0, 10**5), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(contents)
def test_lists_of_counts_stand_on_one_line_and_all_else_is_indented(content: Any) -> None:
    indented = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    expected = re.sub(r"\[\s+(\d+(?:,\s+\d+)*)\s+\]", lambda found: "[" + " ".join(found[1].split()) + "]", indented)
    assert json_text(content) == expected + "\n"


@pytest.mark.parametrize("text", ["\x000\x00", "\x001\x00"])
def test_a_text_that_could_be_taken_for_counts_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape("U+0000")):
        json_text({"title": text, "counts": [1, 2]})
    assert json.loads(json_text({"title": "a\0b", "counts": [1, 2]})) == {"title": "a\0b", "counts": [1, 2]}


def toy_comparison() -> Comparison:
    rng = random.Random(14)
    sizes = {"fi": 9, "ja": 14}
    track: Track = track_of(*sizes)
    return compare_systems(track, [scores_of("base", random_hits(rng, sizes)), scores_of("x", random_hits(rng, sizes))])


def test_a_comparison_says_how_it_was_made_and_reads_back_equal(tmp_path: Path) -> None:
    comparison = toy_comparison()
    assert (comparison.alpha, comparison.resamples, comparison.seed, comparison.unit) == (0.05, 2000, 7, "topic")
    assert comparison.scores == {"base": "key of base", "x": "key of x"}
    path = tmp_path / "comparison.json"
    write_comparison(path, comparison)
    first = path.read_bytes()
    assert read_comparison(path) == comparison
    write_comparison(path, toy_comparison())
    assert path.read_bytes() == first


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema_version": 1}', "\ufffd", "[" * 100_000, "3", "null"])
def test_what_is_no_comparison_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "comparison.json"
    path.write_text(content, "utf-8")
    with pytest.raises(InvalidInput):
        read_comparison(path)


@pytest.mark.parametrize("family", ["macro", "per language"])
def test_a_comparison_whose_decided_tests_have_no_family_is_refused(family: str, tmp_path: Path) -> None:
    """Without it nobody knows what p could have been at least, which tables say beside it."""
    path = tmp_path / "comparison.json"
    write_comparison(path, toy_comparison())
    content = json.loads(path.read_text())
    content["families"] = [own for own in content["families"] if own["name"] != family]
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInput, match=f"not among `families`: {family}"):
        read_comparison(path)
