"""Encoders: any sentence-transformers model, or any plain Hugging Face encoder with CLS or mean pooling.

Weights are read from safetensors only, and no code that comes with a model is run unless its operator said so.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.dense.linear import check_precision, use_onednn
from harness.dense.model_files import check_model_files, code_needed, missing_weights
from harness.errors import InvalidInput
from harness.system import Pin

if TYPE_CHECKING:
    import torch

Files = tuple[tuple[str, int, int], ...]
"""Names, sizes and times of change."""
Pooling = Literal["model", "cls", "mean"]
# A model's code is part of its digest, whether or not it may run.
_FILES = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model", "*.spm", "*.py"]


ENCODER_VERSION = 2
"""Raised when the same model and texts give other bytes than before: vectors of another version are not gone on from."""


@dataclass(frozen=True)
class EncoderSettings:
    """``pooling`` "model": as the model's sentence-transformers modules say; else pooled here from the last layer.

    ``own_code``: the model's own Python code may run.
    """

    path: Path
    pooling: Pooling
    normalize: bool
    dtype: Literal["float32", "bfloat16", "float16"]
    device: str
    own_code: bool = False


def local_folder(model: str, folder: Path) -> Path | None:
    """A model's folder, where a relative path starts from ``folder``; None where there is none."""
    local = Path(model) if Path(model).is_absolute() else folder / model
    return local if local.is_dir() else None


