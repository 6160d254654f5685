"""Encoders whose texts become rows: a vector for each token (late interaction), or weights of terms (learned sparse).

What ``harness.dense.encoder`` says holds here, too: weights from safetensors only, no code that comes with a model unless its
operator said so, and a text's rows depend on the text alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.dense.encoder import PROBES, SAME, Encoder, Form, Tokenized
from harness.dense.loading import EncoderSettings, every_module, positions_of
from harness.dense.model_files import model_name
from harness.dense.roles import Role, Similarity, check_length
from harness.errors import InvalidInput
from harness.ragged.loading import multi_vector_model, sparse_model
from harness.ragged.rows import Piece
from harness.ragged.store import Column


class RaggedEncoder(Encoder):
    """Turns texts into rows. ``dimensions``: of a token's vector, or how many terms there are."""

    @property
    @abstractmethod
    def empty(self) -> Piece:
        """The columns of a text without rows."""

    @abstractmethod
    def columns(self, vector_dtype: str) -> tuple[Column, ...]:
        """As what a store keeps them. ``vector_dtype``: of vectors."""

    def rows(self, tokens: Tokenized, places: Sequence[int]) -> list[Piece]:
        """The rows of each of these texts, encoded as one batch. A text without any token has none."""
        found: list[Piece] = [self.empty] * len(places)
        for group, pieces in tokens.grouped(places):
            for row, piece in zip(group, pieces, strict=True):
                found[row] = piece
        return found

    @abstractmethod
    def _comparable(self, piece: Piece) -> NDArray[np.float32]:
        """A text's rows as numbers that can be compared with those of the same text in another batch."""

    def _probed_as(self, role: Role) -> tuple[int, bool]:
        tokens = self.tokenized(PROBES, role)
        alone = [self.rows(tokens, [place])[0] for place in range(len(PROBES))]
        if not self._are_alike(self.rows(tokens, range(len(PROBES))), alone):
            self._padded = False
        again = self.rows(self.tokenized([PROBES[1], PROBES[2], PROBES[1]], role), range(3))
        return self.dimensions_of(alone[0]), self._are_alike(again, [alone[1], alone[2], alone[1]])

    @abstractmethod
    def dimensions_of(self, piece: Piece) -> int: ...

    def _are_alike(self, some: Sequence[Piece], others: Sequence[Piece]) -> bool:
        for one, other in zip(some, others, strict=True):
            left, right = self._comparable(one), self._comparable(other)
            if left.shape != right.shape:
                return False
            # What is not finite is reported with the text that it is of.
            if right.size and np.isfinite(right).all():
                with np.errstate(invalid="ignore"):
                    difference = np.abs(left - right).max()
                if not difference <= SAME[self._settings.dtype] * np.abs(right).max():
                    return False
        return True


class TokenVectors(RaggedEncoder):
    """A vector for each token that counts (Khattab and Zaharia, ColBERT, arXiv 2004.12832), by ``MultiVectorEncoder``."""

    def __init__(self, settings: EncoderSettings) -> None:
        self._expansions: dict[int, Mapping[str, Any] | None] = {}
        super().__init__(settings)

    @property
    def empty(self) -> Piece:
        return (np.empty((0, getattr(self, "dimensions", 1)), np.float32),)

    def columns(self, vector_dtype: str) -> tuple[Column, ...]:
        return (Column(vector_dtype, self.dimensions),)

    def _made(self, settings: EncoderSettings) -> Any:
        model = multi_vector_model(settings)
        # Older forms of models keep their markers elsewhere than among the prompts, and the library finds them.
        found = {name: text for name, text in model.prompts.items() if text}
        self._declared = replace(self._declared, prompts={**self._declared.prompts, **found})
        # Expanded here, text by text: the library's own takes the length of a batch's longest question into it.
        for module in every_module(model):
            expansion = getattr(module, "query_expansion", None)
            if expansion is not None:
                self._expansions[id(module)] = dict(expansion)
                module.query_expansion = None
        return model

    def _chosen_similarity(self) -> Similarity:
        wanted = self._settings.similarity or self._declared.similarity
        # As the library does: what older forms of models declare is of single vectors, and means nothing here.
        return "meanmaxsim" if wanted == "meanmaxsim" else "maxsim"

    def _filled(self, role: Role, module: Any) -> Form:
        form = super()._filled(role, module)
        expansion = self._expansions.get(id(module)) if role.task == "query" else None
        if expansion is None:
            return form
        least = int(expansion["length"])
        if expansion["strategy"] == "fixed":
            # All questions have this many tokens, so that a card that says another length says another expansion.
            least = role.max_length or least
            check_length(least, role, positions_of(module), self._settings.path)
            return replace(form, cut_at=least, expansion={**expansion, "length": least})
        cut_at = None if form.cut_at is None else max(form.cut_at, least)
        return replace(form, cut_at=cut_at, expansion=expansion)

    def _prepared(self, texts: Sequence[str], form: Form) -> Tokenized:
        tokens = super()._prepared(texts, form)
        if form.expansion is not None:
            tokens.replace_features(_expanded(tokens.features, form.module.tokenizer, form.expansion))
        return tokens

    @staticmethod
    def _padded_right(form: Form, features: Mapping[str, list[list[int]]]) -> dict[str, Any]:
        import torch

        known = dict(features)
        added = known.pop(_ADDED, None)
        batch = Encoder._padded_right(form, known)
        if added is not None:
            width = batch["input_ids"].shape[1]
            batch[_ADDED] = torch.tensor([own + [0] * (width - len(own)) for own in added])
        return batch

    def _outputs(self, form: Form, shared: Mapping[str, Any], features: Mapping[str, list[list[int]]]) -> list[Piece]:
        import torch

        with torch.inference_mode():
            found = self._forward(form, shared, features)
            # From the device at once, not text by text.
            vectors = found["token_embeddings"].float().cpu().numpy()
            counted = found["attention_mask"].bool().cpu().numpy()
            return [(own[which],) for own, which in zip(vectors, counted, strict=True)]

    def _comparable(self, piece: Piece) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = piece[0]
        return vectors

    def dimensions_of(self, piece: Piece) -> int:
        return int(piece[0].shape[1])


