"""Encoders: any sentence-transformers model, or any plain Hugging Face encoder with CLS, mean or last-token pooling.

Weights are read from safetensors only, and no code that comes with a model is run unless its operator said so. A text's
vector depends on the text alone: texts are padded on the right, where no position changes, and a model that minds its
neighbours' padding all the same is given texts of equal length together.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.compute.graphs import Source
from harness.compute.kernels import kernel_of
from harness.compute.linear import check_precision
from harness.dense.loading import (
    EncoderSettings,
    declared_length,
    input_module,
    is_plain,
    loaded_model,
    positions_of,
    sentence_transformer,
)
from harness.dense.model_files import model_name
from harness.dense.roles import (
    PASSAGES,
    QUESTIONS,
    Role,
    Similarity,
    Use,
    declared_by,
    length_of,
    overlooked_prompt,
    prompt_of,
    similarity_of,
)
from harness.errors import InvalidInput, XdrError
from harness.files.stamps import Look, look_at

PROBES = ("a", "one, two, three", "what is this, and where does it lead to?")
_PER_TOKEN = ("input_ids", "attention_mask", "token_type_ids")
SAME = {"float32": 1e-3, "float16": 3e-2, "bfloat16": 0.2, "int8": 1e-2}
"""By how much of its largest value a vector may differ for its neighbours: rounding, not padding that is attended to.

In int8 a last digit of an activation may fall on the other side of a half: a step of one of its integers, in one of many terms.
"""


ENCODER_VERSION = 3
"""Raised when the same model and texts give other bytes than before: vectors of another version are not gone on from."""


def resolved_device(device: str) -> str:
    """``auto`` is the first CUDA device where there is one, else the CPU; any other name is itself."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


_kept: dict[tuple[type[Encoder], EncoderSettings], tuple[Look, Encoder]] = {}
_keeping = threading.Lock()
AnyEncoder = TypeVar("AnyEncoder", bound="Encoder")


def loaded_encoder(settings: EncoderSettings) -> Encoder:
    """The encoder of these settings with one vector for each text, kept as ``encoder_of`` has it."""
    return encoder_of(Encoder, settings)


def encoder_of(kind: type[AnyEncoder], settings: EncoderSettings) -> AnyEncoder:
    """The encoder of these settings, kept until another one is asked for: what was loaded to look ahead serves the run.

    A model whose files have changed since is loaded again.
    """
    key, look = (kind, settings), look_at(path for path in settings.path.rglob("*") if path.is_file())
    with _keeping:
        if key not in _kept or not _kept[key][0].holds(look):
            _kept.clear()  # first: two models need not fit into memory
            _kept[key] = look, kind(settings)
        found = _kept[key][1]
    assert isinstance(found, kind)
    return found


@dataclass(frozen=True)
class Form:
    """A role, as this model fills it. ``cut_at``: tokens, None for no limit; ``module`` takes the texts.

    ``expansion``: what a shorter question is filled up with, as sentence-transformers' ``query_expansion`` has it.
    """

    role: Role
    prompt: str
    cut_at: int | None
    module: Any
    expansion: Mapping[str, Any] | None = None

    @property
    def is_static(self) -> bool:
        """Static embeddings: a bag of tokens, no special ones, no padding."""
        return not callable(self.module.tokenizer)


