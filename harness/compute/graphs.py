"""Transformers as ONNX graphs, computed by ONNX Runtime in the place of PyTorch.

The graph is exported from the model as transformers has loaded it (``torch.onnx``) and kept in the cache, by a digest of the
model's files and all versions of what made it. Before it is kept it is held against the model itself, on small batches with
padding, and on one text as long as the model allows, 2,048 tokens at most, and one of half of that: a graph that is not the
model is refused, whatever the reason, and so is a text that is longer than what was compared. Around the transformer nothing
changes: tokens, batches, pooling and normalisation are those of every other kernel.

Each batch is computed by the thread that asks for it, so that as many are computed at once as the operator's workers say.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import progress
from harness.compute.graph_int8 import by_rows
from harness.compute.platform import library_versions
from harness.errors import InvalidInput
from harness.files.derived import Derived, Made
from harness.files.model_digests import sha256_of_model
from harness.files.writing import made_below_cache_home, replaced_folder, sha256_of_tree
from harness.files.yaml_records import digest_of

if TYPE_CHECKING:
    import torch

LIBRARIES = ("onnx", "onnxruntime")
VERSION = 1
"""Of the kernel, this file and ``graph_int8``: raised when they make another graph, or one with other bytes, of a model."""
SAME = {"float32": 1e-4, "int8": 0.3}
"""By how much of its largest value a token's vector may differ from the float32 model's: every token's, sums being in another
order through every layer; in int8 the mean over a batch's tokens. That bound is a choice, about twice the 0.14 of
multilingual-e5-small, the farthest of six models that were tried: it tells integers from wrong ones, not how well they rank.
"""

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_GRAPH, _OUTPUT = "model.onnx", "last_hidden_state"
_OPSET = 18
_SLOWER = ["SkipLayerNormFusion"]
"""Of ONNX Runtime's rewritings: was slower, where it was tried (1.32, AVX2), than the two operations that it makes one of."""
_SHAPES = ((1, 3), (3, 11), (2, 29))
"""Texts and tokens of the small batches on which a graph is held against its model."""
_LONGEST = 2_048
"""Tokens of a text, at most, that are compared and computed: attention takes memory with their square."""


@dataclass(frozen=True)
class Source:
    """``folder``: the model's files. ``dtype``: "float32", or "int8" as ``harness.compute.graph_int8`` has it.

    ``name``: the model's, for people. ``positions``: how many tokens a text of a module can have, None for any number.
    """

    folder: Path
    dtype: str
    name: str
    positions: Callable[[Any], int | None]


def not_installed() -> str:
    """What is missing, and how it is had; nothing where nothing is."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    return f"{', '.join(missing)} not installed: pip install 'xdr-bench[fast]'" if missing else ""


def use_graphs(model: torch.nn.Module, source: Source) -> bool:
    """Let ONNX Runtime compute every transformer in a model, whose own weights are let go.

    Raises ``InvalidInput`` where there is none, or one that cannot be a graph.
    """
    found = list(_transformers(model))
    if not found:
        raise InvalidInput(f"{_cannot(source)}: it has no transformer; leave `kernel` out")
    for place, (module, inputs) in enumerate(found):
        transformer = module.model
        export = _Export(transformer, inputs, source, min(source.positions(module) or _LONGEST, _LONGEST))
        transformer.forward = _Forward(_session(_exported(export, place), source), export)
        for weight in transformer.parameters():
            weight.data = weight.data.new_empty(0)
    return True


def _transformers(model: torch.nn.Module) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Modules around one, each with the names of what it is given: what both its tokenizer gives and it takes."""
    from transformers import PreTrainedModel

    for module in model.modules():
        inner = getattr(module, "model", None)
        tokenizer = getattr(module, "tokenizer", None)
        if isinstance(inner, PreTrainedModel) and tokenizer is not None:
            taken = inspect.signature(inner.forward).parameters
            given = {"input_ids", "attention_mask", *getattr(tokenizer, "model_input_names", ())}
            yield module, tuple(name for name in _INPUTS if name in taken and name in given)


