"""Reading a TREC run from a plain file: ours validates it against queries and documents, the peers do not validate.

Each reading is a process of its own, so that its peak memory can be told; imports are not timed.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from table import Row
from timing import ROUNDS

_DEPTH = 1_000
_COLLECTION = 1_000_000
_RANX_LINES = 1_000_000  # ranx takes minutes and many gigabytes for ten million

_PREPARE = {
    "ours": f"""
from pathlib import Path
import pyarrow.compute, pyarrow.csv
from harness.runs.trec import Expected, read_run
expected = Expected([f"q{{n}}" for n in range(lines // {_DEPTH})], frozenset(map(str, range({_COLLECTION}))), {_DEPTH})
read = lambda: read_run(Path(path), expected)
""",
    "pytrec_eval": "import pytrec_eval\nread = lambda: pytrec_eval.parse_run(open(path))\n",
    "ranx": "from ranx import Run\nread = lambda: Run.from_file(path, kind='trec')\n",
}
_MEASURE = r"""
import re, time
start = time.perf_counter()
found = read()
seconds = time.perf_counter() - start
# Not getrusage: the peak that it tells begins with that of the process which started this one.
print(seconds, int(re.search(r"VmHWM:\s*([0-9]+)", open("/proc/self/status").read())[1]) / 1024)
"""


def rows(lines: int = 10_000_000) -> list[Row]:
    """pytrec_eval on ``lines`` lines, ranx (where installed) on a million at most."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        few = min(lines, _RANX_LINES)
        peers = [(lines, "pytrec_eval")] + ([(few, "ranx")] if importlib.util.find_spec("ranx") else [])
        for size, peer in peers:
            path = Path(folder) / f"{size}.trec"
            if not path.exists():
                write_made_up_run(path, size)
            measured = [[_measured(side, path, size) for side in ("ours", peer)] for _ in range(ROUNDS)]
            (ours, our_peak), (theirs, their_peak) = (min(turns) for turns in zip(*measured, strict=True))
            what = f"reading and validating a run of {size:,} lines (peak {our_peak:,.0f} MB)"
            found.append(Row(what, ours, f"{peer}, reading only (peak {their_peak:,.0f} MB)", theirs))
    return found


def write_made_up_run(path: Path, lines: int) -> None:
    """``lines`` / 1,000 queries with 1,000 documents out of a million each, in the order of their scores."""
    generator = np.random.default_rng(20230723)
    with path.open("w") as file:
        for number in range(lines // _DEPTH):
            docs = generator.choice(_COLLECTION, _DEPTH, replace=False)
            scores = np.sort(generator.random(_DEPTH, dtype=np.float32))[::-1] * 20
            ranked = enumerate(zip(docs, scores, strict=True), 1)
            file.write("".join(f"q{number} Q0 {doc} {rank} {score} made-up\n" for rank, (doc, score) in ranked))


def _measured(side: str, path: Path, lines: int) -> tuple[float, float]:
    """Seconds and peak resident memory in MB."""
    code = f"path, lines = {str(path)!r}, {lines}\n{_PREPARE[side]}{_MEASURE}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), float(peak)
