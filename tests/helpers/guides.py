"""The commands and the Python examples that a guide tells its reader to type."""

from __future__ import annotations

import doctest
import re
from pathlib import Path


def commands_of(guide: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", guide.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def examples_of(guide: Path) -> list[doctest.Example]:
    """What stands after ``>>>`` in the guide's Python, with the output that it promises."""
    found: list[doctest.Example] = []
    for block in re.finditer(r"^```python\n(.*?)^```", guide.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL):
        found += doctest.DocTestParser().get_examples(block[1])
    return found
