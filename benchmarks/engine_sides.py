"""The sides of ``encoding_engines.py``: this product's kernels and other engines, each served by a process of its own.

What is made of the model once, a graph, is made by a process of its own before, and kept: by peers in the folder ``out``, by us
in the cache. Neither that nor loading is timed. Texts are encoded once to warm up, two of each kind.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEXTS = "texts.json"
BATCH = 32
CALIBRATION = 64
OURS = {
    "ours, kernel torch": ("float32", "torch"),
    "ours, kernel torch-fused": ("float32", "torch-fused"),
    "ours, kernel onnx": ("float32", "onnx"),
    "ours, kernel onnx, int8": ("int8", "onnx"),
}
TORCH = "SentenceTransformer.encode"
PEERS = (TORCH, "ONNX Runtime", "OpenVINO", "ONNX Runtime, int8", "OpenVINO, int8")
SIDES = (*OURS, *PEERS)
WITHOUT_GRAPHS = ("ours, kernel torch", "ours, kernel torch-fused", TORCH)
Encode = Callable[[Sequence[str], str], NDArray[np.float32]]
Compute = Callable[[Any], NDArray[np.float32]]


def slug(name: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in name)


@dataclass(frozen=True)
class Place:
    """``model``: its folder; ``out``: where texts are read and all else is written; ``threads``: that a side may use."""

    model: Path
    out: Path
    threads: int


def serve(side: str, at: Place, connection: Connection) -> None:
    """Answers each number of a round with seconds of the clock and of the processors by kind, and peak memory in bytes.

    Vectors go to ``out/SIDE-KIND.npy``, and all that is printed to ``out/SIDE.log``.
    """
    out = at.out
    _printing_to(out / f"{slug(side)}.log")
    chosen = json.loads((out / TEXTS).read_text("utf-8"))
    encode = _encode(side, at, chosen)
    for kind, own in chosen.items():
        encode(own[:2], kind)
    connection.send(None)
    while True:
        try:
            connection.recv()
        except EOFError:
            return
        figures = {}
        for kind, own in chosen.items():
            began, of_processors = time.perf_counter(), time.process_time()
            vectors = encode(own, kind)
            figures[kind] = [time.perf_counter() - began, time.process_time() - of_processors]
            np.save(out / f"{slug(side)}-{kind}.npy", vectors)
        connection.send((figures, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def prepare(side: str, at: Place) -> None:
    """Make what is kept for the side: in a process that ends, since it takes more memory than encoding does."""
    _printing_to(at.out / f"{slug(side)}.log")
    _encode(side, at, json.loads((at.out / TEXTS).read_text("utf-8")))


def _encode(side: str, at: Place, chosen: dict[str, list[str]]) -> Encode:
    import torch

    torch.set_num_threads(at.threads)
    return by_us(at, *OURS[side]) if side in OURS else by_peer(side, at, chosen)


def _printing_to(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)


def by_us(at: Place, dtype: Any, kernel: str) -> Encode:
    from harness.dense.encoder import Encoder
    from harness.dense.encoding import Limits, encode_texts, token_budget_on
    from harness.dense.loading import EncoderSettings
    from harness.dense.roles import PASSAGES, QUESTIONS

    pooling: Any = "model" if (at.model / "modules.json").is_file() else "cls"
    encoder = Encoder(EncoderSettings(at.model, pooling, "cosine", dtype, "cpu", kernel=kernel))
    limits = Limits(token_budget_on("cpu"), at.threads)
    roles = {"questions": QUESTIONS, "passages": PASSAGES}
    return lambda own, kind: encode_texts(encoder, own, roles[kind], limits).vectors


def by_peer(name: str, at: Place, texts: dict[str, list[str]]) -> Encode:
    model = sentence_transformer(at.model)
    if name == TORCH:

        def by_torch(own: Sequence[str], kind: str) -> NDArray[np.float32]:
            encode = model.encode_query if kind == "questions" else model.encode_document
            found: NDArray[np.float32] = encode(list(own), batch_size=BATCH, normalize_embeddings=True)
            return found

        return by_torch
    graph = Graph(model, texts, at)
    compute = {
        "ONNX Runtime": graph.onnxruntime,
        "ONNX Runtime, int8": graph.onnxruntime_int8,
        "OpenVINO": graph.openvino,
        "OpenVINO, int8": graph.openvino_int8,
    }[name]()
    return lambda own, kind: in_batches(model, compute, own, kind)


def sentence_transformer(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    if (folder / "modules.json").is_file():
        return SentenceTransformer(str(folder), device="cpu")
    transformer = Transformer(str(folder))
    return SentenceTransformer(
        modules=[transformer, Pooling(transformer.get_embedding_dimension(), "cls")], device="cpu"
    )


def in_batches(model: Any, compute: Compute, own: Sequence[str], kind: str) -> NDArray[np.float32]:
    """As one writes it by hand: prompt, tokenize, sort by tokens, compute, pool, normalise."""
    parts, places = [], []
    for chosen, batch in batches_of(model, own, kind):
        hidden, mask = compute(batch), batch["attention_mask"][..., None].astype(np.float32)
        pooled = (hidden * mask).sum(1) / mask.sum(1) if model[1].pooling_mode == "mean" else hidden[:, 0]
        parts.append(pooled / np.linalg.norm(pooled, axis=1, keepdims=True))
        places += chosen
    vectors = np.empty((len(own), parts[0].shape[1]), np.float32)
    vectors[places] = np.concatenate(parts)
    return vectors


def batches_of(model: Any, own: Sequence[str], kind: str, texts: int = BATCH) -> Iterator[tuple[list[int], Any]]:
    """Places of the texts of a batch, and their padded tokens; texts of like length together."""
    prompts = getattr(model, "prompts", None) or {}
    names = ("query",) if kind == "questions" else ("document", "passage")
    prompt = next((prompts[name] for name in names if prompts.get(name)), "")
    tokens = model.tokenizer([prompt + text for text in own], truncation=True, max_length=model.max_seq_length)
    order = sorted(range(len(own)), key=lambda place: len(tokens["input_ids"][place]))
    for start in range(0, len(order), texts):
        chosen = order[start : start + texts]
        own_tokens = {name: [values[place] for place in chosen] for name, values in tokens.items()}
        yield chosen, model.tokenizer.pad(own_tokens, return_tensors="np")


class Graph:
    """What the other engines compute: torch's own export of the transformer as it was loaded, and what they make of it."""

    def __init__(self, model: Any, texts: dict[str, list[str]], at: Place) -> None:
        self._model, self._texts, self._folder, self._threads = model, texts, at.out / "graphs", at.threads
        self._folder.mkdir(parents=True, exist_ok=True)
        self._inputs = [name for name in model.tokenizer.model_input_names if name in ("input_ids", "attention_mask")]
        if "token_type_ids" in model.tokenizer.model_input_names:
            self._inputs.append("token_type_ids")

    def onnxruntime(self) -> Compute:
        return self._session(self._exported())

    def onnxruntime_int8(self) -> Compute:
        return self._session(self._made("int8.onnx", self._quantized))

    def openvino(self) -> Compute:
        return self._compiled(self._exported())

    def openvino_int8(self) -> Compute:
        return self._compiled(self._made("int8.xml", self._calibrated))

    def _made(self, name: str, make: Callable[[Path], None]) -> Path:
        """A file that was made whole on an earlier turn, or is made now."""
        path, mark = self._folder / name, self._folder / f"{name}.whole"
        if not mark.exists():
            make(path)
            mark.touch()
        return path

    def _exported(self) -> Path:
        return self._made("model.onnx", self._export)

    def _export(self, path: Path) -> None:
        import torch

        inner, inputs = self._model[0].auto_model, self._inputs

        class Wrapped(torch.nn.Module):
            """Takes its inputs by place, as the exporter wants it."""

            def __init__(self) -> None:
                super().__init__()
                self.inner = inner

            def forward(self, *given: torch.Tensor) -> Any:
                return self.inner(**dict(zip(inputs, given, strict=True))).last_hidden_state

        _, example = next(batches_of(self._model, ["a", "one, two, three"], "questions"))
        axes = {0: "texts", 1: "tokens"}
        with torch.inference_mode():
            torch.onnx.export(
                Wrapped().eval(),
                tuple(torch.from_numpy(example[name]) for name in inputs),
                str(path),
                input_names=inputs,
                output_names=["hidden"],
                dynamic_axes=dict.fromkeys([*inputs, "hidden"], axes),
                opset_version=18,
                dynamo=False,
            )

    def _quantized(self, path: Path) -> None:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            self._exported(),
            path,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul"],
            extra_options={"DefaultTensorType": 1},
        )

    def _calibrated(self, path: Path) -> None:
        """NNCF's quantisation for transformers, calibrated on some of the passages that are encoded afterwards."""
        import nncf
        import openvino

        own = self._texts["passages"][:CALIBRATION]
        batches = [batch for _, batch in batches_of(self._model, own, "passages", texts=1)]
        found = nncf.quantize(
            openvino.Core().read_model(self._exported()),
            nncf.Dataset(batches, lambda batch: {name: batch[name].astype(np.int64) for name in self._inputs}),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(batches),
        )
        openvino.save_model(found, path, compress_to_fp16=False)

    def _session(self, path: Path) -> Compute:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

        def computed(batch: Any) -> NDArray[np.float32]:
            (hidden,) = session.run(None, {name: batch[name].astype(np.int64) for name in self._inputs})
            return np.asarray(hidden)

        return computed

    def _compiled(self, path: Path) -> Compute:
        import openvino

        settings = {
            "INFERENCE_NUM_THREADS": self._threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        core = openvino.Core()
        request = core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()

        def computed(batch: Any) -> NDArray[np.float32]:
            return np.array(request.infer([batch[name].astype(np.int64) for name in self._inputs])[0])

        return computed
