"""Cross-encoders: one score for a question and a passage that are read together, by sentence-transformers' CrossEncoder.

Weights are read from safetensors only, and no code that comes with a model is run. A pair's score depends on that pair alone:
padding is masked, and a model that minds its neighbours' padding all the same is given pairs of equal length together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.compute.linear import check_precision
from harness.dense.encoding import packed
from harness.dense.loading import positions_of
from harness.dense.model_files import check_model_files, code_needed, missing_weights, model_name
from harness.dense.whole_weights import loaded_whole
from harness.errors import InvalidInput

CROSS_ENCODER_VERSION = 1
"""Raised when the same model and pairs give other scores than before."""

Pair = tuple[str, str]
Activation = Literal["none", "sigmoid", "model"]
_CLASS = "AutoModelForSequenceClassification"
_PROBES: tuple[Pair, ...] = (("a", "b"), ("one, two?", "three and four, and what comes then"), ("who is it?", "it"))
_SAME = {"float32": 1e-4, "float16": 3e-2, "bfloat16": 0.2}
"""By how much, next to 1 or its size, a score may differ for its neighbours: rounding, not padding that is attended to."""


@dataclass(frozen=True)
class CrossSettings:
    """``max_length``: tokens of a pair, special ones included; ``prompt``: a name of the model's, or a text. None: its own."""

    path: Path
    dtype: Literal["float32", "bfloat16", "float16"]
    device: str
    max_length: int | None = None
    prompt: str | None = None
    activation: Activation = "none"


@dataclass(frozen=True)
class PairScores:
    """``scores``: float32, shape (pairs,); ``tokens`` and ``lost``: of each pair, kept and cut off, int64."""

    scores: NDArray[np.float32]
    tokens: NDArray[np.int64]
    lost: NDArray[np.int64]


