"""Print a constraint for every dependency of pyproject.toml at its lower bound, so that the bounds are held against the tests.

python .ci/lowest.py > build/lowest.txt

torch stays at the version of constraints.txt: its older wheels bring gigabytes of CUDA libraries.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
_BOUND = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9][0-9.]*)")


def main() -> None:
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]:
        match = _BOUND.match(line)
        if match is None:
            raise SystemExit(f"pyproject.toml: {line!r} has no lower bound")
        if match[1] != "torch":
            print(f"{match[1]}=={match[2]}")
    print(*re.findall(r"^torch==.*$", (ROOT / "constraints.txt").read_text("utf-8"), flags=re.MULTILINE), sep="\n")


if __name__ == "__main__":
    main()
