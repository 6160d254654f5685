"""Where this package lies."""

from __future__ import annotations

import functools
from pathlib import Path


@functools.cache
def package_root() -> Path:
    """The folder that holds ``harness`` and ``systems``."""
    return Path(__file__).resolve().parents[2]
