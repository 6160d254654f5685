"""Products with a graph's weights in 8-bit integers, such that a text's vector does not depend on its neighbours.

Libraries quantise activations with one scale for a whole batch, padding included: the same text has other vectors beside other
texts. Here each token has a scale of its own, for a matrix x (tokens, inner) and weights w (inner, outer)::

    s_i = max_k |x_ik|       q_ik = round(127 x_ik / s_i) + 128, unsigned
    t_j = max_k |w_kj| / 63  p_kj = round(w_kj / t_j), signed
    y_ij = sum_k (q_ik - 128) p_kj  t_j s_i / 127

Sums are of integers, hence exact in any order, on every processor: with 63 as the largest weight, two products of 255 at most
fit into the 16 bits in which processors without VNNI add them up (ONNX Runtime, "Quantize ONNX models", on ``reduce_range``).
What is no product with a weight (embeddings, attention, normalisation, activations) stays in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

LARGEST_ACTIVATION, LARGEST_WEIGHT = 127, 63
_LEAST = np.float32(1e-30)
"""A token of zeros, or an output without weights, is divided by it."""


def by_rows(graph: onnx.ModelProto) -> tuple[onnx.ModelProto, int]:
    """The same model with every ``MatMul`` by a constant matrix as above, and how many there are.

    Tokens that several of them take are quantised once.
    """
    from onnx import helper

    inner = graph.graph
    constants = {constant.name: constant for constant in inner.initializer}
    quantised, nodes, made, products = set[str](), list[Any](), _shared_constants(), 0
    for number, node in enumerate(inner.node):
        weight = constants.get(node.input[1]) if node.op_type == "MatMul" else None
        if weight is None or len(weight.dims) != 2:
            nodes.append(node)
            continue
        values, name, products = node.input[0], f"int8/{number}", products + 1
        if values not in quantised:
            quantised.add(values)
            nodes += _quantised(values)
        made += _weights(name, weight)
        tokens, scales = _of(values, "q"), _of(values, "scale")
        summed = [tokens, f"{name}/weights", "int8/one", f"{name}/scales", "int8/zero"]
        nodes.append(helper.make_node("MatMulIntegerToFloat", summed, [f"{name}/summed"], domain="com.microsoft"))
        nodes.append(helper.make_node("Mul", [f"{name}/summed", scales], [node.output[0]]))
    used = {name for node in nodes for name in node.input} | {output.name for output in inner.output}
    kept = [constant for name, constant in constants.items() if name in used]
    del inner.node[:], inner.initializer[:], inner.value_info[:]
    inner.node.extend(nodes)
    inner.initializer.extend([*kept, *made])
    if not any(known.domain == "com.microsoft" for known in graph.opset_import):
        graph.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return graph, products


def quantised_weights(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Of a matrix (inner, outer) its integers, and the scale of each output, float32, shape (outer,)."""
    scales = np.maximum(np.abs(weights).max(axis=0) / np.float32(LARGEST_WEIGHT), _LEAST).astype(np.float32)
    return np.rint(weights / scales).astype(np.int8), scales


def _of(values: str, what: str) -> str:
    return f"int8/{values}/{what}"


def _quantised(values: str) -> Sequence[Any]:
    """Nodes that make integers of activations, and the scale of each token."""
    from onnx import helper

    def node(kind: str, inputs: list[str], what: str, **more: Any) -> Any:
        return helper.make_node(kind, inputs, [_of(values, what)], **more)

    return [
        node("Abs", [values], "sizes"),
        node("ReduceMax", [_of(values, "sizes"), "int8/last axis"], "found", keepdims=1),
        node("Max", [_of(values, "found"), "int8/least"], "largest"),
        node("Div", ["int8/largest", _of(values, "largest")], "steps"),
        node("Mul", [values, _of(values, "steps")], "scaled"),
        node("QuantizeLinear", [_of(values, "scaled"), "int8/one", "int8/zero"], "q"),
        node("Div", [_of(values, "largest"), "int8/largest"], "scale"),
    ]


def _shared_constants() -> list[Any]:
    from onnx import numpy_helper

    values = {
        "last axis": np.array([-1], np.int64),
        "least": np.array([_LEAST], np.float32),
        "largest": np.array([LARGEST_ACTIVATION], np.float32),
        "one": np.array(1, np.float32),
        "zero": np.array(128, np.uint8),
    }
    return [numpy_helper.from_array(value, f"int8/{name}") for name, value in values.items()]


def _weights(name: str, weight: Any) -> list[Any]:
    from onnx import numpy_helper

    integers, scales = quantised_weights(numpy_helper.to_array(weight).astype(np.float32))
    return [numpy_helper.from_array(integers, f"{name}/weights"), numpy_helper.from_array(scales, f"{name}/scales")]