def model_folder(model: str, revision: str | None, folder: Path) -> Path:
    """Where a model's files lie: a folder (relative to the card's), else a snapshot of a hub repository at one commit.

    Raises ``InvalidInput`` when it is no folder and has no full commit as its revision, or when the hub cannot be reached
    and no copy is cached.
    """
    if (local := local_folder(model, folder)) is not None:
        return local
    if model.startswith((".", "/")):
        raise InvalidInput(f"no model folder {folder / model}")
    if not re.fullmatch(r"[0-9a-f]{40}", revision or ""):
        raise InvalidInput(
            f"model {model!r} is no folder beside the card or recipe, and as a model of the Hugging Face hub it needs its "
            "`revision`: "
            f"a full commit of 40 hexadecimal digits (its page shows them under Files, History), not {revision!r}, "
            "so that it is the same weights tomorrow"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise InvalidInput(
            f"model {model!r} is neither a folder nor to be had from the Hugging Face hub ({type(error).__name__}); "
            "check the name and the network, or copy the model to a folder and name that instead"
        ) from error


def model_input(model: str, revision: str | None, folder: Path) -> Path | Pin:
    """What identifies the model, whether or not it is here: its folder, or for a hub model the commit that it is pinned to."""
    if (local := local_folder(model, folder)) is not None:
        return local
    return Pin(revision) if revision and not model.startswith((".", "/")) else folder / model


def resolved_device(device: str) -> str:
    """``auto`` is the first CUDA device where there is one, else the CPU; any other name is itself."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


_kept: dict[tuple[EncoderSettings, Files], Encoder] = {}
_keeping = threading.Lock()


def loaded_encoder(settings: EncoderSettings) -> Encoder:
    """The encoder of these settings, kept until another one is asked for: what was loaded to look ahead serves the run.

    A model whose files have changed since is loaded again.
    """
    files = sorted(path for path in settings.path.rglob("*") if path.is_file())
    key = settings, tuple((str(path), (s := path.stat()).st_size, s.st_mtime_ns) for path in files)
    with _keeping:
        if key not in _kept:
            _kept.clear()  # first: two models need not fit into memory
            _kept[key] = Encoder(settings)
        return _kept[key]


class Encoder:
    """Turns texts into float32 vectors of ``dimensions``; one text's vector depends on its batch only."""

    def __init__(self, settings: EncoderSettings) -> None:
        import torch

        # Tokenizers' own threads would only compete with the workers.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._settings = settings
        self._torch_dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[
            settings.dtype
        ]
        self._tokenizing = threading.Lock()
        _silence_loading_bars()
        self._load()
        self.dimensions = int(self.encode(["dimensions"], 8).shape[1])

    def _load(self) -> None:
        settings = self._settings
        check_model_files(settings.path)
        if not settings.own_code and (needed := code_needed(settings.path)) is not None:
            raise InvalidInput(f"the model in {settings.path.name} needs code of its own ({needed}), which is not run")
        try:
            if settings.pooling == "model":
                from sentence_transformers import SentenceTransformer

                self._model = SentenceTransformer(
                    str(settings.path),
                    device=settings.device,
                    trust_remote_code=settings.own_code,
                    local_files_only=True,
                    model_kwargs={"use_safetensors": True, "dtype": self._torch_dtype},
                )
                self._tokenizer = self._model.tokenizer
            else:
                from transformers import AutoModel, AutoTokenizer

                trust: dict[str, Any] = {"trust_remote_code": settings.own_code, "local_files_only": True}
                self._tokenizer = AutoTokenizer.from_pretrained(settings.path, **trust)
                self._model = AutoModel.from_pretrained(
                    settings.path, use_safetensors=True, dtype=self._torch_dtype, **trust
                ).to(settings.device)
        except Exception as error:  # each library has errors of its own for a damaged file
            raise InvalidInput(
                f"the model in {settings.path.name} cannot be loaded: {error}{missing_weights(settings.path)}"
            ) from error
        if not (self._is_transformers_tokenizer() or hasattr(self._model[0], "embedding")):
            kind = type(self._model[0]).__name__
            raise InvalidInput(f"the model in {settings.path.name} starts with a module that is not supported: {kind}")
        self._model.eval()
        if settings.dtype == "float32" and settings.device == "cpu":
            check_precision()
            use_onednn(self._model)

    def tokenized(self, texts: Sequence[str], max_length: int) -> Tokenized:
        """The texts as this model's tokens, truncated at ``max_length``, from which any batch of them can be encoded."""
        if not self._is_transformers_tokenizer():
            # Static embeddings know no special tokens, and their tokenizer is told no maximum.
            encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
            return Tokenized(self, {"input_ids": [encoding.ids[:max_length] for encoding in encodings]})
        # The tokenizer keeps truncation as state, and workers share it.
        with self._tokenizing:
            encoded = self._tokenizer(list(texts), truncation=True, max_length=max_length) if len(texts) else {}
        return Tokenized(self, dict(encoded) or {"input_ids": []})

    def token_counts(self, texts: Sequence[str], max_length: int) -> list[int]:
        """How many tokens each text has for this model, special ones included, truncated at ``max_length``."""
        return self.tokenized(texts, max_length).counts

    def encode(self, texts: Sequence[str], max_length: int) -> NDArray[np.float32]:
        """Vectors of one batch, float32, shape (texts, dimensions)."""
        return self.tokenized(texts, max_length).vectors(range(len(texts)))

    def _vectors(self, features: Mapping[str, list[list[int]]]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            vectors = self._pooled(features).float()
            if self._settings.normalize:
                vectors = torch.nn.functional.normalize(vectors, dim=1)
            result: NDArray[np.float32] = vectors.cpu().numpy()
            return result

    def _pooled(self, features: Mapping[str, list[list[int]]]) -> torch.Tensor:
        import torch

        if not self._is_transformers_tokenizer():
            # One row of ids for all texts, no padding.
            ids = [torch.tensor(own, dtype=torch.long) for own in features["input_ids"]]
            offsets = torch.tensor([0, *(len(own) for own in ids[:-1])]).cumsum(0)
            flat = {"input_ids": torch.cat(ids), "offsets": offsets}
            flat = {name: values.to(self._settings.device) for name, values in flat.items()}
            return torch.as_tensor(self._model(flat)["sentence_embedding"])
        batch = self._tokenizer.pad(features, padding=True, return_tensors="pt").to(self._settings.device)
        if self._settings.pooling == "model":
            return torch.as_tensor(self._model(dict(batch))["sentence_embedding"])
        hidden = self._model(**batch).last_hidden_state
        if self._settings.pooling == "cls":
            return torch.as_tensor(hidden[:, 0])
        mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        return torch.as_tensor((hidden * mask).sum(1) / mask.sum(1).clamp(min=1))

    def _is_transformers_tokenizer(self) -> bool:
        return callable(self._tokenizer)


class Tokenized:
    """Texts as tokens, without padding: tokenized once, encoded in whatever batches."""

    def __init__(self, encoder: Encoder, features: Mapping[str, list[list[int]]]) -> None:
        self._encoder, self._features = encoder, features
        self.counts = [max(1, len(ids)) for ids in features["input_ids"]]

    def vectors(self, places: Sequence[int]) -> NDArray[np.float32]:
        """Vectors of the texts at these places as one batch, float32, shape (places, dimensions)."""
        return self._encoder._vectors({name: [values[i] for i in places] for name, values in self._features.items()})


def _silence_loading_bars() -> None:
    """Loading is quick, and the bars of transformers appear even where nobody watches."""
    from transformers.utils import logging

    logging.disable_progress_bar()
