"""One target under libFuzzer, in this process: ``python -m tests.fuzz.one TARGET FOLDER [libFuzzer's options]``."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

from . import contract


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    with atheris.instrument_imports(include=["harness", "yaml", "tomllib"]):
        target = contract.load(name)
    atheris.Setup([sys.argv[0], *sys.argv[3:]], lambda data: contract.hold(target, data, folder))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
