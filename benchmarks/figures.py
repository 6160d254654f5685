"""Where the figures of a benchmark go: to a file that a page is made from, or to the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def give(figures: Any, path: Path | None) -> None:
    """Write the figures as JSON to ``path``, or print them where there is none."""
    text = json.dumps(figures, indent=1)
    if path is None:
        print(text)
    else:
        path.write_text(text + "\n", "utf-8")
