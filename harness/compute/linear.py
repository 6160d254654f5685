"""Products with a matrix by oneDNN. Torch's own take MKL, which is less than half as fast on some of AMD's processors."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from harness.errors import WrongUsage

if TYPE_CHECKING:
    import torch

_CHECKED = 256
"""Rows and columns of the matrices whose product is held against double precision."""


def use_onednn(model: torch.nn.Module) -> bool:
    """Let the linear layers of a model compute with oneDNN wherever they are float32 on the CPU; whether it has any.

    Only how they multiply changes: weights stay where they are, for code that reads them. Sums are rounded in another order.
    """
    import torch

    layers = [module for module in model.modules() if type(module) is torch.nn.Linear and "forward" not in vars(module)]
    for module in layers:
        module.forward = partial(_forward, module)  # type: ignore[method-assign]
    return bool(layers) and has_onednn()


def _forward(layer: torch.nn.Linear, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - as torch calls it
    import torch

    weight = layer.weight
    plain = input.dtype == weight.dtype == torch.float32 and input.device.type == weight.device.type == "cpu"
    if not plain or torch.is_autocast_enabled("cpu"):
        return torch.nn.functional.linear(input, weight, layer.bias)
    return linear(input, weight, layer.bias)


def linear(values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """``values`` (..., inner) times ``weight`` (outer, inner) transposed, plus ``bias`` (outer,), all float32 on the CPU."""
    import torch

    if not has_onednn():
        return torch.nn.functional.linear(values, weight, bias)
    # What torch's compiler takes for linear layers in its own code.
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(values, weight, bias, "none", [], "")
    return found


def has_onednn() -> bool:
    import torch

    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(available) and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@cache
def check_precision(fused: bool = True) -> None:
    """Raises ``WrongUsage`` where products are rounded to less than float32, which settings of oneDNN and torch can ask for.

    ``fused``: those by oneDNN, where there is one; else those of torch itself.
    """
    import torch

    random = torch.Generator().manual_seed(0)
    values, weight = (torch.rand(_CHECKED, _CHECKED, generator=random) - 0.5 for _ in range(2))
    product = linear(values, weight, None) if fused else torch.nn.functional.linear(values, weight)
    error = (product.double() - values.double() @ weight.double().T).abs()
    # Any order of a sum in float32 stays within this (Higham 2002, equation 3.5).
    if (error > _CHECKED * 2.0**-24 * (values.abs().double() @ weight.abs().double().T)).any():
        raise WrongUsage(
            "this machine's matrix products are less exact than float32, so that vectors and rankings would not be those of "
            "others; unset ONEDNN_DEFAULT_FPMATH_MODE (or DNNL_DEFAULT_FPMATH_MODE) and run the same command again"
        )
