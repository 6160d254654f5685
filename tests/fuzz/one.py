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
        # What is imported at the first use is imported now: it is no input's fault, and is to be instrumented, too.
        for seed in contract.seeds(name):
            contract.hold(target, seed.read_bytes(), folder)
    atheris.Setup([sys.argv[0], *sys.argv[3:]], lambda data: contract.hold(target, data, folder))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
