"""What a comparison says as text: its counts apart from all else, and the same bytes as if they had been written with it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.compare.records import json_text
from harness.errors import InvalidInput

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
