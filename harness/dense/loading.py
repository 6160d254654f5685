"""Models as modules of sentence-transformers, whether they come as such or as plain Hugging Face folders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.dense.model_files import (
    check_model_files,
    code_needed,
    missing_weights,
    model_name,
    modules_of,
    read_model_json,
)
from harness.dense.roles import Similarity, Task, embeddings_of_positions
from harness.dense.whole_weights import POOLER, loaded_whole
from harness.errors import InvalidInput, WrongUsage

if TYPE_CHECKING:
    import torch

Pooling = Literal["model", "cls", "mean", "last", "max", "sum"]
Dtype = Literal["float32", "bfloat16", "float16", "int8"]
_POOLING_MODES = {"cls": "cls", "mean": "mean", "last": "lasttoken"}
ADAPTERS: Mapping[str, tuple[str, ...]] = {
    "dense": ("SentenceTransformer",),
    "multi-vector": ("MultiVectorEncoder", "ColBERT"),
    "sparse": ("SparseEncoder",),
    "rerank": ("CrossEncoder",),
}
"""Kinds of models in the words of config_sentence_transformers.json, by the adapter that takes them; "ColBERT" is PyLate's."""
_OF_PYLATE = ("query_prefix", "document_prefix", "do_query_expansion", "skiplist_words")
_OLDEST = 6  # sentence-transformers: before it, texts could not be prepared without padding
_NO_LIMIT = 1 << 30
"""Tokenizers write 10^30 for "no maximum"."""


@dataclass(frozen=True)
class EncoderSettings:
    """``pooling`` "model": as the model's sentence-transformers modules say; else it takes the place of theirs.

    ``similarity`` and ``truncate_dim`` are the model's own where they are None. ``own_code``: the model's own Python code
    may run. ``kernel``: see ``harness.compute.kernels``. ``max_active_dims``: of a sparse encoder, weights kept of a text.
    """

    path: Path
    pooling: Pooling
    similarity: Similarity | None
    dtype: Dtype
    device: str
    own_code: bool = False
    truncate_dim: int | None = None
    kernel: str | None = None
    max_active_dims: int | None = None


def is_plain(folder: Path) -> bool:
    return not (folder / "modules.json").is_file()


def loaded_model(settings: EncoderSettings, made: Callable[[EncoderSettings], Any]) -> Any:
    """What ``made`` makes by a class of sentence-transformers, in evaluation mode.

    Raises ``InvalidInput`` for files that it cannot be made of.
    """
    folder, name = settings.path, model_name(settings.path)
    check_model_files(folder)
    if not settings.own_code and (needed := code_needed(folder)) is not None:
        raise InvalidInput(f"the model in {name} needs code of its own ({needed}), which is not run")
    _check_version()
    _silence_loading_bars()
    try:
        model = loaded_whole(lambda: made(settings), name, lambda own: () if _asks_pooler(own, settings) else (POOLER,))
    except InvalidInput:
        raise
    except Exception as error:  # each library has errors of its own for a damaged file
        # The rest is advice on how to install other versions, or a list of every weight.
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InvalidInput(f"the model in {name} cannot be loaded: {said:.500}{missing_weights(folder)}") from error
    import torch

    for module in every_module(model):
        # A transformer has the dtype already, and keeps some of its tables more precise. Static embeddings are computed with
        # as they are stored, as the library does it, for every dtype.
        if not (hasattr(module, "model") or hasattr(module, "embedding")):
            module.to(dtype=torch_dtype(settings))
        elif hasattr(module, "embedding") and module.embedding.weight.element_size() == 1:
            # Eight bits are a form of storage: nothing can be computed in them here.
            module.to(dtype=torch.float32)
    model.eval()
    return model


def _asks_pooler(model: Any, settings: EncoderSettings) -> bool:
    """Whether a vector may be made of a pooler's output, as with models of texts and images, or by code of the model's own."""
    asked = [getattr(module, "modality_config", None) for module in every_module(model)]
    return code_needed(settings.path) is not None or any("pooler_output" in str(config) for config in asked if config)


def input_module(model: Any, task: Task) -> Any:
    """The module that takes a task's texts. Raises ``InvalidInput`` where there is no route for it."""
    from sentence_transformers.base.modules import Router

    module = model[0]
    while isinstance(module, Router):
        try:
            module = module.sub_modules[module._resolve_route(task=task, modality="text")][0]
        except (ValueError, KeyError, IndexError) as error:
            raise InvalidInput(
                f"the model is a Router without a route for the task {task!r}; its routes are {', '.join(module.sub_modules)}"
            ) from error
    return module


def every_module(model: Any) -> Iterator[Any]:
    """The modules of sentence-transformers in a model, those of routes included."""
    from sentence_transformers.base.modules import Router

    for module in model.children():
        if isinstance(module, Router):
            for route in module.sub_modules.values():
                yield from every_module(route)
        else:
            yield module


def declared_length(module: Any, task: Task) -> int | None:
    """Tokens at which the model's own files cut a task's texts; None where they do not say."""
    if not hasattr(module, "model"):
        return None
    called: Mapping[str, Mapping[str, Any]] = getattr(module, "processing_kwargs", None) or {}
    stated = (
        *(called.get(bucket, {}).get("max_length") for bucket in ("chat_template", "common", "text")),
        getattr(module, "query_length" if task == "query" else "document_length", None),
        module.tokenizer.model_max_length,
    )
    length = next((value for value in stated if value is not None), None)
    return int(length) if length is not None and 0 < length < _NO_LIMIT else None


