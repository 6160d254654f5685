"""Where the figures of a benchmark go, to a file that a page is made from, or to the terminal; and where they come from."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

from harness.compute.platform import cpu_model, instruction_sets


def give(figures: Any, path: Path | None) -> None:
    """Write the figures as JSON to ``path``, or print them where there is none."""
    text = json.dumps(figures, indent=1)
    if path is None:
        print(text)
    else:
        path.write_text(text + "\n", "utf-8")


def measured_on() -> dict[str, Any]:
    """The day and the machine: a page may have parts from several."""
    return {
        "date": str(datetime.datetime.now(datetime.UTC).date()),
        "cpu": cpu_model(),
        "instruction_sets": instruction_sets(),
        "cores": os.cpu_count(),
    }
