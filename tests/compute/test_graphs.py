"""The kernel onnx: graphs that are their models, and products in 8 bits that are what their formula says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from hypothesis import given, settings
from hypothesis import strategies as st
from model_kinds import KINDS
from small_dense import run, write_card, write_track

from harness.adapters.card import load_card
from harness.compute import graph_int8, graphs
from harness.compute.graph_int8 import LARGEST_WEIGHT, by_rows, quantised_weights
from harness.compute.graphs import Source
from harness.compute.kernels import KERNELS, kernel_of
from harness.dense.encoder import SAME, Encoder
from harness.dense.encoding import Limits, encode_texts
from harness.dense.loading import EncoderSettings
from harness.dense.roles import PASSAGES, Role
from harness.errors import InvalidInput
from harness.runs.identity import compared, identity_of
from harness.runs.manifest import read_manifest

needs_onnx = pytest.mark.skipif(bool(graphs.not_installed()), reason="the extra fast is not installed")
TEXTS = [
    "the river volga flows",
    "tea",
    "Mikä on korkea",
    "",
    "a long green tea and coffee is made high in the lake " * 3,
]
CARRIED = (
    *("plain bert, cls", "plain bert, mean", "plain xlm-roberta, cls", "plain distilbert, mean", "plain qwen3, last"),
    *("plain t5, mean", "bert, prompts", "router of a static embedding and bert"),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def encoder(folder: Path, dtype: Any, pooling: Any = "model", kernel: str = "onnx") -> Encoder:
    return Encoder(EncoderSettings(folder, pooling, "dot", dtype, "cpu", kernel=kernel))


@needs_onnx
@pytest.mark.parametrize("name", CARRIED)
def test_vectors_are_those_of_torch(tmp_path: Path, name: str) -> None:
    kind = BY_NAME[name]
    folder = kind.make(tmp_path / "model")
    by_torch, exact, rounded = (
        encoder(folder, dtype, kind.pooling, kernel)
        for dtype, kernel in (("float32", "torch"), ("float32", "onnx"), ("int8", "onnx"))
    )
    is_rounded = []
    for role in (PASSAGES, Role("query", max_length=9)):
        expected = by_torch.encode(TEXTS, role)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(exact.encode(TEXTS, role), expected, atol=1e-5 * scale)
        np.testing.assert_allclose(rounded.encode(TEXTS, role), expected, atol=0.1 * scale)
        is_rounded.append(not np.allclose(rounded.encode(TEXTS, role), expected, atol=1e-5 * scale))
    assert any(is_rounded)  # a route may have no transformer


@needs_onnx
@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("name", ["plain bert, mean", "plain xlm-roberta, cls"])
def test_a_vector_does_not_hang_on_its_neighbours_or_workers(tmp_path: Path, name: str, dtype: str) -> None:
    kind = BY_NAME[name]
    own = encoder(kind.make(tmp_path / "model"), dtype, kind.pooling)
    texts = [text for text in TEXTS if text] * 3
    together = encode_texts(own, texts, PASSAGES, Limits(10_000, 1)).vectors
    alone = np.concatenate([own.encode([text]) for text in texts])
    far = np.abs(together - alone).max(axis=1) / np.abs(alone).max(axis=1)
    assert far.max() <= SAME[dtype]
    assert together.tobytes() == encode_texts(own, texts, PASSAGES, Limits(10_000, 3)).vectors.tobytes()


def _product(weights: np.ndarray) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    inner, outer = weights.shape
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["texts", "tokens", inner])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["texts", "tokens", outer])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@needs_onnx
@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 5), st.sampled_from([1e-4, 1.0, 1e4]))
@settings(max_examples=25)
def test_a_product_in_8_bits_is_what_its_formula_says(inner: int, outer: int, tokens: int, size: float) -> None:
    import onnxruntime

    random = np.random.default_rng(inner * 41 + outer)
    weights = random.normal(size=(inner, outer)).astype(np.float32)
    values = (size * random.normal(size=(2, tokens, inner))).astype(np.float32)
    # The largest products that there are: a sum in 16 bits would overflow beside them.
    values[0, 0], weights[:, 0] = size, 1.0
    graph, products = by_rows(_product(weights))
    assert products == 1
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": values})
    largest = np.abs(values).max(axis=-1, keepdims=True)
    integers = np.rint(values * (np.float32(127) / largest)).astype(np.int64)
    columns, scales = quantised_weights(weights)
    assert np.abs(columns).max() <= LARGEST_WEIGHT
    sums = (integers @ columns.astype(np.int64)).astype(np.float64)
    np.testing.assert_allclose(found, sums * scales * (largest / 127), rtol=1e-5, atol=1e-6 * size)
    bound = inner * (largest / 127) * np.abs(weights).max() * (0.5 + 127 / (2 * LARGEST_WEIGHT)) * 1.01
    assert (np.abs(found - values @ weights) <= bound).all()


@needs_onnx
def test_a_token_of_zeros_and_a_weight_of_zeros_give_zeros() -> None:
    import onnxruntime

    weights = np.zeros((8, 3), np.float32)
    weights[:, 1] = 1
    graph, _ = by_rows(_product(weights))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.zeros((1, 2, 8), np.float32)})
    np.testing.assert_array_equal(found, 0)
    (found,) = session.run(None, {"x": np.ones((1, 1, 8), np.float32)})
    np.testing.assert_allclose(found, [[[0, 8, 0]]], rtol=1e-6)


def traced(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Graphs are kept under ``home``; the places of those that are really made, one by one."""
    monkeypatch.setenv("XDR_HOME", str(home))
    made: list[Path] = []
    trace = graphs._trace
    monkeypatch.setattr(graphs, "_trace", lambda export, path: (made.append(path), trace(export, path)))
    return made


