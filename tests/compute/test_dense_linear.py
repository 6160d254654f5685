"""Linear layers by each kernel are those of torch but for rounding, and models keep all else that they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.compute import kernels
from harness.compute.graphs import Source
from harness.compute.kernels import KERNELS, kernel_of
from harness.compute.linear import check_precision, has_onednn, linear, use_onednn
from harness.errors import InvalidInput, WrongUsage

UNIT = 2.0**-24


def largest_difference(values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Of two float32 products, whatever the order of their sums: what harness/compute/kernels.py promises."""
    terms = values.shape[-1] + (bias is not None)
    gamma = terms * UNIT / (1 - terms * UNIT)
    sums = values.double().abs() @ weight.double().abs().T + (0 if bias is None else bias.double().abs())
    return 2 * gamma * sums


@given(st.lists(st.integers(0, 4), min_size=1, max_size=3), st.integers(1, 70), st.integers(1, 70), st.booleans())
def test_a_product_is_torchs_but_for_rounding(outer: list[int], inner: int, rows: int, biased: bool) -> None:
    random = torch.Generator().manual_seed(inner * 71 + rows)
    values = torch.randn(*outer, inner, generator=random)
    weight = torch.randn(rows, inner, generator=random)
    bias = torch.randn(rows, generator=random) if biased else None
    found, expected = linear(values, weight, bias), torch.nn.functional.linear(values, weight, bias)
    assert found.shape == expected.shape
    assert ((found.double() - expected.double()).abs() <= largest_difference(values, weight, bias)).all()


def test_values_that_lie_in_another_order_give_the_same() -> None:
    values, weight = torch.arange(24.0).reshape(2, 3, 4), torch.arange(20.0).reshape(5, 4)
    turned = values.transpose(0, 1)
    assert torch.equal(linear(turned, weight, None), linear(turned.contiguous(), weight, None))


class Mixed(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.plain = torch.nn.Linear(8, 6)
        self.short = torch.nn.Linear(8, 6, dtype=torch.bfloat16)
        self.norm = torch.nn.LayerNorm(6)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        # Some models read a layer's weights themselves.
        return self.norm(self.plain(values)) + self.plain.weight.sum() + self.short(values.bfloat16()).float()


def test_a_model_gives_the_same_but_for_rounding_and_keeps_its_weights() -> None:
    torch.manual_seed(1)
    model, values = Mixed().eval(), torch.randn(3, 5, 8)
    with torch.inference_mode():
        expected, weights = model(values), {name: one.clone() for name, one in model.state_dict().items()}
        use_onednn(model)
        assert torch.allclose(model(values), expected, atol=1e-5)
        layer = model.plain
        assert torch.equal(layer(input=values), linear(values, layer.weight, layer.bias))
        layer.weight = torch.nn.Parameter(torch.zeros_like(layer.weight))
        assert torch.equal(layer(values), layer.bias.expand(3, 5, 6))
        layer.weight = torch.nn.Parameter(weights["plain.weight"])
    assert all(torch.equal(one, weights[name]) for name, one in model.state_dict().items())


def test_where_torch_has_no_onednn_its_own_products_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    values, weight = torch.arange(12.0).reshape(3, 4), torch.arange(8.0).reshape(2, 4)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    np.testing.assert_array_equal(linear(values, weight, None), torch.nn.functional.linear(values, weight))


def test_products_that_are_less_exact_than_float32_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_precision.__wrapped__()

    def by_bfloat16(values: torch.Tensor, weight: torch.Tensor, bias: None) -> torch.Tensor:
        return torch.nn.functional.linear(values.bfloat16(), weight.bfloat16()).float()

    monkeypatch.setattr("harness.compute.linear.linear", by_bfloat16)
    with pytest.raises(WrongUsage, match="unset ONEDNN_DEFAULT_FPMATH_MODE"):
        check_precision.__wrapped__()


def layers() -> torch.nn.Sequential:
    torch.manual_seed(2)
    return torch.nn.Sequential(torch.nn.Linear(64, 48), torch.nn.Linear(48, 32, bias=False)).eval()


@pytest.mark.parametrize("name", ["torch", "torch-fused"])
def test_every_kernel_of_layers_is_within_its_bound_of_torchs_own_layer_by_layer(name: str) -> None:
    if KERNELS[name].lacking("float32", "cpu"):
        pytest.skip(f"{name}: {KERNELS[name].lacking('float32', 'cpu')}")
    model, plain, values = layers(), layers(), torch.randn(5, 7, 64, generator=torch.Generator().manual_seed(3))
    assert KERNELS[name].use(model, Source(Path(), "float32", "model", lambda module: None))
    with torch.inference_mode():
        for own, theirs in zip(model, plain, strict=True):
            found, expected = own(values), theirs(values)
            bound = largest_difference(values, theirs.weight, theirs.bias)
            assert ((found.double() - expected.double()).abs() <= bound).all()
            values = expected
    if name == "torch":
        assert torch.equal(found, expected)


def test_a_kernel_that_a_card_names_is_that_one_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernel_of("torch", "float16", "cuda").name == kernel_of(None, "float16", "cpu").name == "torch"
    assert kernel_of(None, "float32", "cpu").name == ("torch-fused" if has_onednn() else "torch")
    with pytest.raises(
        InvalidInput, match='kernel = "torch-fused" cannot be used here: it multiplies in float32 on the CPU'
    ):
        kernel_of("torch-fused", "bfloat16", "cpu")
    monkeypatch.setattr(kernels.linear, "has_onednn", lambda: False)
    with pytest.raises(InvalidInput, match="has no oneDNN"):
        kernel_of("torch-fused", "float32", "cpu")
    assert kernel_of(None, "float32", "cpu").name == "torch"


def test_torchs_own_products_are_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = torch.nn.functional.linear
    check_precision.__wrapped__(False)
    monkeypatch.setattr(
        "torch.nn.functional.linear", lambda values, weight: plain(values.bfloat16(), weight.bfloat16()).float()
    )
    with pytest.raises(WrongUsage, match="less exact than float32"):
        check_precision.__wrapped__(False)
