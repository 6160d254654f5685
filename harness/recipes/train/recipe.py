"""Recipes: one TOML file says from what, and how, an encoder is trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from harness.files.toml_records import Record, checked, read_toml

NTREX = {
    "ar": "arb", "bn": "ben", "de": "deu", "el": "ell", "fi": "fin", "hi": "hin", "ja": "jpn", "ko": "kor", "ro": "ron",
    "ru": "rus", "es": "spa", "sw": "swa", "te": "tel", "th": "tha", "tr": "tur", "vi": "vie", "zh": "zho-CN",
}  # fmt: skip
TATOEBA = {
    "ar": "ara", "bn": "ben", "de": "deu", "el": "ell", "fi": "fin", "hi": "hin", "ja": "jpn", "ko": "kor", "ro": "ron",
    "ru": "rus", "es": "spa", "te": "tel", "th": "tha", "tr": "tur", "vi": "vie", "zh": "cmn",
}  # fmt: skip
_XOR = {code: code for code in ("ar", "bn", "fi", "ja", "ko", "ru", "te")}
_ENGLISH = {"en": "en"}
LANGUAGES: Mapping[str, Mapping[str, str]] = {
    "ntrex": NTREX,
    "tatoeba": TATOEBA,
    "questions-parallel": _XOR,
    "xor-answers": _XOR,
    "tydi-questions": _ENGLISH,
    "tydi-sentences": _ENGLISH,
}
"""The languages of each kind of source, with the names that its files have for them."""

Style = Literal["plain", "romanized", "sounds", "consonants"]


class SourceRecipe(Record):
    """Pairs of one kind. ``weight`` is how often a stage's epoch goes through them.

    - "ntrex", "tatoeba": a sentence and its translation; of NTREX also between two languages, neither English.
    - "questions-parallel": a question of XOR-TyDi's training set and its English translation.
    - "xor-answers": a question of XOR-TyDi's training set and its English answer.
    - "tydi-questions": an English question of TyDi QA's training set and its passage, cut to the words around the answer.
    - "tydi-sentences": a sentence of an English passage of the same file and the rest of that passage.
    """

    kind: Literal["ntrex", "tatoeba", "questions-parallel", "xor-answers", "tydi-questions", "tydi-sentences"]
    languages: tuple[str, ...] = Field(default=(), description="two-letter codes; default: all that the data has")
    between: int = Field(
        default=0, ge=0, le=136, description="ntrex: pairs of two languages other than English, per line"
    )
    weight: int = Field(default=1, ge=1, le=100)

    @field_validator("languages")
    @classmethod
    def _languages_of_the_kind(cls, languages: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = LANGUAGES.get(str(info.data.get("kind")), dict.fromkeys(languages))
        if strangers := sorted(set(languages) - set(known)):
            raise ValueError(
                f"source {info.data['kind']}: no language {', '.join(strangers)}; known: {', '.join(sorted(known))}"
            )
        if len(set(languages)) < len(languages):
            raise ValueError("a language is a duplicate")
        return languages


class TokenizerRecipe(Record):
    """A unigram tokenizer trained on the different texts of its sources."""

    vocabulary: int = Field(ge=100, le=100_000, description="number of pieces, the unknown one included")
    style: Style = Field(default="plain", description="what the normaliser does, see harness/recipes/train/romanize.py")
    sample: int = Field(default=200_000, ge=100, description="texts that sentencepiece sees at most, drawn by the seed")
    sources: tuple[SourceRecipe, ...] = Field(min_length=1)


class ModelRecipe(Record):
    dimensions: int = Field(ge=2, le=4096)
    dtype: Literal["float16", "float32"] = Field(default="float16", description="of the saved embeddings")


class StageRecipe(Record):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    epochs: int = Field(ge=1, le=1000)
    batch_size: int = Field(default=1024, ge=2)
    learning_rate: float = Field(gt=0, le=10)
    warmup: float = Field(default=0.05, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    scale: float = Field(default=20.0, gt=0, description="what cosines are multiplied by before the softmax")
    token_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of pieces left out of each text in training"
    )
    sources: tuple[SourceRecipe, ...] = Field(min_length=1)


class Recipe(Record):
    """Everything that a training depends on, beside the data files and the library versions."""

    schema_version: Literal[1]
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    title: str = Field(min_length=1)
    seed: int = Field(default=42, ge=0, lt=2**32)
    tokenizer: TokenizerRecipe
    model: ModelRecipe
    stages: tuple[StageRecipe, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct_stages(self) -> Recipe:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError("two stages have the same name")
        return self


def load_recipe(path: Path) -> Recipe:
    """Raises ``WrongUsage`` when there is no such file, ``InvalidInput`` with all that is wrong in it."""
    return checked(Recipe, read_toml(path), str(path))
