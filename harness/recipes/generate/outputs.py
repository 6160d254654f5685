"""From what a model wrote to the texts of a file: every change is one that the recipe names, and is counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from harness.files.toml_records import Record

# What str.splitlines takes for the end of a line.
_BREAKS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")


class OutputRecipe(Record):
    """White space around a text is always removed. "first": of several lines the first that is not blank is kept.

    A duplicate is a text that stands before among the same passage's in the same language. By default nothing is dropped, as in
    the published data set of the xQG paper: fusion by sum needs equally many texts for all passages.
    """

    line_breaks: Literal["join", "first"] = "join"
    empty: Literal["keep", "drop"] = "keep"
    duplicates: Literal["keep", "drop"] = "keep"


class Output(NamedTuple):
    """What a model wrote; ``is_cut``: it would have gone on, but for the greatest length."""

    text: str
    is_cut: bool


def cleaned(outputs: Sequence[Output], recipe: OutputRecipe) -> tuple[tuple[str, ...], Counter[str]]:
    """The texts of one passage in one language, and how often what was done or seen."""
    counts: Counter[str] = Counter({"outputs": len(outputs)})
    texts: list[str] = []
    for output in outputs:
        text = output.text
        counts["cut at the greatest length"] += output.is_cut
        if _BREAKS.search(text.strip()):
            lines = [line for line in _BREAKS.split(text) if line.strip()]
            text = lines[0] if recipe.line_breaks == "first" else " ".join(lines)
            counts["line breaks removed"] += 1
        counts["white space removed around"] += text != text.strip()
        text = text.strip()
        if not text:
            counts["empty"] += 1
            if recipe.empty == "drop":
                counts["dropped"] += 1
                continue
        elif text in texts:
            counts["duplicates"] += 1
            if recipe.duplicates == "drop":
                counts["dropped"] += 1
                continue
        texts.append(text)
    return tuple(texts), counts