@needs_onnx
def test_a_graph_is_made_once_and_again_where_it_is_damaged_or_the_model_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = traced(tmp_path / "home", monkeypatch)
    folder = tiny_models.bert(tmp_path / "model")
    vectors = [encoder(folder, "float32", "cls").encode(TEXTS).tobytes() for _ in range(2)]
    assert len(made) == 1
    (data,) = (tmp_path / "home/graphs").rglob("model.onnx.data")
    data.write_bytes(bytes(data.stat().st_size))
    vectors.append(encoder(folder, "float32", "cls").encode(TEXTS).tobytes())
    assert (len(made), len(set(vectors))) == (2, 1)
    assert encoder(tiny_models.bert(tmp_path / "other", seed=1), "float32", "cls").encode(TEXTS).tobytes() != vectors[0]
    assert len(made) == 3
    assert not [path for path in (tmp_path / "home/graphs").rglob("*") if ".tmp" in path.name]


@needs_onnx
def test_environments_and_versions_of_the_code_do_not_replace_each_others_graphs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = traced(tmp_path / "home", monkeypatch)
    folder = tiny_models.bert(tmp_path / "model")
    for version, library in ((1, "1.0"), (2, "1.0"), (1, "1.1"), (1, "1.0"), (2, "1.0"), (1, "1.1")):
        monkeypatch.setattr(graphs, "VERSION", version)
        monkeypatch.setattr(graphs, "library_versions", lambda names, library=library: {"onnx": library})
        encoder(folder, "float32", "cls")
    assert len(made) == len({path.parent.parent for path in made}) == 3