class Encoder:
    """Turns texts into float32 vectors of ``dimensions``; a text's vector does not depend on the others of its batch.

    Raises ``InvalidInput`` when it is made, where the model cannot encode questions and passages.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        # Tokenizers' own threads would only compete with the workers.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._settings = settings
        kernel = kernel_of(settings.kernel, settings.dtype, settings.device)
        self._declared = declared_by(settings.path)
        self._similarity = self._chosen_similarity()
        self._truncate_dim = settings.truncate_dim or self._declared.truncate_dim
        self._tokenizing = threading.Lock()
        self._forms: dict[Role, Form] = {}
        self._padded = True
        self._model = loaded_model(settings, self._made)
        if settings.dtype == "float32" and settings.device == "cpu":
            check_precision(kernel.name == "torch-fused")
        # A model without linear layers has nothing to multiply differently.
        source = Source(settings.path, settings.dtype, model_name(settings.path), positions_of)
        self._kernel = kernel.name if kernel.use(self._model, source) else "torch"
        self.dimensions = self._probed()

    def _made(self, settings: EncoderSettings) -> Any:
        return sentence_transformer(settings)

    def _chosen_similarity(self) -> Similarity:
        settings = self._settings
        return similarity_of(settings.similarity, self._declared, settings.path, is_plain=is_plain(settings.path))

    def use(self, role: Role) -> Use:
        """How texts of that role are encoded. Raises ``InvalidInput`` where the card asks for what the model cannot do."""
        form = self._form(role)
        note = overlooked_prompt(role, self._declared)
        return Use(form.prompt, form.cut_at, self._similarity, self._kernel, note)

    def tokenized(self, texts: Sequence[str], role: Role = PASSAGES) -> Tokenized:
        """The texts as this model's tokens, cut at the role's length, from which any batch of them can be encoded."""
        form = self._form(role)
        if not texts:
            return Tokenized(self, form, {}, {"input_ids": []}, [])
        # The tokenizer keeps truncation as state, and workers share it.
        with self._tokenizing:
            return self._tokenized_static(texts, form) if form.is_static else self._prepared(texts, form)

    def token_counts(self, texts: Sequence[str], role: Role = PASSAGES) -> list[int]:
        """How many tokens each text has for this model, prompt and special ones included, as many as are not cut off."""
        return self.tokenized(texts, role).counts

    def encode(self, texts: Sequence[str], role: Role = PASSAGES) -> NDArray[np.float32]:
        """Vectors of one batch, float32, shape (texts, dimensions)."""
        return self.tokenized(texts, role).vectors(range(len(texts)))

    def tokenizer(self) -> Any:
        """The passages' tokenizer, as the library tokenizers has it; None where it is of another kind."""
        found = self._form(PASSAGES).module.tokenizer
        return getattr(found, "backend_tokenizer", None if callable(found) else found)

    def encode_tokens(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """What single tokens are by themselves, between the special ones and without a prompt; shape (ids, dimensions)."""
        form = replace(self._form(PASSAGES), prompt="")
        if form.is_static:
            return Tokenized(self, form, {"task": form.role.task}, {"input_ids": [[i] for i in ids]}, []).vectors(
                range(len(ids))
            )
        with self._tokenizing:
            features = self._features(["a"], form, None)
            special = set(form.module.tokenizer.all_special_ids)
        (around,) = features["input_ids"]
        inner = [place for place, token in enumerate(around) if token not in special]
        before, after = around[: inner[0]], around[inner[-1] + 1 :]
        rows = [[*before, token, *after] for token in ids]
        per_text = {"input_ids": rows, "attention_mask": [[1] * len(row) for row in rows]}
        if features.get("token_type_ids") is not None:
            per_text["token_type_ids"] = [[0] * len(row) for row in rows]
        shared = {name: features[name] for name in ("modality",) if features.get(name) is not None}
        return Tokenized(self, form, {**shared, "task": form.role.task}, per_text, []).vectors(range(len(ids)))

    def _form(self, role: Role) -> Form:
        if role not in self._forms:
            module = input_module(self._model, role.task)
            name = model_name(self._settings.path)
            if not (callable(getattr(module, "tokenizer", None)) or hasattr(module, "embedding")):
                kind = type(module).__name__
                raise InvalidInput(f"the model in {name} starts with a module that is not supported: {kind}")
            form = self._filled(role, module)
            self._check(form, name)
            self._forms[role] = form
        return self._forms[role]

    def _filled(self, role: Role, module: Any) -> Form:
        length = length_of(role, declared_length(module, role.task), positions_of(module), self._settings.path)
        return Form(role, prompt_of(role, self._declared), length, module)

    def _check(self, form: Form, name: str) -> None:
        """Raises ``InvalidInput`` for what would otherwise show itself when the first batch is encoded, or never."""
        if not form.is_static:
            if form.module.tokenizer.pad_token is None:
                raise InvalidInput(
                    f"the tokenizer of the model in {name} has no padding token, which texts of unequal length need; set "
                    "one and save it beside the model, as with tokenizer.pad_token = tokenizer.eos_token and "
                    "tokenizer.save_pretrained(...)"
                )
            if getattr(form.module, "query_expansion", None) is not None:
                raise InvalidInput(f"the model in {name} expands queries, which models of one vector a text do not")
        prompt = self._tokens_of_prompt(form)
        if form.cut_at is not None and prompt >= form.cut_at:
            what = "query_max_length" if form.role.task == "query" else "passage_max_length"
            raise InvalidInput(
                f"the prompt {form.prompt!r:.200} has {prompt} tokens for the model in {name}, which leaves nothing of "
                f"{form.cut_at} for the text; raise {what}, or shorten the prompt"
            )

    def _tokens_of_prompt(self, form: Form) -> int:
        """As many tokens as every text has, special ones included."""
        if form.is_static:
            return len(form.module.tokenizer.encode(form.prompt, add_special_tokens=False).ids)
        return len(form.module.tokenizer(form.prompt, truncation=False, verbose=False)["input_ids"])

    def _tokenized_static(self, texts: Sequence[str], form: Form) -> Tokenized:
        encodings = form.module.tokenizer.encode_batch(
            [form.prompt + text for text in texts] if form.prompt else list(texts), add_special_tokens=False
        )
        kept = [encoding.ids[: form.cut_at] for encoding in encodings]
        # A tokenizer's file may state a maximum, which the library leaves in force.
        lost = [
            len(encoding.ids) - len(ids) + sum(len(rest.ids) for rest in encoding.overflowing)
            for encoding, ids in zip(encodings, kept, strict=True)
        ]
        return Tokenized(self, form, {"task": form.role.task}, {"input_ids": kept}, lost)

    def _prepared(self, texts: Sequence[str], form: Form) -> Tokenized:
        """By the library itself, so that whatever a model's files declare of it is done, but without padding."""
        features = self._features(texts, form, form.cut_at)
        per_text = {name: features[name] for name in _PER_TOKEN if features.get(name) is not None}
        ids = per_text["input_ids"]
        # Without it, padding would be attended to.
        per_text.setdefault("attention_mask", [[1] * len(own) for own in ids])
        shared = {name: features[name] for name in ("modality", "prompt_length") if features.get(name) is not None}
        lost = [0] * len(ids)
        cut = [place for place, own in enumerate(ids) if len(own) == form.cut_at]
        if cut:
            whole = self._features([texts[place] for place in cut], form, None)["input_ids"]
            for place, own in zip(cut, whole, strict=True):
                lost[place] = max(0, len(own) - len(ids[place]))
        return Tokenized(self, form, {**shared, "task": form.role.task}, per_text, lost)

    def _features(self, texts: Sequence[str], form: Form, cut_at: int | None) -> Mapping[str, Any]:
        called: dict[str, Any] = {"padding": False, "return_tensors": None, "truncation": cut_at is not None}
        if cut_at is not None:
            called["max_length"] = cut_at
        features: Mapping[str, Any] = self._model.preprocess(
            list(texts),
            prompt=form.prompt or None,
            task=form.role.task,
            processing_kwargs={"text": {"verbose": False, **called}, "common": called, "chat_template": called},
        )
        return features

    def _outputs(self, form: Form, shared: Mapping[str, Any], features: Mapping[str, list[list[int]]]) -> Any:
        """What one batch of texts becomes."""
        import torch

        with torch.inference_mode():
            vectors = torch.as_tensor(self._forward(form, shared, features)["sentence_embedding"]).float()
            if self._truncate_dim is not None:
                vectors = vectors[:, : self._truncate_dim]
            if self._similarity == "cosine":
                vectors = torch.nn.functional.normalize(vectors, dim=1)
            result: NDArray[np.float32] = vectors.cpu().numpy()
            return result

    def _forward(
        self, form: Form, shared: Mapping[str, Any], features: Mapping[str, list[list[int]]], **more: Any
    ) -> Mapping[str, Any]:
        """All that the model's modules leave of one batch, on its device."""
        batch = self._flat(features) if form.is_static else self._padded_right(form, features)
        batch = {name: values.to(self._settings.device) for name, values in batch.items()}
        found: Mapping[str, Any] = self._model({**batch, **shared}, task=form.role.task, **more)
        return found

    @staticmethod
    def _flat(features: Mapping[str, list[list[int]]]) -> dict[str, Any]:
        """One row of ids for all texts, no padding."""
        import torch

        ids = [torch.tensor(own, dtype=torch.long) for own in features["input_ids"]]
        return {"input_ids": torch.cat(ids), "offsets": torch.tensor([0, *(len(own) for own in ids[:-1])]).cumsum(0)}

    @staticmethod
    def _padded_right(form: Form, features: Mapping[str, list[list[int]]]) -> dict[str, Any]:
        return dict(form.module.tokenizer.pad(features, padding=True, padding_side="right", return_tensors="pt"))

    def _probed(self) -> int:
        """Dimensions, after a look at whether vectors depend on their text alone."""
        name = model_name(self._settings.path)
        try:
            found = [self._probed_as(role) for role in (QUESTIONS, PASSAGES)]
        except XdrError:
            raise
        except Exception as error:  # whatever the libraries, or the model's own code, come to in its first batch
            raise InvalidInput(f"the model in {name} cannot encode texts: {type(error).__name__}: {error}") from error
        if not all(is_stable for _, is_stable in found):
            raise InvalidInput(f"the vectors of the model in {name} depend on the texts that it is given together")
        sizes = sorted({size for size, _ in found})
        if len(sizes) > 1:
            raise InvalidInput(f"the model in {name} gives questions and passages vectors of {sizes} dimensions")
        if self._truncate_dim is not None and self._truncate_dim > sizes[0]:
            raise InvalidInput(
                f"truncate_dim = {self._truncate_dim}, but the model in {name} has {sizes[0]} dimensions"
            )
        return sizes[0]

    def _probed_as(self, role: Role) -> tuple[int, bool]:
        """Dimensions, and whether texts of equal length leave each other's vectors alone; notes whether padding does."""
        tokens = self.tokenized(PROBES, role)
        alone = np.concatenate([tokens.vectors([place]) for place in range(len(PROBES))])
        if not self._are_same(tokens.vectors(range(len(PROBES))), alone):
            self._padded = False
        again = self.tokenized([PROBES[1], PROBES[2], PROBES[1]], role).vectors(range(3))
        return int(alone.shape[1]), self._are_same(again, alone[[1, 2, 1]])

    def _are_same(self, vectors: NDArray[np.float32], alone: NDArray[np.float32]) -> bool:
        with np.errstate(invalid="ignore"):
            far = np.abs(vectors - alone).max(axis=1) > SAME[self._settings.dtype] * np.abs(alone).max(axis=1)
        # What is not finite is reported with the text that it is of.
        return not far[np.isfinite(alone).all(axis=1)].any()


class Tokenized:
    """Texts as tokens, without padding: tokenized once, encoded in whatever batches.

    ``counts``: tokens of each text, at least one; ``lost``: how many more it had before it was cut.
    """

    def __init__(
        self,
        encoder: Encoder,
        form: Form,
        shared: Mapping[str, Any],
        features: Mapping[str, list[list[int]]],
        lost: list[int],
    ) -> None:
        self._encoder, self._form, self._shared = encoder, form, shared
        self.lost = lost
        self.replace_features(features)

    def replace_features(self, features: Mapping[str, list[list[int]]]) -> None:
        """Other tokens for the same texts, as where a model fills them up."""
        self.features = features
        self.counts = [max(1, len(ids)) for ids in features["input_ids"]]

    def vectors(self, places: Sequence[int]) -> NDArray[np.float32]:
        """Vectors of the texts at these places as one batch, float32, shape (places, dimensions).

        A text without any token, which a transformer makes nothing of, has a vector of zeros.
        """
        found = list(self.grouped(places))
        if len(found) == 1 and len(found[0][0]) == len(places):
            whole: NDArray[np.float32] = found[0][1]
            return whole
        size = next((vectors.shape[1] for _, vectors in found), getattr(self._encoder, "dimensions", 1))
        result = np.zeros((len(places), size), np.float32)
        for rows, vectors in found:
            result[rows] = vectors
        return result

    def grouped(self, places: Sequence[int]) -> Iterator[tuple[list[int], Any]]:
        """Of the texts at these places those that can be one batch, by their rows in ``places``, and what it becomes.

        Texts without any token are in no batch, if the model is not static.
        """
        ids = self.features["input_ids"]
        if self._form.is_static:
            yield list(range(len(places))), self._of(places)
            return
        groups: dict[int, list[int]] = {}
        for row, place in enumerate(places):
            if ids[place]:
                groups.setdefault(0 if self._encoder._padded else len(ids[place]), []).append(row)
        for rows in groups.values():
            yield rows, self._of([places[row] for row in rows])

    def _of(self, places: Sequence[int]) -> Any:
        features = {name: [values[place] for place in places] for name, values in self.features.items()}
        return self._encoder._outputs(self._form, self._shared, features)