class CrossScorer:
    """A loaded cross-encoder. Raises ``InvalidInput`` when it is made, where the model gives no one score for a pair."""

    def __init__(self, settings: CrossSettings) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._settings, self._name = settings, model_name(settings.path)
        if settings.dtype == "float32" and settings.device == "cpu":
            check_precision(fused=False)
        self._model = _loaded(settings, self._name)
        self._activation = _activation_of(self._model, settings.activation)
        self.prompt = self._resolved_prompt()
        self.max_length = self._length()
        if self.max_length is not None and self._counts([("a", "a")])[0] > self.max_length:
            raise InvalidInput(
                f"{self.max_length} tokens for the model in {self._name} leave no room for a pair after the prompt "
                f"{self.prompt or ''!r:.200}; raise max_length, or shorten the prompt"
            )
        self._padded = self._probed()

    def score(self, pairs: Sequence[Pair], token_budget: int, workers: int = 1) -> PairScores:
        """Scores of pairs, in batches of at most ``token_budget`` tokens, padding included; workers alter no bit.

        Raises ``InvalidInput`` where a score is not finite.
        """
        counts = self._counts(pairs)
        kept = np.minimum(counts, self.max_length) if self.max_length is not None else counts
        scores = np.empty(len(pairs), np.float32)
        batches = self._batches(kept, token_budget)
        # The tokenizer keeps truncation as state, so that threads must not share it.
        features = (self._model.preprocess([pairs[place] for place in batch], prompt=self.prompt) for batch in batches)
        with ThreadPoolExecutor(workers, initializer=_one_thread) as pool:
            for batch, found in zip(batches, pool.map(self._forward, features), strict=True):
                scores[batch] = found
        if not np.isfinite(scores).all():
            raise InvalidInput(f"the model in {self._name} gives scores that are not finite in {self._settings.dtype}")
        return PairScores(scores, kept, counts - kept)

    def _batches(self, counts: NDArray[np.int64], token_budget: int) -> list[list[int]]:
        if self._padded:
            return packed(counts.tolist(), token_budget)
        groups: dict[int, list[int]] = {}
        for place, count in enumerate(counts.tolist()):
            groups.setdefault(count, []).append(place)
        return [
            [own[place] for place in batch]
            for count, own in sorted(groups.items())
            for batch in packed([count] * len(own), token_budget)
        ]

    def _counts(self, pairs: Sequence[Pair]) -> NDArray[np.int64]:
        """Tokens of each pair, as many as it has before it is cut."""
        if not pairs:
            return np.zeros(0, np.int64)
        called: dict[str, Any] = {"padding": False, "return_tensors": None, "truncation": False}
        own = {"text": {"verbose": False, **called}, "common": called, "chat_template": called}
        features = self._model.preprocess(list(pairs), prompt=self.prompt, processing_kwargs=own)
        return np.array([len(ids) for ids in features["input_ids"]], np.int64)

    def _forward(self, features: Mapping[str, Any]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            batch = {
                name: values.to(self._settings.device) if isinstance(values, torch.Tensor) else values
                for name, values in features.items()
            }
            scores = self._activation(self._model(batch)["scores"].float())
            if scores.ndim > 1 and scores.shape[-1] != 1:
                raise InvalidInput(
                    f"the model in {self._name} gives {scores.shape[-1]} scores for a pair; expected one that says how "
                    "well the passage answers the question"
                )
            found: NDArray[np.float32] = scores.reshape(len(scores)).cpu().numpy()
            return found

    def _resolved_prompt(self) -> str | None:
        prompt = self._settings.prompt
        if prompt is not None:
            return str(self._model.prompts.get(prompt, prompt)) or None
        own = self._model.prompts.get(self._model.default_prompt_name) if self._model.default_prompt_name else None
        return own or None

    def _length(self) -> int | None:
        positions, asked = positions_of(self._model[0]), self._settings.max_length
        if asked is not None and positions is not None and asked > positions:
            raise InvalidInput(f"max_length = {asked}, but the model in {self._name} has {positions} positions")
        own = self._model.max_seq_length
        stated = [length for length in (asked, own, positions) if length is not None and 0 < length < 1 << 30]
        length = min(stated, default=None)
        if length is not None:
            self._model.max_seq_length = length
        return length

    def _probed(self) -> bool:
        """Whether padding leaves scores alone. Raises ``InvalidInput`` where the model cannot score pairs."""
        try:
            alone = np.concatenate([self._scored([pair]) for pair in _PROBES])
            together = self._scored(_PROBES)
        except InvalidInput:
            raise
        except Exception as error:  # whatever the libraries come to in the first batch
            raise InvalidInput(
                f"the model in {self._name} cannot score pairs: {type(error).__name__}: {error}"
            ) from error
        far = np.abs(together - alone) > _SAME[self._settings.dtype] * np.maximum(1, np.abs(alone))
        return not far.any()

    def _scored(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        return self._forward(self._model.preprocess(list(pairs), prompt=self.prompt))


def _loaded(settings: CrossSettings, name: str) -> Any:
    check_model_files(settings.path, _CLASS)
    if (needed := code_needed(settings.path)) is not None:
        raise InvalidInput(f"the model in {name} needs code of its own ({needed}), which is not run")
    import torch
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging

    logging.disable_progress_bar()
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    try:
        model = loaded_whole(
            lambda: CrossEncoder(
                str(settings.path),
                device=settings.device,
                local_files_only=True,
                model_kwargs={"use_safetensors": True, "dtype": kinds[settings.dtype]},
            ),
            name,
        )
    except InvalidInput:
        raise
    except Exception as error:  # each library has errors of its own for a damaged file
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InvalidInput(
            f"the model in {name} cannot be loaded as a cross-encoder: {said:.500}{missing_weights(settings.path, _CLASS)}"
        ) from error
    return model.eval()


def _activation_of(model: Any, activation: Activation) -> Any:
    import torch

    return {"none": torch.nn.Identity(), "sigmoid": torch.nn.Sigmoid(), "model": model.activation_fn}[activation]


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