@needs_onnx
def test_a_graph_that_is_another_for_long_texts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dynamic NTK scaling turns by other angles where a text has more tokens than the model was trained on, here 64."""
    import torch
    from transformers import Qwen2Config, Qwen2Model

    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    tokenizer = tiny_models._tokenizer()
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}
    config = Qwen2Config(
        **sizes, vocab_size=len(tokenizer), num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.3
    )
    config.rope_parameters = rope
    torch.manual_seed(0)
    Qwen2Model(config).save_pretrained(tmp_path / "model")

    def used(positions: int) -> bool:
        whole = torch.nn.Module()
        whole.add_module("model", Qwen2Model.from_pretrained(tmp_path / "model").eval())
        whole.tokenizer = tokenizer  # type: ignore[assignment]
        return graphs.use_graphs(whole, Source(tmp_path / "model", "float32", "org/name", lambda module: positions))

    assert used(64)
    with pytest.raises(InvalidInput, match="cannot carry the model in org/name: as a graph it differs by"):
        used(100)


@needs_onnx
def test_a_text_that_is_longer_than_what_was_compared_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(graphs, "_LONGEST", 64)
    own = encoder(tiny_models.bert(tmp_path / "model"), "float32", "cls")
    assert own.encode(["tea " * 62]).shape == (1, 16)
    with pytest.raises(InvalidInput, match=r"text of 65 tokens: .* up to 64; lower the maximum lengths"):
        own.encode(["tea " * 63])


@needs_onnx
def test_integers_that_are_not_the_models_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))

    def turned(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        integers, scales = quantised_weights(weights)
        return integers[::-1], scales

    monkeypatch.setattr(graph_int8, "quantised_weights", turned)
    folder = tiny_models.bert(tmp_path / "model")
    assert encoder(folder, "float32", "cls").dimensions == 16
    with pytest.raises(InvalidInput, match=r'model in int8: on average it differs by .*dtype = "float32"'):
        encoder(folder, "int8", "cls")
    assert len(list((tmp_path / "home/graphs").rglob("model.onnx"))) == 1


@needs_onnx
def test_a_graph_that_is_not_its_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(graphs.SAME, "float32", 1e-12)
    with pytest.raises(
        InvalidInput, match=r"cannot carry the model in model: as a graph it differs .*kernel = \"torch\""
    ):
        encoder(tiny_models.bert(tmp_path / "model"), "float32", "cls")
    assert not list((tmp_path / "home/graphs").rglob("model.onnx*"))


@needs_onnx
@pytest.mark.parametrize(
    ("name", "dtype", "reason"),
    [
        ("static embedding", "float32", "it has no transformer"),
        ("plain fnet, mean", "float32", "fft"),
        ("plain gpt2, last", "int8", 'no product with its weights has a form .*dtype = "float32"'),
    ],
)
def test_what_cannot_be_a_graph_is_refused_in_one_line(
    tmp_path: Path, name: str, dtype: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    kind = BY_NAME[name]
    folder = kind.make(tmp_path / "model")
    capfd.readouterr()
    with pytest.raises(InvalidInput, match=f'kernel = "onnx" cannot carry the model in model.*{reason}') as refused:
        encoder(folder, dtype, kind.pooling)
    assert "\n" not in str(refused.value)
    assert "Torch IR" not in capfd.readouterr().out


@needs_onnx
def test_kernel_and_precision_stand_in_the_manifest_and_make_another_run(tmp_path: Path) -> None:
    track, manifests = write_track(tmp_path), {}
    for dtype in ("float32", "int8"):
        card = write_card(tmp_path / dtype, kernel="onnx", dtype=dtype)
        manifests[dtype] = read_manifest(run(tmp_path / dtype, track, card).folder)
    plain = read_manifest(run(tmp_path / "torch", track, write_card(tmp_path / "torch", kernel="torch")).folder)
    assert {manifest.execution.kernel for manifest in manifests.values()} == {"onnx"}
    assert manifests["int8"].execution.facts["dtype"] == "int8"
    versions = manifests["int8"].implementation.versions or {}
    assert versions["kernel onnx"] == KERNELS["onnx"].version
    assert "onnxruntime" in manifests["int8"].platform.software.libraries
    for one, other, named in ((plain, manifests["float32"], "kernel"), (*manifests.values(), "dtype")):
        told = compared(identity_of(one), identity_of(other)).differences
        assert any(line.startswith(f"parameters.{named}") for line in told)
    stores = {path.parent.name for path in tmp_path.rglob("vectors/*/store.json")}
    assert len(stores) == 3


def test_what_is_missing_or_cannot_be_computed_is_said_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match='dtype = "int8" is computed by kernel = "onnx" alone'):
        kernel_of(None, "int8", "cpu")
    for name in ("torch", "torch-fused"):
        with pytest.raises(InvalidInput, match="int8"):
            kernel_of(name, "int8", "cpu")
    with pytest.raises(InvalidInput, match="in float32 or int8 on the CPU, not in bfloat16 on cpu"):
        kernel_of("onnx", "bfloat16", "cpu")
    with pytest.raises(InvalidInput, match="not in float32 on cuda"):
        kernel_of("onnx", "float32", "cuda")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(graphs, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(
        InvalidInput, match=r"^kernel = \"onnx\" cannot be used here: onnxruntime not installed: pip install"
    ):
        kernel_of("onnx", "float32", "cpu")
    missing = list(load_card(str(write_card(tmp_path, kernel="onnx"))).system().missing())
    assert missing == ["onnxruntime not installed: pip install 'xdr-bench[fast]'"]