class _Forward:
    """Takes the place of a transformer's ``forward``."""

    def __init__(self, session: Any, export: _Export) -> None:
        self._session, self._inputs, self._longest, self._source = session, export.inputs, export.longest, export.source

    def __call__(self, **given: Any) -> Any:
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        tokens = given["input_ids"].shape[1]
        if tokens > self._longest:
            raise InvalidInput(
                f"{_cannot(self._source)} for a text of {tokens} tokens: as a graph it was held against the model up to "
                f'{self._longest}; lower the maximum lengths in the card, or say kernel = "torch"'
            )
        feeds = {name: given[name].numpy() for name in self._inputs}
        (hidden,) = self._session.run([_OUTPUT], feeds)
        return BaseModelOutput(last_hidden_state=torch.from_numpy(hidden))


@dataclass(frozen=True)
class _Export:
    """``longest``: tokens of the longest text on which the graph is compared."""

    model: Any
    inputs: tuple[str, ...]
    source: Source
    longest: int


def _exported(export: _Export, place: int) -> Path:
    """The graph's file in the cache, made if need be; waits for another process that makes it."""
    libraries = library_versions(("torch", "transformers", *LIBRARIES))
    digest = sha256_of_model(export.source.folder)
    by = [VERSION, _OPSET, libraries, list(_shapes(export)), SAME[export.source.dtype]]
    made_of = [digest, place, list(export.inputs), export.source.dtype, by]
    # Of all that it is made of: two environments must not take turns in replacing what the other has verified.
    home = made_below_cache_home("graphs") / digest_of(made_of)[:32]
    folder = home / "graph"

    def make() -> Made:
        with (
            replaced_folder(folder) as temporary,
            progress.task(f"export {export.source.name} as a graph", None),
        ):
            try:
                _export(export, temporary / _GRAPH)
            except InvalidInput:
                raise
            except Exception as error:  # whatever exporters come to in a model that they do not know
                said = next(iter(str(error).strip().splitlines()), "")
                raise InvalidInput(
                    f'{_cannot(export.source)}: {type(error).__name__}: {said:.300}; say kernel = "torch" in the card'
                ) from error
        return Made([folder])

    Derived(home / "graph.seal", made_of, sha256_of_tree).made(make)
    return folder / _GRAPH


