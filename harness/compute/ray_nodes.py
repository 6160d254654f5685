"""What the machines of a cluster must have in common, so that it does not matter which of them computes a task."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness.compute.platform import instruction_sets, kernel_settings, library_versions, processor
from harness.errors import Finding
from harness.files.package import package_root
from harness.files.writing import sha256_of_file

if TYPE_CHECKING:
    import torch

_PAIRS = (np.arange(7), np.arange(7)[::-1].copy())
_SHAPES = ((128, 768, 4096), (37, 768, 768), (7, 3072, 768))


def facts_of_node(device: str) -> dict[str, str]:
    """What of this machine can decide a byte of a result, by name."""
    import torch

    facts = {
        "xdr-bench source": _source_digest(),
        "python": platform.python_version(),
        **library_versions(),
        "architecture": platform.machine(),
        "processor vendor": processor().get("vendor_id", ""),
        "instruction sets": " ".join(instruction_sets()),
        "PyTorch kernels": torch.backends.cpu.get_cpu_capability(),
        "kernel settings": " ".join(f"{name}={value}" for name, value in kernel_settings().items()),
        "arithmetic": _arithmetic(),
    }
    if device.startswith("cuda"):
        facts["GPU"] = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    return facts


def differences(where: str, expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[Finding]:
    """One finding for everything in which a machine is not like the one that started the run."""
    for name in sorted(expected.keys() | found.keys()):
        here, there = expected.get(name, "none"), found.get(name, "none")
        if here != there:
            yield Finding(
                "error", where, f"{name}: {_short(there)}", f"{_short(here)}, as on the machine of this command"
            )


def _short(value: str) -> str:
    return value[:16] if len(value) == 64 else repr(value)


def _source_digest() -> str:
    digest = hashlib.sha256()
    root = package_root()
    for path in sorted(
        path for package in ("harness", "systems", "xdr_bench") for path in (root / package).rglob("*.py")
    ):
        digest.update(f"{path.relative_to(root).as_posix()}\0{sha256_of_file(path)}\n".encode())
    return digest.hexdigest()


def _arithmetic() -> str:
    """Digest of products and functions as encoding and searching use them: kernels that differ show in the last bits."""
    import torch

    from harness.compute.linear import linear
    from harness.compute.pair_scores import pair_scores

    digest = hashlib.sha256()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for rows, inner, columns in _SHAPES:
            one, two = (_numbers(*shape) for shape in ((rows, inner), (inner, columns)))
            turned = two.t().contiguous()
            digest.update(pair_scores(one.numpy(), turned.numpy(), *_PAIRS).tobytes())
            product = torch.mm(one, two)  # attention takes torch's own
            for values in (linear(one, turned, None), product, product.softmax(1), torch.nn.functional.gelu(product)):
                digest.update(values.numpy().tobytes())
            digest.update(torch.nn.functional.layer_norm(product, (columns,)).numpy().tobytes())
    finally:
        torch.set_num_threads(threads)
    return digest.hexdigest()


def _numbers(rows: int, columns: int) -> torch.Tensor:
    import torch

    # Whole numbers of eleven bits by 1,000, the same everywhere and with something to round.
    return (torch.arange(rows * columns, dtype=torch.int64) * 7919 % 2039 - 1019).reshape(rows, columns).float() / 1000
