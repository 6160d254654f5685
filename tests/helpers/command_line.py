"""``xdr`` as it is typed, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def xdr(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from harness.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=os.environ.copy(), check=False)
