"""Models of many vectors, or weights, a text, made by sentence-transformers' classes, and only of what their files hold.

The libraries make a model of any encoder, by appending layers of random numbers. Such a folder is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.dense.loading import ADAPTERS, EncoderSettings, check_kind, is_plain, torch_dtype
from harness.dense.model_files import model_name, modules_of, read_model_json
from harness.errors import InvalidInput

_COLBERT = "HF_ColBERT"
_LARGE_VOCABULARY = 250_002


def multi_vector_model(settings: EncoderSettings) -> Any:
    """A ``MultiVectorEncoder``: saved by sentence-transformers, by PyLate, or ColBERT's own checkpoint in safetensors."""
    from sentence_transformers import MultiVectorEncoder

    folder = settings.path
    if not is_plain(folder):
        check_kind(folder, ADAPTERS["multi-vector"], "one with a vector for each token")
        if not any(module.type.endswith(".Dense") for module in modules_of(folder)):
            # Without a layer of its own, PyLate's form of a model would be given a random one.
            _check_own_kind(folder)
    elif not _has_architecture(folder, _COLBERT):
        raise InvalidInput(
            f"the model in {model_name(folder)} has no layer that makes vectors of its tokens: it has no modules.json of "
            f"sentence-transformers, and config.json does not name {_COLBERT}; a plain encoder has to be trained first"
        )
    return MultiVectorEncoder(str(folder), **_options(settings))


def sparse_model(settings: EncoderSettings) -> Any:
    """A ``SparseEncoder``: saved by sentence-transformers, or a plain masked language model with ``pooling`` max or sum."""
    from sentence_transformers import SparseEncoder

    folder, pooling = settings.path, settings.pooling
    if not is_plain(folder):
        check_kind(folder, ADAPTERS["sparse"], "one with weights of words")
        if pooling != "model":
            raise InvalidInput(f"the model in {model_name(folder)} says how its weights are made; leave out `pooling`")
        return SparseEncoder(str(folder), **_options(settings))
    if pooling == "model":
        raise InvalidInput(
            f"the model in {model_name(folder)} does not say how its weights are made: it has no modules.json of "
            'sentence-transformers; say pooling = "max" or "sum" in the card, as its authors do'
        )
    if not _has_architecture(folder, "ForMaskedLM"):
        raise InvalidInput(
            f"the model in {model_name(folder)} is no masked language model (config.json, architectures), so that nothing "
            "says how much it would expect each word"
        )
    return _splade(settings)


def vocabulary_size(folder: Path) -> int:
    """Terms that a model may give weights to, as its configurations say; those of XLM-R where none says so."""
    stated = [read_model_json(path) for path in sorted(folder.rglob("config.json"))]
    sizes = [config.get("vocab_size") for config in stated if isinstance(config, Mapping)]
    return max((size for size in sizes if type(size) is int and size > 0), default=_LARGE_VOCABULARY)


def _splade(settings: EncoderSettings) -> Any:
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    trust: dict[str, Any] = {"trust_remote_code": settings.own_code, "local_files_only": True}
    transformer = Transformer(
        str(settings.path),
        transformer_task="fill-mask",
        model_kwargs={"use_safetensors": True, "dtype": torch_dtype(settings), **trust},
        processor_kwargs=dict(trust),
        config_kwargs=dict(trust),
    )
    return SparseEncoder(modules=[transformer, SpladePooling(settings.pooling)], device=settings.device)


def _options(settings: EncoderSettings) -> dict[str, Any]:
    return {
        "device": settings.device,
        "trust_remote_code": settings.own_code,
        "local_files_only": True,
        "model_kwargs": {"use_safetensors": True, "dtype": torch_dtype(settings)},
    }


def _check_own_kind(folder: Path) -> None:
    """Raises ``InvalidInput`` for PyLate's form of a model without a layer of its own."""
    path = folder / "config_sentence_transformers.json"
    found = read_model_json(path) if path.is_file() else {}
    if not (isinstance(found, Mapping) and found.get("model_type") == "MultiVectorEncoder"):
        raise InvalidInput(
            f"the model in {model_name(folder)} has no Dense module, so that its vectors would be random"
        )


def _has_architecture(folder: Path, ending: str) -> bool:
    path = folder / "config.json"
    found = read_model_json(path) if path.is_file() else {}
    stated = found.get("architectures") if isinstance(found, Mapping) else None
    return isinstance(stated, list) and any(str(name).endswith(ending) for name in stated)
