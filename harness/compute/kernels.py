"""Kernels of linear layers by name: in the last bits, what multiplies decides the bytes of a model's vectors.

``torch`` leaves a model as its library made it. ``torch-fused`` lets linear layers multiply by oneDNN with an operator that
torch's compiler uses, but that torch does not document (``harness.compute.linear``): MKL, which torch asks otherwise, is less
than half as fast on some processors of AMD. Tests hold the two together: every element of a product of inner size n is within
2 g |x| |w| of the other's, g = n u / (1 - n u) and u = 2^-24, as any two orders of a sum in float32 are (Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed., 2002, equation 3.5).

``onnx`` computes whole transformers by ONNX Runtime, as graphs that ``harness.compute.graphs`` makes of them, in float32 or
with 8-bit weights and activations (``harness.compute.graph_int8``). It needs the extra ``fast``.

A card that names a kernel gets that one or none, and the kernel's version is part of what identifies its run. A card that
names none gets the fused one where there is one, as all did before there was a choice; which it was is noted in the manifest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from harness.compute import graphs, linear
from harness.compute.graphs import Source
from harness.errors import InvalidInput, unknown_name

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Kernel:
    """``version`` is raised when the same layers give other bytes than before on the same machine.

    ``lacking(dtype, device)``: why it cannot compute that here, or nothing. ``use(model, source)`` makes a model of these files
    compute with it; it returns whether there is any layer that does. ``libraries``: on which its bytes depend beside torch.
    """

    name: str
    version: int
    lacking: Callable[[str, str], str]
    use: Callable[[torch.nn.Module, Source], bool]
    libraries: tuple[str, ...] = ()


def _fused_lacks(dtype: str, device: str) -> str:
    if (dtype, device) != ("float32", "cpu"):
        return f"it multiplies in float32 on the CPU, not in {dtype} on {device}"
    return "" if linear.has_onednn() else "the installed torch has no oneDNN, or not its operator for linear layers"


def _plain_lacks(dtype: str, device: str) -> str:
    return f'it has no {dtype}; say kernel = "onnx", which has' if dtype == "int8" else ""


def _graphs_lack(dtype: str, device: str) -> str:
    if dtype not in ("float32", "int8") or device != "cpu":
        return f"it computes in float32 or int8 on the CPU, not in {dtype} on {device}"
    return graphs.not_installed()


_PLAIN = Kernel("torch", 1, _plain_lacks, lambda model, source: True)
_FUSED = Kernel("torch-fused", 1, _fused_lacks, lambda model, source: linear.use_onednn(model))
_GRAPHS = Kernel("onnx", graphs.VERSION, _graphs_lack, graphs.use_graphs, graphs.LIBRARIES)
KERNELS = {kernel.name: kernel for kernel in (_PLAIN, _FUSED, _GRAPHS)}


def kernel_of(wanted: str | None, dtype: str, device: str) -> Kernel:
    """The kernel of that name; of None the fused one, where it can compute that. Raises ``InvalidInput`` where one cannot."""
    if wanted is None and dtype == "int8":
        raise InvalidInput('dtype = "int8" is computed by kernel = "onnx" alone, which the card is to name')
    if wanted is None:
        return _PLAIN if _fused_lacks(dtype, device) else _FUSED
    kernel = KERNELS[wanted]
    if reason := kernel.lacking(dtype, device):
        instead = (
            "" if "kernel" in reason or "pip install" in reason else '; leave `kernel` out, or say kernel = "torch"'
        )
        raise InvalidInput(f'kernel = "{wanted}" cannot be used here: {reason}{instead}')
    return kernel


def _known(name: str) -> str:
    if name not in KERNELS:
        raise ValueError(str(unknown_name("kernel", name, KERNELS)))
    return name


KernelName = Annotated[str, AfterValidator(_known)]
