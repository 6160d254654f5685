"""Kinds of models that recipes train, each with its own keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from harness.files.toml_records import Record, Reference
from harness.recipes.train.sources import PiecesRecipe

Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]


class RandomWeights(Record):
    """A network from nothing but its sizes, its weights drawn by the recipe's seed: for tests and for controls."""

    layers: int = Field(ge=1, le=48)
    hidden: int = Field(ge=2, le=4096)
    heads: int = Field(ge=1, le=64)
    initializer: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="standard deviation of the weights; for mT5 the factor of its initialisation",
    )

    @model_validator(mode="after")
    def _whole_heads(self) -> RandomWeights:
        if self.hidden % self.heads:
            raise ValueError(f"hidden = {self.hidden} is no multiple of heads = {self.heads}")
        return self


class _Started(Record):
    """``start``: a folder beside the recipe, "pinned:NAME", or a hub id with the full commit in ``revision``.

    A hub id without ``revision`` is resolved when it is first used, recorded, and asked to be written down.
    """

    start: Reference | None = None
    revision: Commit | None = None
    origin: str | None = Field(
        default=None, max_length=1000, description="how to get the start, said where it is missing"
    )


class StaticModel(_Started):
    """A table of piece vectors, whose mean is a text's vector; from ``start`` also with that model's tokenizer."""

    kind: Literal["static"]
    dimensions: int | None = Field(default=None, ge=2, le=4096, description="of a table that begins at random")
    pieces: PiecesRecipe | None = None
    dtype: Literal["float8", "float16", "float32"] = Field(
        default="float16", description="of the saved embeddings; float8 is torch's float8_e4m3fn"
    )

    @model_validator(mode="after")
    def _one_beginning(self) -> StaticModel:
        if sum(beginning is not None for beginning in (self.start, self.dimensions, self.pieces)) != 1:
            raise ValueError("a static model has either `start`, `dimensions` or `pieces`")
        return self


class _Network(_Started):
    random: RandomWeights | None = None

    @model_validator(mode="after")
    def _one_beginning(self) -> _Network:
        if (self.start is None) == (self.random is None):
            raise ValueError("a model has either `start`, pretrained weights, or `random`, the sizes of a new network")
        return self


class _TopLayers(_Network):
    """What is trained of a network that begins with pretrained weights, and what is written of it."""

    trained_layers: int | None = Field(
        default=None, ge=0, description="the top layers that learn; all below them and the embeddings stay as they are"
    )
    saved: Literal["whole", "delta"] = Field(
        default="whole", description='"delta": the changed tensors alone, with the digest of what they are added to'
    )

    @model_validator(mode="after")
    def _something_stays(self) -> _TopLayers:
        if self.random is not None and self.trained_layers is not None:
            raise ValueError("`trained_layers` is for a model with a `start`: nothing of a random one is to stay")
        if self.saved == "delta" and self.random is not None:
            raise ValueError('saved = "delta" is for a model with a `start`')
        return self


class _Lengths(_Network):
    """Lengths in tokens, special ones and the prefix included."""

    query_length: int = Field(default=32, ge=2, le=8192)
    passage_length: int = Field(default=128, ge=2, le=8192)
    query_prefix: str | None = Field(
        default=None, max_length=1000, description="default: the start's own, if it has one"
    )
    passage_prefix: str | None = Field(default=None, max_length=1000)


class TransformerModel(_Lengths, _TopLayers):
    """One vector a text. ``pooling`` "model": as the start's own sentence-transformers modules say."""

    kind: Literal["transformer"]
    pooling: Literal["cls", "mean", "model"] = "model"
    normalize: bool = False

    @model_validator(mode="after")
    def _poolings(self) -> TransformerModel:
        if self.random is not None and self.pooling == "model":
            raise ValueError('a random network says nothing of pooling: say pooling = "cls" or "mean"')
        if self.normalize and self.pooling == "model":
            raise ValueError('with pooling = "model" the start\'s own modules say whether vectors are normalised')
        return self


class MultiVectorModel(_Lengths):
    """One vector a token, compared by MaxSim (ColBERT). ``expansion``: tokens to which questions are filled up."""

    kind: Literal["multi-vector"]
    dimensions: int = Field(default=128, ge=2, le=4096)
    expansion: int = Field(default=0, ge=0, le=512)


class Seq2SeqModel(_Network):
    """A generator of questions, such as mT5."""

    kind: Literal["seq2seq"]
    source_length: int = Field(default=128, ge=2, le=8192)
    target_length: int = Field(default=32, ge=2, le=8192)


class ReaderModel(_TopLayers):
    """An extractive reader: where in a passage an answer begins and ends. ``stride``: tokens that windows share."""

    kind: Literal["reader"]
    max_length: int = Field(default=384, ge=16, le=8192)
    stride: int = Field(default=128, ge=0, le=4096)

    @model_validator(mode="after")
    def _windows_move(self) -> ReaderModel:
        if self.stride * 2 > self.max_length:
            raise ValueError(f"stride = {self.stride} is more than half of max_length = {self.max_length}")
        return self


ModelRecipe = StaticModel | TransformerModel | MultiVectorModel | Seq2SeqModel | ReaderModel
