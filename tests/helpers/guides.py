"""The commands that a guide tells its reader to type."""

from __future__ import annotations

import re
from pathlib import Path


def commands_of(guide: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", guide.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]