class TermWeights(RaggedEncoder):
    """Weights of terms (Formal et al., SPLADE v2, arXiv 2109.10086), by ``SparseEncoder``."""

    @property
    def empty(self) -> Piece:
        return np.empty(0, np.int32), np.empty(0, np.float32)

    def columns(self, vector_dtype: str) -> tuple[Column, ...]:
        return Column("int32"), Column("float32")

    def _made(self, settings: EncoderSettings) -> Any:
        return sparse_model(settings)

    def _chosen_similarity(self) -> Similarity:
        wanted = self._settings.similarity or self._declared.similarity or "dot"
        if wanted in ("dot", "cosine"):
            return "cosine" if wanted == "cosine" else "dot"
        raise InvalidInput(
            f"the model {model_name(self._settings.path)} declares the similarity {wanted!r:.80}, which is not computed "
            'here; say similarity = "dot" or "cosine" in the card if its weights can be ranked so'
        )

    def _filled(self, role: Role, module: Any) -> Form:
        form = super()._filled(role, module)
        if not _is_table(module):
            return form
        # A table of weights has no positions; its tokenizer may state a maximum, which the library keeps to.
        stated = module.tokenizer.model_max_length
        own = stated if 0 < stated < 1 << 30 else None
        return replace(form, cut_at=role.max_length or own)

    def _tokens_of_prompt(self, form: Form) -> int:
        if not _is_table(form.module):
            return super()._tokens_of_prompt(form)
        return len(form.module.tokenizer(form.prompt, add_special_tokens=False, verbose=False)["input_ids"])

    def _prepared(self, texts: Sequence[str], form: Form) -> Tokenized:
        if not _is_table(form.module):
            return super()._prepared(texts, form)
        tokenizer = form.module.tokenizer
        whole = tokenizer([form.prompt + text for text in texts], add_special_tokens=False, verbose=False)["input_ids"]
        kept = [own[: form.cut_at] for own in whole]
        lost = [len(own) - len(ids) for own, ids in zip(whole, kept, strict=True)]
        features = {"input_ids": kept, "attention_mask": [[1] * len(ids) for ids in kept]}
        return Tokenized(self, form, {}, features, lost)

    def _outputs(self, form: Form, shared: Mapping[str, Any], features: Mapping[str, list[list[int]]]) -> list[Piece]:
        import torch
        from sentence_transformers.util import select_max_active_dims

        most = self._settings.max_active_dims or self._model.max_active_dims
        with torch.inference_mode():
            more = {} if most is None else {"max_active_dims": most}
            weights = self._forward(form, shared, features, **more)["sentence_embedding"]
            weights = select_max_active_dims(torch.as_tensor(weights), most).float().cpu().numpy()
        return [self._piece(own) for own in weights]

    def _piece(self, weights: NDArray[np.float32]) -> Piece:
        terms = np.flatnonzero(weights).astype(np.int32)
        found = weights[terms]
        if self._similarity == "cosine" and len(found):
            found = (found / np.sqrt(np.square(found, dtype=np.float64).sum())).astype(np.float32)
            # What is rounded to 0 is no row.
            terms, found = terms[found != 0], found[found != 0]
        self._terms = len(weights)
        return terms, found

    def _comparable(self, piece: Piece) -> NDArray[np.float32]:
        terms, weights = piece
        dense = np.zeros(self._terms, np.float32)
        dense[terms] = weights
        return dense

    def dimensions_of(self, piece: Piece) -> int:
        return self._terms


_ADDED = "query_expansion_positions"
"""As ``MultiVectorMask`` reads it: which tokens were filled in, and count all the same."""


def _is_table(module: Any) -> bool:
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

    return isinstance(module, SparseStaticEmbedding)


def _expanded(
    features: Mapping[str, list[list[int]]], tokenizer: Any, expansion: Mapping[str, Any]
) -> dict[str, list[list[int]]]:
    """Each question filled up to the expansion's length, as ``Transformer.preprocess`` does it for that question alone."""
    filler = tokenizer.convert_tokens_to_ids(expansion["token"]) if expansion["token"] is not None else None
    if filler is None:
        filler = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.eos_token_id
    # A fixed width is made by the tokenizer, on its side; a least one by the library, behind the text.
    before = expansion["strategy"] == "fixed" and tokenizer.padding_side == "left"
    values = {"input_ids": filler, "attention_mask": int(expansion["attend"])}
    missing = [max(0, expansion["length"] - len(own)) for own in features["input_ids"]]

    def filled(own: list[int], count: int, value: int) -> list[int]:
        return [value] * count + own if before else own + [value] * count

    found = {
        name: [filled(list(own), count, values.get(name, 0)) for own, count in zip(every, missing, strict=True)]
        for name, every in features.items()
    }
    found[_ADDED] = [
        filled([0] * len(own), count, 1) for own, count in zip(features["input_ids"], missing, strict=True)
    ]
    return found
