"""Products with a matrix by oneDNN. Torch's own take MKL, which is less than half as fast on some of AMD's processors."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def use_onednn(model: torch.nn.Module) -> None:
    """Let the float32 linear layers of a model on the CPU compute with oneDNN, where this build of torch has it.

    Only how they multiply changes: weights stay where they are, for code that reads them. Sums are rounded in another order.
    """
    import torch

    for module in model.modules():
        if (
            type(module) is torch.nn.Linear
            and module.weight.dtype == torch.float32
            and module.weight.device.type == "cpu"
        ):
            module.forward = partial(linear, weight=module.weight, bias=module.bias)  # type: ignore[method-assign]


def linear(values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """``values`` (..., inner) times ``weight`` (outer, inner) transposed, plus ``bias`` (outer,), all float32 on the CPU."""
    import torch

    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (available and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return torch.nn.functional.linear(values, weight, bias)
    # What torch's compiler takes for linear layers in its own code.
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(values, weight, bias, "none", [], "")
    return found
