"""Questions' vectors lie in a run's folder until it is recorded, so that a run that was killed does not encode them again."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from harness.compute.jobs import Engine
from harness.dense.encoding import Encoded, blocks_of, joined
from harness.dense.jobs import EncodingJob, TextBlock
from harness.dense.roles import Role
from harness.files.writing import atomic_write
from harness.files.yaml_records import digest_of

_FOLDER = "questions"


def encoded_questions(engine: Engine, job: EncodingJob, texts: Sequence[str], role: Role, work: Path) -> Encoded:
    """Any number of questions, block by block, as ``encoded_by`` has them; those that lie in ``work`` are read.

    ``work``: a folder of this run alone, which stands for the model and all that its card says. A file that was cut off or
    damaged counts as none.
    """
    blocks = [TextBlock(texts[start:end], role) for start, end in blocks_of(len(texts))] or [TextBlock([], role)]
    paths = [_path(work, block) for block in blocks]
    found = {path: kept for path in paths if (kept := _read(path)) is not None}
    lacking = {path: block for path, block in zip(paths, blocks, strict=True) if path not in found}
    for path, block in zip(lacking, engine.results(job, lacking.values()), strict=True):
        found[path] = block.encoded
        if block.encoded.tokens.size:
            _write(path, block.encoded)
    return joined([found[path] for path in paths])


def drop_questions(work: Path) -> None:
    """What lies in the folder of a run that has been recorded."""
    shutil.rmtree(work / _FOLDER, ignore_errors=True)


def _path(work: Path, block: TextBlock) -> Path:
    return work / _FOLDER / f"{digest_of([list(block.texts), asdict(block.role)])[:32]}.npz"


def _read(path: Path) -> Encoded | None:
    if not path.is_file():
        return None
    try:
        # The sum of every array is held against the one that was written with it.
        with np.load(path, allow_pickle=False) as arrays:
            return Encoded(*(arrays[name] for name in Encoded._fields))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _write(path: Path, encoded: Encoded) -> None:
    with atomic_write(path, durable=False) as file:
        np.savez(file, **encoded._asdict())