def positions_of(module: Any) -> int | None:
    """How many tokens a text can have for this model; None where nothing bounds them."""
    if not hasattr(module, "model"):
        return None
    config = module.model.config.get_text_config()
    stated = getattr(config, "max_position_embeddings", None)
    limits = [*embeddings_of_positions(module.model), *([stated] if isinstance(stated, int) and stated > 0 else [])]
    return min(limits, default=None)


def sentence_transformer(settings: EncoderSettings) -> Any:
    """A ``SentenceTransformer``: one vector for each text."""
    if not is_plain(settings.path):
        return _sentence_transformer(settings)
    if settings.pooling == "model":
        raise InvalidInput(
            f"the model in {model_name(settings.path)} does not say how its vectors are made: it has no modules.json of "
            'sentence-transformers; say pooling = "cls", "mean" or "last" in the card, as its authors do'
        )
    return _plain(settings)


def _sentence_transformer(settings: EncoderSettings) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling as PoolingModule

    name = model_name(settings.path)
    check_kind(settings.path, ("SentenceTransformer",), "one with one vector for each text")
    model = SentenceTransformer(
        str(settings.path),
        device=settings.device,
        trust_remote_code=settings.own_code,
        local_files_only=True,
        model_kwargs={"use_safetensors": True, "dtype": torch_dtype(settings)},
    )
    if settings.pooling == "model":
        return model
    pooled = [module for module in every_module(model) if isinstance(module, PoolingModule)]
    if not pooled:
        raise InvalidInput(
            f'the model in {name} has no module whose pooling could be "{settings.pooling}"; leave out `pooling` for its own'
        )
    for module in pooled:
        if isinstance(module.pooling_mode, tuple):
            raise InvalidInput(f"the model in {name} joins {len(module.pooling_mode)} poolings; leave out `pooling`")
        module.pooling_mode = _POOLING_MODES[settings.pooling]
    return model


def _plain(settings: EncoderSettings) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling as PoolingModule
    from sentence_transformers.sentence_transformer.modules import Transformer

    trust: dict[str, Any] = {"trust_remote_code": settings.own_code, "local_files_only": True}
    transformer = Transformer(
        str(settings.path),
        model_kwargs={"use_safetensors": True, "dtype": torch_dtype(settings), **trust},
        processor_kwargs=dict(trust),
        config_kwargs=dict(trust),
        # Texts as they are, though a tokenizer may bring a template for chats.
        modality_config={"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        module_output_name="token_embeddings",
        **_old_settings(settings.path),
    )
    config = transformer.model.config
    if getattr(config, "is_encoder_decoder", False) and hasattr(transformer.model, "get_decoder"):
        # What sentence-transformers does not know as one: its encoder alone makes vectors.
        transformer.model = transformer.model.get_encoder()
    size = getattr(config.get_text_config(), "hidden_size", None) or transformer.get_embedding_dimension()
    pooling = PoolingModule(size, _POOLING_MODES[settings.pooling])
    return SentenceTransformer(modules=[transformer, pooling], device=settings.device)


def _old_settings(folder: Path) -> dict[str, Any]:
    """What the file of a Transformer module says, where it lies in a folder without modules.json."""
    path = folder / "sentence_bert_config.json"
    found = read_model_json(path) if path.is_file() else {}
    keys = ("do_lower_case", "max_seq_length")
    return {key: found[key] for key in keys if isinstance(found, Mapping) and found.get(key)}


def check_kind(folder: Path, expected: Collection[str], in_words: str) -> None:
    """Raises ``InvalidInput`` for what sentence-transformers would make another model of, with parts made up."""
    kind = kind_of(folder)
    if kind not in expected:
        adapter = next((name for name, kinds in ADAPTERS.items() if kind in kinds), None)
        hint = f'; it is for adapter = "{adapter}"' if adapter else ""
        raise InvalidInput(f"the model in {model_name(folder)} is a {kind!r:.80}, not {in_words}{hint}")
    if not modules_of(folder):
        raise InvalidInput(f"{model_name(folder)}/modules.json names no modules")


def kind_of(folder: Path) -> str:
    """The ``model_type`` that config_sentence_transformers.json states, or that older releases left unsaid."""
    path = folder / "config_sentence_transformers.json"
    found = read_model_json(path) if path.is_file() else {}
    stated = found.get("model_type") if isinstance(found, Mapping) else None
    if isinstance(stated, str):
        return stated
    return "ColBERT" if isinstance(found, Mapping) and set(_OF_PYLATE) & set(found) else "SentenceTransformer"


def _check_version() -> None:
    found = metadata.version("sentence-transformers")
    if int(found.partition(".")[0]) < _OLDEST:
        raise WrongUsage(
            f"models are encoded with sentence-transformers {_OLDEST}.0 or newer, but {found} is installed; "
            f"pip install 'sentence-transformers>={_OLDEST}.0'"
        )


def torch_dtype(settings: EncoderSettings) -> torch.dtype:
    """What a model is loaded in: a kernel that computes with integers makes them of float32."""
    import torch

    found: torch.dtype = torch.float32 if settings.dtype == "int8" else getattr(torch, settings.dtype)
    return found


def _silence_loading_bars() -> None:
    """Loading is quick, and the bars of transformers appear even where nobody watches."""
    from transformers.utils import logging

    logging.disable_progress_bar()