def _export(export: _Export, path: Path) -> None:
    import onnx

    plain = path.with_suffix(".plain")
    _trace(export, plain)
    difference = farthest(export, _session(plain, export.source)).largest
    if not difference <= SAME["float32"]:
        raise InvalidInput(
            f"{_cannot(export.source)}: as a graph it differs by {difference:.1g} of a token's largest value, where "
            f'rounding is at most {SAME["float32"]:g}; say kernel = "torch" in the card'
        )
    graph = onnx.load(plain)
    for file in path.parent.iterdir():
        file.unlink()
    if export.source.dtype == "int8":
        graph, products = by_rows(graph)
        if not products:
            raise InvalidInput(
                f"{_cannot(export.source)} in int8: no product with its weights has a form that is known here; say "
                'dtype = "float32" in the card'
            )
    # Beside the graph weights need not pass through memory when it is opened, and may exceed the 2 GB of one message.
    onnx.save_model(graph, path, save_as_external_data=True, location=f"{_GRAPH}.data")
    if export.source.dtype == "int8":
        difference = farthest(export, _session(path, export.source)).mean
        if not difference <= SAME["int8"]:
            raise InvalidInput(
                f"{_cannot(export.source)} in int8: on average it differs by {difference:.2g} of a token's largest value, "
                f'where {SAME["int8"]:g} is the most; say dtype = "float32" in the card'
            )


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporter warns of what could go wrong, which is seen by comparison with the model, and prints all of a graph that it
    cannot export, whether or not it is asked to.
    """
    import torch

    level, printed = logging.root.manager.disable, torch._C._jit_onnx_log
    logging.disable(logging.WARNING)
    torch._C._jit_onnx_log = lambda *parts: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch._C._jit_onnx_log = printed
        logging.disable(level)


def _trace(export: _Export, path: Path) -> None:
    """By torch's older exporter: the newer one takes many times as long for the same graph, and needs more packages."""
    import torch

    class Wrapped(torch.nn.Module):
        """Takes its inputs by place, as the exporter wants it."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = export.model

        def forward(self, *given: torch.Tensor) -> Any:
            return self.inner(**dict(zip(export.inputs, given, strict=True))).last_hidden_state

    # Attention as its authors' formula: the fused one is exported with a guard for texts of padding alone, which costs time.
    attention = export.model.config._attn_implementation
    export.model.set_attn_implementation("eager")
    try:
        with _quietly(), torch.inference_mode():
            torch.onnx.export(
                Wrapped().eval(),
                tuple(_batch(export.model, export.inputs, (2, 7)).values()),
                path,
                input_names=list(export.inputs),
                output_names=[_OUTPUT],
                dynamic_axes={name: {0: "texts", 1: "tokens"} for name in (*export.inputs, _OUTPUT)},
                opset_version=_OPSET,
                dynamo=False,
            )
    finally:
        export.model.set_attn_implementation(attention)


def _batch(model: Any, inputs: Sequence[str], shape: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Random tokens, the second half of every text but the first one padding."""
    import torch

    texts, tokens = shape
    random = torch.Generator().manual_seed(texts * tokens)
    ids = torch.randint(0, model.get_input_embeddings().num_embeddings, shape, generator=random)
    mask = torch.ones(shape, dtype=torch.long)
    mask[1:, tokens // 2 :] = 0
    padding = getattr(model.config, "pad_token_id", None)
    ids[mask == 0] = 0 if padding is None else padding
    made = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    return {name: made[name] for name in inputs}


def _shapes(export: _Export) -> Sequence[tuple[int, int]]:
    """Texts and tokens of the batches that are compared: the long ones have one text, so that they stay cheap."""
    small = [(texts, tokens) for texts, tokens in _SHAPES if tokens <= export.longest]
    return [*small, (1, max(1, export.longest // 2)), (1, export.longest)]


class Difference(NamedTuple):
    """Of graph and model in the tokens' vectors, each as a share of its largest value, padding left out.

    ``largest``: of all tokens. ``mean``: over the tokens of a batch, the largest of all batches'.
    """

    largest: float
    mean: float


def farthest(export: _Export, session: Any) -> Difference:
    """On batches of all shapes."""
    import torch

    largest, mean = 0.0, 0.0
    for shape in _shapes(export):
        batch = _batch(export.model, export.inputs, shape)
        with torch.inference_mode():
            expected = export.model(**batch).last_hidden_state.float()
        (found,) = session.run([_OUTPUT], {name: values.numpy() for name, values in batch.items()})
        if found.shape != tuple(expected.shape):
            return Difference(float("inf"), float("inf"))
        far = (torch.from_numpy(found) - expected).abs().amax(-1) / expected.abs().amax(-1).clamp_min(1e-30)
        own = far[batch["attention_mask"] == 1]
        largest, mean = max(largest, float(own.max())), max(mean, float(own.mean()))
    return Difference(largest, mean)


def _session(path: Path, source: Source) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER
        )
    except Exception as error:  # of a class of its own for each kind of fault
        raise InvalidInput(
            f'{_cannot(source)}: ONNX Runtime does not take its graph ({error!s:.300}); say kernel = "torch" in the card'
        ) from error


def _cannot(source: Source) -> str:
    return f'kernel = "onnx" cannot carry the model in {source.name}'
